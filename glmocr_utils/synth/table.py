"""Cells → a drawn table and its HTML, as GLM-OCR writes it for `Table Recognition:`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import accumulate
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from glmocr_utils.synth.page import (
    PageStyle,
    PlacedText,
    SynthPage,
    box_of_character,
    line_boxes,
    load_font,
    text_width,
)

WIDEST_CELL_EM = 9  # longer text is wrapped
GAP_EM = 0.4  # between a cell's text and its edges
RULE_INK = 60

Rules = Literal["grid", "rows", "heads", "none"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell of a table.

    Attributes:
        text: without line ends; may be empty.
        rowspan, colspan: how many rows and columns it covers.
    """

    text: str
    rowspan: int = 1
    colspan: int = 1


@dataclass(frozen=True, slots=True)
class _Placed:
    """A cell, the row and column that it begins in, and its printed lines."""

    cell: TableCell
    row: int
    column: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Placed cells; the left edge of each column and the top edge of each row, and the last."""

    rows: list[list[_Placed]]
    lefts: list[int]
    tops: list[int]

    def box(self, placed: _Placed) -> tuple[int, int, int, int]:
        right = self.lefts[placed.column + placed.cell.colspan]
        bottom = self.tops[placed.row + placed.cell.rowspan]
        return self.lefts[placed.column], self.tops[placed.row], right, bottom


def draw_table(
    rows: Sequence[Sequence[TableCell]], style: PageStyle, ruled: bool = True
) -> SynthPage:
    """Draw a table as large as its text; width and height of `style` do not count.

    Args:
        rows: the cells that begin in each row, as in HTML: what a span covers is left out.
        ruled: with lines around the cells.

    Returns:
        A page whose text is compact HTML. The characters of a tag have boxes one pixel wide: where
        the cell begins, or behind its text.

    Raises:
        ValueError: the spans leave a hole in the grid or overlap.
    """
    grid = _lay_out(rows, style)
    size = (grid.lefts[-1] + style.margin_px + 1, grid.tops[-1] + style.margin_px + 1)
    image = Image.new("L", size, style.paper)
    draw = ImageDraw.Draw(image)
    font = load_font(style.font, style.font_px)
    for placed in (placed for row in grid.rows for placed in row):
        if ruled:
            draw.rectangle(grid.box(placed), outline=max(style.ink, RULE_INK))
        for piece in _pieces(placed, grid, style):
            where = (piece.left_px, piece.baseline_px)
            draw.text(where, piece.text, font=font, fill=style.ink, anchor="ls")
    written = list(_written(grid, style))
    boxes = np.array([box for _, boxes in written for box in boxes], np.float32)
    return SynthPage(image.convert("RGB"), "".join(text for text, _ in written), boxes)


def table_ink(
    rows: Sequence[Sequence[TableCell]],
    style: PageStyle,
    rules: Rules = "grid",
    width_px: int | None = None,
) -> tuple[Image.Image, list[PlacedText]]:
    """Draw the ink of a table alone (mode L, 0 is paper, 255 black), for a page to put it on.

    Args:
        rows: as for `draw_table`.
        style: font and line spacing; no margin is kept.
        rules: lines around all cells, under each row, above and below head and foot, or none.
        width_px: stretches the columns evenly to that width, if the table is narrower.

    Returns:
        The ink, and the texts in it.
    """
    grid = _lay_out(rows, replace(style, margin_px=0), width_px)
    width, height = grid.lefts[-1] + 1, grid.tops[-1] + 1
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    font = load_font(style.font, style.font_px)
    cells = [placed for row in grid.rows for placed in row]
    pieces = [piece for placed in cells for piece in _pieces(placed, grid, style)]
    if rules == "grid":
        for placed in cells:
            draw.rectangle(grid.box(placed), outline=255 - RULE_INK, width=rule_px(style))
    for piece in pieces:
        where = (piece.left_px, piece.baseline_px)
        draw.text(where, piece.text, font=font, fill=255, anchor="ls")
    for y in _rule_heights(grid, rules):
        draw.line((0, y, width, y), fill=255 - RULE_INK, width=rule_px(style))
    return image, pieces


def rule_px(style: PageStyle) -> int:
    """How thick a printed line is."""
    return max(1, style.font_px // 24)


def table_width(rows: Sequence[Sequence[TableCell]], style: PageStyle) -> int:
    """The least width of a table in pixels."""
    return _lay_out(rows, replace(style, margin_px=0)).lefts[-1] + 1


def table_html(rows: Sequence[Sequence[TableCell]]) -> str:
    """Compact HTML, as `draw_table` writes it."""
    cells = (
        "".join(f"<td{_spans(cell)}>{escape(cell.text, quote=False)}</td>" for cell in row)
        for row in rows
    )
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _rule_heights(grid: _Grid, rules: Rules) -> Sequence[int]:
    if rules == "rows":
        return grid.tops
    return (grid.tops[0], grid.tops[1], grid.tops[-1]) if rules == "heads" else ()


def _lay_out(
    rows: Sequence[Sequence[TableCell]], style: PageStyle, width_px: int | None = None
) -> _Grid:
    placed = _place_cells(rows, style)
    cells = [each for row in placed for each in row]
    font = load_font(style.font, style.font_px)
    gap = GAP_EM * style.font_px
    widths = [2 * gap + max(text_width(font, line) for line in each.lines) for each in cells]
    line_px = style.font_px * style.line_spacing
    heights = [gap + line_px * len(each.lines) for each in cells]
    columns = _tracks([(each.column, each.cell.colspan) for each in cells], widths)
    tracks = _tracks([(each.row, each.cell.rowspan) for each in cells], heights)
    if width_px:
        spare = max(0, width_px - 1 - sum(columns)) // len(columns)
        columns = [width + spare for width in columns]
    return _Grid(
        placed,
        [*accumulate(columns, initial=style.margin_px)],
        [*accumulate(tracks, initial=style.margin_px)],
    )


def _place_cells(rows: Sequence[Sequence[TableCell]], style: PageStyle) -> list[list[_Placed]]:
    taken: set[tuple[int, int]] = set()
    placed: list[list[_Placed]] = []
    for number, cells in enumerate(rows):
        placed.append([])
        column = 0
        for cell in cells:
            while (number, column) in taken:
                column += 1
            covered = {
                (number + down, column + across)
                for down in range(cell.rowspan)
                for across in range(cell.colspan)
            }
            if covered & taken:
                raise ValueError(f"the cell {cell.text!r} spans cells that another one covers")
            taken |= covered
            placed[-1].append(_Placed(cell, number, column, _lines(cell, style)))
    num_columns = 1 + max(column for _, column in taken)
    if len(taken) != len(rows) * num_columns or max(row for row, _ in taken) >= len(rows):
        raise ValueError(f"the cells do not fill {len(rows)} rows of {num_columns} columns")
    return placed


def _lines(cell: TableCell, style: PageStyle) -> tuple[str, ...]:
    font = load_font(style.font, style.font_px)
    lines = [""]
    for word in cell.text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(font, longer) > WIDEST_CELL_EM * cell.colspan * style.font_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(lines)


def _tracks(spans: Sequence[tuple[int, int]], needed: Sequence[float]) -> list[int]:
    """Sizes of columns or rows, in pixels, so that each (start, count) has the room it needs."""
    sizes = [0] * max(start + count for start, count in spans)
    for (start, count), length in sorted(zip(spans, needed, strict=True), key=lambda x: x[0][1]):
        lacking = length - sum(sizes[start : start + count])
        for track in range(start, start + count):
            sizes[track] += max(0, int(np.ceil(lacking / count)))
    return sizes


def _pieces(placed: _Placed, grid: _Grid, style: PageStyle) -> list[PlacedText]:
    left, top, _, bottom = grid.box(placed)
    line_px = style.font_px * style.line_spacing
    first = (top + bottom - line_px * len(placed.lines)) / 2 + line_px - 0.3 * style.font_px
    return [
        PlacedText(line, style.font, left + GAP_EM * style.font_px, first + number * line_px)
        for number, line in enumerate(placed.lines)
    ]


def _written(grid: _Grid, style: PageStyle) -> Iterator[tuple[str, list[Box]]]:
    """Pieces of the HTML, each with the boxes of its characters."""
    opening = "<table>"
    for row_index, row in enumerate(grid.rows):
        opening += "<tr>" if not row_index else "</tr><tr>"
        for placed in row:
            pieces = _pieces(placed, grid, style)
            lines = [_escaped(piece, style) for piece in pieces]
            yield _tag(f"{opening}<td{_spans(placed.cell)}>", pieces[0], "start", style)
            for number, (text, boxes) in enumerate(lines):
                if number:
                    yield _tag(" ", pieces[number - 1], "end", style)
                yield text, boxes
            opening = ""
            yield _tag("</td>", pieces[-1], "end", style)
            last = pieces[-1]
    yield _tag(f"{opening}</tr></table>", last, "end", style)


def _escaped(piece: PlacedText, style: PageStyle) -> tuple[str, list[Box]]:
    signs = [escape(character, quote=False) for character in piece.text]
    boxes = line_boxes([piece], style.font_px)
    spread = [box for sign, box in zip(signs, boxes, strict=True) for _ in sign]
    return "".join(signs), spread


def _tag(
    markup: str, piece: PlacedText, where: Literal["start", "end"], style: PageStyle
) -> tuple[str, list[Box]]:
    font = load_font(piece.font, style.font_px)
    left = piece.left_px + (font.getlength(piece.text) if where == "end" else 0)
    return markup, [box_of_character(left, left, piece.baseline_px, style.font_px)] * len(markup)


def _spans(cell: TableCell) -> str:
    spans = (("rowspan", cell.rowspan), ("colspan", cell.colspan))
    return "".join(f' {name}="{count}"' for name, count in spans if count > 1)
