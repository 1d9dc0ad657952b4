"""Pages in flight where memory is short."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest
import torch
from PIL import Image

from glmocr_utils.decoding import buckets, slot_cache
from glmocr_utils.mass_infer import in_flight
from glmocr_utils.mass_infer.in_flight import InFlightReader, Work
from glmocr_utils.mass_infer.local import read_local
from glmocr_utils.mass_infer.passes import Limits
from glmocr_utils.mass_infer.request import Failure, Reading, Request, Second, SecondRequest
from glmocr_utils.mass_infer.task import PageTask
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import PageReader, entering, is_out_of_memory
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.render import CheckedPage
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

pytestmark = pytest.mark.slow

NUM_PAGES = 10
MAX_TOKENS = 600


@pytest.fixture(scope="module")
def pages() -> list[PageImage]:
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, width_px=420, height_px=300)
    texts = [f"Ship {n} left for the north with salt and rope. " * 3 for n in range(NUM_PAGES)]
    return [
        PageImage(PageRef(f"{n}.png", f"{n:064}", 0), draw_page([Block(text)], style).image, 2.0)
        for n, text in enumerate(texts)
    ]


def read(
    model: LoadedModel, pages: list[PageImage], batch_size: int | str
) -> tuple[dict[int, Reading], int]:
    """What was read of each page, and how many were under way together, at most."""
    reader = InFlightReader(model, TEXT_RECOGNITION, None, batch_size)
    works = iter([reader.prepare(n, Request(page, MAX_TOKENS)) for n, page in enumerate(pages)])
    together, step = 0, reader._reader.step

    def counted_step() -> list:
        nonlocal together
        together = max(together, len(reader._reader))
        return step()

    reader._reader.step = counted_step
    return dict(reader.read(lambda _: next(works, None))), together


def test_after_memory_ran_out_fewer_pages_take_less_of_it(
    bundled_model: LoadedModel, pages: list[PageImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight pages find room until they become longer than they were at first."""
    alone, _ = read(bundled_model, pages, 1)
    make_room, failures = slot_cache._SlotLayer.make_room, []

    def in_little_memory(layer, rows, columns, like):
        before = None if layer.keys is None else layer.keys.shape
        make_room(layer, rows, columns, like)
        if layer.keys.shape != before and layer.keys.shape[0] * layer.keys.shape[2] > 8 * 224:
            failures.append(layer.keys.shape)
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(buckets, "COLUMNS_AT_ONCE", 32)
    monkeypatch.setattr(slot_cache._SlotLayer, "make_room", in_little_memory)
    readings, _ = read(bundled_model, pages, 8)
    assert failures
    for number, reading in readings.items():
        assert isinstance(reading, Reading) and reading.text == alone[number].text


def test_auto_leaves_room_for_what_the_pages_under_way_will_still_write(
    bundled_model: LoadedModel, pages: list[PageImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    token_bytes = 2 * 7 * 3 * 32 * 4  # keys and values, layers, heads, their width, float32
    patches = 4 * 165
    whole_page = token_bytes * (165 + MAX_TOKENS)
    vision = 16 * patches * 128 * 4
    for room in (3, 5):
        memory = SimpleNamespace(available=2 * (room * whole_page + vision) + 2)
        monkeypatch.setattr(psutil, "virtual_memory", lambda memory=memory: memory)
        monkeypatch.setattr(PageReader, "cache_bytes", 0)  # what is held was there before
        _, together = read(bundled_model, pages, "auto")
        assert together == room


def test_memory_that_ran_out_once_is_asked_for_again_later(
    bundled_model: LoadedModel, pages: list[PageImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter, fails = PageReader.enter_together, iter([False, False, True] + 100 * [False])

    def enter_or_fail(reader, pages):
        if next(fails):
            raise torch.OutOfMemoryError("CUDA out of memory")
        enter(reader, pages)

    monkeypatch.setattr(entering, "TOKENS_IN_A_PASS_CPU", 0)  # one by one
    monkeypatch.setattr(PageReader, "enter_together", enter_or_fail)
    assert read(bundled_model, pages, 4)[1] == 2
    monkeypatch.setattr(in_flight, "PAGES_BEFORE_ONE_MORE", 2)
    fails = iter([False, False, True] + 100 * [False])
    assert read(bundled_model, pages, 4)[1] == 4


def test_pages_of_a_pass_that_failed_are_read_one_by_one(
    bundled_model: LoadedModel, pages: list[PageImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    enter, passes = PageReader.enter_together, []

    def enter_few(reader, entries):
        passes.append([key for key, *_ in entries])
        if len(entries) > 1 and 3 in passes[-1]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if passes[-1] == [4]:
            raise ValueError("this page alone")
        enter(reader, entries)

    monkeypatch.setattr(PageReader, "enter_together", enter_few)
    readings, together = read(bundled_model, pages[:6], 6)
    assert passes == [[0, 1, 2], [3, 4, 5], [3], [4], [5]] and together == 5
    assert [number for number, each in readings.items() if isinstance(each, Failure)] == [4]


def test_more_regions_than_pages_are_read_together_until_memory_runs_out(
    bundled_model: LoadedModel, pages: list[PageImage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "MAX_AUTO_PAGES_CPU", 2)
    lines = [replace(page, image=page.image.crop((0, 0, 420, 28))) for page in pages]
    expected, _ = read(bundled_model, lines, 1)
    readings, together = read(bundled_model, lines, "auto")
    assert together == 8  # four times as many
    assert {n: each.text for n, each in readings.items()} == {
        n: each.text for n, each in expected.items()
    }
    assert read(bundled_model, lines, 2)[1] == 2  # as asked for
    monkeypatch.setattr(in_flight, "IMAGE_TOKENS_OF_A_PAGE", 23)  # a line has 15
    assert read(bundled_model, lines, "auto")[1] == 3
    monkeypatch.setattr(in_flight, "IMAGE_TOKENS_OF_A_PAGE", 640)
    step, fails = PageReader.step, iter([True] + 1000 * [False])

    def step_or_fail(reader):
        if next(fails):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(reader)

    monkeypatch.setattr(PageReader, "step", step_or_fail)
    readings, together = read(bundled_model, lines, "auto")
    assert together == 8 and all(isinstance(each, Reading) for each in readings.values())


@pytest.mark.parametrize(
    ("said", "is_memory"),
    [
        ("CUDA error: out of memory", True),
        ("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("CUDA error: an illegal memory access was encountered", False),
    ],
)
def test_memory_that_ran_out_is_distinguished_from_other_failures(
    said: str, is_memory: bool
) -> None:
    assert is_out_of_memory(RuntimeError(said)) == is_memory


class ScriptedReader:
    """Answers each request at once; a second reader waits until two pages have been read."""

    second_threads = 1

    def __init__(self) -> None:
        self.read_pages = 0
        self.has_read_two = threading.Event()
        self.was_in_time = True

    def prepare(self, key, request) -> Work:
        if not isinstance(request, SecondRequest):
            return Work(key, request)
        self.was_in_time &= self.has_read_two.wait(60)
        return Work(key, request, answer=Second(()))

    def read(self, take):
        while work := take(True):
            if isinstance(work.request, Request):
                self.read_pages += 1
                if self.read_pages == 2:
                    self.has_read_two.set()
                yield work.key, Reading("text", "stop", 0.1, [7], [-0.1], [4])
            else:
                yield work.key, work.answer


def test_pages_are_read_while_a_second_reader_reads_others():
    def task(number: int) -> PageTask:
        page = PageImage(PageRef("a.pdf", "0" * 64, number), Image.new("RGB", (60, 80)), 2.0)
        return PageTask(CheckedPage(page, False, False, 2.0), 2, Limits(9), second="all")

    reader = ScriptedReader()
    done = list(read_local(reader, map(task, range(2))))
    assert reader.was_in_time and [each.row.status for each in done] == ["ok", "ok"]
