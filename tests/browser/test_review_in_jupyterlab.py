"""A person reviews pages in JupyterLab, by keys: what a browser does with the widget."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from make_results import page_of

from glmocr_utils.confidence import load_references
from glmocr_utils.display import write_documents
from glmocr_utils.records import read_decisions, write_results
from glmocr_utils.render import render_document

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data/samples"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no chromium on this machine; try: apt-get install chromium",
)
HOSTILE = (
    "<script>window.hit=1</script>",
    '<img src=x onerror="window.hit=1">',
    "</textarea></pre><svg onload=window.hit=1>",
    "\"'><b onmouseover=window.hit=1>",
    "\u202etxet\u202c",
)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def readings_of_the_decision():
    """The scanned decision as a model might have read it: most letters sure, a few not."""
    references = load_references(SAMPLES / "truth.jsonl")
    rng = random.Random(5)
    results = []
    for page in render_document(SAMPLES / "decision_scan.pdf"):
        tokens = []
        for character in references["decision_scan.pdf", page.page.page_index]:
            doubtful = character.isalpha() and rng.random() < 0.01
            others = {"e": 0.2, "ö": 0.1} if doubtful else {}
            tokens.append((character, 0.45 if doubtful else 0.998, others))
        results.append(replace(page_of(*tokens), page=page.page))
    return results


def page_of_words(num_tokens: int, *extra: str):
    tokens = [(f"word{i} " if (i + 1) % 12 else "word\n", 0.3 if i % 97 == 0 else 0.999)
              for i in range(num_tokens)]  # fmt: skip
    return page_of(*((text + " ", 0.2, {text: 0.1}) for text in extra), *tokens)


@contextmanager
def jupyterlab(folder: Path):
    """A server on a project folder with notebook 03; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ["--no-browser", f"--port={port}", "--IdentityProvider.token=", "--allow-root"]
    settings += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class="
                 "jupyterlab.NeverCheckForUpdate"]  # fmt: skip
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "jupyter", "lab", *settings]
    with (folder / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1)
                break
            except OSError:
                assert server.poll() is None, (folder / "lab.log").read_text()
                time.sleep(0.25)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


def project_with(folder: Path, results) -> Path:
    """A folder that looks like a clone, with notebook 03 set to `results`."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "glmocr_utils").symlink_to(ROOT / "glmocr_utils")
    write_results(results, folder / "results.jsonl")
    notebook = nbformat.read(ROOT / "notebooks/03_probs_viz.ipynb", as_version=4)
    [parameters] = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    parameters.source += '\nresults = "results.jsonl"\nreviewer = "ada"'
    nbformat.write(notebook, folder / "notebooks/03_probs_viz.ipynb")
    return folder


class Review:
    """The review in an open JupyterLab page."""

    def __init__(self, page, address: str, folder: Path) -> None:
        self.page = page
        self.folder = folder
        page.set_default_timeout(90_000)
        page.goto(f"{address}/lab/tree/notebooks/03_probs_viz.ipynb")

    def run_all(self):
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
        self.page.wait_for_selector(".glmocr-review .head strong")
        self.root.scroll_into_view_if_needed()

    @property
    def root(self):
        return self.page.locator(".glmocr-review")

    @property
    def head(self) -> str:
        return self.root.locator(".head").inner_text()

    @property
    def line(self) -> str:
        return self.root.locator(".line .words").inner_text()

    def press(self, *keys: str):
        """Press keys; each waits until the widget has drawn its answer."""
        for key in keys:
            count = len(self.decisions)
            self.page.keyboard.press(key)
            self.wait_for(lambda count=count: len(self.decisions) > count)
            self.page.wait_for_selector(".glmocr-review[aria-busy=false]")

    @staticmethod
    def wait_for(condition):
        for _ in range(200):
            if condition():
                return
            time.sleep(0.05)
        raise AssertionError("nothing happened within 10 s")

    @property
    def decisions(self):
        return list(read_decisions(self.folder / "outputs/03_probs_viz/review.jsonl"))

    def screenshot(self, name: str):
        if folder := os.environ.get("GLMOCR_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def test_a_person_reviews_two_pages_by_keys(browser, tmp_path):
    results = readings_of_the_decision()
    folder = project_with(tmp_path / "project", results)
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        review = Review(page, address, folder)
        review.run_all()
        assert re.match(r"\d+ places to check on page 1 of 2, about \d minutes\.", review.head)
        assert page.locator(".glmocr-review .frame img").is_visible()
        review.screenshot("review_1_first_sight")
        cells = page.locator(".jp-Notebook-cell").count()

        review.root.locator(".line").click()
        review.press("Enter", "Space")
        assert [decision.action for decision in review.decisions] == ["accept", "unsure"]
        place = review.root.locator("mark").inner_text()
        review.press("1")
        assert review.decisions[-1].action == "correct"
        review.press("Control+z")
        assert review.decisions[-1].action == "undo"
        review.wait_for(lambda: review.root.locator("mark").inner_text() == place)

        # a letter that is a command in JupyterLab begins an edit here
        page.keyboard.press("x")
        assert page.locator(".glmocr-review input").input_value().count("x")
        page.keyboard.press("Escape")
        page.keyboard.press("F2")
        page.keyboard.press("Control+a")
        page.keyboard.type("Größe § 12 – „Ærøskøbing“ 北京")
        review.screenshot("review_2_editing")
        review.press("Enter")
        assert review.decisions[-1].after == "Größe § 12 – „Ærøskøbing“ 北京"
        for key in ("?", "Escape", "Tab", "Shift+Tab"):
            page.keyboard.press(key)
        review.screenshot("review_3_after")

        page.keyboard.press("Control+s")
        reviewed = review.root.locator(".foot").inner_text()
        page.reload()
        page.wait_for_selector(".jp-Notebook-cell")
        review.run_all()
        review.wait_for(lambda: review.root.locator(".foot span").count() > 0)
        assert (
            re.search(r"\d+ of \d+ in all", reviewed)[0]
            in review.root.locator(".foot").inner_text()
        )
        assert "Größe § 12" in review.root.locator(".text").inner_text()

        review.root.locator(".line").click()
        review.press("A")
        review.screenshot("review_4_page_done")
        review.press("Enter")
        review.wait_for(lambda: "page 2 of 2" in review.head)
        review.press("A", "r")
        review.wait_for(lambda: "All pages are done" in review.root.locator(".line").inner_text())
        review.screenshot("review_5_all_done")

        finished = [d for d in review.decisions if d.action == "finish"]
        assert [d.coverage for d in finished] == ["flags_checked", "fully_read"]
        assert "北京" in finished[0].after and "北京" not in finished[0].before
        assert {d.reviewer for d in review.decisions} == {"ada"}
        assert page.locator(".jp-Notebook-cell").count() == cells
        page.keyboard.press("Control+s")
        saved = folder / "notebooks/03_probs_viz.ipynb"
        review.wait_for(lambda: "widgets" not in nbformat.read(saved, as_version=4).metadata)
        page.close()


def test_a_page_of_4000_tokens_is_quick_and_hostile_text_does_nothing(browser, tmp_path):
    folder = project_with(tmp_path / "project", [page_of_words(4000, *HOSTILE)])
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        review = Review(page, address, folder)
        review.run_all()
        review.root.locator(".line").click()
        # the time between a key and what it draws, as the browser sees it
        page.evaluate(
            """() => {
                window.waits = [];
                const root = document.querySelector(".glmocr-review");
                let pressed = null;
                root.addEventListener("keydown", () => { pressed = performance.now(); }, true);
                new MutationObserver(() => {
                    if (pressed !== null) window.waits.push(performance.now() - pressed);
                    pressed = null;
                }).observe(root.querySelector(".head"), { childList: true });
            }"""
        )
        review.press("Enter", "Enter", "Space", "Enter", "Enter")
        waits = page.evaluate("window.waits")
        assert len(waits) == 5
        (folder / "waits.json").write_text(json.dumps(waits))
        assert page.evaluate("window.hit") is None
        assert "<script>" in review.root.locator(".text").inner_text()
        review.screenshot("review_6_long_page")
        page.close()


def test_hostile_text_in_a_file_does_nothing(browser, tmp_path):
    result = page_of(*((text + "\n", 0.2, {text: 0.1}) for text in HOSTILE), model_id=HOSTILE[0])
    [path] = write_documents([result], tmp_path)
    page = browser.new_page()
    page.goto(path.as_uri())
    for token in page.locator("[tabindex]").all():
        token.hover()
        token.focus()
    assert page.evaluate("window.hit") is None
    assert page.locator("script, svg, [onerror], [onload], [onmouseover]").count() == 0
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_doubt_can_be_read_on_light_and_on_dark(browser, tmp_path, scheme):
    result = page_of(("a", 0.97), ("b", 0.9), ("c", 0.6), ("d", 0.2))
    [path] = write_documents([result], tmp_path)
    page = browser.new_page(color_scheme=scheme)
    page.goto(path.as_uri())
    contrasts = page.evaluate(
        """() => {
            const parse = (color) => color.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map((c) => {
                c /= 255;
                return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            }).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const main = document.querySelector("main");
            const paper = parse(getComputedStyle(main).backgroundColor);
            return [...document.querySelectorAll("pre [tabindex]")].map((token) => {
                const [r, g, b, alpha = 1] = parse(getComputedStyle(token).backgroundColor);
                const under = [r, g, b].map((c, i) => alpha * c + (1 - alpha) * paper[i]);
                const ink = parse(getComputedStyle(token.querySelector("b") ?? token).color);
                const [a, z] = [light(under), light(ink)].sort((x, y) => y - x);
                return (a + 0.05) / (z + 0.05);
            });
        }"""
    )
    assert len(contrasts) == 4
    assert min(contrasts) >= 4.5  # WCAG 2.2, level AA
    page.close()
