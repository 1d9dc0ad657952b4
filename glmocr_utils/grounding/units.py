"""Tokens → units that spell at least a character, in lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from glmocr_utils.grounding.widths import text_width


@dataclass(frozen=True, slots=True)
class Unit:
    """A token, or several that spell one character together.

    Attributes:
        start, stop: its tokens.
        text: what they spell.
        line_index: of the line in which it starts; a line end belongs to the line that it ends.
        is_seen: it has ink; white space has none.
        width: in ems.
    """

    start: int
    stop: int
    text: str
    line_index: int
    is_seen: bool
    width: float


def units_of(token_texts: Sequence[str]) -> list[Unit]:
    """The units of a page, in its order; a last token without text belongs to the one before it."""
    units: list[Unit] = []
    start, line_index = 0, 0
    for index, text in enumerate(token_texts):
        if not text:
            continue
        shown = text.lstrip("\n")
        own_line = line_index + (len(text) - len(shown) if shown else 0)
        units.append(Unit(start, index + 1, text, own_line, not text.isspace(), text_width(text)))
        start = index + 1
        line_index += text.count("\n")
    if units and start < len(token_texts):
        last = units[-1]
        units[-1] = Unit(
            last.start, len(token_texts), last.text, last.line_index, last.is_seen, last.width
        )
    return units


def lines_of(units: Sequence[Unit]) -> list[list[Unit]]:
    """The units of each line that has something to see, in order."""
    lines: dict[int, list[Unit]] = {}
    for unit in units:
        lines.setdefault(unit.line_index, []).append(unit)
    return [line for line in lines.values() if any(unit.is_seen for unit in line)]
