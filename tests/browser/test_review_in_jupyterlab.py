"""A person reviews pages in JupyterLab, by keys: what a browser does with the widget.

With GLMOCR_SCREENSHOTS=folder the tests leave pictures there, and `timings.json`.
"""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from lab import OpenNotebook, jupyterlab, project_with, screenshots, wait_for
from make_results import page_of
from paths import SAMPLES
from PIL import Image

from glmocr_utils.confidence import load_references
from glmocr_utils.display import write_documents
from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.sources.review_log import label_from_review_log
from glmocr_utils.ocr import read_documents
from glmocr_utils.records import PageRef, read_decisions, write_results
from glmocr_utils.render import render_document, write_imagefolder
from glmocr_utils.review import ReviewSession, show_review

HOSTILE = (
    "<script>window.hit=1</script>",
    '<img src=x onerror="window.hit=1">',
    "</textarea></pre><svg onload=window.hit=1>",
    "\"'><b onmouseover=window.hit=1>",
    "\u202etxet\u202c",
    r"$\href{javascript:window.hit=1}{x}$",
)


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


def page_of_words(num_tokens: int, *lines: str, **fields: object):
    """A long page; the lines before it are doubtful, each with another reading."""
    words = [(f"word{i} " if (i + 1) % 12 else "word\n", 0.3 if i % 97 == 0 else 0.999)
             for i in range(num_tokens)]  # fmt: skip
    doubtful = [token for line in lines for token in ((line, 0.2, {f"{line}!": 0.1}), ("\n", 0.9))]
    return page_of(*doubtful, *words, **fields)


def review_project(folder: Path, results, **parameters: object) -> Path:
    """A project with notebook 03, set to `results`."""
    parameters |= {"results": "results.jsonl", "reviewer": "ada"}
    project_with(folder, "03_probs_viz", **parameters)
    write_results(results, folder / "results.jsonl")
    return folder


class Review(OpenNotebook):
    """The review in an open JupyterLab page."""

    def __init__(self, page, address: str, folder: Path) -> None:
        super().__init__(
            page,
            address,
            folder,
            "03_probs_viz",
            widget=".glmocr-review[aria-busy=false]",
            widget_cell="show_review(session, review)",
        )

    @property
    def root(self):
        return self.page.locator(".glmocr-review")

    @property
    def head(self) -> str:
        return self.root.locator(".head").inner_text()

    @property
    def line(self) -> str:
        return self.root.locator(".line").inner_text()

    def press(self, *keys: str):
        """Press keys; each waits until the widget has drawn its answer."""
        for key in keys:
            count = len(self.decisions)
            self.page.keyboard.press(key)
            wait_for(lambda count=count: len(self.decisions) > count)
            self.page.wait_for_selector(".glmocr-review[aria-busy=false]")

    def accept_rest(self) -> None:
        """Say twice that what is left is right, and wait until the end of the page takes keys."""
        self.page.keyboard.press("Control+Enter")
        self.press("Control+Enter")
        self.wait_until_awake()

    def wait_until_awake(self) -> None:
        self.page.wait_for_selector(".glmocr-review[aria-busy=false]:not(.resting)")

    def look(self, *keys: str):
        """Press keys that decide nothing."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_selector(".glmocr-review[aria-busy=false]")

    @property
    def decisions(self):
        return list(read_decisions(self.outputs / "review.jsonl"))


def test_a_person_reviews_two_pages_by_keys(browser, tmp_path):
    folder = review_project(tmp_path / "project", readings_of_the_decision())
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        review = Review(page, address, folder)
        review.run_all()
        review.run_widget_cell()
        assert re.match(r"\d+ flags to check on page 1 of 2, about \d minutes\.", review.head)
        page.locator(".glmocr-review .frame img").wait_for()
        review.screenshot("review_1_first_sight")
        cells = page.locator(".jp-Notebook-cell").count()

        review.press("Enter", "Shift+Enter")
        assert [decision.action for decision in review.decisions] == ["accept", "unsure"]
        flag = review.root.locator("mark").inner_text()
        review.press("Alt+1")
        assert review.decisions[-1].action == "correct"
        review.press("Control+z")
        assert review.decisions[-1].action == "undo"
        wait_for(lambda: review.root.locator("mark").inner_text() == flag)

        # a letter that is a command in JupyterLab begins an edit here
        page.keyboard.press("x")
        assert page.locator(".glmocr-review textarea").input_value().count("x")
        page.keyboard.press("Escape")
        page.keyboard.press("F2")
        page.keyboard.press("Control+a")
        page.keyboard.type("Größe § 12 – „Ærøskøbing“ 北京")
        review.screenshot("review_2_editing")
        review.press("Enter")
        assert review.decisions[-1].after == "Größe § 12 – „Ærøskøbing“ 北京"
        page.keyboard.press("F1")
        review.screenshot("review_3_keys")
        review.look("Escape", "Tab", "Shift+Tab")

        reviewed = re.search(r"\d+ of \d+ in all", review.root.locator(".foot").inner_text())[0]
        page.keyboard.press("Escape")
        page.keyboard.press("Control+s")
        page.reload()
        page.wait_for_selector(".jp-Notebook-cell")
        review.run_all()
        review.run_widget_cell()
        assert reviewed in review.root.locator(".foot").inner_text()
        assert "Größe § 12" in review.root.locator(".text").inner_text()

        # what isn't flagged is corrected while reading line by line
        review.look("ArrowDown", "ArrowDown")
        line = int(review.root.locator(".line .number").inner_text())
        page.keyboard.press("F2")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("a line that was left out")
        review.screenshot("review_4_reading")
        review.press("Enter")
        assert review.decisions[-1].line_index == line - 1
        assert review.decisions[-1].after.endswith("\na line that was left out")
        review.look("Escape")

        review.accept_rest()
        review.screenshot("review_5_page_done")
        review.press("Enter")
        wait_for(lambda: "page 2 of 2" in review.head)
        texts = review.outputs / "reviewed"
        assert "北京" in (texts / "decision_scan_p0001.txt").read_text(encoding="utf-8")
        review.press("Control+z")
        wait_for(lambda: "page 1 of 2" in review.head)
        assert not list(texts.iterdir())
        review.wait_until_awake()
        review.press("Enter")
        review.accept_rest()
        review.press("Control+Shift+Enter")
        wait_for(lambda: "All pages are done" in review.line)
        review.screenshot("review_6_all_done")

        decisions = review.decisions
        finished = [decision for decision in decisions if decision.action == "finish"]
        assert [d.coverage for d in finished] == ["flags_checked", "flags_checked", "fully_read"]
        assert "北京" in finished[0].after and "北京" not in finished[0].before
        assert {decision.reviewer for decision in decisions} == {"ada"}
        assert [path.name for path in sorted(texts.iterdir())] == [
            "decision_scan_p0001.txt",
            "decision_scan_p0002.txt",
        ]
        labels = labels_of(review.outputs / "review.jsonl", tmp_path)
        assert [label.status for label in labels] == ["silver", "gold"]
        assert [label.reviewer for label in labels] == ["ada", "ada"]
        assert "a line that was left out" in labels[0].text and "北京" in labels[0].text
        assert page.locator(".jp-Notebook-cell").count() == cells
        assert "widgets" not in review.saved().metadata
        page.close()


def test_a_kernel_that_dies_is_said_and_no_key_goes_anywhere(browser, tmp_path):
    folder = review_project(tmp_path / "project", readings_of_the_decision())
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        review = Review(page, address, folder)
        review.run_all()
        review.run_widget_cell()
        review.press("Enter")
        processes = psutil.Process().children(recursive=True)
        kernels = [each for each in processes if "ipykernel_launcher" in each.cmdline()]
        max(kernels, key=psutil.Process.create_time).kill()  # not one of a test before
        page.wait_for_selector(".glmocr-review.lost")
        assert "The kernel has stopped or was restarted." in review.root.inner_text()
        review.screenshot("review_8_kernel_gone")
        page.locator(".jp-Dialog button.jp-mod-accept").click()  # the notebook's own word on it
        cells = page.locator(".jp-Notebook-cell").count()
        review.root.focus()
        page.keyboard.type("dd x")  # none of it is taken for the notebook's own keys
        page.keyboard.press("Enter")
        assert page.locator(".jp-Notebook-cell").count() == cells
        assert len(review.decisions) == 1
        page.close()


def labels_of(log: Path, folder: Path):
    """What the log of a review of the scanned decision makes of its pages."""
    write_imagefolder(render_document(SAMPLES / "decision_scan.pdf"), folder / "pages")
    store = LabelStore(folder / "labels")
    label_from_review_log(store, find_pages(folder / "pages"), log, progress=False)
    return sorted(store.labels(), key=lambda label: label.page.page_index)


def test_a_page_of_4000_tokens_is_quick_and_hostile_text_does_nothing(browser, tmp_path):
    name = PageRef('<img src=x onerror="window.hit=1">.pdf', "0" * 64, 0)
    lines = (HOSTILE[0], *HOSTILE)  # the first one twice, so that a correction is offered
    result = page_of_words(4000, *lines, page=name, model_id=HOSTILE[1], prompt=HOSTILE[2])
    folder = review_project(tmp_path / "project", [result])
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        review = Review(page, address, folder)
        review.run_all()
        opened = review.run_widget_cell()
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
        assert "!" in review.root.locator(".choices").inner_text()
        review.press("Alt+1")
        assert "</script> → <script>" in review.root.locator(".offer").inner_text()
        review.screenshot("review_7_long_page")
        review.press("Alt+Enter", "Enter", "Shift+Enter", "Enter", "Enter")
        waits = page.evaluate("window.waits")
        assert len(waits) == 6
        page.keyboard.press("F2")
        page.keyboard.press("Control+a")
        page.keyboard.type(HOSTILE[1])
        review.press("Enter")
        timings = {"opened_ms": round(opened), "keys_ms": [round(wait) for wait in waits]}
        print(timings)
        if pictures := screenshots():
            (pictures / "timings.json").write_text(json.dumps(timings) + "\n", encoding="utf-8")
        text = review.root.locator(".text").inner_text()
        assert "<script>" in text and HOSTILE[1] in text
        assert page.evaluate("window.hit") is None
        assert page.locator("mjx-container").count() == 0  # nor is it taken for a formula
        page.close()


@pytest.mark.skipif(
    screenshots() is None, reason="takes the picture for the README; set GLMOCR_SCREENSHOTS"
)
def test_the_picture_of_the_review(browser, tmp_path, bundled_model):
    results = list(read_documents(bundled_model, [SAMPLES / "decision_scan.pdf"], batch_size=2))
    parameters = {
        "references": str(SAMPLES / "truth.jsonl"),
        "model_id": bundled_model.model_id,
        "boxes": True,
    }
    folder = review_project(tmp_path / "project", results, **parameters)
    with jupyterlab(folder) as address:
        page = browser.new_page(viewport={"width": 1250, "height": 1250})
        review = Review(page, address, folder)
        review.run_all()
        page.locator(".glmocr .page").first.screenshot(path=screenshots() / "page.png")
        review.run_widget_cell()
        path = screenshots() / "03_review.png"
        review.root.screenshot(path=path)
        with Image.open(path) as picture:
            small = picture.convert("RGB").quantize(200)
        small.save(path, optimize=True)
        page.evaluate("document.body.dataset.jpThemeLight = 'false'")
        review.root.screenshot(path=screenshots() / "review_dark.png")
        page.close()


def test_hostile_text_in_a_file_does_nothing(browser, tmp_path):
    result = page_of(*((text + "\n", 0.2, {text: 0.1}) for text in HOSTILE), model_id=HOSTILE[0])
    [document] = write_documents([result], tmp_path)
    review = tmp_path / "review.html"
    static_view = show_review(ReviewSession([result], tmp_path / "log"), review=False).data
    review.write_text(static_view, encoding="utf-8")
    page = browser.new_page()
    for path in (document, review):
        page.goto(path.as_uri())
        for token in page.locator("[tabindex]").all():
            token.hover()
            token.focus()
        assert "<script>" in page.inner_text("body")
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
