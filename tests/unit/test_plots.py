"""Figures: their content, not how they look."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from glmocr_utils.confidence import mark_tokens
from glmocr_utils.figures.collection import probability_and_length
from glmocr_utils.figures.confidence import probability_histogram, review_curves
from glmocr_utils.figures.evaluation import pages_changed
from glmocr_utils.figures.fitting import broken_lines, split_at_line_ends
from glmocr_utils.figures.pages import (
    page_and_tokens,
    page_both_ways,
    page_grid,
    page_with_coverage,
    page_with_unsure_words,
    scale_comparison,
)
from glmocr_utils.figures.style import TINTS, tint
from glmocr_utils.figures.training import document_changes, reliability_change
from glmocr_utils.records import (
    Box,
    OcrResult,
    PageCoverage,
    PageImage,
    PageLayout,
    PageRef,
    Region,
    TokenBox,
    TokenProb,
    UnreadInk,
    UnsupportedText,
)

pytestmark = pytest.mark.usefixtures("close_figures")
KINDS = ("text", "table")
PAGE = PageImage(PageRef("cost $5 and $6.pdf", "0" * 64, 0), Image.new("RGB", (60, 80)), 2.0)


def result(*tokens: tuple[str, float]) -> OcrResult:
    records = tuple(TokenProb(1, text, logprob) for text, logprob in tokens)
    text = "".join(token.text for token in records)
    return OcrResult(PAGE.page, text, records, "stop", "p", "m", None, None, 2.0, 1.0)


@pytest.mark.parametrize(
    ("logprob", "step"), [(0.0, 0), (-0.02, 1), (-0.1, 2), (-0.5, 3), (-0.7, 4), (-30.0, 4)]
)
def test_tint_has_five_steps(logprob, step):
    assert tint(TokenProb(1, "a", logprob)) == TINTS[step]


def test_only_unsure_tokens_are_tinted_and_the_worst_are_marked_twice():
    figure = page_and_tokens(PAGE, result(("sure", -0.001), (" so-so", -0.1), ("bad\n", -3.0)))
    text_axes = figure.axes[1]
    tints = [patch for patch in text_axes.patches if isinstance(patch, Rectangle)]
    assert len(tints) == 2
    assert len(text_axes.lines) == 1  # the underline of the worst token
    weights = {text.get_text(): text.get_weight() for text in text_axes.texts}
    assert weights["bad"] == "bold" and weights["sure"] == "normal"


def test_text_with_formula_signs_is_drawn_as_it_is(tmp_path):
    figure = page_and_tokens(PAGE, result(("$x^2$ costs $5", -0.1)))
    figure.savefig(tmp_path / "figure.png")
    assert figure.axes[1].texts[0].get_text() == r"\$x^2\$ costs \$5"


def test_what_was_left_out_is_noted_in_a_paragraph_where_it_belongs():
    words = [(f" word{n}", -0.1) for n in range(80)]
    read = result(("Title", -0.1), ("\n\n", -0.1), *words, (".\n\n", -0.1), ("End", -0.1))
    box = Box(10.0, 20.0, 40.0, 30.0)
    unread = [UnreadInk(box, number, stop) for number, stop in ((7, 1), (41, 50), (9, 83), (5, 84))]
    coverage = PageCoverage(True, tuple(unread), (UnsupportedText(10, 12, 12, "nowhere"),))
    figure = page_with_coverage(PAGE, replace(read, coverage=coverage))
    page, text = figure.axes
    assert len(page.patches) == 4 and fits(figure)
    written = "".join(piece.get_text() for piece in text.texts)
    for around in (
        r"Title ← about 7 characters not read  word0",
        r"word47 ← about 41 characters not read  word48",
        r"word79\. ← about 9 characters not read End ← about 5 characters not read",
    ):
        assert re.search(around, written)
    tinted = [patch for patch in text.patches if isinstance(patch, Rectangle)]
    assert len(tinted) == 2  # tokens of the paragraph, not all of it


def test_a_page_both_ways_has_its_regions_numbered_beside_both_texts():
    whole = result(("costs $5 or\n$6", -0.1))
    regions = [Region(n, kind, (5, 20 * n, 50, 20 * n + 15)) for n, kind in enumerate(KINDS)]
    regions[0] = replace(regions[0], token_start=0, token_stop=1)
    by_region = replace(result(("long words " * 300, -0.1)), regions=tuple(regions))
    page, left, right = page_both_ways(PAGE, whole, by_region, most=10).axes
    assert [text.get_text() for text in page.texts] == ["1", "2"]
    assert len({patch.get_edgecolor() for patch in page.patches}) == 2
    assert left.texts[0].get_text() == "costs $5 or\n$6"
    assert right.texts[0].get_text().count("\n") == 9 and "…" in right.texts[0].get_text()


LONG_NAME = f"A report that costs $5 {'and more ' * 20}, volume 2.pdf"


def fits(figure) -> bool:
    """Whether all that is written is within the figure, and no two titles are on each other."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    right = figure.bbox.x1 + 2
    titles = [b for t, b in zip(texts, boxes, strict=True) if t.get_fontsize() == 10.0]
    overlap = any(one.overlaps(two) for n, one in enumerate(titles) for two in titles[:n])
    return all(box.x0 >= -2 and box.x1 <= right for box in boxes) and not overlap


@pytest.mark.parametrize("size", [(600, 800), (40, 1800), (1800, 40)])
def test_long_lines_long_names_and_skinny_pages_fit(size):
    page = PageImage(PageRef(LONG_NAME, "0" * 64, 0), Image.new("RGB", size), 2.0)
    words = result(*[("word ", -0.1)] * 400, ("x" * 900, -3.0))
    rows = result(*[("a\n", -0.1)] * 300)
    for read in (words, rows):
        figure = page_and_tokens(page, read)
        assert max(figure.get_size_inches()) <= 15 and fits(figure)
        drawn = [text for text in figure.axes[1].texts if text.get_text().strip()]
        assert min(text.get_fontsize() for text in drawn) > 4
    assert any("190 more lines" in text.get_text() for text in figure.axes[1].texts)
    outlined = page_with_unsure_words(page, rows, PageLayout(page.page, *size, (None,) * 300, ()))
    assert max(outlined.get_size_inches()) <= 10 and fits(outlined)
    assert r"\$5" in outlined.get_suptitle() and "volume 2.pdf" in outlined.get_suptitle()
    assert fits(page_grid([page] * 3))


def test_lines_break_between_words_and_lose_nothing():
    line = [("one two", 1), (" three", 2), ("x" * 12, 3)]
    broken = broken_lines([line, []], 8)
    assert "".join(text for row in broken for text, _ in row) == "one two three" + "x" * 12
    assert [sum(len(text.rstrip()) for text, _ in row) <= 9 for row in broken] == [True] * 5
    assert broken[0] == [("one two", 1), (" ", 2)]
    # a word of several tokens stays whole, and a token without text keeps its place
    pieces = [("the", 1), (" bo", 2), ("", 3), ("ok", 4), ("bi", 5), ("nder", 6)]
    assert broken_lines([pieces], 11) == [
        [("the", 1), (" ", 2)],
        [("bo", 2), ("", 3), ("ok", 4), ("bi", 5), ("nder", 6)],
    ]


def test_a_token_may_hold_several_line_ends_and_text_behind_them():
    pieces = [("End.\n\n", 1), ("# ", 2), ("Next\nline", 3), ("\n", 4)]
    lines = split_at_line_ends(pieces)
    assert [[piece for piece in line if piece[0]] for line in lines] == [
        [("End.", 1)],
        [],
        [("# ", 2), ("Next", 3)],
        [("line", 3)],
    ]
    assert split_at_line_ends([]) == split_at_line_ends([("\n\n", 1)]) == []


def test_a_page_without_text_can_be_drawn(tmp_path):
    figure = page_and_tokens(PAGE, result())
    figure.savefig(tmp_path / "figure.png")
    assert figure.axes[0].images and not any(text.get_text() for text in figure.axes[1].texts)


def test_grid_has_a_spot_for_every_page_and_none_for_more():
    figure = page_grid([PAGE] * 5, columns=4)
    assert len(figure.axes) == 8
    assert sum(bool(ax.images) for ax in figure.axes) == 5
    assert len(page_grid([PAGE] * 2, columns=4).axes) == 2


@pytest.mark.parametrize("probabilities", [[0.97, 1.0], [0.1, 0.99], [0.9, 0.9]])
def test_no_mark_above_probability_1_looks_like_a_page(probabilities):
    pages = pd.DataFrame({"mean_prob": probabilities, "text": ["ab", "c"], "status": "ok"})
    ax = probability_and_length(pages).axes[0]
    assert max(ax.get_yticks()) <= 1 < ax.get_ylim()[1]
    ax.figure.canvas.draw()
    assert not ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())


def test_histogram_counts_every_token():
    figure = probability_histogram([result(("a", -0.1), ("b", -5.0))])
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 2


def test_scales_are_named_in_dots_per_inch():
    twice = PageImage(PAGE.page, PAGE.image.resize((120, 160)), 4.0)
    titles = [ax.get_title() for ax in scale_comparison([PAGE, twice]).axes]
    assert titles == ["scale 2 = 144 DPI", "scale 4 = 288 DPI"]


def test_review_curves_compare_the_scores_and_show_what_they_cannot_find():
    read = result(("a", -0.01), ("x", -2.0), ("c", -0.2), ("d", -0.05))
    figure = review_curves([mark_tokens(read, "abcdef")])
    caught, precision, stated, trusted = figure.axes
    assert len(caught.lines) == len(precision.lines) == len(trusted.lines) == 4
    assert caught.lines[0].get_xydata()[1].tolist() == [0.25, 1.0]  # one look finds the one error
    assert [1.0, 1.0] in precision.lines[0].get_xydata().tolist()
    assert "1 of 4 tokens wrong; 2 characters left out" in figure.get_suptitle()
    assert [line.get_label() for line in stated.lines[1:]] == ["as stated by the model"]


def test_figures_without_data_say_why():
    read = result(("a", -0.01))
    figures = [
        review_curves([]),
        review_curves([mark_tokens(read, "a")]),
        document_changes([]),
        reliability_change([], []),
        pages_changed(None),
    ]
    texts = [ax.texts[0].get_text() for figure in figures for ax in figure.axes]
    assert texts == [
        "set references to see how well doubt finds errors",
        "0 of 1 tokens are wrong: nothing to compare",
        "no documents were read before and after",
        "no pages were read before and after",
        "set other_readings to compare two sets",
    ]


def test_unsure_words_are_outlined_at_their_boxes():
    read = result(("sure", -0.01), (" ", -0.01), ("so-so", -0.4), (" ", 0.0), ("bad", -3.0))
    read = result(*((token.text, token.logprob) for token in read.tokens), (" x", -2.0))
    boxes = [TokenBox(Box(10 * n, 5, 10 * n + 8, 15), 0.9, 0) for n in range(5)]
    figure = page_with_unsure_words(PAGE, read, PageLayout(PAGE.page, 60, 80, (*boxes, None), ()))
    (ax,) = figure.axes
    assert [patch.get_x() for patch in ax.patches] == [18, 38]
    widths = [patch.get_linewidth() for patch in ax.patches]
    assert widths[0] < widths[1]
    assert "1 without a clear box" in figure.get_suptitle()
