"""A table in HTML → one in Markdown, where Markdown can say the same, otherwise harmless HTML."""

import html
import re

from glmocr_utils.markup import Table, beside_cells, tables
from glmocr_utils.markup.scan import BLOCK_TAGS, CELL_TAGS, INLINE_TAGS
from glmocr_utils.markup.tables import SPAN

LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
TAG = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)(?P<attributes>[^<>]*)>")
SAFE_TAGS = frozenset([*INLINE_TAGS, *BLOCK_TAGS, *CELL_TAGS]) - {"img"}


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


def table_markdown(written: str) -> str:
    """A table in HTML for a Markdown file: as Markdown, otherwise as `safe_html`."""
    return as_markdown_table(written) or safe_html(written)


def safe_html(written: str) -> str:
    """HTML whose tags are those of tables and plain text, without attributes but spans.

    Any other tag, which the model may have read on the page, is shown as text.

    >>> safe_html('<td onclick="f()" colspan=2>1 < 2<script>')
    '<td colspan="2">1 &lt; 2&lt;script&gt;'
    """
    parts: list[str] = []
    position = 0
    for tag in TAG.finditer(written):
        parts += [_as_text(written[position : tag.start()]), safe_tag(tag)]
        position = tag.end()
    return "".join([*parts, _as_text(written[position:])])


def _as_text(written: str) -> str:
    return written.replace("<", "&lt;")


def safe_tag(tag: re.Match[str]) -> str:
    """A tag as it is in a Markdown file.

    Args:
        tag: groups `end` (`/` or nothing), `name` and `attributes`; a comment has no name.
    """
    if not tag["name"]:
        return tag[0]
    name = tag["name"].lower()
    if name not in SAFE_TAGS:
        return html.escape(tag[0], quote=False)
    spans = {key.lower(): number for key, number in SPAN.findall(tag["attributes"] or "")}
    attributes = "".join(f' {key}="{number}"' for key, number in spans.items() if not tag["end"])
    return f"<{tag['end']}{name}{attributes}>"


def _content(written: str) -> str | None:
    text = LINE_BREAK.sub(" ", written)
    if TAG.search(text):
        return None
    return _as_text(" ".join(html.unescape(text).split())).replace("|", "\\|")


def _is_even(table: Table) -> bool:
    """Whether all rows have as many cells."""
    counts = [0] * table.num_rows
    for cell in table.cells:
        counts[cell.row] += 1
    return len(set(counts)) == 1
