"""A table in HTML → one in Markdown, where Markdown can say the same."""

import html
import re

from glmocr_utils.markup import Table, beside_cells, tables

LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def as_markdown_table(written: str) -> str | None:
    """The only table of a text as Markdown.

    Its first row becomes the head, as a table in Markdown needs one.

    Returns:
        None where there is no table, text outside its cells, or a cell that Markdown has no form
        for: one that spans several, holds a table, or has markup within.
    """
    found = tables(written)
    if len(found) != 1 or written[: found[0].start].strip() or written[found[0].stop :].strip():
        return None
    [table] = found
    if beside_cells(written, table):
        return None
    rows = [["" for _ in range(table.num_columns)] for _ in range(table.num_rows)]
    for cell in table.cells:
        content = _content(written[cell.start : cell.stop])
        if content is None or (cell.rowspan, cell.colspan) != (1, 1):
            return None
        rows[cell.row][cell.column] = content
    if not rows or not rows[0] or not _is_even(table):
        return None
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _content(written: str) -> str | None:
    text = LINE_BREAK.sub(" ", written)
    if TAG.search(text):
        return None
    return " ".join(html.unescape(text).split()).replace("|", "\\|")


def _is_even(table: Table) -> bool:
    """Whether all rows have as many cells."""
    counts = [0] * table.num_rows
    for cell in table.cells:
        counts[cell.row] += 1
    return len(set(counts)) == 1
