"""From attention to boxes: lines, tokens, what is odd about a page, what is unclear."""

import re

import numpy as np
import pytest
from PIL import Image

from glmocr_utils.grounding.evaluation import draw_pages, scanned
from glmocr_utils.grounding.evaluation.known import (
    BoxScore,
    KnownPage,
    score_centres,
    score_layout,
    true_boxes,
)
from glmocr_utils.grounding.ink import find_ink, find_skew
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.grounding.units import Gap, groups_of, pieces_of
from glmocr_utils.records import Box, PageLayout, PageRef, TokenBox
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

pytestmark = pytest.mark.slow

PAGE = PageRef("page.png", "0" * 64, 0)
ROWS, COLUMNS = 30, 21
SIZE_PX = (595, 842)  # not a whole number of image tokens, like most pages


def looking_at(boxes: np.ndarray, size: tuple[int, int], noise: float = 0.0) -> np.ndarray:
    """Attention to the cell that holds each box's middle, with some to all others."""
    width, height = size
    x = ((boxes[:, 0] + boxes[:, 2]) / 2 * COLUMNS / width).astype(int).clip(0, COLUMNS - 1)
    y = ((boxes[:, 1] + boxes[:, 3]) / 2 * ROWS / height).astype(int).clip(0, ROWS - 1)
    attention = np.full((len(boxes), ROWS, COLUMNS), noise / (ROWS * COLUMNS), np.float32)
    attention[np.arange(len(boxes)), y, x] += 0.8 - noise
    return attention


@pytest.fixture(scope="module")
def drawn() -> list[KnownPage]:
    return draw_pages(3, seed=5)


def laid_out(page: KnownPage, token_texts: list[str], boxes: np.ndarray, noise=0.1) -> PageLayout:
    return lay_out(PAGE, page.image, token_texts, looking_at(boxes, page.image.size, noise))


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("strength", [None, 0.5])
def test_characters_are_found_where_they_are(drawn, number, strength):
    page = drawn[number] if strength is None else scanned(drawn[number], strength, seed=number)
    texts = list(page.text)
    layout = laid_out(page, texts, page.boxes)
    score = score_layout(layout, true_boxes(texts, page), page)
    assert score.near >= 0.99 * score.tokens
    assert score.right_line >= 0.99 * score.tokens
    off = [
        abs(token.box.centre[0] - (box[0] + box[2]) / 2)
        for token, box, character in zip(layout.tokens, page.boxes, texts, strict=True)
        if token and character.strip()
    ]
    assert np.median(off) < 7  # a quarter of an image token: finer than the cell alone


def test_tokens_of_several_characters_are_as_wide_as_they(drawn):
    page = drawn[0]
    texts = re.findall(r"\n|[^\n]{1,4}", page.text)
    starts = np.cumsum([0, *map(len, texts[:-1])])
    middles = starts + np.array([len(text) // 2 for text in texts])
    layout = laid_out(page, texts, page.boxes[middles])
    score = score_layout(layout, true_boxes(texts, page), page)
    assert score.right_line == score.tokens
    assert score.near >= 0.9 * score.tokens
    widths = [token.box.right - token.box.left for token in layout.tokens if token]
    assert 25 < np.median(widths) < 60


def test_a_character_of_two_tokens_has_one_box(drawn):
    page = drawn[0]
    at = page.text.index("a") if "a" in page.text else 0
    texts = list(page.text)
    texts[at : at + 1] = ["", texts[at]]
    boxes = np.insert(page.boxes, at, page.boxes[at], axis=0)
    layout = laid_out(page, texts, boxes)
    assert layout.tokens[at] == layout.tokens[at + 1] is not None


def test_a_token_that_looks_everywhere_is_unclear(drawn):
    page = drawn[0]
    texts = list(page.text)
    boxes = page.boxes
    attention = looking_at(boxes, page.image.size)
    lost = slice(40, 60)
    attention[lost] = 0.8 / (ROWS * COLUMNS)
    layout = lay_out(PAGE, page.image, texts, attention)
    assert all(token is None for token in layout.tokens[45:55])
    assert layout.tokens[10] is not None
    assert layout.box_of(range(44, 48)) is None


def test_two_columns_of_text():
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, 18, width_px=297, margin_px=24)
    words = "the quick brown fox jumps over the lazy dog and runs on through the wet grass "
    columns = [draw_page([Block(words * 4)], style), draw_page([Block("yet " + words * 4)], style)]
    image = Image.new("RGB", (594, 842), "white")
    for number, column in enumerate(columns):
        image.paste(column.image, (297 * number, 0))
    boxes = [columns[0].boxes, columns[0].boxes[-1:], columns[1].boxes + np.array([297, 0, 297, 0])]
    text = columns[0].text + "\n" + columns[1].text
    page = KnownPage("columns", image, text, np.concatenate(boxes))
    layout = laid_out(page, list(text), page.boxes)
    score = score_layout(layout, true_boxes(list(text), page), page)
    assert score.near == score.right_line == score.tokens


@pytest.mark.parametrize("texts", [[], [""], ["\n"], [" "], ["A"], ["A\n\n"], ["\n", "A"]])
def test_pages_with_next_to_nothing_on_them(drawn, texts):
    attention = np.full((len(texts), ROWS, COLUMNS), 0.001, np.float32)
    layout = lay_out(PAGE, drawn[0].image, texts, attention)
    assert len(layout.tokens) == len(texts)
    assert len(layout.lines) == len("".join(texts).split())
    blank = Image.new("RGB", SIZE_PX, "white")
    assert len(lay_out(PAGE, blank, texts, attention).tokens) == len(texts)


def test_lines_have_the_box_of_their_letters(drawn):
    page = drawn[1]
    layout = laid_out(page, list(page.text), page.boxes)
    position = 0
    boxes = iter(layout.lines)
    for line in page.text.split("\n"):
        own = page.boxes[position : position + len(line)]
        position += len(line) + 1
        if not line:
            continue
        box = next(boxes)
        assert box.top < (own[0, 1] + own[0, 3]) / 2 < box.bottom
        assert box.left == pytest.approx(own[:, 0].min(), abs=14)
        assert box.right == pytest.approx(own[:, 2].max(), abs=14)


@pytest.mark.parametrize("degrees", [-2.5, -0.7, 0.0, 1.8])
def test_the_skew_of_a_page(drawn, degrees):
    image = drawn[2].image.rotate(degrees, fillcolor="white")
    skew = find_skew(find_ink(image, ROWS, COLUMNS))
    # turned counter-clockwise, lines rise to the right
    assert skew == pytest.approx(-np.tan(np.deg2rad(degrees)), abs=0.004)


def test_a_page_without_ink_has_no_skew():
    assert find_skew(find_ink(Image.new("RGB", SIZE_PX, "white"), ROWS, COLUMNS)) == 0


def test_tokens_that_spell_a_character_together_are_a_group():
    texts = ["", "ü", "b", "\n", "", "", ""]
    assert groups_of(texts) == [(0, 2), (0, 2), (2, 3), *[(3, 7)] * 4]
    assert groups_of(["", ""]) == [(0, 2)] * 2


def test_pieces_have_ink_and_know_what_is_before_them():
    texts = [
        " The",
        " “",
        "Ge",
        "-",
        "richt",
        ".\n\n",
        "<t",
        "d>",
        "1 ",
        "2</td><td>",
        "3",
        "中",
        "文",
    ]
    pieces = pieces_of(texts)
    assert [(piece.token, len(piece.units), piece.gap) for piece in pieces] == [
        (0, 3, Gap.LINE_END),
        (1, 1, Gap.SPACE),
        (2, 2, Gap.NOTHING),
        (3, 1, Gap.NOTHING),
        (4, 5, Gap.HYPHEN),
        (5, 1, Gap.NOTHING),
        (8, 1, Gap.LINE_END),
        (9, 1, Gap.SPACE),
        (10, 1, Gap.CELL),
        (11, 1, Gap.NOTHING),
        (12, 1, Gap.HYPHEN),
    ]
    assert sum(unit.share for unit in pieces[4].units) == pytest.approx(1)


def as_words(text: str) -> list[str]:
    """Tokens as a byte-level BPE vocabulary has them: words with the space before them."""
    return re.findall(r" ?[^\W\d_]+| ?\d{1,3}| ?[^\s\w]+\n*|\n+|\s|.", text)


@pytest.mark.parametrize("tokens_of", [list, as_words])
@pytest.mark.parametrize("strength", [None, 0.5])
@pytest.mark.parametrize("line_end", [r"(?<!\n)\n(?!\n)", r"\n+"], ids=["lines", "blocks too"])
def test_a_line_of_text_is_not_a_printed_line(drawn, tokens_of, strength, line_end):
    total = BoxScore()
    for number, page in enumerate(drawn):
        page = page if strength is None else scanned(page, strength, seed=number)
        text = re.sub(line_end, lambda found: " " * len(found.group()), page.text)
        texts = tokens_of(text)
        starts = np.cumsum([0, *map(len, texts[:-1])])
        first = [
            start + len(token) - len(token.lstrip())
            for start, token in zip(starts, texts, strict=True)
        ]
        boxes = page.boxes[np.minimum(first, len(page.text) - 1)]
        layout = laid_out(page, texts, boxes)
        total += score_layout(layout, true_boxes(texts, page), page)
        printed = [line for line in page.text.split("\n") if line.strip()]
        assert len(layout.lines) == pytest.approx(len(printed), abs=1)
    assert total.right_line >= 0.98 * total.tokens
    assert total.near >= 0.95 * total.tokens


def test_a_token_on_two_lines_has_the_box_of_its_wider_part(drawn):
    page = drawn[0]
    at = page.text.index("\n", 10)
    start, stop = at - 2, at + 9
    texts = [*page.text[:start], page.text[start:stop].replace("\n", " "), *page.text[stop:]]
    boxes = np.concatenate([page.boxes[:start], page.boxes[stop - 4 : stop - 3], page.boxes[stop:]])
    token = laid_out(page, texts, boxes).tokens[start]
    true = page.boxes[at + 1 : stop]
    assert token.box.top < true[0, 1:4:2].mean() < token.box.bottom
    assert token.box.left == pytest.approx(true[:, 0].min(), abs=20)


def test_a_table_written_in_markup_is_placed_by_its_cells():
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, 20, width_px=595, height_px=842, margin_px=40)
    rows = [("apples", "12.50"), ("pears", "7.25"), ("plums and cherries", "103.00")]
    page = draw_page([Block(f"{a}\t{b}", "row", tight=True) for a, b in rows], style)
    texts, boxes = ["<table>"], [page.boxes[0]]
    for row in rows:
        texts.append("<tr>")
        boxes.append(page.boxes[0])
        for cell in row:
            at = page.text.index(cell)
            texts += ["<td>", *cell, "</td>"]
            boxes += [page.boxes[at], *page.boxes[at : at + len(cell)], page.boxes[at]]
        texts.append("</tr>")
        boxes.append(page.boxes[0])
    boxes = np.array(boxes)
    layout = laid_out(page, texts, boxes)
    assert len(layout.lines) == 3
    inked = [n for n, text in enumerate(texts) if len(text) == 1 and text.strip()]
    found = np.array([layout.tokens[n].box.centre for n in inked])
    true = (boxes[inked, :2] + boxes[inked, 2:]) / 2
    assert (np.abs(found - true) < 28).all()
    assert layout.tokens[0] is not None  # a tag is where it would be
    assert layout.tokens[0].box.right == layout.tokens[0].box.left


def test_scores_separate_a_wrong_line_and_a_wrong_box(drawn):
    page = drawn[0]
    truth = true_boxes(list(page.text), page)
    centres = (page.boxes[:, :2] + page.boxes[:, 2:]) / 2
    known = len(truth.known)
    assert score_centres(centres, truth, page) == BoxScore(known, known, known, 0)
    beside = score_centres(centres + np.array([40, 0]), truth, page)
    assert beside.near == 0
    assert beside.right_line > 0.9 * known
    below = score_centres(centres + np.array([0, 30]), truth, page)
    assert below.right_line < 0.3 * known
    unclear = centres.copy()
    unclear[truth.known[:7]] = np.nan
    assert score_centres(unclear, truth, page).unclear == 7


def test_what_was_read_wrongly_has_no_true_box(drawn):
    page = drawn[0]
    texts = list(page.text)
    at = [n for n, character in enumerate(texts) if character.isalnum()][8]
    texts[at] = texts[at + 3] = "¶"
    truth = true_boxes(texts, page)
    assert truth.lines[at] == truth.lines[at + 3] == -1
    assert (truth.lines[at + 1 : at + 3] == -1).all()  # alike by chance, for all that is known
    assert truth.lines[0] == 0


def test_boxes_refuse_to_be_inside_out():
    with pytest.raises(ValueError, match="ends right"):
        Box(2, 0, 1, 1)
    with pytest.raises(ValueError, match="certainty"):
        TokenBox(Box(0, 0, 1, 1), 1.5, 0)
