"""The tables of a written text: HTML as the model writes it, and Markdown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from glmocr_utils.markup.printed import printed
from glmocr_utils.markup.scan import BAR, CELL_TAGS, TAG, markdown_tables

SPAN = re.compile(r"""\b(rowspan|colspan)\s*=\s*["']?\s*(\d{1,3})""", re.IGNORECASE)
MOST_SPANNED = 200  # a span that the model made up fills no memory


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        row, column: from 0; a cell that spans several has the first.
        rowspan, colspan: 1 or more.
        start, stop: of its content in the written text.
    """

    row: int
    column: int
    rowspan: int
    colspan: int
    start: int
    stop: int
    is_header: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table at [start, stop) of the written text; its cells row by row."""

    start: int
    stop: int
    cells: tuple[Cell, ...]

    @property
    def num_rows(self) -> int:
        return max((cell.row + cell.rowspan for cell in self.cells), default=0)

    @property
    def num_columns(self) -> int:
        return max((cell.column + cell.colspan for cell in self.cells), default=0)

    def spans_of(self, cell: Cell) -> tuple[int, int]:
        """How many rows and columns a cell spans, up to where the last row and column begin: a
        span that the model made up adds none."""
        rows = 1 + max(each.row for each in self.cells)
        columns = 1 + max(each.column for each in self.cells)
        return min(cell.rowspan, rows - cell.row), min(cell.colspan, columns - cell.column)


def beside_cells(written: str, table: Table) -> list[tuple[int, int]]:
    """(start, stop) of a table's text in no cell, such as a caption; none for one of Markdown."""
    inside = [side for cell in table.cells for side in (cell.start, cell.stop)]
    bounds = [table.start, *inside, table.stop]
    if not TAG.match(written, table.start):
        return []
    return [
        (start, stop)
        for start, stop in zip(bounds[::2], bounds[1::2], strict=True)
        if printed(written[start:stop]).text.strip()
    ]


def tables(written: str) -> list[Table]:
    """The tables of a text, in order; one that was cut off has the cells that were written.

    A table within a cell is part of that cell.
    """
    found = [*_html_tables(written), *map(_from_markdown(written), markdown_tables(written))]
    return sorted(found, key=lambda table: table.start)


def _html_tables(written: str) -> Iterator[Table]:
    tags: list[re.Match[str]] = []
    depth = 0
    for tag in TAG.finditer(written):
        name = (tag["name"] or "").lower()
        if name == "table":
            depth = max(0, depth + (-1 if tag["end"] else 1))
        if depth or tags:
            tags.append(tag)
        if name == "table" and not depth and tags:
            yield _from_tags(tags, tag.end())
            tags = []
    if tags:
        yield _from_tags(tags, len(written))


def _from_tags(tags: Sequence[re.Match[str]], stop: int) -> Table:
    cells: list[Cell] = []
    open_cell: Cell | None = None
    taken: set[tuple[int, int]] = set()  # (row, column) that cells of rows above reach into
    row, column, depth = -1, 0, 0

    def close(position: int) -> None:
        nonlocal open_cell
        if open_cell is not None:
            cells.append(replace(open_cell, stop=position))
        open_cell = None

    for tag in tags:
        name, is_end = (tag["name"] or "").lower(), bool(tag["end"])
        if name == "table":
            depth += -1 if is_end else 1
        if depth > 1 or (name == "table" and depth == 1 and is_end):
            continue  # of a table within a cell
        if name in (*CELL_TAGS, "tr", "table"):
            close(tag.start())
        if name == "tr" and not is_end:
            row, column = row + 1, 0
        if name in CELL_TAGS and not is_end:
            row = max(row, 0)
            while (row, column) in taken:
                column += 1
            spans = {
                key.lower(): int(value) for key, value in SPAN.findall(tag["attributes"] or "")
            }
            rowspan, colspan = (
                min(max(1, spans.get(key, 1)), MOST_SPANNED) for key in ("rowspan", "colspan")
            )
            taken |= {(row + y, column + x) for y in range(rowspan) for x in range(colspan)}
            open_cell = Cell(row, column, rowspan, colspan, tag.end(), tag.end(), name == "th")
            column += colspan
    close(stop)
    return Table(tags[0].start(), stop, tuple(cells))


def _from_markdown(written: str):
    def table(lines: Sequence[tuple[int, int]]) -> Table:
        cells = [
            Cell(row, column, 1, 1, start, stop, is_header=row == 0)
            for row, line in enumerate((lines[0], *lines[2:]))
            for column, (start, stop) in enumerate(_markdown_cells(written, *line))
        ]
        return Table(lines[0][0], lines[-1][1], tuple(cells))

    return table


def _markdown_cells(written: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of each cell of a line, without the blanks around it."""
    bars = [match.start() for match in BAR.finditer(written, start, stop)]
    bounds = [start - 1, *bars, stop]
    spans = [(first + 1, last) for first, last in pairwise(bounds)]
    if not written[slice(*spans[0])].strip():
        spans = spans[1:]
    if spans and not written[slice(*spans[-1])].strip():
        spans = spans[:-1]
    for first, last in spans:
        content = written[first:last]
        lead = len(content) - len(content.lstrip())
        yield first + lead, max(first + lead, first + len(content.rstrip()))
