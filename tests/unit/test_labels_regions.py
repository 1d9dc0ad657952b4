"""Labels of the regions of pages that were read by regions: drafts, the text layer, reviews."""

from dataclasses import replace

import pytest
from PIL import Image
from pypdf import PdfWriter

from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.regions import texts_of_regions
from glmocr_utils.labels.sources.sharegpt import export_sharegpt
from glmocr_utils.labels.workflow import SourceOptions, label_from
from glmocr_utils.ocr.by_region import assemble
from glmocr_utils.options import Tasks
from glmocr_utils.records import (
    Decision,
    OcrResult,
    Region,
    TokenProb,
    append_decisions,
    label_from_json,
    label_to_json,
)

KINDS = ("header", "text", "table", "image")


def a_reading(page, text: str) -> OcrResult:
    tokens = tuple(TokenProb(1, letter, -0.1) for letter in text)
    return OcrResult(page, text, tokens, "stop", "p", "m", None, None, 2.0, 0.5, 10)


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    image = Image.new("RGB", (200, 160), "white")
    for number in range(4):
        image.paste((40 * number, 0, 0), (10, 10 + 40 * number, 190, 40 + 40 * number))
    image.save(folder / "a.png")
    return find_pages(folder)


@pytest.fixture
def result(pages) -> OcrResult:
    """Read at half the resolution of the page image."""
    page = pages[0].page
    tasks = Tasks()
    regions = [
        Region(n, kind, (5, 5 + 20 * n, 95, 20 + 20 * n), 0.9, tasks.of(kind))
        for n, kind in enumerate(KINDS)
    ]
    readings = {
        0: a_reading(page, "Head"),
        1: a_reading(page, "the bodv"),
        2: a_reading(page, "<table><tr><td>a</td></tr></table>"),
    }
    return assemble(a_reading(page, ""), regions, readings, "apart", (100, 80))


def test_each_region_gets_a_draft_with_the_prompt_of_its_kind(pages, result, tmp_path) -> None:
    store = LabelStore(tmp_path / "labels")
    [run] = label_from(store, "model", tmp_path / "pages", SourceOptions(results=[result]))
    assert (run.labelled, run.left_out) == (3, ())
    labels = sorted(store.labels(), key=lambda label: label.file.region)
    assert [(label.file.task, label.text) for label in labels] == [
        ("Text Recognition:", "Head"),
        ("Text Recognition:", "the bodv"),
        ("Table Recognition:", "<table><tr><td>a</td></tr></table>"),
    ]
    assert len({label.key for label in labels}) == 3
    for number, label in enumerate(labels):
        assert label.file.region == (10, 10 + 40 * number, 190, 40 + 40 * number)
        with Image.open(label.file.image_file) as image:
            assert image.size == (180 + 28, 56 if number else 56 + 2)[:2] or image.width == 208
            assert image.getpixel((104, image.height // 2)) == (40 * number, 0, 0)
        assert label_from_json(label_to_json(label)) == label
    again = label_from(store, "model", tmp_path / "pages", SourceOptions(results=[result]))
    assert again[0].labelled == 0


def test_regions_and_their_tasks_go_out_as_pairs_and_come_back(pages, result, tmp_path) -> None:
    store = LabelStore(tmp_path / "labels")
    label_from(store, "model", tmp_path / "pages", SourceOptions(results=[result]))
    export_sharegpt(store.current_labels(), tmp_path / "out" / "pairs.json")
    again = LabelStore(tmp_path / "again")
    [run] = label_from(again, "sharegpt", tmp_path / "out" / "pairs.json")
    assert run.labelled == 3
    assert {(label.file.task, label.text, label.file.image_sha256) for label in again.labels()} == {
        (label.file.task, label.text, label.file.image_sha256) for label in store.labels()
    }


def test_a_review_of_the_page_corrects_its_regions(pages, result, tmp_path) -> None:
    made = Decision(
        action="finish",
        step=0,
        document_path=result.page.document_path,
        document_sha256=result.page.document_sha256,
        page_index=0,
        image_sha256=None,
        model_id="m",
        revision=None,
        adapter=None,
        prompt="p",
        text_sha256=result.text_sha256,
        reviewer="Ada",
        time="2026-01-01T08:00:00+00:00",
        seconds=1.0,
        after=result.text.replace("bodv", "body of it").replace("Head", "A head"),
        coverage="fully_read",
    )
    append_decisions(tmp_path / "review.jsonl", [made])
    store = LabelStore(tmp_path / "labels")
    options = SourceOptions(results=[result], review_log=tmp_path / "review.jsonl")
    label_from(store, "review", tmp_path / "pages", options)
    labels = sorted(store.labels(), key=lambda label: label.file.region)
    assert [label.text for label in labels] == [
        "A head",
        "the body of it",
        "<table><tr><td>a</td></tr></table>",
    ]
    assert {label.status for label in labels} == {"gold"}
    other = replace(made, text_sha256="1" * 64, time="2026-01-02T08:00:00+00:00")
    append_decisions(tmp_path / "other.jsonl", [other])
    options = replace(options, review_log=tmp_path / "other.jsonl")
    label_from(store, "review", tmp_path / "pages", options)
    assert len(store.labels()) == 4  # the page, for another reading was reviewed


@pytest.mark.parametrize(
    ("corrected", "texts"),
    [
        ("the body\n\nT\n\nHead", ["Head", "the body", "T"]),
        ("the body\n\nHead", ["Head", "the body", ""]),
        ("all of the body here\n\nT\n\nHead!", ["Head!", "all of the body here", "T"]),
        ("", ["", "", ""]),
    ],
)
def test_a_corrected_text_is_cut_where_the_regions_were(pages, corrected, texts) -> None:
    page = pages[0].page
    regions = [Region(n, k, (0, n, 9, n + 1), 0.9, "p") for n, k in enumerate(KINDS[:3])]
    readings = dict(enumerate([a_reading(page, t) for t in ("Head", "the body", "T")]))
    result = assemble(a_reading(page, ""), regions, readings, "apart", (9, 9))
    assert list(texts_of_regions(result, corrected).values()) == texts


def test_the_text_layer_is_cut_by_region(tmp_path) -> None:
    from fpdf import FPDF

    pdf = FPDF(unit="pt", format=(300, 200))
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.text(20, 40, "On the left side")
    pdf.text(170, 40, "On the right side")
    pdf.text(20, 150, "Right at the foot")
    path = tmp_path / "a.pdf"
    pdf.output(str(path))
    assert PdfWriter(clone_from=path).pages
    from glmocr_utils.render import RenderOptions, render_to_imagefolder

    render_to_imagefolder([path], tmp_path / "pages", RenderOptions(scale=2.0))
    [page] = find_pages(tmp_path / "pages")
    tasks = Tasks()
    boxes = {"text": (30, 40, 300, 100), "table": (30, 250, 400, 330)}
    regions = [
        Region(n, kind, box, 0.9, tasks.of(kind)) for n, (kind, box) in enumerate(boxes.items())
    ]
    readings = {0: a_reading(page.page, "On the left side"), 1: a_reading(page.page, "x")}
    result = assemble(a_reading(page.page, ""), regions, readings, "apart", (600, 400))
    store = LabelStore(tmp_path / "labels")
    [run] = label_from(store, "text_layer", tmp_path / "pages", SourceOptions(results=[result]))
    assert [label.text for label in store.labels()] == ["On the left side"]
    assert ["no table or formula" in left.reason for left in run.left_out] == [True]
