"""How far a prediction is from its reference: headline CER, raw CER, WER, and where they differ.

`reference` and `prediction`, in that order. A rate is edits over the reference's length and may
exceed 1. The edit distance is Levenshtein's, from rapidfuzz.

The **headline CER** compares what two texts print and leaves layout aside: a model that writes a
paragraph as one line reads it no worse than one that keeps the printed lines. Line end and space
are alike, a word that a line end divides is one word, and markup (HTML, Markdown, LaTeX) isn't
text. The **raw CER** compares texts as they are written, layout and markup included.

    headline_cer("The Court of Ap-\\npeal", "The Court of Appeal")  # 0.0
    cer("The Court of Ap-\\npeal", "The Court of Appeal")  # 0.1: two edits
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from rapidfuzz.distance import Levenshtein

from glmocr_utils.markup import printed, unspaced_script

DiffKind = Literal["equal", "replace", "delete", "insert"]
HYPHENS = frozenset("-\u2010\u2011")
KEPT_PAIRS = 64


@dataclass(frozen=True, slots=True)
class Comparable:
    """A text with its layout left aside.

    Attributes:
        text: the text to compare.
        spans: (start, stop) of each of its characters in the written text.
        divisions: where line ends divided words: a position in `text` → the span of the hyphen that
            was there.
    """

    text: str
    spans: tuple[tuple[int, int], ...]
    divisions: dict[int, tuple[int, int]]


def layout_aside(written: str) -> str:
    """The printed form of a text, on one line: NFC, no markup, words whole that line ends divided.

    Idempotent for text without markup. To compare two texts, take `headline_pair`.
    """
    return _comparable(written).text


@lru_cache(KEPT_PAIRS)
def comparable_pair(reference: str, prediction: str) -> tuple[Comparable, Comparable]:
    """Two written texts as the headline CER compares them, and where each character is written.

    A hyphen at a line end may divide a word (`Ap-/peal`) or belong to it (`well-/known`), which a
    text cannot show; so it counts where the other text has it too, and is left out otherwise.
    """
    first, second = _comparable(reference), _comparable(prediction)
    if not first.divisions and not second.divisions:
        return first, second
    edits = Levenshtein.editops(first.text, second.text)
    kept_first = [
        edit.src_pos
        for edit in edits
        if edit.tag == "insert"
        and second.text[edit.dest_pos] == "-"
        and edit.src_pos in first.divisions
    ]
    kept_second = [
        edit.dest_pos
        for edit in edits
        if edit.tag == "delete"
        and first.text[edit.src_pos] == "-"
        and edit.dest_pos in second.divisions
    ]
    return _with_hyphens(first, kept_first), _with_hyphens(second, kept_second)


def headline_pair(reference: str, prediction: str) -> tuple[str, str]:
    """Two written texts as the headline CER compares them: `cer(*pair)`, `corpus_cer(pairs)`."""
    first, second = comparable_pair(reference, prediction)
    return first.text, second.text


def headline_cer(reference: str, prediction: str) -> float:
    """Character error rate of the printed characters of two texts, layout left aside.

    Edits / reference characters: 0 is equal, and much invented text makes it more than 1.
    """
    return cer(*headline_pair(reference, prediction))


def character_edits(reference: str, prediction: str) -> int:
    """Characters to insert, delete or replace to get from one to the other."""
    return Levenshtein.distance(reference, prediction)


def cer(reference: str, prediction: str) -> float:
    """Character error rate: edits / reference characters.

    An empty reference has no length to divide by: 0 for an empty prediction, otherwise 1 for each
    character of it.
    """
    return character_edits(reference, prediction) / max(1, len(reference))


def wer(reference: str, prediction: str) -> float:
    """Word error rate: word edits / reference words; words are separated by white space."""
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
            cast(DiffKind, edit.tag),
            first[edit.src_start : edit.src_end],
            second[edit.dest_start : edit.dest_end],
        )
        for edit in Levenshtein.opcodes(first, second)
    ]


def headline_segments(reference: str, prediction: str) -> list[DiffSegment]:
    """Where two texts differ by the headline CER, in the printed lines of the reference."""
    true, read = comparable_pair(reference, prediction)
    ends = {
        number
        for number, (start, stop) in enumerate(true.spans)
        if true.text[number] == " " and "\n" in printed(reference[start - 1 : stop + 1]).text
    }
    segments, position = [], 0
    for segment in diff_segments(true.text, read.text):
        first = "".join(
            "\n" if number in ends else character
            for number, character in enumerate(segment.first, start=position)
        )
        position += len(segment.first)
        second = first if segment.kind == "equal" else segment.second
        segments.append(DiffSegment(segment.kind, first, second))
    return segments


def _comparable(written: str) -> Comparable:
    text: list[str] = []
    spans: list[tuple[int, int]] = []
    divisions: dict[int, tuple[int, int]] = {}
    clusters = list(_composed(*_fields(written)))
    for number, (characters, span) in enumerate(clusters):
        if characters.isspace():
            before, after = clusters[number - 1][0][-1], clusters[number + 1][0][0]
            if _divides(text, after):
                if after.islower():
                    text.pop()
                    divisions[len(text)] = spans.pop()
                continue
            if _prints_no_spaces(before) and _prints_no_spaces(after):
                continue
            characters = " "
        for character in characters:
            text.append("-" if character in HYPHENS else character)
            spans.append(span)
    return Comparable("".join(text), tuple(spans), divisions)


def _fields(written: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    page = printed(written)
    return page.text, page.spans


def _composed(
    text: str, spans: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """(composed character, its span): a letter and the accents that follow it are one."""
    start = 0
    for stop in range(1, len(text) + 1):
        if stop < len(text) and _joins(text[stop]):
            continue
        composed = unicodedata.normalize("NFC", text[start:stop])
        yield composed, (spans[start][0], spans[stop - 1][1])
        start = stop


def _joins(character: str) -> bool:
    """Whether it may compose with the character before it: a mark, or a vowel of Hangul."""
    return unicodedata.combining(character) != 0 or "\u1160" <= character <= "\u11ff"


def _divides(text: list[str], after: str) -> bool:
    """Whether white space between `text` and `after` only ends a line within a word."""
    return len(text) > 1 and text[-1] == "-" and text[-2].isalnum() and after.isalnum()


def _prints_no_spaces(character: str) -> bool:
    """Whether it is of a script without spaces between words, or such a script's punctuation."""
    is_wide_sign = unicodedata.east_asian_width(character) in "WF" and not character.isalnum()
    return is_wide_sign or unspaced_script(character) is not None


def _with_hyphens(page: Comparable, positions: list[int]) -> Comparable:
    text, spans = list(page.text), list(page.spans)
    for position in sorted(positions, reverse=True):
        text.insert(position, "-")
        spans.insert(position, page.divisions[position])
    return Comparable("".join(text), tuple(spans), {})
