"""The index of a collection in a browser: searched, filtered, sorted; a page beside its text."""

from dataclasses import replace

import pytest
from make_results import page_of
from paths import SAMPLES

from glmocr_utils.display.collection import write_index
from glmocr_utils.records import PageRef, write_results
from glmocr_utils.render.documents import file_sha256

DOCUMENT = SAMPLES / "ordinances/of_ale.pdf"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A sure page, and one in doubt that has a file of its own."""
    sha256 = file_sha256(DOCUMENT)
    first = page_of(("A sure page about barley.", 0.99))
    second = page_of(("THE APP", 0.9), ("L", 0.5, {"E": 0.44}), ("AL", 0.9), finish_reason="length")
    results = [
        replace(result, page=PageRef(str(DOCUMENT), sha256, number))
        for number, result in enumerate((first, second))
    ]
    folder = tmp_path_factory.mktemp("run")
    write_results(results, folder / "of_ale.jsonl")
    return write_index(folder, worst_n=1)


@pytest.fixture(params=["light", "dark"])
def page(request, browser, index):
    page = browser.new_page(viewport={"width": 900, "height": 700}, color_scheme=request.param)
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(index.as_uri())
    yield page
    assert problems == []
    page.close()


NAMES = """expected => {
  const cards = [...document.querySelectorAll(".cards > li:not([hidden]) .card")];
  const names = cards.map(card => (card.textContent.split("page ")[1] || "")[0]);
  return JSON.stringify(names) === JSON.stringify(expected);
}"""


def wait_for_names(page, *expected):
    """The cards that are shown, in their order; drawing them takes a moment."""
    page.wait_for_function(NAMES, arg=list(expected))


def test_pages_are_searched_filtered_and_sorted(page):
    page.wait_for_function("() => document.querySelector('.thumb img').naturalWidth > 0")
    wait_for_names(page, "1", "2")
    page.select_option("#sort", "doubt")
    wait_for_names(page, "2", "1")
    page.fill("#search", "barley")
    wait_for_names(page, "1")
    assert "1 of 2 pages" in page.text_content("#shown")
    assert page.text_content("li:not([hidden]) mark") == "barley"
    page.fill("#search", "appeal")
    wait_for_names(page, "2")
    assert "may say APPEAL (0.44) where APPLAL was read" in page.text_content(
        "li:not([hidden]) small"
    )
    page.fill("#search", "")
    page.select_option("#status", "truncated")
    wait_for_names(page, "2")


def test_a_page_opens_beside_its_text_and_leads_back(page):
    page.locator("button.card").click()
    dialog = page.locator("dialog")
    assert "about barley" in dialog.inner_text()
    page.keyboard.press("Escape")
    assert dialog.is_hidden()
    page.locator("a.card").click()
    page.wait_for_function("() => document.querySelector('.sides img')?.naturalWidth > 0")
    assert page.locator(".p3 , .p4").first.inner_text() == "L"
    page.get_by_text("All pages").click()
    page.wait_for_selector(".cards")
