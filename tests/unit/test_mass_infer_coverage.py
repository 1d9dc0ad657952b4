"""A run that looks for what was left out: what it records, and when it reads a page again."""

import math
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image

from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.mass_infer.covering import with_parts
from glmocr_utils.mass_infer.passes import Limits
from glmocr_utils.mass_infer.ranking import review_first
from glmocr_utils.mass_infer.request import (
    Covered,
    CoverRequest,
    Failure,
    Layout,
    LayoutRequest,
    Reading,
    Request,
    Second,
    SecondRequest,
)
from glmocr_utils.mass_infer.task import COVER_SCALES, PageTask, RegionOptions
from glmocr_utils.notebook_run import BUNDLED_LAYOUT, BUNDLED_MODEL, project_root
from glmocr_utils.options import Tasks
from glmocr_utils.records import (
    Box,
    Disagreement,
    PageCoverage,
    PageImage,
    PageLayout,
    PageRef,
    Region,
    SecondReading,
    UnreadInk,
    UnsupportedText,
)
from glmocr_utils.records.page_row import (
    PageRow,
    read_part,
    read_rows,
    row_from_record,
    to_result,
    write_part,
)
from glmocr_utils.render import CheckedPage

pytestmark = pytest.mark.slow

COMPLETE = PageCoverage(True)


def lacking(characters: float) -> PageCoverage:
    return PageCoverage(True, (UnreadInk(Box(10, 20, 300, 40), characters, 2),))


def a_task(cover: bool = True, **options: object) -> PageTask:
    page = PageImage(PageRef("a.pdf", "0" * 64, 0), Image.new("RGB", (600, 800), "white"), 2.0)
    checked = CheckedPage(page, False, False, 2.0)
    return PageTask(checked, 1, Limits(100), cover=cover, **options)


def a_reading(text: str) -> Reading:
    letters = len(text)
    return Reading(text, "stop", 0.5, [7] * letters, [math.log(0.95)] * letters, [1] * letters, 30)


def test_a_complete_reading_is_kept_as_it_is():
    task = a_task()
    task.take(a_reading("text"))
    assert isinstance(task.request, CoverRequest) and task.request.row.text == "text"
    task.take(Covered(COMPLETE))
    assert (task.row.text, task.row.coverage, task.row.reason) == ("text", COMPLETE, None)
    assert len(task.row.attempts) == 1


def test_unread_ink_is_read_alone_and_inserted_where_it_is():
    task = a_task()
    task.take(a_reading("abef"))
    task.take(Covered(lacking(60)))  # after two tokens
    assert isinstance(task.request, Request) and task.request.factor == 1
    assert task.request.box == Box(6, 16, 304, 44)  # with a margin
    task.take(a_reading("cd"))
    row = task.request.row
    assert isinstance(task.request, CoverRequest) and row.text == "ab\ncd\nef"
    assert list(row.token_lengths) == [1, 2, 1, 2, 1, 1] and len(row.token_ids) == 6
    task.take(Covered(COMPLETE))
    assert (task.row.text, task.row.coverage) == ("ab\ncd\nef", COMPLETE)
    assert "Read again" in task.row.reason and len(task.row.attempts) == 2


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("ab\ncd", 3, "ab\nNEW\ncd"),
        ("ab\ncd", 2, "ab\nNEW\ncd"),
        ("ab", 0, "NEW\nab"),
        ("ab", 2, "ab\nNEW"),
        ("ab", 99, "ab\nNEW"),
    ],
)
def test_what_is_inserted_is_a_line_of_its_own(text, position, expected):
    row = PageRow(
        "a.pdf", "0" * 64, 0, 1, "ok", text, [7] * len(text), [-0.1] * len(text), [1] * len(text)
    )  # fmt: skip
    row = with_parts(row, [(position, a_reading("NEW"))])
    assert row.text == expected and sum(row.token_lengths) == len(expected)


def test_two_parts_are_inserted_at_their_places():
    row = PageRow("a.pdf", "0" * 64, 0, 1, "ok", "a\nb\n", [1] * 4, [-0.1] * 4, [1] * 4)
    parts = [(2, a_reading("one")), (4, a_reading("two"))]
    assert with_parts(row, parts).text == "a\none\nb\ntwo"


def test_a_page_with_unread_ink_is_read_again_and_what_covers_more_is_kept():
    task = a_task()
    task.take(a_reading("half"))
    task.take(Covered(lacking(60)))
    task.take(Failure("memory ran out"))  # the part alone
    assert isinstance(task.request, Request) and task.request.factor == COVER_SCALES[0]
    task.take(a_reading("all of it"))
    assert task.request.page.width_px == 600 * COVER_SCALES[0]
    task.take(Covered(COMPLETE))
    assert (task.row.text, task.row.status, task.row.coverage) == ("all of it", "ok", COMPLETE)
    assert "Read again" in task.row.reason and task.row.scale == 2 * COVER_SCALES[0]


def test_the_first_reading_stays_where_no_other_covers_more():
    task = a_task()
    task.take(a_reading("half"))
    task.take(Covered(lacking(60)))
    for _ in ("part alone", *COVER_SCALES):
        task.take(a_reading("less"))
        task.take(Covered(lacking(90)))
    assert (task.row.text, task.row.coverage) == ("half", lacking(60))
    assert "About 60 characters in 1 place were not read." in task.row.reason
    assert task.row.status == "ok" and len(task.row.attempts) == 2 + len(COVER_SCALES)


def test_a_reading_that_covers_more_with_guesses_is_not_kept():
    task = a_task()
    task.take(a_reading("a" * 200))
    task.take(Covered(lacking(20)))
    guesses = replace(a_reading("b" * 200), logprobs=[math.log(0.6)] * 200)
    task.take(guesses)  # of the part alone
    for _ in COVER_SCALES:
        assert isinstance(task.request, Request)
        task.take(guesses)
        task.take(Covered(COMPLETE))
    assert task.row.text == "a" * 200 and task.row.coverage == lacking(20)


def test_text_that_was_read_from_its_own_ink_is_supported():
    task = a_task()
    task.take(a_reading("abefgh"))
    task.take(Covered(lacking(60)))  # after two tokens
    task.take(a_reading("cd"))
    around = UnsupportedText(1, 5, 30, "nowhere"), UnsupportedText(6, 8, 9, "nowhere")
    task.take(Covered(PageCoverage(True, unsupported=around)))
    assert task.row.text == "ab\ncd\nefgh" and task.row.coverage.unsupported == around[1:]


def by_region(task: PageTask, *texts: str) -> PageTask:
    boxes = [Box(10, 100 * number, 500, 100 * number + 50) for number in range(len(texts))]
    task.take(Layout(tuple(Region(n, "text", box, 0.9) for n, box in enumerate(boxes))))
    for text in texts:
        task.take(a_reading(text))
    return task


def test_unread_ink_becomes_a_region_of_a_page_that_is_read_by_regions():
    task = by_region(a_task(by_region=RegionOptions(Tasks())), "ab", "ef")
    task.take(Covered(lacking(60)))  # after the first region
    assert task.request.box == Box(6, 16, 304, 44) and task.request.prompt == "Text Recognition:"
    task.take(a_reading("cd"))
    task.take(Covered(COMPLETE))
    assert (task.row.text, task.row.coverage) == ("ab\n\ncd\n\nef", COMPLETE)
    assert [region.index for region in task.row.regions] == [0, 1, 2]
    assert [each.region for each in task.row.attempts] == [0, 2, 1]


def test_a_region_of_unread_ink_that_covers_nothing_is_not_kept():
    task = by_region(a_task(by_region=RegionOptions(Tasks())), "ab", "ef")
    task.take(Covered(lacking(60)))
    task.take(a_reading("made up"))
    task.take(Covered(lacking(80)))
    assert (task.row.text, task.row.coverage) == ("ab\n\nef", lacking(60))
    assert [each.region for each in task.row.attempts] == [0, 1, None]


COLUMNS = RegionOptions(Tasks())
LOST = PageCoverage(False, unsupported=(UnsupportedText(0, 40, 40, "nowhere"),))


@pytest.mark.parametrize("coverage", [lacking(60), LOST])
def test_a_page_that_lacks_a_column_or_lost_its_place_is_read_again_by_regions(coverage):
    task = a_task(cover_by_region=COLUMNS)
    task.take(a_reading("a" * 40))
    task.take(Covered(coverage))
    assert isinstance(task.request, LayoutRequest)
    by_region(task, "a" * 40, "b" * 60)
    assert isinstance(task.request, CoverRequest) and len(task.request.row.regions) == 2
    task.take(Covered(COMPLETE))
    assert (task.row.text, task.row.coverage) == ("a" * 40 + "\n\n" + "b" * 60, COMPLETE)
    assert "Read again" in task.row.reason
    assert [each.region for each in task.row.attempts] == [None, 0, 1]


@pytest.mark.parametrize("answer", [Failure("memory ran out"), Layout(()), None])
def test_the_whole_page_stays_where_its_regions_do_not_cover_more(answer):
    task = a_task(cover_by_region=COLUMNS)
    task.take(a_reading("a" * 40))
    task.take(Covered(LOST))
    if answer is None:
        by_region(task, "a" * 40)
        task.take(Covered(PageCoverage(True, lacking(60).unread)))
        task.take(Failure("memory ran out"))  # the unread ink as a region
    else:
        task.take(answer)
    assert (task.row.text, task.row.coverage, task.row.regions) == ("a" * 40, LOST, ())
    assert {each.region for each in task.row.attempts} == {None} and task.pictures == ()


def test_a_line_that_was_skipped_is_not_a_reason_to_find_regions():
    task = a_task(cover_by_region=COLUMNS)
    task.take(a_reading("a" * 400))
    task.take(Covered(lacking(60)))
    assert isinstance(task.request, Request) and task.request.box is not None


def test_unread_ink_is_not_read_alone_where_the_text_is_lost():
    task = a_task()
    task.take(a_reading("a" * 40))
    task.take(Covered(replace(lacking(60), unsupported=LOST.unsupported)))
    assert isinstance(task.request, Request) and task.request.box is None


def test_coverage_layout_needs_coverage_and_whole_pages():
    with pytest.raises(ValueError, match="coverage=True"):
        InferOptions(coverage_layout="auto")
    with pytest.raises(ValueError, match="leave out layout"):
        InferOptions(coverage=True, coverage_layout="auto", layout="auto")
    InferOptions(coverage_layout="none")


def test_a_run_records_the_layout_model_that_reads_again(tmp_path):
    root = project_root()
    options = InferOptions(
        input_path=str(root / "data/samples/receipt.png"),
        model_id=str(root / BUNDLED_MODEL),
        device_map="cpu",
        coverage=True,
        coverage_layout=str(root / BUNDLED_LAYOUT),
        output_dir=tmp_path,
    )
    assert infer(options).read_now == 1
    [row] = read_rows(tmp_path)
    assert row.status == "ok" and row.coverage is not None
    assert infer(options).read_now == 0
    with pytest.raises(ValueError, match="coverage_layout"):
        infer(replace(options, coverage_layout=None))


def test_a_few_characters_and_what_cannot_be_located_are_not_a_reason_to_read_again():
    for coverage in (lacking(5), PageCoverage(False, lacking(60).unread)):
        task = a_task()
        task.take(a_reading("text"))
        task.take(Covered(coverage))
        assert len(task.row.attempts) == 1 and task.row.coverage == coverage


def test_a_page_that_cannot_be_located_keeps_its_text():
    task = a_task()
    task.take(a_reading("text"))
    task.take(Failure("memory ran out"))
    assert (task.row.text, task.row.status, task.row.coverage) == ("text", "ok", None)


def test_no_model_is_asked_where_coverage_is_not_wanted():
    task = a_task(cover=False)
    task.take(a_reading("text"))
    assert task.row.text == "text" and task.row.coverage is None


SECOND = SecondReading("tesseract", (Disagreement("other", 0, 4, "test", Box(1, 2, 3, 4)),), 0.5)


def test_second_readers_read_the_page_as_it_was_kept(tmp_path):
    task = a_task(second="all")
    task.take(a_reading("text"))
    layout = PageLayout(PageRef("a.pdf", "0" * 64, 0), 600, 800, (), ())
    task.take(Covered(COMPLETE, layout))
    request = task.request
    assert isinstance(request, SecondRequest)
    assert (request.text, request.layout, request.page.width_px) == ("text", layout, 600)
    task.take(Second((SECOND,)))
    assert task.row.second_readings == (SECOND,)
    write_part([task.row], tmp_path / "part.parquet")
    [record] = read_part(tmp_path / "part.parquet")
    assert record["disagreements"] == 1
    again = row_from_record(record)
    assert again.second_readings == (SECOND,)
    run = {"prompt": "", "model_id": "", "revision": None, "adapter": None}
    assert to_result(again, run).second_readings == (SECOND,)


def test_what_second_readers_fail_at_costs_the_page_nothing():
    for answer in (Failure("it was lost"), Second((), ("The second reader x could not read it.",))):
        task = a_task(cover=False, second="all")
        task.take(a_reading("text"))
        task.take(answer)
        assert (task.row.status, task.row.text, task.row.second_readings) == ("ok", "text", ())
        assert "second reader" in task.row.reason and "read it" in task.row.reason


@pytest.mark.parametrize(
    ("prob", "coverage", "is_read"),
    [(0.99, COMPLETE, False), (0.9, COMPLETE, True), (0.99, lacking(5), True)],
)
def test_second_readers_read_doubtful_pages_alone(prob, coverage, is_read):
    task = a_task(second="doubtful")
    task.take(replace(a_reading("text"), logprobs=[math.log(prob)] * 4))
    task.take(Covered(coverage))
    assert (task.row is None) == is_read
    assert isinstance(task.request, SecondRequest) == is_read


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


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_a_run_with_a_second_reader_records_disagreements_and_resumes(tmp_path):
    root = project_root()
    options = InferOptions(
        input_path=str(root / "data/samples/receipt.png"),
        model_id=str(root / BUNDLED_MODEL),
        device_map="cpu",
        second_reader="tesseract",
        output_dir=tmp_path,
    )
    assert infer(options).read_now == 1
    [row] = read_rows(tmp_path)
    [second] = row.second_readings
    assert (row.status, second.reader) == ("ok", "tesseract") and second.seconds > 0
    pages = pd.read_parquet(tmp_path / "pages", columns=["disagreements", "second_readings"])
    assert pages["disagreements"].tolist() == [len(second.disagreements)]
    assert infer(options).read_now == 0
    with pytest.raises(ValueError, match="second_reader"):
        infer(replace(options, second_reader=None))


def test_made_up_text_is_said_too():
    coverage = PageCoverage(True, unsupported=(UnsupportedText(3, 9, 20, "nowhere"),))
    assert "20 characters of the text may not be on the page" in coverage.reason
