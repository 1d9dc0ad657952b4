"""A corrected text in the boxes of what was read."""

import math
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from glmocr_utils.ocr_formats.alto import alto
from glmocr_utils.ocr_formats.docling import items_of
from glmocr_utils.ocr_formats.hocr import hocr
from glmocr_utils.ocr_formats.page_xml import page_xml
from glmocr_utils.ocr_formats.placed_text import placed_blocks
from glmocr_utils.records import Box, OcrResult, PageLayout, PageRef, Region, TokenBox, TokenProb

REF = PageRef("a.png", "b" * 64, 0)


def page_of_lines(*lines: list[str], unclear: tuple[str, ...] = (), ends: str = "\n", **fields):
    """Each character 10 px wide, lines 20 px high; a token is a word or a gap."""
    tokens, boxes = [], []
    for number, line in enumerate(lines):
        if number:
            tokens.append(ends)
            boxes.append(None)
        left = 0
        for index, word in enumerate(line):
            if index:
                tokens.append(" ")
                boxes.append(None)
                left += 10
            tokens.append(word)
            width = 10 * len(word)
            box = Box(left, 30 * number, left + width, 30 * number + 20)
            boxes.append(None if word in unclear else TokenBox(box, 0.9, number))
            left += width
    read = tuple(TokenProb(n, token, math.log(0.5)) for n, token in enumerate(tokens))
    result = OcrResult(REF, "".join(tokens), read, "stop", "p", "m", None, None, 1.0, 0.0, **fields)
    whole = tuple(Box(0, 30 * n, 300, 30 * n + 20) for n in range(len(lines)))
    return result, PageLayout(REF, 400, 200, tuple(boxes), whole)


def words_of(page, text):
    result, layout = page
    return [
        [(word.text, word.box and tuple(word.box)) for word in line.words]
        for block in placed_blocks(result, layout, text)
        for line in block
    ]


PAGE = page_of_lines(["The", "brovvn", "fox"], ["jumps", "ovcr"])


def test_a_corrected_word_has_the_box_of_the_one_that_was_read():
    lines = words_of(PAGE, "The brown fox\njumps over")
    assert lines == [
        [("The", (0, 0, 30, 20)), ("brown", (40, 0, 100, 20)), ("fox", (110, 0, 140, 20))],
        [("jumps", (0, 30, 50, 50)), ("over", (60, 30, 100, 50))],
    ]


def test_what_a_person_wrote_is_certain_and_marked():
    result, layout = PAGE
    text = "The brown fox\njumps ovcr"
    words = [w for b in placed_blocks(result, layout, text) for line in b for w in line.words]
    assert [(w.text, w.prob) for w in words if w.is_corrected] == [("brown", 1.0)]
    assert all(w.prob == pytest.approx(0.5) for w in words if not w.is_corrected)
    root = ElementTree.fromstring(alto([PAGE], texts={REF: text}))
    marked = [e.get("CONTENT") for e in root.iter() if e.get("CS") == "true"]
    assert marked == ["brown"]


def test_where_the_number_of_words_differs_their_boxes_are_shared_out():
    # two words for one, by their characters; then one word for two
    [first, _] = words_of(page_of_lines(["a", "ofthe", "b"], ["c"]), "a of the b\nc")
    assert first[1:3] == [("of", (20, 0, 40, 20)), ("the", (40, 0, 70, 20))]
    [first, _] = words_of(page_of_lines(["a", "in", "to", "b"], ["c"]), "a into b\nc")
    assert first[1] == ("into", (20, 0, 70, 20))


def test_a_word_for_two_of_which_one_is_unclear_is_unclear():
    [line] = words_of(page_of_lines(["a", "in", "to", "b"], unclear=("to",)), "a into b")
    assert [box is None for _, box in line] == [False, True, False]


def test_an_added_word_has_the_gap_of_its_line_or_no_box():
    page = page_of_lines(["one", "", "three"], ["four"])  # two spaces: a word was left out
    assert words_of(page, "one two three\nfour")[0][1] == ("two", (30, 0, 50, 20))
    lines = words_of(PAGE, "The brovvn fox runs\njumps ovcr")
    assert lines[0][-1] == ("runs", None) and [word for word, _ in lines[1]] == ["jumps", "ovcr"]


def test_an_added_line_is_a_line_of_its_own_without_a_box():
    lines = words_of(PAGE, "Title\nThe brovvn fox\nand then\njumps ovcr\n\nThe end")
    assert [[word for word, _ in line] for line in lines] == [
        ["Title"], ["The", "brovvn", "fox"], ["and", "then"], ["jumps", "ovcr"], ["The", "end"],
    ]  # fmt: skip
    assert lines[0][0][1] is None and lines[4][1][1] is None


def test_removed_words_and_lines_are_gone():
    assert words_of(PAGE, "The fox") == [[("The", (0, 0, 30, 20)), ("fox", (110, 0, 140, 20))]]
    assert words_of(PAGE, "") == []


def test_a_page_that_is_typed_again_keeps_to_its_lines():
    page = page_of_lines(["xxxx", "xxxx"], ["yyyy", "yyyy"])
    lines = words_of(page, "Good morning\nto you all")
    assert [[word for word, _ in line] for line in lines] == [
        ["Good", "morning"], ["to", "you", "all"],
    ]  # fmt: skip
    assert all(box[1] == 30 * n for n, line in enumerate(lines) for _, box in line)


def test_a_page_of_which_nothing_was_read_has_its_text_without_boxes():
    page = page_of_lines([])
    assert words_of(page, "Dear Sir\n\nyours") == [
        [("Dear", None), ("Sir", None)], [("yours", None)],
    ]  # fmt: skip
    result, layout = page
    assert len(placed_blocks(result, layout, "Dear Sir\n\nyours")) == 2


def test_a_word_on_two_lines_stays_on_both():
    tokens = tuple(TokenProb(n, text, -0.1) for n, text in enumerate(["book", "bjnder"]))
    boxes = (TokenBox(Box(0, 0, 40, 20), 0.9, 0), TokenBox(Box(0, 30, 60, 50), 0.9, 1))
    result = OcrResult(REF, "bookbjnder", tokens, "stop", "p", "m", None, None, 1.0, 0.0)
    layout = PageLayout(REF, 400, 200, boxes, (None, None))
    lines = words_of((result, layout), "bookbinder")
    assert lines == [[("book", (0, 0, 40, 20))], [("binder", (0, 30, 60, 50))]]


def test_markup_is_not_a_word_and_regions_keep_their_own():
    regions = (
        Region(0, "text", Box(0, 0, 300, 20), token_start=0, token_stop=2, status="ok"),
        Region(1, "text", Box(0, 30, 300, 50), token_start=2, token_stop=3, status="ok"),
    )
    page = page_of_lines(["onc"], ["two"], ends="\n\n", regions=regions)
    result, layout = page
    blocks = placed_blocks(result, layout, "**one** more\n\ntwo\n\nthree")
    texts = [[word.text for line in block for word in line.words] for block in blocks]
    assert texts == [["one", "more"], ["two", "three"]]
    assert [block.region.index for block in blocks] == [0, 1]


def test_every_format_has_the_corrected_text():
    text = "The brown fox\njumps over"
    result, layout = PAGE
    for written in (
        hocr([PAGE], {REF: text}),
        alto([PAGE], texts={REF: text}),
        page_xml(result, layout, "a.png", text),
    ):
        ElementTree.fromstring(written.split("?>", 1)[1].split('.dtd">')[-1])
        assert "brown" in written and "over" in written and "brovvn" not in written


def test_docling_s_pieces_have_the_corrected_text_and_the_boxes_of_what_was_read():
    result, layout = page_of_lines(["onc", "word"], ["two", "words"], ends="\n\n")
    said = "One word, and\nmore\n\ntwo words"
    items = [(each.written, tuple(each.box)) for each in items_of(result, layout, said)]
    assert items == [("One word, and\nmore", (0, 0, 80, 20)), ("two words", (0, 30, 90, 50))]
    regions = (
        Region(0, "text", Box(0, 0, 300, 20), token_start=0, token_stop=4, status="ok"),
        Region(1, "text", Box(0, 30, 300, 50), token_start=4, token_stop=7, status="ok"),
    )
    by_region = replace(result, regions=regions)
    assert [each.written for each in items_of(by_region, layout, "One word\n\ntwo")] == [
        "One word", "two",
    ]  # fmt: skip
    assert [each.written for each in items_of(by_region, layout, "")] == []
