"""A run that looks for what was left out: what it records, and when it reads a page again."""

import math

import pandas as pd
import pytest
from PIL import Image

from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.mass_infer.ranking import review_first
from glmocr_utils.mass_infer.request import CoverRequest, Failure, Reading, Request
from glmocr_utils.mass_infer.task import COVER_SCALES, Limits, PageTask
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.records import (
    Box,
    PageCoverage,
    PageImage,
    PageRef,
    UnreadInk,
    UnsupportedText,
)
from glmocr_utils.records.page_row import read_rows, to_result
from glmocr_utils.render import CheckedPage

pytestmark = pytest.mark.slow

COMPLETE = PageCoverage(True)


def lacking(characters: float) -> PageCoverage:
    return PageCoverage(True, (UnreadInk(Box(10, 20, 300, 40), characters, 2),))


def a_task(cover: bool = True) -> PageTask:
    page = PageImage(PageRef("a.pdf", "0" * 64, 0), Image.new("RGB", (600, 800), "white"), 2.0)
    return PageTask(CheckedPage(page, False, False, 2.0), 1, Limits(100), cover=cover)


def a_reading(text: str) -> Reading:
    letters = len(text)
    return Reading(text, "stop", 0.5, [7] * letters, [math.log(0.95)] * letters, [1] * letters, 30)


def test_a_complete_reading_is_kept_as_it_is():
    task = a_task()
    task.take(a_reading("text"))
    assert isinstance(task.request, CoverRequest) and task.request.row.text == "text"
    task.take(COMPLETE)
    assert (task.row.text, task.row.coverage, task.row.reason) == ("text", COMPLETE, None)
    assert len(task.row.attempts) == 1


def test_a_page_with_unread_ink_is_read_again_and_what_covers_more_is_kept():
    task = a_task()
    task.take(a_reading("half"))
    task.take(lacking(60))
    assert isinstance(task.request, Request) and task.request.factor == COVER_SCALES[0]
    task.take(a_reading("all of it"))
    assert task.request.page.width_px == 600 * COVER_SCALES[0]
    task.take(COMPLETE)
    assert (task.row.text, task.row.status, task.row.coverage) == ("all of it", "ok", COMPLETE)
    assert "Read again" in task.row.reason and task.row.scale == 2 * COVER_SCALES[0]


def test_the_first_reading_stays_where_no_other_covers_more():
    task = a_task()
    task.take(a_reading("half"))
    task.take(lacking(60))
    for _ in COVER_SCALES:
        task.take(a_reading("less"))
        task.take(lacking(90))
    assert (task.row.text, task.row.coverage) == ("half", lacking(60))
    assert "About 60 characters in 1 place were not read." in task.row.reason
    assert task.row.status == "ok" and len(task.row.attempts) == 1 + len(COVER_SCALES)


def test_a_few_characters_and_what_cannot_be_told_are_no_reason_to_read_again():
    for coverage in (lacking(5), PageCoverage(False, lacking(60).unread)):
        task = a_task()
        task.take(a_reading("text"))
        task.take(coverage)
        assert len(task.row.attempts) == 1 and task.row.coverage == coverage


def test_a_page_that_cannot_be_located_keeps_its_text():
    task = a_task()
    task.take(a_reading("text"))
    task.take(Failure("memory ran out"))
    assert (task.row.text, task.row.status, task.row.coverage) == ("text", "ok", None)


def test_nobody_asks_where_coverage_is_not_wanted():
    task = a_task(cover=False)
    task.take(a_reading("text"))
    assert task.row.text == "text" and task.row.coverage is None


def test_a_server_gives_no_ids_to_locate():
    with pytest.raises(ValueError, match="token ids"):
        InferOptions(engine="server", base_url="http://localhost:1/v1", coverage=True)


def test_pages_that_lack_something_are_reviewed_before_surer_ones():
    pages = pd.DataFrame(
        {
            "document_path": ["sure.pdf", "lacks.pdf", "unsure.pdf"],
            "status": ["ok"] * 3,
            "text": ["a" * 100] * 3,
            "mean_prob": [0.99, 0.98, 0.9],
            "expected_errors": [None] * 3,
            "unread_characters": [0.0, 40.0, None],
            "unsupported_characters": [0, 0, 0],
        }
    )
    order = ["lacks.pdf", "unsure.pdf", "sure.pdf"]
    assert review_first(pages)["document_path"].tolist() == order


def test_a_run_records_it_in_columns(tmp_path):
    root = project_root()
    options = InferOptions(
        input_path=str(root / "data/samples/receipt.png"),
        model_id=str(root / BUNDLED_MODEL),
        device_map="cpu",
        coverage=True,
        output_dir=tmp_path,
    )
    infer(options)
    columns = ["unread_characters", "unsupported_characters", "coverage", "reason"]
    pages = pd.read_parquet(tmp_path / "pages", columns=columns)
    assert pages["unread_characters"].notna().all()
    [row] = read_rows(tmp_path)
    run = {"prompt": "", "model_id": "", "revision": None, "adapter": None}
    assert to_result(row, run).coverage == row.coverage
    assert row.coverage.unsupported_characters == pages["unsupported_characters"][0]


def test_made_up_text_is_said_too():
    coverage = PageCoverage(True, unsupported=(UnsupportedText(3, 9, 20, "nowhere"),))
    assert "20 characters of the text may not be on the page" in coverage.reason
