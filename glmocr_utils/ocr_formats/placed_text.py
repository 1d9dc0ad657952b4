"""A page's text as blocks, lines and words with their boxes, for every format alike."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glmocr_utils.records import Box, OcrResult, PageLayout


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """A word of a page.

    Attributes:
        text: without white space.
        box: None where its place is unclear.
        prob: the lowest probability of its tokens, 0 to 1: the model's own, of the text. How sure
            the place is has no part in it.
    """

    text: str
    box: Box | None
    prob: float


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line of a page; `box` is None where its place is unclear."""

    words: tuple[PlacedWord, ...]
    box: Box | None


def placed_blocks(result: OcrResult, layout: PageLayout) -> list[list[PlacedLine]]:
    """The lines of each block; blank lines part blocks."""
    blocks: list[list[PlacedLine]] = [[]]
    for number, line in enumerate(_lines(result, layout)):
        if line:
            blocks[-1].append(PlacedLine(tuple(line), layout.lines[number]))
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _lines(result: OcrResult, layout: PageLayout) -> Iterator[list[PlacedWord]]:
    ends = np.cumsum([len(token.text) for token in result.tokens])
    position = 0
    for text in result.text.split("\n"):
        words = []
        for match in re.finditer(r"\S+", text):
            # from the first bytes of its first character to the token of its last one
            first = int(np.searchsorted(ends, position + match.start(), side="right"))
            last = int(np.searchsorted(ends, position + match.end(), side="left"))
            prob = min(result.tokens[index].prob for index in range(first, last + 1))
            spelling = [n for n in range(first, last + 1) if result.tokens[n].text]
            words.append(PlacedWord(match.group(), layout.box_of(spelling), prob))
        yield words
        position += len(text) + 1


def xml_text(text: str) -> str:
    """`text` with U+FFFD for what XML 1.0 cannot hold, such as most control characters."""
    return re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
