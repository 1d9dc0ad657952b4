"""The review shows where a flag is: the line's strip and a marker, if they are clear."""

import pytest
from make_results import page_of
from PIL import Image

from glmocr_utils.grounding import LayoutsOnDemand, Locator
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import Box, PageImage, PageLayout, TokenBox
from glmocr_utils.review import ReviewSession, ReviewWidget
from glmocr_utils.review.static import review_html
from glmocr_utils.review.whereabouts import whereabouts

PAGE = page_of(("Gr", 0.999), ("", 0.9), ("ü", 0.4), (" ", 0.999), ("\n", 0.999), ("x", 0.3))
IMAGE = PageImage(PAGE.page, Image.new("RGB", (100, 200), "white"), scale=2.0)


def layout_with(*clear: bool) -> PageLayout:
    boxes = tuple(
        TokenBox(Box(10 * n, 0, 10 * n + 10, 20), 0.9, n // 5) if is_clear else None
        for n, is_clear in enumerate(clear)
    )
    return PageLayout(PAGE.page, 100, 200, boxes, (Box(0, 0, 30, 20), None))


def session_with(layout: PageLayout | None, folder) -> ReviewSession:
    layouts = {PAGE.page: layout} if layout else None
    images = {PAGE.page: IMAGE}
    return ReviewSession([PAGE], folder / "log", images=images, layouts=layouts, num_audits=0)


def test_a_flag_has_the_box_of_its_tokens(tmp_path):
    session = session_with(layout_with(*[True] * 6), tmp_path)
    (page,) = session.pages
    assert [flag.text for flag in page.flags] == ["Grü", "x"]
    found = whereabouts(page, session.layout(0))
    assert found.lines == [(0, 0, 0.3, 0.1), None]
    # "" and "ü" are the bytes of one character, and are in one box
    assert found.boxes == {"0:0-3": (0, 0, 0.3, 0.1), "1:0-1": (0.5, 0, 0.6, 0.1)}
    assert found.strips == {"0:0-3": (0, 0, 0.3, 0.1)}


def test_an_unclear_box_is_not_marked(tmp_path):
    session = session_with(layout_with(True, True, True, True, True, False), tmp_path)
    assert list(whereabouts(session.pages[0], session.layout(0)).boxes) == ["0:0-3"]


@pytest.mark.parametrize("layout", [layout_with(*[True] * 6), None])
def test_the_browser_asks_for_it(tmp_path, layout):
    widget = ReviewWidget(session_with(layout, tmp_path))
    messages = []
    widget.send = lambda message, buffers=None: messages.append(message)
    widget._receive(widget, {"do": "open"}, [])
    assert messages[0]["has_boxes"] == (layout is not None)
    widget._receive(widget, {"do": "where", "number": 0}, [])
    told = [message for message in messages if message["show"] == "where"]
    assert len(told) == (layout is not None)
    if told:
        assert told[0]["lines"][0] == (0, 0, 0.3, 0.1)


def test_without_a_browser_the_page_marks_its_boxes(tmp_path):
    assert "<i style" in review_html(session_with(layout_with(*[True] * 6), tmp_path))
    assert "<i style" not in review_html(session_with(None, tmp_path))


def test_a_layout_is_found_when_it_is_asked_for_and_once(bundled_model, page_images, monkeypatch):
    results = list(read_pages(bundled_model, page_images[:2], max_tokens=20))
    locator = Locator(bundled_model)
    located = []
    locate = Locator.locate
    monkeypatch.setattr(
        Locator, "locate", lambda self, *page: located.append(page) or locate(self, *page)
    )
    layouts = LayoutsOnDemand(locator, results, {results[0].page: page_images[0]})
    assert len(layouts) == 2 and not located
    assert layouts[results[0].page] is layouts[results[0].page]
    assert len(located) == 1
    assert layouts.get(results[1].page) is None  # it has no image
