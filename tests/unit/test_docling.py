"""Readings as DoclingDocument JSON, checked by docling-core's own model."""

import pytest

pytest.importorskip("docling_core", reason="docling-core isn't installed: the extra `docling`")

import json

from docling_core.types.doc.document import ContentLayer, DoclingDocument

from glmocr_utils.ocr.by_region import assemble
from glmocr_utils.ocr_formats.docling import docling_json
from glmocr_utils.options import Tasks
from glmocr_utils.records import (
    Box,
    OcrResult,
    PageLayout,
    PageRef,
    Region,
    TokenBox,
    TokenProb,
)

REF = PageRef("in/a.pdf", "ab" * 32, 2)
TABLE = (
    '<table><tr><th rowspan="99999">a</th><th onclick="x">b &amp; c</th></tr>'
    "<tr><td>1<br>2</td></tr></table>"
)


def a_reading(*texts: str) -> OcrResult:
    tokens = tuple(TokenProb(1, text, -0.1) for text in texts)
    return OcrResult(REF, "".join(texts), tokens, "stop", "p", "m", None, None, 2.0, 0.5, 10)


def a_layout(*boxes: Box | None) -> PageLayout:
    tokens = tuple(box and TokenBox(box, 1.0, 0) for box in boxes)
    return PageLayout(REF, 400, 600, tokens, ())


def loaded(*pages: tuple[OcrResult, PageLayout]) -> DoclingDocument:
    text = docling_json(pages, "a")
    document = DoclingDocument.model_validate_json(text)
    assert document.validate_tree(document.body)
    assert json.loads(text)["schema_name"] == "DoclingDocument"
    return document


def by_regions(**texts: str | Exception | None) -> OcrResult:
    """A page with a region for each name; None makes it a picture."""
    regions = [
        Region(n, label, (20, 20 * n, 220, 20 * n + 16), 0.9, Tasks().of(label))
        for n, label in enumerate(texts)
    ]
    readings = {
        n: a_reading(text) if isinstance(text, str) else text
        for n, text in enumerate(texts.values())
        if text is not None
    }
    return assemble(a_reading(), regions, readings, "apart", (400, 600))


def test_regions_are_items_of_their_kind_in_reading_order() -> None:
    result = by_regions(
        header="Report",
        doc_title="# The\nTitle",
        paragraph_title="Part",
        text="A **bold** word.",
        table=TABLE,
        display_formula="$$x^2$$",
        image=None,
        footnote="1 A note.",
        number="7",
    )
    document = loaded((result, a_layout()))
    items = [item for item, _ in document.iterate_items(included_content_layers=set(ContentLayer))]
    assert [item.label.value for item in items] == [
        "page_header",
        "title",
        "section_header",
        "text",
        "table",
        "formula",
        "picture",
        "footnote",
        "page_header",
    ]
    assert [item.text for item in items if hasattr(item, "text")] == [
        "Report",
        "The Title",
        "Part",
        "A bold word.",
        "x^2",
        "1 A note.",
        "7",
    ]
    assert [item.content_layer.value for item in (items[0], items[7], items[8])] == [
        "furniture",
        "body",
        "furniture",
    ]
    box = items[1].prov[0].bbox
    assert (box.l, box.t, box.r, box.b) == (10, 10, 110, 18)  # points, from the top left corner
    assert items[1].prov[0].page_no == 3 and document.pages[3].size.width == 200
    assert document.origin.filename == "a.pdf"


def test_a_table_has_its_cells_and_no_rows_that_a_made_up_span_adds() -> None:
    [table] = loaded((by_regions(table=f"Of 2020:\n{TABLE}"), a_layout())).tables
    assert (table.data.num_rows, table.data.num_cols) == (2, 2)
    assert [(cell.text, cell.row_span, cell.column_header) for cell in table.data.table_cells] == [
        ("a", 2, True),
        ("b & c", 1, True),
        ("1\n2", 1, False),
    ]


@pytest.mark.parametrize("written", ["", "no table", "<table></table>", "<table><tr><td>", "<td>"])
def test_a_table_that_is_none_loses_no_text(written: str) -> None:
    document = loaded((by_regions(table=written or "x", text="after"), a_layout()))
    shown = " ".join([item.text for item in document.texts])
    assert ("no table" in shown) == (written == "no table") and "after" in shown


def test_a_region_that_could_not_be_read_says_so() -> None:
    document = loaded((by_regions(table=ValueError("why")), a_layout()))
    assert [item.text for item in document.texts] == ["[table: not read]"]


def test_a_whole_page_has_its_paragraphs_and_tables_with_their_boxes() -> None:
    result = a_reading("One\nline", "\n\nTwo", "\n" + TABLE, "\nafter")
    layout = a_layout(Box(0, 0, 40, 10), Box(0, 20, 40, 30), None, Box(0, 80, 40, 90))
    document = loaded((result, layout))
    assert [item.text for item in document.texts] == ["One\nline", "Two", "after"]
    assert [item.prov[0].bbox.t for item in document.texts] == [0, 10, 40]
    assert not document.tables[0].prov and len(document.tables[0].data.table_cells) == 3


def test_a_blank_page_is_a_page() -> None:
    document = loaded((a_reading(), a_layout()), (by_regions(text="a"), a_layout()))
    assert len(document.texts) == 1 and list(document.pages) == [3]


def test_corrected_texts_take_the_place_of_what_was_read() -> None:
    regions = by_regions(text="Helo there", footnote="1 note")
    whole = a_reading("Helo\n\n", "there")
    boxes = a_layout(Box(0, 0, 40, 10), Box(0, 20, 40, 30))
    for result, layout, said in (
        (regions, a_layout(), ["Hello you", "1 note"]),
        (whole, boxes, ["Hello", "you"]),
    ):
        texts = {result.page: result.text.replace("Helo", "Hello").replace("there", "you")}
        document = DoclingDocument.model_validate_json(docling_json([(result, layout)], "a", texts))
        assert [item.text for item in document.texts] == said
        assert all(item.prov for item in document.texts)
