"""The review in a browser: the page image is scrolled to the flag under review."""

import pytest
from lab import WidgetAlone
from make_results import page_of
from PIL import Image

from glmocr_utils.records import Box, PageImage, PageLayout, TokenBox
from glmocr_utils.review import ReviewSession, ReviewWidget

# three lines, of which the second is far down the page, and of the third nothing is known
PAGE = page_of(("a", 0.3), ("\n", 0.99), ("b", 0.3), ("\n", 0.99), ("c", 0.3))
BOXES = (Box(10, 10, 20, 30), Box(40, 1500, 60, 1530))
LAYOUT = PageLayout(
    PAGE.page,
    1000,
    2000,
    (TokenBox(BOXES[0], 0.9, 0), None, TokenBox(BOXES[1], 0.9, 1), None, None),
    (Box(10, 10, 300, 30), Box(40, 1500, 300, 1530), None),
)


@pytest.fixture
def review(browser, tmp_path):
    """The widget in a page; messages to and from the kernel are carried until there are no more."""
    image = PageImage(PAGE.page, Image.new("RGB", (1000, 2000), "white"), scale=2.0)
    session = ReviewSession(
        [PAGE],
        tmp_path / "log",
        images={PAGE.page: image},
        layouts={PAGE.page: LAYOUT},
        num_audits=0,
    )
    widget = ReviewWidget(session)
    page = browser.new_page(viewport={"width": 900, "height": 800})
    alone = WidgetAlone(page, widget)
    page.wait_for_function("() => document.querySelector('.frame img')?.naturalWidth > 0")
    yield page, alone.carry
    page.close()


def shares(page, name):
    """Left, top, width and height of a mark, in shares of the image; None where it is hidden."""
    return page.evaluate(
        """(name) => {
          const mark = document.querySelector(`.frame .${name}`).getBoundingClientRect();
          const image = document.querySelector(".frame img").getBoundingClientRect();
          if (!mark.width) return null;
          return [(mark.left - image.left) / image.width, (mark.top - image.top) / image.height,
            mark.width / image.width, mark.height / image.height];
        }""",
        name,
    )


def test_line_and_flag_are_marked_and_in_sight(review):
    page, carry = review
    assert shares(page, "mark") == pytest.approx((0.01, 0.005, 0.01, 0.01), abs=0.002)
    assert shares(page, "strip") == pytest.approx((0.01, 0.005, 0.29, 0.01), abs=0.002)
    page.keyboard.press("Enter")
    carry()
    assert shares(page, "mark") == pytest.approx((0.04, 0.75, 0.02, 0.015), abs=0.002)
    frame = page.locator(".frame").bounding_box()
    mark = page.locator(".frame .mark").bounding_box()
    assert frame["y"] < mark["y"] < frame["y"] + frame["height"]


def test_an_unclear_box_shows_the_page_as_it_is(review):
    page, carry = review
    for _ in range(2):
        page.keyboard.press("Enter")
        carry()
    assert shares(page, "mark") is None
    assert shares(page, "strip") is None
    # the last of three lines: near the end of the page
    assert page.evaluate("() => document.querySelector('.frame').scrollTop") > 800
