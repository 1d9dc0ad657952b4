"""How far a prediction is from its reference: CER and WER.

`reference` and `prediction`, in that order. A rate is edits over the reference's length and may
exceed 1. The edit distance is Levenshtein's, from rapidfuzz.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import Levenshtein

DiffKind = Literal["equal", "replace", "delete", "insert"]


def normalize(text: str) -> str:
    """Unicode NFC, runs of spaces as one, no spaces at line ends, no blank lines at either end.

    The rules for comparing texts; the raw texts themselves are kept as they are.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return text.strip()


def character_edits(reference: str, prediction: str) -> int:
    """Characters to insert, delete or replace to get from one to the other."""
    return Levenshtein.distance(reference, prediction)


def cer(reference: str, prediction: str) -> float:
    """Character error rate: edits / reference characters.

    An empty reference has no length to divide by: 0 for an empty prediction, else 1 for each
    character of it.
    """
    return character_edits(reference, prediction) / max(1, len(reference))


def wer(reference: str, prediction: str) -> float:
    """Word error rate: word edits / reference words, words being what white space parts."""
    words = reference.split()
    return Levenshtein.distance(words, prediction.split()) / max(1, len(words))


def corpus_cer(pairs: Iterable[tuple[str, str]]) -> float:
    """Character error rate over many pages: all edits / all reference characters.

    A long page weighs more than a short one; `mean_page_cer` weighs pages alike.

    Args:
        pairs: (reference, prediction) of each page.
    """
    edits = characters = 0
    for reference, prediction in pairs:
        edits += character_edits(reference, prediction)
        characters += len(reference)
    return edits / max(1, characters)


def mean_page_cer(pairs: Iterable[tuple[str, str]]) -> float:
    """The mean of the pages' error rates; 0 for no pages."""
    rates = [cer(reference, prediction) for reference, prediction in pairs]
    return sum(rates) / max(1, len(rates))


@dataclass(frozen=True, slots=True)
class DiffSegment:
    """A stretch that two texts share, or in which they differ.

    Attributes:
        kind: `equal`; `replace`; `delete` (only in the first text); `insert` (only in the second).
        first, second: its characters in either text.
    """

    kind: DiffKind
    first: str
    second: str


def diff_segments(first: str, second: str) -> list[DiffSegment]:
    """A shortest way from one text to the other; joined, the segments give both."""
    return [
        DiffSegment(
            edit.tag,
            first[edit.src_start : edit.src_end],
            second[edit.dest_start : edit.dest_end],
        )
        for edit in Levenshtein.opcodes(first, second)
    ]
