"""What a reading left out of a page and what it made up, with attention that is made for it."""

import json
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from glmocr_utils.coverage import page_coverage
from glmocr_utils.grounding.evaluation import draw_pages, scanned
from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.records import (
    OcrResult,
    PageCoverage,
    PageRef,
    Region,
    TokenProb,
    coverage_from_record,
    coverage_to_record,
)
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

ROWS, COLUMNS = 30, 21
WORDS = "the quick brown fox jumps over the lazy dog and runs on through the wet grass "


@pytest.fixture(scope="module")
def page() -> KnownPage:
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, 20, margin_px=60)
    blocks = [Block("A heading", "heading"), Block(WORDS * 2), Block("and yet " + WORDS * 3)]
    drawn = draw_page(blocks, style)
    return KnownPage("drawn", drawn.image, drawn.text, drawn.boxes)


def cover(
    page: KnownPage,
    text: str,
    boxes: np.ndarray,
    regions: tuple[Region, ...] = (),
    share: float = 0.9,
) -> PageCoverage:
    """Of a text whose characters look at these boxes; at everything where they are NaN.

    Args:
        share: of the attention for the boxes, in a model for which that is usual.
    """
    width, height = page.image.size
    elsewhere = (1 - share) / (ROWS * COLUMNS)
    attention = np.full((len(text), ROWS, COLUMNS), elsewhere, np.float32)
    known = ~np.isnan(boxes[:, 0])
    down = shared(boxes[known, 1] * ROWS / height, boxes[known, 3] * ROWS / height, ROWS)
    across = shared(boxes[known, 0] * COLUMNS / width, boxes[known, 2] * COLUMNS / width, COLUMNS)
    attention[known] += share * down[:, :, None] * across[:, None, :]
    attention[~known] += share / (ROWS * COLUMNS)
    tokens = tuple(TokenProb(0, character, -0.1) for character in text)
    ref = PageRef("page.png", "0" * 64, 0)
    result = OcrResult(
        ref, text, tokens, "stop", "Text Recognition:", "model", None, None, 2.0, 1.0,
        regions=regions,
    )  # fmt: skip
    layout = lay_out(ref, page.image, list(text), attention, usual_share=share)
    return page_coverage(page.image, result, layout)


def shared(start: np.ndarray, stop: np.ndarray, num_cells: int) -> np.ndarray:
    """(num_boxes, num_cells) the share of each box that is in each cell."""
    cells = np.arange(num_cells)
    parts = np.minimum(stop[:, None], cells + 1) - np.maximum(start[:, None], cells)
    return parts.clip(0) / np.maximum(stop - start, 1e-6)[:, None]


def lines_of(page: KnownPage) -> list[tuple[int, int]]:
    starts = np.cumsum([0] + [len(line) + 1 for line in page.text.split("\n")])
    return [(int(start), int(stop) - 1) for start, stop in pairwise(starts) if stop - start > 1]


def without(page: KnownPage, start: int, stop: int) -> tuple[str, np.ndarray]:
    kept = [n for n in range(len(page.text)) if not start <= n < stop]
    return "".join(page.text[n] for n in kept), page.boxes[kept]


def changed_image(page: KnownPage, image: Image.Image) -> KnownPage:
    return KnownPage(page.name, image, page.text, page.boxes)


def test_a_complete_reading_covers_its_page(page):
    assert cover(page, page.text, page.boxes).is_complete
    drawn = draw_pages(3, seed=5)
    for number, other in enumerate([*drawn, *(scanned(p, 0.6, 9) for p in drawn)]):
        assert cover(other, other.text, other.boxes).reason is None, number


@pytest.mark.parametrize("strength", [None, 0.6])
@pytest.mark.parametrize("number", [1, 3, -1])
def test_a_line_that_was_skipped(page, number, strength):
    page = page if strength is None else scanned(page, strength, seed=3)
    start, stop = lines_of(page)[number]
    coverage = cover(page, *without(page, start, stop + 1))
    [unread] = coverage.unread
    assert unread.num_characters == pytest.approx(stop - start, rel=0.35)
    assert unread.token_stop in range(start - 2, start + 1)  # with or without line ends before it
    box = page.boxes[start:stop]
    x, y = unread.box.centre
    assert abs(y - np.mean([box[:, 1].min(), box[:, 3].max()])) < 8
    assert abs(x - np.mean([box[:, 0].min(), box[:, 2].max()])) < 40
    assert not coverage.unsupported
    assert "not read" in coverage.reason


def test_lines_that_follow_each_other_are_one_block(page):
    lines = lines_of(page)
    [unread] = cover(page, *without(page, lines[3][0], lines[5][1] + 1)).unread
    assert unread.box.bottom - unread.box.top > 60


def test_words_that_were_skipped_within_a_line(page):
    start, stop = lines_of(page)[2]
    first = page.text.index(" ", start) + 1
    gone = first + len(" ".join(page.text[first:stop].split(" ")[:3]))
    [unread] = cover(page, *without(page, first, gone)).unread
    assert unread.token_stop in (first, first - 1)
    assert unread.num_characters == pytest.approx(gone - first, rel=0.4)


@pytest.mark.parametrize("after", ["", WORDS])
def test_a_signature_beside_which_the_last_line_ends(after):
    font = find_font("DejaVu Sans")
    blocks = [Block(WORDS + "and ends."), Block("By the Court", "right")]
    blocks += [Block(after)] if after else []
    drawn = draw_page(blocks, PageStyle(font, font, 20, margin_px=60, width_px=560))
    page = KnownPage("drawn", drawn.image, drawn.text, drawn.boxes)
    start = page.text.index("By the")
    last, own = (page.boxes[first : first + 4] for first in (page.text.index("ends"), start))
    assert np.nanmax(last[:, 2]) < np.nanmin(own[:, 0])  # the one isn't above the other
    [unread] = cover(page, *without(page, start, start + len("By the Court"))).unread
    assert unread.token_stop in range(start - 2, start + 1)


def test_the_end_of_the_page_and_all_of_it(page):
    start = lines_of(page)[3][0]
    [unread] = cover(page, page.text[:start], page.boxes[:start]).unread
    assert unread.token_stop >= start - 1
    nothing = cover(page, "", np.empty((0, 4)))
    assert nothing.unread_characters == pytest.approx(len(page.text), rel=0.35)
    assert {unread.token_stop for unread in nothing.unread} == {0}


def in_columns(num_columns: int) -> tuple[Image.Image, list[KnownPage]]:
    """A page, and each of its columns with its text and boxes alone."""
    width = 297
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, 18, width_px=width, margin_px=24)
    image = Image.new("RGB", (width * num_columns, 842), "white")
    columns = []
    for number in range(num_columns):
        drawn = draw_page([Block(f"{number} yet " + WORDS * 4)], style)
        image.paste(drawn.image, (width * number, 0))
        boxes = drawn.boxes + np.array([width * number, 0] * 2)
        columns.append(KnownPage(f"column {number}", image, drawn.text, boxes))
    return image, columns


def together(columns: Sequence[KnownPage]) -> tuple[str, np.ndarray]:
    text, boxes = columns[0].text, columns[0].boxes
    for column in columns[1:]:
        text, boxes = f"{text}\n{column.text}", np.concatenate([boxes, boxes[-1:], column.boxes])
    return text, boxes


@pytest.mark.parametrize("read", [(0,), (1,), (0, 1)])
def test_a_column_that_was_skipped(read):
    _, columns = in_columns(max(2, len(read) + 1))
    skipped = next(column for n, column in enumerate(columns) if n not in read)
    coverage = cover(skipped, *together([columns[n] for n in read]))
    assert coverage.unread_characters == pytest.approx(len(skipped.text), rel=0.35)
    left, right = skipped.boxes[:, 0].min(), skipped.boxes[:, 2].max()
    assert all(
        left - 10 < each.box.left and each.box.right < right + 10 for each in coverage.unread
    )
    assert cover(skipped, *together(columns)).is_complete
    # it comes before or after the columns that were read, and not between their lines
    starts = np.cumsum([0, *(len(columns[n].text) + 1 for n in read)])
    place = starts[sum(n < columns.index(skipped) for n in read)]
    assert all(abs(each.token_stop - place) <= 1 for each in coverage.unread)


def test_lines_that_were_skipped_in_the_second_of_two_columns():
    _, columns = in_columns(2)
    text, boxes = together(columns)
    first = len(columns[0].text) + 1
    start, stop = (first + at for at in (lines_of(columns[1])[4][0], lines_of(columns[1])[6][1]))
    kept = [n for n in range(len(text)) if not start <= n <= stop]
    coverage = cover(columns[0], "".join(text[n] for n in kept), boxes[kept])
    [unread] = coverage.unread
    assert unread.token_stop in range(start - 2, start + 1)


def test_values_that_were_skipped_come_after_their_labels():
    font = find_font("DejaVu Sans")
    rows = [("Open boat", "64.00"), ("Fishing vessel", "1,210.50"), ("Barge", "145.25")]
    drawn = draw_page(
        [Block(f"{label}\t{value}", "row", tight=True) for label, value in rows],
        PageStyle(font, font, 20, margin_px=60, width_px=560),
    )
    page = KnownPage("drawn", drawn.image, drawn.text, drawn.boxes)
    start = page.text.index(rows[1][1])
    [unread] = cover(page, *without(page, start, start + len(rows[1][1]))).unread
    assert unread.token_stop in range(start - 1, start + 1)


@pytest.mark.parametrize("read", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_columns_that_were_skipped_where_it_is_unclear_which(read):
    _, columns = in_columns(3)
    text, boxes = together([columns[n] for n in read])
    coverage = cover(columns[0], text, np.full_like(boxes, np.nan))
    assert coverage.is_clear and coverage.unread
    assert "not read" in coverage.reason


def test_columns_that_were_read_where_it_is_unclear_where():
    _, columns = in_columns(3)
    text, boxes = together(columns)
    assert not cover(columns[0], text, np.full_like(boxes, np.nan)).is_clear


def again(page: KnownPage, start: int, stop: int) -> tuple[str, np.ndarray]:
    """The page's text with these characters twice in a row, as lines of their own."""
    text = f"{page.text[:stop]}\n{page.text[start:stop]}{page.text[stop:]}"
    order = [*range(stop), stop - 1, *range(start, stop), *range(stop, len(page.text))]
    return text, page.boxes[order]


@pytest.mark.parametrize("strength", [None, 0.6])
@pytest.mark.parametrize("number", [0, 1, 4, -1])
def test_a_line_that_was_read_twice(page, number, strength):
    page = page if strength is None else scanned(page, strength, seed=3)
    start, stop = lines_of(page)[number]
    text, boxes = again(page, start, stop)
    [extra] = cover(page, text, boxes).unsupported
    assert start < extra.token_start and extra.token_stop <= stop + 2 + (stop - start)
    found = range(max(extra.token_start, stop + 1), extra.token_stop)
    assert len("".join(text[n] for n in found).split()) >= 0.8 * len(page.text[start:stop].split())


def test_a_paragraph_that_was_read_twice(page):
    lines = lines_of(page)
    start, stop = lines[1][0], lines[3][1]
    found = sum(
        each.token_stop - each.token_start
        for each in cover(page, *again(page, start, stop)).unsupported
        if each.token_start >= stop - 2 and each.why == "twice"
    )
    assert found >= 0.8 * (stop - start)


@pytest.mark.parametrize("share", [0.9, 0.65])
def test_a_sentence_that_is_nowhere(page, share):
    _, stop = lines_of(page)[3]
    sentence = "which nobody has ever printed here.\n"
    text = page.text[: stop + 1] + sentence + page.text[stop + 1 :]
    boxes = np.insert(page.boxes, stop + 1, np.full((len(sentence), 4), np.nan), axis=0)
    coverage = cover(page, text, boxes, share=share)
    found = sum(
        max(0, min(each.token_stop, stop + 1 + len(sentence)) - max(each.token_start, stop + 1))
        for each in coverage.unsupported
    )
    assert found >= 0.7 * len(sentence)
    assert coverage.unsupported_characters <= 2 * len(sentence)
    assert "may not be on the page" in coverage.reason
    assert not cover(page, page.text, page.boxes, share=share).unsupported


def test_where_the_text_is_unclear_nothing_is_known_of_what_it_lacks(page):
    coverage = cover(page, page.text, np.full_like(page.boxes, np.nan))
    assert not coverage.is_clear
    assert coverage.unread_characters is None
    assert not coverage.is_complete


def photograph(draw: ImageDraw.ImageDraw) -> None:
    rng = np.random.default_rng(0)
    grey = Image.fromarray(rng.integers(0, 255, (9, 12), np.uint8)).resize((300, 220))
    draw._image.paste(grey.convert("RGB"), (150, 560))


def rules(draw: ImageDraw.ImageDraw) -> None:
    for y in (560, 640, 720):
        draw.line((60, y, 530, y), fill="black", width=2)
    for x in (60, 300, 530):
        draw.line((x, 560, x, 720), fill="black", width=2)


def border(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((0, 0, 594, 841), outline="black", width=9)
    draw.rectangle((25, 25, 570, 815), outline="black", width=2)


def stamp(draw: ImageDraw.ImageDraw) -> None:
    draw.ellipse((330, 560, 500, 730), outline="black", width=5)
    draw.ellipse((350, 580, 480, 710), outline="black", width=3)


def holes_and_dust(draw: ImageDraw.ImageDraw) -> None:
    rng = np.random.default_rng(1)
    for x, y in rng.integers(20, 570, (150, 2)):
        draw.point((int(x), int(y) + 240), fill="black")
    for y in (200, 640):
        draw.ellipse((12, y, 42, y + 30), fill="black")


@pytest.mark.parametrize("what", [photograph, rules, border, stamp, holes_and_dust])
def test_what_is_not_text(page, what):
    image = page.image.copy()
    what(ImageDraw.Draw(image))
    assert cover(changed_image(page, image), page.text, page.boxes).is_complete


def test_the_other_side_shows_through(page):
    back = page.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).transpose(
        Image.Transpose.FLIP_TOP_BOTTOM
    )
    back = np.asarray(back.filter(ImageFilter.GaussianBlur(1.5)), float)
    front = np.asarray(page.image, float)
    image = Image.fromarray(np.minimum(front, 255 - 0.35 * (255 - back)).astype(np.uint8))
    assert cover(changed_image(page, image), page.text, page.boxes).is_complete


def test_ink_of_a_region_that_is_a_picture(page):
    start, stop = lines_of(page)[3]
    text, boxes = without(page, start, stop + 1)
    [unread] = cover(page, text, boxes).unread
    whole = Region(0, "text", (0, 0, *page.image.size), token_stop=len(text))
    picture = Region(1, "image", unread.box, token_start=len(text), token_stop=len(text))
    assert not cover(page, text, boxes, regions=(whole, picture)).unread


def test_records_come_back_as_they_were(page):
    start, stop = lines_of(page)[2]
    coverage = cover(page, *without(page, start, stop + 1))
    record = json.loads(json.dumps(coverage_to_record(coverage)))
    again = coverage_from_record(record)
    assert again.unread[0].token_stop == coverage.unread[0].token_stop
    assert again.unread[0].num_characters == pytest.approx(
        coverage.unread[0].num_characters, abs=0.05
    )
    assert coverage_to_record(again) == record
