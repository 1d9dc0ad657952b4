"""A table as HTML of our own: of the model's, only rows, cells and their spans are taken over."""

from collections.abc import Callable
from itertools import groupby

from glmocr_utils.markup import Cell, Table


def cells_html(table: Table, content: Callable[[Cell], str]) -> str:
    """A table element.

    Args:
        content: the inner HTML of a cell, escaped.
    """
    rows = []
    for _, of_row in groupby(table.cells, key=lambda cell: cell.row):
        rows.append(f"<tr>{''.join(_cell(cell, content(cell)) for cell in of_row)}</tr>")
    return f'<table class="cells">{"".join(rows)}</table>'


def _cell(cell: Cell, inner: str) -> str:
    name = "th" if cell.is_header else "td"
    spans = "".join(
        f' {key}="{number}"'
        for key, number in (("rowspan", cell.rowspan), ("colspan", cell.colspan))
        if number > 1
    )
    return f"<{name}{spans}>{inner}</{name}>"
