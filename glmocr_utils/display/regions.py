"""A page with its regions drawn on it, beside what was read in each: tables as tables, formulas as
formulas."""

import base64
import re
from html import unescape

from glmocr_utils.display.cells import cells_html
from glmocr_utils.display.escape import escape
from glmocr_utils.display.page import MAX_WIDTH_PX, page_name
from glmocr_utils.markdown import RegionText, region_content, regions_of_result
from glmocr_utils.markup import beside_cells, printed, tables
from glmocr_utils.records import OcrResult, PageImage, Region
from glmocr_utils.records.region import (
    COLOURS,
    FORMULA_LABELS,
    TABLE_LABELS,
    in_text_order,
    role_of,
)

TITLE_TAGS = {"doc_title": "h3", "paragraph_title": "h4"}
# Macros of TeX with which a formula could do more than show itself
NOT_FOR_A_FORMULA = re.compile(
    r"\\(href|url|html\w*|class|cssId|style|data|require|def|newcommand)\b"
)
LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def regions_html(result: OcrResult, page: PageImage | None = None) -> str:
    """The page image with its regions, numbered in reading order and coloured by kind, and their
    texts as they will be in Markdown.

    Args:
        page: the image as it was read; None shows the texts alone.
    """
    if not result.regions:
        return "<p><i>This page was read as a whole: it has no regions.</i></p>"
    texts = {each.region.index: each for each in regions_of_result(result)}
    ordered = in_text_order(result.regions, "in")
    drawn = _drawn(page, ordered) if page else ""
    shown = "".join(_text(texts[region.index]) for region in ordered)
    return (
        f'<section class="page"><h3>{escape(page_name(result.page))}</h3>'
        f'<div class="sides">{drawn}<div class="regions">{shown}</div></div></section>'
    )


def _drawn(page: PageImage, regions: list[Region]) -> str:
    """The image with a frame and a number for each region."""
    data = base64.b64encode(page.jpeg(MAX_WIDTH_PX)).decode("ascii")
    width, height = page.width_px, page.height_px
    size = max(14, width // 45)
    marks = []
    for region in regions:
        x1, y1, x2, y2 = region.box
        colour = COLOURS[role_of(region)]
        number = str(region.index + 1)
        tag = size * (0.6 * len(number) + 0.6)
        marks.append(
            f'<rect x="{x1:.0f}" y="{y1:.0f}" width="{x2 - x1:.0f}" height="{y2 - y1:.0f}" '
            f'fill="{colour}" fill-opacity=".12" stroke="{colour}" stroke-width="{size / 8:.1f}">'
            f"<title>{escape(number)} {escape(region.label)}</title></rect>"
            f'<rect x="{x1:.0f}" y="{max(0, y1 - size):.0f}" width="{tag:.0f}" height="{size}" '
            f'fill="{colour}"/><text x="{x1 + 0.3 * size:.0f}" '
            f'y="{max(0, y1 - size) + 0.82 * size:.0f}" font-size="{0.85 * size:.0f}" '
            f'fill="#fff" font-family="sans-serif">{number}</text>'
        )
    return (
        f'<svg class="drawn" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(page_name(page.page))} with {len(regions)} regions">'
        f'<image href="data:image/jpeg;base64,{data}" width="{width}" height="{height}"/>'
        f"{''.join(marks)}</svg>"
    )


def _text(each: RegionText) -> str:
    region = each.region
    said = "" if region.status in (None, "ok", "picture") else f": {region.status}"
    head = (
        f'<p class="kind {role_of(region)}"><b>{region.index + 1}</b> '
        f"{escape(region.label)}{escape(said)}</p>"
    )
    return f'<div class="region">{head}{_content(each)}</div>'


def _content(each: RegionText) -> str:
    region, text = each.region, each.text.strip()
    if not text:
        return ""
    if region.label in TABLE_LABELS:
        return _table(text)
    if region.label in FORMULA_LABELS:
        latex = region_content(each)
        if NOT_FOR_A_FORMULA.search(latex):
            return f"<pre>{escape(latex)}</pre>"
        return f'<div class="mathjax_process">{escape(latex)}</div>'
    tag = TITLE_TAGS.get(region.label)
    return f"<{tag}>{escape(text)}</{tag}>" if tag else f"<pre>{escape(text)}</pre>"


def _table(text: str) -> str:
    """The tables of a text, and what is written around them."""
    parts, at = [], 0
    for table in tables(text):
        parts.append(_plain(text[at : table.start]))
        parts += [
            _plain(printed(text[start:stop]).text) for start, stop in beside_cells(text, table)
        ]
        parts.append(
            cells_html(
                table,
                lambda cell: escape(unescape(LINE_BREAK.sub("\n", text[cell.start : cell.stop]))),
            )
        )
        at = table.stop
    return "".join([*parts, _plain(text[at:])])


def _plain(text: str) -> str:
    return f"<pre>{escape(text)}</pre>" if text.strip() else ""
