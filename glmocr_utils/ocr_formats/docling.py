"""DoclingDocument JSON: the form that Docling, and what is built on it, reads and chunks.

It is made and checked by docling-core's own model, which is an extra.
"""

import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from glmocr_utils.labels.regions import positions_after, texts_of_regions
from glmocr_utils.markdown import RegionText, plain_formula, regions_of_result
from glmocr_utils.markup import Table, beside_cells, printed, tables
from glmocr_utils.records import Box, OcrResult, PageLayout, PageRef, around
from glmocr_utils.records.region import FORMULA_LABELS, TABLE_LABELS, TITLE_LABELS

if TYPE_CHECKING:
    from docling_core.types.doc.document import DoclingDocument, ProvenanceItem, TableData

BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
TEXT = "text"
# Our kinds of region → the labels of Docling; any other is a text.
LABELS = {
    "doc_title": "title",
    "paragraph_title": "section_header",
    "figure_title": "caption",
    "footnote": "footnote",
    "vision_footnote": "footnote",
    "header": "page_header",
    "footer": "page_footer",
    "number": "page_footer",
    "reference_content": "reference",
    "algorithm": "code",
}
UPPER_HALF = 0.5  # a page number there is in the header


@dataclass(frozen=True, slots=True)
class _Item:
    """A piece of a page's text, or a picture.

    Attributes:
        label: of Docling.
        written: as the model wrote it.
        box: in pixels of the page image; None where it is unclear.
        is_furniture: headers, footers, page numbers and side notes, which Docling keeps apart.
    """

    label: str
    written: str
    box: Box | None
    is_furniture: bool = False


def check_docling() -> None:
    """Check that docling-core is there.

    Raises:
        ModuleNotFoundError: it is not.
    """
    try:
        import docling_core.types.doc.document  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "formats='docling' needs the package docling-core: pip install 'glmocr-utils[docling]'",
            name="docling_core",
        ) from error


def docling_json(
    pages: Sequence[tuple[OcrResult, PageLayout]],
    name: str,
    texts: Mapping[PageRef, str] | None = None,
) -> str:
    """The pages of a document as DoclingDocument JSON.

    Boxes are in points of a PDF, or pixels of an image file. Pages that were read by regions have
    an item for each region; of others, each paragraph and each table is one. Pictures have their
    place and no image. A region that could not be read is a text that says so.

    Args:
        name: of the document's files.
        texts: what pages say after a person corrected them; of the others, what was read.

    Raises:
        ModuleNotFoundError: docling-core isn't installed.
    """
    check_docling()
    from docling_core.types.doc.base import Size
    from docling_core.types.doc.document import DoclingDocument

    document = DoclingDocument(name=name, origin=_origin(pages[0][0]))
    for result, layout in pages:
        points = [side / result.scale for side in (layout.width_px, layout.height_px)]
        document.add_page(result.page.page_number, Size(width=points[0], height=points[1]))
        for item in items_of(result, layout, (texts or {}).get(result.page)):
            _add(document, item, result)
    return document.model_dump_json(by_alias=True, exclude_none=True)


def _origin(result: OcrResult):
    from docling_core.types.doc.document import DocumentOrigin

    mime, _ = mimetypes.guess_type(result.page.document_name)
    if mime is None or not result.page.document_sha256:
        return None
    return DocumentOrigin(
        mimetype=mime,
        binary_hash=int(result.page.document_sha256, 16) % 2**64,  # as Docling shortens it
        filename=result.page.document_name,
    )


def items_of(result: OcrResult, layout: PageLayout, text: str | None = None) -> Iterator[_Item]:
    """The pieces of a page, in reading order.

    Args:
        text: what the page says after a person corrected it; None: what was read.
    """
    if not result.regions:
        yield from _of_whole_page(result, layout, result.text if text is None else text)
        return
    own = {} if text is None else texts_of_regions(result, text)
    for each in regions_of_result(result):
        said = each.text if text is None else own.get(each.region.index, "")
        yield from _of_region(RegionText(each.region, said), layout)


def _of_region(each: RegionText, layout: PageLayout) -> Iterator[_Item]:
    region, text = each.region, each.text.strip()
    is_aside = region.is_furniture and LABELS.get(region.label) != "footnote"
    if region.status == "picture":
        yield _Item("picture", "", region.box, is_aside)
    elif region.label in TABLE_LABELS and region.status != "failed":
        for label, start, stop in _pieces(text, paragraphs=False):
            yield _Item(label, text[start:stop], region.box)
    elif region.label in FORMULA_LABELS and region.status != "failed" and text:
        yield _Item("formula", plain_formula(text), region.box)
    elif text:
        label = LABELS.get(region.label, TEXT)
        if region.label == "number" and region.box.bottom < UPPER_HALF * layout.height_px:
            label = "page_header"
        shown = " ".join(text.lstrip("#").split()) if region.label in TITLE_LABELS else text
        yield _Item(label, shown, region.box, is_aside)


def _of_whole_page(result: OcrResult, layout: PageLayout, text: str) -> Iterator[_Item]:
    """Pieces of the text, each with the boxes of what was read there."""
    stops = list(accumulate(len(token.text) for token in result.tokens))
    spans = list(zip([0, *stops], stops, strict=False))
    pieces = list(_pieces(text, paragraphs=True))
    bounds = [side for _, start, stop in pieces for side in (start, stop)]
    if text != result.text:
        bounds = positions_after(text, result.text, bounds)
    for (label, start, stop), begin, end in zip(pieces, bounds[::2], bounds[1::2], strict=True):
        boxes = [
            found.box
            for (first, last), found in zip(spans, layout.tokens, strict=True)
            if found is not None and first < end and last > begin
        ]
        yield _Item(label, text[start:stop], around(boxes))


def _pieces(text: str, paragraphs: bool) -> Iterator[tuple[str, int, int]]:
    """(label, start, stop) of the tables of a text, and of what is between them."""
    at = 0
    for table in tables(text):
        yield from _texts(text, at, table.start, paragraphs)
        for start, stop in beside_cells(text, table):
            yield TEXT, start, stop
        yield "table", table.start, table.stop
        at = table.stop
    yield from _texts(text, at, len(text), paragraphs)


def _texts(text: str, start: int, stop: int, paragraphs: bool) -> Iterator[tuple[str, int, int]]:
    gaps = [gap.span() for gap in BLANK_LINE.finditer(text, start, stop)] if paragraphs else []
    bounds = [start, *(side for gap in gaps for side in gap), stop]
    for first, last in zip(bounds[::2], bounds[1::2], strict=True):
        if text[first:last].strip():
            yield TEXT, first, last


def _add(document: "DoclingDocument", item: _Item, result: OcrResult) -> None:
    from docling_core.types.doc.document import ContentLayer
    from docling_core.types.doc.labels import DocItemLabel

    layer = ContentLayer.FURNITURE if item.is_furniture else ContentLayer.BODY
    shown = item.written if item.label in ("formula", "code") else printed(item.written).text
    place: dict[str, Any] = {"prov": _place(item, result, len(shown)), "content_layer": layer}
    if item.label == "picture":
        document.add_picture(**place)
    elif item.label == "table":
        [table] = tables(item.written)
        document.add_table(_table_data(item.written, table), **place)
    elif item.label == "formula":
        document.add_formula(shown, orig=item.written, **place)
    elif item.label == "code":
        document.add_code(shown, orig=item.written, **place)
    else:
        document.add_text(DocItemLabel(item.label), shown, orig=item.written, **place)


def _place(item: _Item, result: OcrResult, length: int) -> "ProvenanceItem | None":
    from docling_core.types.doc.base import BoundingBox, CoordOrigin
    from docling_core.types.doc.document import ProvenanceItem

    if item.box is None:
        return None
    left, top, right, bottom = (side / result.scale for side in item.box)
    return ProvenanceItem(
        page_no=result.page.page_number,
        bbox=BoundingBox(l=left, t=top, r=right, b=bottom, coord_origin=CoordOrigin.TOPLEFT),
        charspan=(0, length),
    )


def _table_data(written: str, table: Table) -> "TableData":
    """The cells of a table.

    A span ends where the last row or column begins: one that the model made up adds none.
    """
    from docling_core.types.doc.document import TableCell, TableData

    rows = 1 + max((cell.row for cell in table.cells), default=-1)
    columns = 1 + max((cell.column for cell in table.cells), default=-1)
    cells = []
    for cell in table.cells:
        down, across = table.spans_of(cell)
        cells.append(
            TableCell(
                text=unescape(printed(written[cell.start : cell.stop]).text),
                row_span=down,
                col_span=across,
                start_row_offset_idx=cell.row,
                end_row_offset_idx=cell.row + down,
                start_col_offset_idx=cell.column,
                end_col_offset_idx=cell.column + across,
                column_header=cell.is_header,
            )
        )
    return TableData(table_cells=cells, num_rows=rows, num_cols=columns)
