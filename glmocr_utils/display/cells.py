"""A table as HTML of our own: of the model's, only rows, cells and their spans are taken over."""

from collections.abc import Callable
from itertools import groupby

from glmocr_utils.markup import Cell, Table


def cells_html(table: Table, content: Callable[[Cell], str]) -> str:
    """A table element; nothing for a table without cells.

    Args:
        content: the inner HTML of a cell, escaped.
    """
    if not table.cells:
        return ""
    rows = []
    for _, of_row in groupby(table.cells, key=lambda cell: cell.row):
        cells = (_cell(cell, table.spans_of(cell), content(cell)) for cell in of_row)
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="cells">{"".join(rows)}</table>'


def _cell(cell: Cell, spans: tuple[int, int], inner: str) -> str:
    name = "th" if cell.is_header else "td"
    attributes = "".join(
        f' {key}="{number}"'
        for key, number in zip(("rowspan", "colspan"), spans, strict=True)
        if number > 1
    )
    return f"<{name}{attributes}>{inner}</{name}>"
