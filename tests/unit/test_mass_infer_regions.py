"""A page read region by region, whatever becomes of each: its row has all of them."""

import dataclasses
import math
import random
from collections.abc import Callable

import pytest
from PIL import Image

from glmocr_utils.markdown import regions_of_row
from glmocr_utils.mass_infer.passes import LOOP_SCALES, Limits
from glmocr_utils.mass_infer.request import Answer, Failure, Layout, LayoutRequest, Reading, Request
from glmocr_utils.mass_infer.strands import Strands, Together
from glmocr_utils.mass_infer.task import PageTask, RegionOptions
from glmocr_utils.options import Tasks
from glmocr_utils.records import Box, PageImage, PageRef, Region
from glmocr_utils.records.page_row import PageRow, row_from_record, to_result, write_part
from glmocr_utils.records.page_row import read_part as records_of
from glmocr_utils.render import CheckedPage

SETTINGS = {"model_id": "m", "revision": None, "adapter": None, "prompt": "Text Recognition:"}
ANGLES = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180}


def page_of(size: tuple[int, int] = (400, 600)) -> PageImage:
    image = Image.new("RGB", size, "white")
    image.paste("black", (10, 10, 60, 20))  # so that its orientation is visible
    return PageImage(PageRef("a.pdf", "0" * 64, 3), image, 2.0)


def task_of(
    page: PageImage | None = None,
    limits: Limits | None = None,
    furniture: str = "apart",
    runs_sideways: bool = False,
    **before: object,
) -> PageTask:
    checked = CheckedPage(page or page_of(), False, runs_sideways, 2.0)
    options = RegionOptions(Tasks(), furniture)
    return PageTask(checked, 7, limits or Limits(100), options, **before)


def layout_of(*labels: str) -> Layout:
    boxes = [Box(10, 10 + 5 * index, 200, 14 + 5 * index) for index in range(len(labels))]
    return Layout(
        tuple(Region(n, *each, 0.9) for n, each in enumerate(zip(labels, boxes, strict=True)))
    )


def a_reading(text: str, reason: str = "stop", prob: float = 0.95) -> Reading:
    letters = len(text)
    return Reading(text, reason, 0.5, [7] * letters, [math.log(prob)] * letters, [1] * letters, 30)


def answer_all(task: PageTask, answer: Callable[[Request], Answer]) -> PageRow:
    """Answer what the task asks for, the newest first, until it is done."""
    waiting = task.next_requests()
    while task.row is None:
        request = waiting.pop()
        task.take(answer(request), request)
        waiting += task.next_requests()
    assert not task.next_requests() and task.request is None
    return task.row


def test_regions_are_read_with_the_prompts_of_their_kind_in_any_order() -> None:
    task = task_of()
    [request] = task.next_requests()
    assert isinstance(request, LayoutRequest) and request.page.image is not None
    task.take(layout_of("header", "text", "table", "image", "display_formula"), request)
    requests = task.next_requests()
    assert [request.prompt for request in requests] == [
        "Text Recognition:",
        "Text Recognition:",
        "Table Recognition:",
        "Formula Recognition:",
    ]
    assert requests[2].page.image.size == (190 + 28, 56)  # the crop with its margin
    for request, text in reversed(
        list(zip(requests, ("Head", "body", "cells", "x^2"), strict=True))
    ):
        assert task.row is None
        task.take(a_reading(text), request)
    row = task.row
    assert (row.status, row.text) == ("ok", "body\n\ncells\n\nx^2\n\nHead")
    assert [each.text for each in regions_of_row(row)] == ["Head", "body", "cells", "", "x^2"]
    assert [region.status for region in row.regions] == ["ok", "ok", "ok", "picture", "ok"]
    assert [picture.name for picture in task.pictures] == ["page_0004_image_004.png"]
    assert task.pictures[0].image.size == (190, 4)
    assert [attempt.region for attempt in row.attempts] == [4, 2, 1, 0]
    assert row.num_image_tokens == 120 and row.seconds == 2.0


def test_a_row_of_regions_comes_back_from_the_ledger_as_a_result(tmp_path) -> None:
    row = answer_all(
        task_of(),
        lambda request: (
            layout_of("text", "table", "text")
            if isinstance(request, LayoutRequest)
            else Failure("memory ran out")
            if request.prompt.startswith("Table")
            else a_reading("ab")
        ),
    )
    write_part([row], tmp_path / "part.parquet")
    [again] = map(row_from_record, records_of(tmp_path / "part.parquet"))
    result = to_result(again, SETTINGS)
    assert result.text == row.text == "ab\n\n[table: not read]\n\nab"
    assert (result.status, row.status) == ("failed", "failed")
    assert [result.region_text(each) for each in result.regions] == [
        "ab",
        "[table: not read]",
        "ab",
    ]
    assert "Region 2 (table), failed: memory ran out" in row.reason


def test_each_region_is_tried_again_alone() -> None:
    looping, cut, well = (region.box for region in layout_of("text", "text", "text").regions)
    asked = []

    def answer(request: Request) -> Reading:
        asked.append((request.box, request.factor, request.max_tokens))
        if request.box == looping:
            return a_reading("la la", "loop") if request.factor == 1 else a_reading("sense")
        if request.box == cut:
            return a_reading("cut", "length") if request.max_tokens == 100 else a_reading("whole")
        return a_reading("well")

    task = task_of(limits=Limits(100, 300))
    task.take(layout_of("text", "text", "text"), *task.next_requests())
    row = answer_all(task, answer)
    assert (row.status, row.text) == ("ok", "sense\n\nwhole\n\nwell")
    assert sorted(asked, key=lambda each: each[0].top) == [
        (looping, 1.0, 100),
        (looping, LOOP_SCALES[0], 100),
        (cut, 1.0, 100),
        (cut, 1.0, 300),
        (well, 1.0, 100),
    ]
    assert [region.factor for region in row.regions] == [LOOP_SCALES[0], 1.0, 1.0]


def test_a_page_on_its_side_is_turned_before_its_regions_are_found() -> None:
    upright = page_of()
    lying = dataclasses.replace(upright, image=upright.image.transpose(ANGLES[90]))
    task = task_of(lying, runs_sideways=True)
    for prob in (0.5, 0.9, 0.4):  # at 0, 90 and 270 degrees
        [probe] = task.next_requests()
        assert probe.box is None
        task.take(a_reading("probe", prob=prob), probe)
    [wanted] = task.next_requests()
    assert isinstance(wanted, LayoutRequest)
    assert wanted.page.image.tobytes() == upright.image.tobytes()
    task.take(layout_of("text"), wanted)
    task.take(a_reading("read"))
    assert (task.row.angle, task.row.text) == (90, "read")


def test_a_page_on_its_head_gets_its_regions_once_it_is_turned() -> None:
    upright = page_of()
    task = task_of(dataclasses.replace(upright, image=upright.image.transpose(ANGLES[180])))
    task.take(layout_of("text", "text"))
    for _ in range(2):
        task.take(a_reading("nonsense", prob=0.4))
    task.take(a_reading("probe", prob=0.9))
    [wanted] = task.next_requests()[-1:]
    assert wanted.page.image.tobytes() == upright.image.tobytes()
    task.take(layout_of("text"), wanted)
    task.take(a_reading("sense"))
    assert (task.row.angle, task.row.text, len(task.row.regions)) == (180, "sense", 1)


def test_a_page_of_pictures_alone_is_done_without_the_model() -> None:
    task = task_of()
    task.take(layout_of("image", "chart"))
    assert (task.row.status, task.row.text, len(task.pictures)) == ("ok", "", 2)


def test_a_page_whose_regions_cannot_be_found_says_so() -> None:
    task = task_of()
    task.take(Failure("memory ran out"))
    assert (task.row.status, task.row.reason, task.row.regions) == ("failed", "memory ran out", ())


def test_an_engine_without_probabilities_keeps_texts_and_regions() -> None:
    task = task_of()
    task.take(layout_of("text", "text"))
    for text in ("one", "x" * 70_000):
        task.take(Reading(text, "stop", 0.5))
    row = task.row
    assert row.mean_prob is None and to_result(row, SETTINGS) is None
    assert [len(each.text) for each in regions_of_row(row)] == [3, 70_000]
    assert max(row.token_lengths) < 2**16


def test_a_retry_reads_only_the_regions_that_ended_so() -> None:
    first = answer_all(
        task_of(),
        lambda request: (
            layout_of("text", "text", "text", "text")
            if isinstance(request, LayoutRequest)
            else [
                a_reading("good"),
                a_reading("lala", "loop"),
                a_reading("cut", "length"),
                Failure("gone"),
            ][round((request.box.top - 10) / 5)]
        ),
    )
    assert first.status == "failed"
    task = task_of(before=first, again=frozenset({"failed", "looped"}))
    requests = task.next_requests()
    assert [round((request.box.top - 10) / 5) for request in requests] == [1, 3]
    task.take(Failure("gone again"), requests[0])
    task.take(a_reading("found"), requests[1])
    row = task.row
    assert row.text == "good\n\nlala\n\ncut\n\nfound"
    assert [region.status for region in row.regions] == ["ok", "looped", "truncated", "ok"]
    assert "Read again, it failed: gone again" in row.regions[1].reason
    assert row.status == "looped"


def test_ten_thousand_regions_of_mixed_fate_have_ten_thousand_rows(tmp_path) -> None:
    rng = random.Random(0)
    labels = ("text", "table", "image", "header", "display_formula")
    wanted, rows = 0, []

    def answer(request: Request) -> Answer:
        fates = [Failure("why"), a_reading("cut", "length"), a_reading("la", "loop"), a_reading("")]
        fates += [Reading("no probabilities", "stop", 0.1), a_reading("text")]
        return rng.choice(fates)

    for _ in range(50):
        found = layout_of(*rng.choices(labels, k=200))
        wanted += len(found.regions)
        task = task_of(furniture=rng.choice(["apart", "in", "out"]))
        task.take(found, *task.next_requests())
        rows.append(answer_all(task, answer))
    write_part(rows, tmp_path / "part.parquet")
    again = [row_from_record(record) for record in records_of(tmp_path / "part.parquet")]
    assert wanted == sum(len(row.regions) for row in again) == 10_000
    for row in again:
        assert all(region.status for region in row.regions)
        result = to_result(row, SETTINGS)
        assert result.text == row.text and len(result.regions) == 200


def test_strands_run_side_by_side_and_return_in_their_order() -> None:
    def leaf(name: str):
        first = yield f"{name}1"
        second = yield f"{name}2"
        return first + second

    def root():
        nothing = yield Together(())
        both = yield Together.of([leaf("a"), leaf("b")])
        return [nothing, *both]

    strands = Strands()
    strands.begin(root())
    for asked, answer in (("b1", "x"), ("a1", "p"), ("a2", "q"), ("b2", "y")):
        request = next(each for each in strands.open if each == asked)
        strands.answer(request, answer)
    assert strands.is_done and strands.result == [[], "pq", "xy"]


def test_what_a_strand_raises_ends_all() -> None:
    ended = []

    def leaf(name: str):
        try:
            yield name
        finally:
            ended.append(name)

    def root():
        yield Together.of([leaf("a"), leaf("b")])

    strands = Strands()
    strands.begin(root())
    with pytest.raises(KeyError):
        strands.fail(strands.open[0], KeyError("a"))
    strands.close()
    assert sorted(ended) == ["a", "b"] and not strands.open
