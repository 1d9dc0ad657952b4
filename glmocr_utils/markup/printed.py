"""The printed form of a written text, and which of its characters leave ink."""

from dataclasses import dataclass
from functools import lru_cache

from glmocr_utils.markup.scan import CELL, LINE, NO_WIDTH, SPACE, pieces

KEPT_TEXTS = 64


@dataclass(frozen=True, slots=True)
class Printed:
    """The characters that a written text prints.

    Attributes:
        text: without markup. A run of white space is one character: `\\n` at line and block ends,
            `\\t` between the cells of a row, otherwise a space. None leads or ends the text.
        spans: (start, stop) of each character of `text` in the written text. An entity or a LaTeX
            command is one character (`\\sin`, which prints three, has its span three times); white
            space has the span of its run, markup included.
    """

    text: str
    spans: tuple[tuple[int, int], ...]


@lru_cache(KEPT_TEXTS)
def printed(written: str) -> Printed:
    """The printed form of a page's written text."""
    text: list[str] = []
    spans: list[tuple[int, int]] = []
    gap = ""
    for start, stop, shown in pieces(written):
        if not gap and spans and written[start] in NO_WIDTH:
            spans[-1] = (spans[-1][0], stop)  # a soft hyphen ends no word
            continue
        if not shown or shown.isspace():
            gap = max(gap, shown, key=_strength)
            continue
        if gap and text:
            text.append(gap)
            spans.append((spans[-1][1], start))
        gap = ""
        text.extend(shown)
        spans.extend([(start, stop)] * len(shown))
    return Printed("".join(text), tuple(spans))


@lru_cache(KEPT_TEXTS)
def ink(written: str) -> tuple[bool, ...]:
    """For each written character, whether it leaves ink; markup and white space leave none.

    All characters of an entity or LaTeX command that prints something count as ink.
    """
    inked = bytearray(len(written))
    for start, stop, shown in pieces(written):
        if shown.strip():
            inked[start:stop] = b"\x01" * (stop - start)
    return tuple(map(bool, inked))


def _strength(gap: str) -> int:
    return ("", SPACE, CELL, LINE).index(gap)
