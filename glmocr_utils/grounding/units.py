"""Tokens → characters with ink, and the pieces of words that they are written in.

A token may be part of a character, a character, a word with the space before it, the end of a
paragraph, or part of a tag. Only characters with ink have a box on the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from glmocr_utils.grounding.widths import text_width
from glmocr_utils.markup import printed, unspaced_script

HYPHENS = frozenset("-‐‑¬⸗/–—")


class Gap(Enum):
    """What is between a piece and the one before it. A printed line may end at any of them."""

    NOTHING = "within a word"
    HYPHEN = "behind a hyphen, or in a script without spaces"
    SPACE = "white space"
    CELL = "the border between cells of a row"
    LINE_END = "a line end of the text, or of a block"


@dataclass(frozen=True, slots=True)
class Unit:
    """A character, or white space.

    Attributes:
        token: the one that writes it, from 0; where several do, the last.
        is_seen: it has ink.
        width: in ems.
        offset: of its middle from the middle of its piece, in ems; positive to the right.
        share: of its piece's evidence; the shares of a piece sum to 1, and white space that a token
            with ink writes has none.
    """

    token: int
    is_seen: bool
    width: float
    offset: float = 0.0
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters with ink in a row, written by one token, and what is before them.

    Attributes:
        token: the one that writes them, from 0.
        units: the characters.
        width: of all of them, in ems.
        gap: between the piece before it and this one.
        space: the white space there.
    """

    token: int
    units: tuple[Unit, ...]
    width: float
    gap: Gap
    space: tuple[Unit, ...]

    @property
    def space_width(self) -> float:
        """Of the white space before it, in ems."""
        return sum(unit.width for unit in self.space)


def pieces_of(token_texts: Sequence[str]) -> list[Piece]:
    """The pieces of a page's text, in its order; markup and white space are none.

    Args:
        token_texts: what each token adds to the text, as in `token_text.token_texts`.
    """
    page = printed("".join(token_texts))
    ends = np.cumsum([len(text) for text in token_texts])
    stops = [stop for _, stop in page.spans]
    tokens = np.searchsorted(ends, np.array(stops, int) - 1, side="right").tolist()
    is_seen = [not character.isspace() for character in page.text]
    with_ink = {token for token, seen in zip(tokens, is_seen, strict=True) if seen}
    pieces: list[Piece] = []
    start = last_seen = 0
    while start < len(page.text):
        if not is_seen[start]:
            start += 1
            continue
        stop = start + 1
        while stop < len(page.text) and is_seen[stop] and tokens[stop] == tokens[start]:
            stop += 1
        between = range(last_seen, start)
        space = tuple(_space(page.text[n], tokens[n], tokens[n] in with_ink) for n in between)
        gap = _gap(page.text[max(last_seen - 1, 0) : start + 1]) if pieces else Gap.LINE_END
        units = _units(page.text[start:stop], tokens[start])
        width = sum(unit.width for unit in units)
        pieces.append(Piece(tokens[start], units, width, gap, space))
        start = last_seen = stop
    return pieces


def groups_of(token_texts: Sequence[str]) -> list[tuple[int, int]]:
    """For each token, (start, stop) of the tokens that spell its text together.

    A token without text begins a character that a later one completes. Those at the end of a page
    belong to the last one with text.
    """
    groups: list[tuple[int, int]] = []
    start = 0
    for index, text in enumerate(token_texts):
        if text:
            groups += [(start, index + 1)] * (index + 1 - start)
            start = index + 1
    if start < len(token_texts):
        first = groups[-1][0] if groups else 0
        groups[first:] = [(first, len(token_texts))] * (len(token_texts) - first)
    return groups


def _space(character: str, token: int, token_has_ink: bool) -> Unit:
    return Unit(token, False, text_width(character), share=0.0 if token_has_ink else 1.0)


def _units(text: str, token: int) -> tuple[Unit, ...]:
    widths = np.array([text_width(character) for character in text])
    middles = widths.cumsum() - widths / 2 - widths.sum() / 2
    return tuple(
        Unit(token, True, width, offset, 1 / len(text))
        for width, offset in zip(widths.tolist(), middles.tolist(), strict=True)
    )


def _gap(text: str) -> Gap:
    """Of the white space in `text`, between the characters with ink around it."""
    between = text[1:-1]
    if "\n" in between:
        return Gap.LINE_END
    if "\t" in between:
        return Gap.CELL
    if between:
        return Gap.SPACE
    unspaced = unspaced_script(text[0]) and unspaced_script(text[-1])
    return Gap.HYPHEN if text[0] in HYPHENS or unspaced else Gap.NOTHING
