"""Drawn pages: the text is what the image shows, and a scan is still that page."""

from dataclasses import replace

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from glmocr_utils.markup import ink as marks_ink
from glmocr_utils.markup import tables
from glmocr_utils.synth import (
    Block,
    PageStyle,
    Scan,
    TableCell,
    degrade,
    draw_page,
    draw_table,
    families_found,
    find_font,
    skew_boxes,
)
from workshop.tiny_model.corpus import LETTERS, ODD_CHARACTERS

FONT = find_font("DejaVu Sans")
STYLE = PageStyle(FONT, find_font("DejaVu Sans", "bold"), width_px=300, height_px=200, margin_px=20)


def ink(image) -> np.ndarray:
    """Where a page is dark, (height, width)."""
    return np.asarray(image.convert("L")) < 128


def test_lines_break_at_the_margin_and_gaps_are_blank_lines():
    page = draw_page([Block("one two three four five six seven"), Block("eight")], STYLE)
    *lines, gap, last = page.text.split("\n")
    assert " ".join(lines) == "one two three four five six seven" and len(lines) > 1
    assert (gap, last) == ("", "eight")
    rows, columns = np.nonzero(ink(page.image))
    assert columns.min() >= 18 and columns.max() <= 282 and rows.min() >= 18


def test_in_paragraphs_a_printed_line_end_is_a_space_and_divided_words_are_whole():
    text = "Die Verwaltungsgerichte haben wiederholt so entschieden "
    blocks = [
        Block("Die Gründe der Entscheidung", "heading"),
        Block((text * 3).strip()),
        Block("Name", tight=True),
        Block("Total\t12.50", "row"),
        Block("Change\t1.50", "row", tight=True),
    ]
    style = replace(STYLE, hyphenate=True, height_px=None)
    printed, written = (draw_page(blocks, style, form) for form in ("printed", "paragraphs"))
    assert np.array_equal(np.asarray(printed.image), np.asarray(written.image))
    assert "-\n" in printed.text and "# " not in printed.text
    assert written.text == (
        f"# Die Gründe der Entscheidung\n\n{(text * 3).strip()}\nName\n\nTotal 12.50\nChange 1.50"
    )
    dark = ink(written.image)
    for character, box in list(zip(written.text, written.boxes, strict=True))[2:]:
        left, top, right, bottom = map(round, box.tolist())
        assert dark[top:bottom, left:right].any() == (not character.isspace()), character


def test_a_heading_that_looks_like_the_text_gets_no_mark():
    style = replace(STYLE, bold_font=FONT)
    assert draw_page([Block("Title", "heading")], style, "paragraphs").text == "Title"


def test_what_does_not_fit_is_neither_drawn_nor_in_the_text():
    page = draw_page([Block(f"line {n}", tight=n > 0) for n in range(50)], STYLE)
    lines = page.text.split("\n")
    assert lines == [f"line {n}" for n in range(len(lines))]
    assert 4 < len(lines) < 10
    assert np.nonzero(ink(page.image))[0].max() < 200 - 10


def test_a_row_has_its_value_at_the_right_margin():
    page = draw_page([Block("Total\t12.50", "row")], STYLE)
    assert page.text == "Total 12.50"
    columns = np.nonzero(ink(page.image))[1]
    assert 276 <= columns.max() <= 282
    assert not ink(page.image)[:, 120:200].any()


def test_a_row_without_room_for_both_is_set_like_a_paragraph():
    long = Block("A label that leaves no room at all\t1,234.50", "row")
    page = draw_page([Block("Total\t12.50", "row"), long], STYLE)
    assert page.text.replace("\n\n", "\n").split("\n")[0] == "Total 12.50"
    assert " ".join(page.text.split()[2:]) == "A label that leaves no room at all 1,234.50"
    shown = [box for box, sign in zip(page.boxes, page.text, strict=True) if not sign.isspace()]
    for number, (left, top, right, bottom) in enumerate(shown):
        for x1, y1, x2, y2 in shown[number + 1 :]:  # no sign on another
            assert min(right, x2) - max(left, x1) < 2 or min(bottom, y2) <= max(top, y1)


def test_a_page_without_a_height_ends_under_its_last_line():
    style = PageStyle(FONT, FONT, width_px=300, height_px=None, margin_px=20)
    short, long = (draw_page([Block("word " * n)], style).image.height for n in (3, 60))
    assert short < 100 < long


def test_a_clean_scan_changes_nothing():
    page = draw_page([Block("unchanged")], STYLE).image
    scanned = degrade(page, Scan(), np.random.default_rng(0))
    assert np.array_equal(np.asarray(scanned), np.asarray(page))


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_a_scan_keeps_size_and_mode_and_is_the_same_for_the_same_seed(strength):
    page = draw_page([Block("the same page")], STYLE).image
    first, second = (
        np.asarray(degrade(page, Scan.draw(rng, strength), rng))
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first.shape == (200, 300, 3)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, np.asarray(page))


def test_show_through_is_mirrored_print_that_is_paler_than_the_page():
    page = draw_page([Block("LLLLLL")], STYLE).image
    grey = np.asarray(degrade(page, Scan(show_through=0.3), np.random.default_rng(0)).convert("L"))
    elsewhere = grey[:, 200:]  # the letters are at the left; their mirror image at the right
    assert 128 < elsewhere.min() < 250


def test_an_unknown_family_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no font 'Comic'.*DejaVu Sans"):
        find_font("Comic")


@pytest.mark.parametrize("family", families_found(trained=True), ids=lambda family: family.name)
def test_every_trained_font_has_every_character_of_the_corpus(family):
    for style in family.files:
        known = TTFont(find_font(family.name, style)).getBestCmap()
        missing = [c for c in LETTERS + ODD_CHARACTERS if ord(c) not in known]
        assert not missing, f"{family.name} {style}: text with these would be drawn as boxes"


def test_each_character_has_a_box_with_its_ink_inside():
    blocks = [Block("WW MM WW MM WW MM WW"), Block("Left\tRight", "row")]
    page = draw_page(blocks, PageStyle(FONT, FONT, width_px=240, margin_px=20, justify=True))
    assert page.boxes.shape == (len(page.text), 4)
    dark = ink(page.image)
    for character, (left, top, right, bottom) in zip(page.text, page.boxes, strict=True):
        inside = dark[round(top) : round(bottom), round(left) : round(right)]
        assert inside.any() == (not character.isspace()), character
    covered = np.zeros_like(dark)
    for left, top, right, bottom in page.boxes:
        covered[int(top) - 1 : int(bottom) + 6, int(left) - 2 : int(right) + 2] = True
    assert not (dark & ~covered).any()


def test_boxes_turn_with_a_skewed_page():
    page = draw_page([Block("o" * 20)], replace(STYLE, width_px=400))
    scanned = degrade(page.image, Scan(skew_degrees=3.0), np.random.default_rng(0))
    turned = skew_boxes(page.boxes, page.image.size, 3.0)
    assert turned[-1, 1] < turned[0, 1] - 10  # counter-clockwise: the line's end goes up
    for left, top, right, bottom in turned:
        letter = ink(scanned)[round(top) : round(bottom), round(left) : round(right)]
        assert letter[:, letter.shape[1] // 2].any()


TABLE = (
    (TableCell("Position"), TableCell("Amount & more than fits on a line of a cell", colspan=2)),
    (TableCell("A <b>", rowspan=2), TableCell("12.50"), TableCell("")),
    (TableCell("x"), TableCell("y")),
)


def test_a_table_is_written_as_compact_html_with_its_spans():
    page = draw_table(TABLE, STYLE)
    assert page.text == (
        '<table><tr><td>Position</td><td colspan="2">Amount &amp; more than fits on a line of a '
        'cell</td></tr><tr><td rowspan="2">A &lt;b&gt;</td><td>12.50</td><td></td></tr>'
        "<tr><td>x</td><td>y</td></tr></table>"
    )
    [table] = tables(page.text)
    spans = [(cell.row, cell.column, cell.rowspan, cell.colspan) for cell in table.cells]
    assert spans == [
        *((0, 0, 1, 1), (0, 1, 1, 2)),
        *((1, 0, 2, 1), (1, 1, 1, 1), (1, 2, 1, 1)),
        *((2, 1, 1, 1), (2, 2, 1, 1)),
    ]


@pytest.mark.parametrize("ruled", [True, False])
def test_each_character_of_a_table_has_a_box_with_its_ink_inside(ruled):
    page = draw_table(TABLE, STYLE, ruled)
    dark = ink(page.image)
    in_a_cell = ink(draw_table(TABLE, STYLE, ruled=False).image)
    assert dark.sum() > in_a_cell.sum() if ruled else (dark == in_a_cell).all()
    assert page.boxes.shape == (len(page.text), 4)
    leaves_ink = marks_ink(page.text)
    for character, box, inked in zip(page.text, page.boxes, leaves_ink, strict=True):
        left, top, right, bottom = map(round, box.tolist())
        if inked and character != ";":
            assert in_a_cell[top:bottom, left:right].any(), character


def test_spans_that_leave_holes_or_overlap_are_an_error():
    with pytest.raises(ValueError, match="do not fill 2 rows of 2 columns"):
        draw_table([[TableCell("a", colspan=2)], [TableCell("b")]], STYLE)
    with pytest.raises(ValueError, match="'c' spans cells"):
        draw_table(
            [[TableCell("a"), TableCell("b", rowspan=2)], [TableCell("c", colspan=2)]], STYLE
        )
