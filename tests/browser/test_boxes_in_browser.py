"""The file of a document in a browser: a word and its box on the page light up together."""

import pytest

from glmocr_utils.confidence import PageTokens
from glmocr_utils.display import document_html
from glmocr_utils.grounding import Locator
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import around


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


def characters_of(page) -> list[tuple[int, int]]:
    """The characters of the page's text that each element with a box shows."""
    return page.evaluate(
        """() => {
          const spans = [];
          let at = 0;
          for (const node of document.querySelector('pre.text').childNodes) {
            const start = at;
            at += Array.from(node.textContent).length;
            if (node.querySelector?.('i')) spans.push([start, at]);
          }
          return spans;
        }"""
    )


def spot_of(page, number):
    return page.evaluate(
        "(n) => { const box = document.querySelectorAll('pre.text > span > i')[n]"
        ".getBoundingClientRect(); return [box.left, box.top, box.width, box.height]; }",
        number,
    )


def is_lit(page, number):
    return page.evaluate(
        "(n) => { const spot = document.querySelectorAll('pre.text > span > i')[n];"
        "const styles = [spot, spot.parentNode].map((element) => getComputedStyle(element));"
        "return styles.every((style) => style.outlineStyle === 'solid'); }",
        number,
    )


def test_a_spot_lies_on_its_part_of_the_image(shown):
    page, result, layout, image = shown
    picture = page.locator("section img").bounding_box()
    tokens, characters = PageTokens(result), characters_of(page)
    assert len(characters) > 20
    for number in (3, len(characters) - 1):
        indices = tokens.tokens_of(*characters[number])
        box = around(layout.tokens[n].box for n in indices if layout.tokens[n])
        scale = picture["width"] / image.width_px
        left, top, width, height = spot_of(page, number)
        assert left == pytest.approx(picture["x"] + box.left * scale, abs=2)
        assert top == pytest.approx(picture["y"] + box.top * scale, abs=2)
        assert width == pytest.approx((box.right - box.left) * scale, abs=3)
        assert height == pytest.approx((box.bottom - box.top) * scale, abs=3)


def test_pointing_at_either_lights_up_both(shown):
    page, *_ = shown
    spans = page.locator("pre.text > span:has(> i)")
    last = spans.count() - 1
    assert not is_lit(page, 3)
    spans.nth(3).hover()
    assert is_lit(page, 3)
    assert not is_lit(page, last)
    left, top, width, height = spot_of(page, last)
    page.mouse.move(left + width / 2, top + height / 2)
    assert is_lit(page, last)
