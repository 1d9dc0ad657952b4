"""Pages in columns: every region's box contains its ink, in reading order, with its Markdown."""

import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from glmocr_utils.synth import (
    Element,
    Look,
    PageStyle,
    Scan,
    Sheet,
    SheetContent,
    SheetStyle,
    TableCell,
    draw_sheet,
    find_font,
    scan_sheet,
)
from glmocr_utils.synth.elements import draw_texts
from glmocr_utils.synth.formula import Fraction, Term
from glmocr_utils.synth.picture import draw_chart, draw_picture

FONT = find_font("DejaVu Sans")
PAGE = PageStyle(FONT, FONT, 14, width_px=700, height_px=900, margin_px=60, hyphenate=True)
STYLE = SheetStyle(PAGE, {"footnote": Look(0.8), "doc_title": Look(1.8)}, num_columns=2)
WORDS = "the harbour office keeps a book of tides and every captain signs it at noon".split()
CELLS = [[TableCell("Part"), TableCell("a < b & c")], [TableCell("total", colspan=2)]]


def prose(seed: int, number: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=number)) + "."


def text(seed: int, number: int = 30) -> tuple[Element]:
    return (Element("text", prose(seed, number), align="left"),)


def full_content() -> SheetContent:
    rng = random.Random(3)
    picture = Element("image", ink=draw_picture((180, 90), rng))
    chart = Element("chart", ink=draw_chart((150, 100), rng, FONT))
    formula = Element(
        "display_formula", formula=(Term("x", "i"), Term("="), Fraction((Term("a"),), (Term("b"),)))
    )
    return SheetContent(
        columns=(
            text(1),
            (Element("figure_title", "Table 1", align="left"), Element("table", rows=CELLS)),
            (Element("text", "- one\n- two", is_list=True, align="left"),),
            (formula, Element("formula_number", "(7)", align="right")),
            (picture, Element("figure_title", "Fig. 1", align="left")),
            (chart,),
            text(2, 60),
            text(3, 60),
        ),
        head=(("right", Element("number", "12")), ("left", Element("header", "Tides"))),
        foot=(("middle", Element("footer", "No. 3")),),
        top=((Element("doc_title", "Of Tides", align="left"),),),
        footnotes=(Element("footnote", "1 Noon.", align="left"),),
        footnote_column=0,
    )


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return draw_sheet(full_content(), STYLE)


def ink(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L")) < 250


def without(sheet: Sheet) -> np.ndarray:
    """The ink that no region contains."""
    left = ink(sheet.image)
    for region in sheet.regions:
        x1, y1, x2, y2 = (round(side) for side in region.box)
        left[y1:y2, x1:x2] = False
    return left


def test_all_ink_is_in_regions_but_the_rule_above_the_footnote(sheet):
    rows = np.flatnonzero(without(sheet).any(axis=1))
    assert len(rows) == 1
    [note] = [region for region in sheet.regions if region.label == "footnote"]
    assert 0 < note.box[1] - rows[0] < 14


def test_a_box_is_tight_around_its_ink(sheet):
    dark = ink(sheet.image)
    for region in sheet.regions:
        x1, y1, x2, y2 = (round(side) for side in region.box)
        inside = dark[y1:y2, x1:x2]
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        assert rows[0] <= 8 and rows[-1] >= y2 - y1 - 9, region
        assert columns[0] <= 8 and columns[-1] >= x2 - x1 - 9, region


def test_regions_are_in_reading_order(sheet):
    labels = [region.label for region in sheet.regions]
    assert [region.index for region in sheet.regions] == list(range(len(labels)))
    assert labels[:3] == ["header", "number", "doc_title"]
    assert labels[3:10] == [
        "text", "figure_title", "table", "text", "display_formula", "formula_number", "image",
    ]  # fmt: skip
    assert labels[-2:] == ["footnote", "footer"]
    flowing = [region for region in sheet.regions if region.label == "text"]
    columns = [region.box[0] > 350 for region in flowing]
    assert columns == sorted(columns) and columns[-1] and not columns[0]


def test_each_region_has_its_markdown(sheet):
    by_label = {region.label: region.text for region in sheet.regions}
    assert by_label["table"] == (
        "<table><tr><td>Part</td><td>a &lt; b &amp; c</td></tr>"
        '<tr><td colspan="2">total</td></tr></table>'
    )
    assert by_label["doc_title"] == "# Of Tides"
    assert by_label["display_formula"] == r"$$ x_{i} = \frac{a}{b} $$"
    assert by_label["image"] == by_label["chart"] == ""
    assert "- one\n- two" in {region.text for region in sheet.regions}
    assert sheet.markdown.startswith("Tides\n\n12\n\n# Of Tides")


def test_a_paragraph_that_breaks_at_a_column_is_two_regions_with_all_its_words():
    long = prose(5, 330)
    sheet = draw_sheet(SheetContent(((Element("text", long, align="left"),),)), STYLE)
    first, second = sheet.regions
    assert second.box[0] > first.box[2]
    joined = first.text.removesuffix("-") + ("" if first.text.endswith("-") else " ") + second.text
    assert joined == long


def test_what_finds_no_room_is_left_out():
    groups = tuple(text(seed, 80) for seed in range(30))
    sheet = draw_sheet(SheetContent(groups), STYLE)
    assert 3 < len(sheet.regions) < 30
    assert all(region.box[3] <= 900 - 60 + 8 for region in sheet.regions)


def test_a_full_width_figure_at_the_foot_comes_after_the_columns():
    figure = (Element("image", ink=draw_picture((560, 120), random.Random(1))),)
    groups = tuple(text(seed, 60) for seed in range(12))
    sheet = draw_sheet(SheetContent(groups, bottom=(figure,)), STYLE)
    last = sheet.regions[-1]
    assert last.label == "image"
    assert all(region.box[3] < last.box[1] + 4 for region in sheet.regions[:-1])


def test_side_notes_come_after_the_text_beside_them():
    style = replace(STYLE, num_columns=1, aside_px=120)
    notes = (Element("aside_text", "see noon", align="left"),)
    sheet = draw_sheet(SheetContent((text(1), text(2)), asides=notes), style)
    assert [region.label for region in sheet.regions] == ["text", "text", "aside_text"]
    assert sheet.regions[-1].box[2] < sheet.regions[0].box[0]


def test_boxes_turn_with_a_scan(sheet):
    scanned = scan_sheet(sheet, Scan(skew_degrees=2.5), np.random.default_rng(0))
    assert [region.text for region in scanned.regions] == [region.text for region in sheet.regions]
    rows = np.flatnonzero(without(scanned).any(axis=1))
    assert rows[-1] - rows[0] < 16  # the rule alone


def test_the_texts_of_a_sheet_are_its_ink_but_for_pictures_rules_and_formulas():
    sheet = draw_sheet(SheetContent((text(1), text(2))), STYLE)
    drawn = draw_texts(sheet.texts, sheet.image.size)
    assert (np.asarray(drawn) == 255 - np.asarray(sheet.image.convert("L"))).all()


def test_an_empty_page_has_no_regions():
    sheet = draw_sheet(SheetContent(()), STYLE)
    assert sheet.regions == () and sheet.markdown == "" and not ink(sheet.image).any()


def test_a_page_without_a_height_is_an_error():
    with pytest.raises(ValueError, match="height_px"):
        draw_sheet(SheetContent(()), SheetStyle(replace(PAGE, height_px=None)))
