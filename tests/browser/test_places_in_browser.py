"""The file of a document in a browser: a token and its place on the page light up together."""

import pytest

from glmocr_utils.display import document_html
from glmocr_utils.grounding import Locator
from glmocr_utils.ocr import read_pages


@pytest.fixture
def shown(browser, bundled_model, page_images, tmp_path):
    (result,) = read_pages(bundled_model, page_images[2:], max_tokens=400)
    image = page_images[2]
    layout = Locator(bundled_model).locate(result, image.image)
    path = tmp_path / "pages.html"
    pages = {result.page: image}
    path.write_text(document_html([result], pages, layouts={result.page: layout}), "utf-8")
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(path.as_uri())
    yield page, result, layout, image
    page.close()


def spot_of(page, token):
    return page.evaluate(
        "(n) => { const box = document.querySelectorAll('pre.text > span')[n].querySelector('i')"
        ".getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }",
        token,
    )


def is_lit(page, token):
    return (
        page.evaluate(
            "(n) => getComputedStyle(document.querySelectorAll('pre.text > span')[n]"
            ".querySelector('i')).outlineStyle",
            token,
        )
        == "solid"
    )


def test_a_spot_lies_on_its_part_of_the_image(shown):
    page, _, layout, image = shown
    picture = page.locator("section img").bounding_box()
    for token in (3, 60):
        box = layout.tokens[token].box
        scale = picture["width"] / image.width_px
        left, top, width, height = spot_of(page, token)
        assert left == pytest.approx(picture["x"] + box.left * scale, abs=2)
        assert top == pytest.approx(picture["y"] + box.top * scale, abs=2)
        assert width == pytest.approx((box.right - box.left) * scale, abs=3)
        assert height == pytest.approx((box.bottom - box.top) * scale, abs=3)


def test_pointing_at_either_lights_up_both(shown):
    page, *_ = shown
    assert not is_lit(page, 3)
    page.locator("pre.text > span").nth(3).hover()
    assert is_lit(page, 3)
    assert not is_lit(page, 60)
    left, top, width, height = spot_of(page, 60)
    page.mouse.move(left + width / 2, top + height / 2)
    assert is_lit(page, 60)
    outline = page.evaluate(
        "() => getComputedStyle(document.querySelectorAll('pre.text > span')[60]).outlineStyle"
    )
    assert outline == "solid"
