"""Real pages in figures: long names cut, long lines broken, skinny pages kept small."""

import re
from collections.abc import Callable, Iterable, Sequence
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


def split_at_line_ends(pieces: Iterable[tuple[str, Value]]) -> list[list[tuple[str, Value]]]:
    """Pieces of a text, such as its tokens, line by line; a piece may hold several line ends."""
    lines: list[list[tuple[str, Value]]] = [[]]
    for text, value in pieces:
        first, *others = text.split("\n")
        lines[-1].append((first, value))
        lines += [[(other, value)] for other in others]
    while lines and not any(text for text, _ in lines[-1]):
        lines.pop()
    return lines


def fitting_lines(
    lines: Sequence[Sequence[tuple[str, Value]]],
    longest: int,
    break_at: Sequence[int],
    font_size: Callable[[Sequence[Sequence[tuple[str, Value]]]], float],
) -> list[list[tuple[str, Value]]]:
    """Lines of ordinary length as they are; others, such as whole paragraphs, broken where the
    font can be largest.

    Args:
        longest: of ordinary lines, in characters.
        break_at: numbers of characters to choose from.
        font_size: in which such lines fit.
    """
    if max(map(length_of, lines), default=0) <= longest:
        return broken_lines(lines, longest)
    return max((broken_lines(lines, columns) for columns in break_at), key=font_size)


def length_of(line: Sequence[tuple[str, Value]]) -> int:
    """Characters of all pieces."""
    return sum(len(text) for text, _ in line)


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
