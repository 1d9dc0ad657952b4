"""Real pages in figures: long names cut, long lines broken, skinny pages kept small."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

Value = TypeVar("Value")
WORD = re.compile(r"\S+\s*|\s+")


def short_name(name: str, most: int) -> str:
    """A name of at most so many characters: without its middle, and never read as a formula."""
    if len(name) > most:
        tail = most // 3
        name = f"{name[: most - tail - 1]}…{name[-tail:]}"
    return name.replace("$", r"\$")


def broken_lines(
    lines: Sequence[Sequence[tuple[str, Value]]], columns: int
) -> list[list[tuple[str, Value]]]:
    """Lines of pieces as lines of at most so many characters, broken between words if possible."""
    return [row for line in lines for row in _broken(line, columns)]


def _broken(line: Sequence[tuple[str, Value]], columns: int) -> list[list[tuple[str, Value]]]:
    starts = _row_starts("".join(text for text, _ in line), columns)
    rows: list[list[tuple[str, Value]]] = [[]]
    position = 0
    for text, value in line:
        end = position + len(text)
        if position in starts:
            rows.append([])
        inner = [start for start in starts if position < start < end]
        for start, stop in pairwise([position, *inner, end]):
            if start in inner:
                rows.append([])
            # an empty piece has its place, too
            rows[-1].append((text[start - position : stop - position], value))
        position = end
    return rows


def _row_starts(line: str, columns: int) -> list[int]:
    """Where rows after the first begin: at words, whose letters may be of several pieces."""
    starts = []
    position = used = 0
    for part in _parts(line, columns):
        if used and used + len(part.rstrip()) > columns:
            starts.append(position)
            used = 0
        used += len(part)
        position += len(part)
    return starts


def _parts(text: str, columns: int) -> list[str]:
    """The words of a line with the white space behind them; none is longer than a row."""
    return [
        word[start : start + columns]
        for word in WORD.findall(text)
        for start in range(0, len(word), columns)
    ]


def size_within(
    width_px: float, height_px: float, *, width: float, most: float
) -> tuple[float, float]:
    """Inches of a picture: as wide as asked for, and no side longer than `most`."""
    height = width * height_px / width_px
    if height > most:
        return max(1.5, most * width_px / height_px), most
    return width, max(1.0, height)
