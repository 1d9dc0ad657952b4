"""The label set in numbers: its size, agreement of sources, and lengths in tokens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glmocr_utils.labels.disagreements import source_pairs
from glmocr_utils.labels.pages import LeftOut, find_duplicates
from glmocr_utils.labels.store import PRECEDENCE, LabelStore
from glmocr_utils.metrics import corpus_cer, headline_pair
from glmocr_utils.records import Label, PageFile
from glmocr_utils.token_text import encode_text

if TYPE_CHECKING:  # what it names takes seconds to import
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two sources agree on the pages that both have labelled.

    Attributes:
        first, second: the sources; the one with the more trusted labels first.
        num_pages: that both have.
        cer: edits on all of them per character of `first`'s texts.
    """

    first: str
    second: str
    num_pages: int
    cer: float


@dataclass(frozen=True, slots=True)
class LabelReport:
    """The label set in numbers.

    Attributes:
        pages: how many pages' current label has this (source, status).
        left_out: pages that a source gave no label, and why.
        agreements: for each two sources with pages in common.
        duplicates: groups of labelled pages whose image files are the same.
        characters: how often each character occurs in the current labels.
        split_characters: those that the tokenizer spells in more than one token, and in how many.
        num_tokens: for each current label, text and image together.
        budget: tokens that a page may take; None for no limit.
        over_budget: the labels above it.
    """

    pages: Counter[tuple[str, str]]
    left_out: tuple[LeftOut, ...]
    agreements: tuple[Agreement, ...]
    duplicates: tuple[tuple[PageFile, ...], ...]
    characters: Counter[str]
    split_characters: dict[str, int]
    num_tokens: tuple[int, ...]
    budget: int | None
    over_budget: tuple[Label, ...]


def report(
    store: LabelStore,
    tokenizer: PreTrainedTokenizerBase,
    *,
    budget: int | None = None,
    image_tokens: Callable[[Label], int] | None = None,
) -> LabelReport:
    """Count the labels in the store.

    Args:
        tokenizer: of the model that is to be trained.
        budget: tokens that the model can take for one page.
        image_tokens: how many of them a page's image takes; None counts texts alone.
    """
    current = store.current_labels()
    characters = Counter(character for label in current for character in label.text)
    num_tokens = [
        len(encode_text(tokenizer, label.text)) + (image_tokens(label) if image_tokens else 0)
        for label in current
    ]
    spelled = {character: len(encode_text(tokenizer, character)) for character in characters}
    return LabelReport(
        pages=Counter((label.source, label.status) for label in current),
        left_out=tuple(store.left_out()),
        agreements=tuple(_agreements(store)),
        duplicates=tuple(map(tuple, find_duplicates(label.file for label in current))),
        characters=characters,
        split_characters={sign: count for sign, count in spelled.items() if count > 1},
        num_tokens=tuple(num_tokens),
        budget=budget,
        over_budget=tuple(
            label
            for label, count in zip(current, num_tokens, strict=True)
            if budget is not None and count > budget
        ),
    )


def _agreements(store: LabelStore) -> list[Agreement]:
    pairs = list(source_pairs(store))
    trust: Counter[str] = Counter()
    for label in (label for pair in pairs for label in pair):
        trust[label.source] = max(trust[label.source], PRECEDENCE[label.status])
    texts: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs:
        first, second = sorted(pair, key=lambda label: (-trust[label.source], label.source))
        texts[first.source, second.source].append(headline_pair(first.text, second.text))
    return [
        Agreement(*sources, len(pairs), corpus_cer(pairs))
        for sources, pairs in sorted(texts.items())
    ]
