"""The index and a search's hits in a browser: cut-outs, the way there and back, and paper."""

import io
from dataclasses import replace

import numpy as np
import pypdfium2 as pdfium
import pytest
from lab import screenshots
from make_results import page_of
from paths import SAMPLES

from glmocr_utils.cli import main
from glmocr_utils.display.collection import write_index
from glmocr_utils.records import PageRef, write_results
from glmocr_utils.render.documents import file_sha256

DOCUMENT = SAMPLES / "ordinances/of_ale.pdf"
WORDS = "Whereas the Brewers of this Town do put to Sale their Ale".split()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    sha256 = file_sha256(DOCUMENT)
    tokens = [(f"{word} ", 0.99 if number % 5 else 0.6) for number, word in enumerate(WORDS * 9)]
    lines = [
        token if number % 8 else (f"\n{token[0]}", token[1]) for number, token in enumerate(tokens)
    ]
    results = [
        replace(page_of(*lines[: 60 - 20 * n]), page=PageRef(str(DOCUMENT), sha256, n))
        for n in range(2)
    ]
    write_results(results, folder / "of_ale.jsonl")
    write_index(folder, worst_n=1)
    searched = ["--words", "brewers of", "--output-dir", str(folder)]
    assert main(["search", str(folder), *searched]) == 0
    return folder


@pytest.fixture(params=[("light", 1200), ("dark", 480)])
def page(request, browser):
    scheme, width = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.shot = f"{scheme}_{width}"
    yield page
    assert problems == []
    page.close()


def picture(page, name):
    if folder := screenshots():
        page.screenshot(path=folder / f"{name}_{page.shot}.png")


def test_a_hit_is_shown_on_its_page_and_leads_there_and_back(page, run):
    page.goto((run / "index.html").as_uri())
    page.fill("#search", "brewers of")
    page.wait_for_function("() => document.querySelector('img.cut')?.naturalWidth > 0")
    picture(page, "index_found")
    cut = page.locator("img.cut")
    assert cut.count() == 1  # the other page has no file of its own
    box = cut.bounding_box()
    assert (
        box["width"] > 3 * box["height"] and box["x"] + box["width"] <= page.viewport_size["width"]
    )
    page.locator("a.card").click()
    page.wait_for_function("() => document.querySelector('.sides img')?.naturalWidth > 0")
    picture(page, "page_file")
    page.get_by_text("All pages").click()
    page.wait_for_selector("li:target .card")
    assert page.locator("li:target").get_attribute("id") == "page-0"
    assert page.input_value("#search") == ""
    picture(page, "index_back")


def test_a_search_shows_its_cut_outs(page, run):
    page.goto((run / "search.html").as_uri())
    page.wait_for_function("() => [...document.images].every((image) => image.naturalWidth > 0)")
    assert page.locator(".hit img").count() == page.locator(".hit").count() > 2
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    picture(page, "search")


@pytest.mark.parametrize("name", ["index.html", "page file"])
def test_paper_keeps_the_tints(page, run, name):
    path = next(run.glob("page_files/*.html")) if name == "page file" else run / name
    page.goto(path.as_uri())
    first = ".thumb img, .sides img"
    page.wait_for_function(f"() => document.querySelector('{first}').naturalWidth > 0")
    printed = page.pdf(format="A4")  # without "background graphics", as a browser proposes
    pixels = [
        sheet.render(scale=1).to_numpy()[:, :, :3].astype(int)  # blue, green, red
        for sheet in pdfium.PdfDocument(io.BytesIO(printed))
    ]
    tinted = sum(
        np.count_nonzero((p[:, :, 2] - p[:, :, 0] > 60) & (p[:, :, 2] > 200)) for p in pixels
    )
    assert tinted > 300
    if folder := screenshots():
        (folder / f"paper_{path.stem}_{page.shot}.pdf").write_bytes(printed)
