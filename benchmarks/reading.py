"""Reading on a CPU with the bundled model."""

import importlib.util
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from unittest import mock

import torch

from benchmarks.baselines import (
    SCRIPT_BATCH_SIZE,
    read_batches_with_probabilities,
    read_single_pages,
    render_with_pdfium,
)
from benchmarks.inputs import (
    bundled_model,
    images_of,
    mixed_pages,
    paragraphs,
    plain_model,
    small_pages,
)
from benchmarks.measure import MEGABYTE, Row, compare, held_memory, seconds_of
from glmocr_utils.decoding import recorder
from glmocr_utils.mass_infer.passes import Limits
from glmocr_utils.mass_infer.ray_pool import RayPool
from glmocr_utils.mass_infer.task import PageTask
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.ocr import read_documents, read_pages
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import OcrResult, PageImage
from glmocr_utils.render import CheckedPage

PAGES = 96
PAGES_TOGETHER = 16
REGIONS = 192
REGIONS_TOGETHER = 64  # as `batch_size="auto"` takes of small images on a CPU
MAX_TOKENS = 1200
TOP_K = 5


class NoProbabilities(recorder.Recorder):
    """Chooses tokens and records nothing else."""

    def write(self, logits: torch.Tensor, rows: slice, columns: torch.Tensor) -> torch.Tensor:
        chosen = logits.argmax(dim=-1)
        self.token_ids[rows].scatter_(1, columns[:, None], chosen[:, None])
        return chosen


def against_the_batch_script() -> Iterator[Row]:
    """Pages of mixed length, probabilities on: in one process, and by a process a core."""
    model, plain, pages = bundled_model(), plain_model(), mixed_pages(PAGES)
    with_ray = importlib.util.find_spec("ray") is not None
    seconds: dict[str, list[float]] = defaultdict(list)
    for _ in range(3):  # in turn: machines have moods
        begun = time.perf_counter()
        texts, _, score_bytes = read_batches_with_probabilities(plain, images_of(pages), MAX_TOKENS)
        seconds["script"].append(time.perf_counter() - begun)
        begun = time.perf_counter()
        results = _read(model, pages)
        seconds["ours"].append(time.perf_counter() - begun)
        _same_text([result.text for result in results], texts)
        if with_ray:
            by_processes, taken = _read_by_processes(pages)
            seconds["processes"].append(taken)
            _same_text(by_processes, texts)
    rate = {name: PAGES / statistics.median(each) for name, each in seconds.items()}
    yield Row(
        "pages/s against the batch script, pages of mixed length, probabilities on",
        "pages/s",
        rate["ours"],
        rate["script"],
        ">= 2.5",
    )
    yield Row(
        "the same by a process a core (engine `ray`)",
        "pages/s",
        rate.get("processes"),
        rate["script"],
        ">= 2.5",
        "" if with_ray else "Ray is not installed",
    )
    longest = max(len(result.tokens) for result in results)
    kept = PAGES_TOGETHER * longest * (1 + TOP_K) * (4 + 8)
    yield Row(
        "memory for probabilities, scaled to GLM-OCR's vocabulary",
        "MB",
        kept / MEGABYTE,
        score_bytes * 59_392 / model.model.config.text_config.vocab_size / MEGABYTE,
        "<= 0.01",
        f"ours for {PAGES_TOGETHER} pages at a time, the script's for {SCRIPT_BATCH_SIZE}",
    )


def regions_against_the_batch_script() -> Iterator[Row]:
    """Paragraphs, cut from pages: small images with short texts, as reading by regions meets."""
    model, plain, regions = bundled_model(), plain_model(), paragraphs(REGIONS)
    texts = {}

    def ours() -> None:
        results = _read(model, regions, REGIONS_TOGETHER)
        texts["ours"] = [result.text for result in results]

    def script() -> None:
        read = read_batches_with_probabilities(plain, images_of(regions), MAX_TOKENS)
        texts["script"] = read[0]

    seconds, script_seconds = compare(ours, script)
    _same_text(texts["ours"], texts["script"])
    yield Row(
        "regions/s against the batch script, paragraphs of three lines, probabilities on",
        "regions/s",
        REGIONS / seconds,
        REGIONS / script_seconds,
        ">= 2.5",
        f"ours {REGIONS_TOGETHER} at a time, the script {SCRIPT_BATCH_SIZE}",
    )


def _read_by_processes(pages: list[PageImage]) -> tuple[list[str], float]:
    """Texts, and the seconds from the first page that is sent out to the last that comes back."""
    begun: list[float] = []

    def tasks() -> Iterator[PageTask]:
        begun.append(time.perf_counter())
        for page in pages:
            checked = CheckedPage(page, False, False, page.scale)
            yield PageTask(checked, len(pages), Limits(MAX_TOKENS))

    load = {"model_id": str(project_root() / BUNDLED_MODEL), "device_map": "cpu"}
    reader = (TEXT_RECOGNITION, None, PAGES_TOGETHER)
    texts: dict[int, str] = {}
    with closing(RayPool(load, reader, len(os.sched_getaffinity(0))).read(tasks())) as done:
        for task in done:
            texts[task.row.page_index] = task.row.text
            ended = time.perf_counter()
    return [texts[page.page.page_index] for page in pages], ended - begun[0]


def probabilities_on_against_off() -> Iterator[Row]:
    """The same loop, with and without what is recorded of each step."""
    model, pages = bundled_model(), mixed_pages(PAGES // 4)
    texts = {}

    def recorded() -> None:
        texts["on"] = [result.text for result in _read(model, pages)]

    def unrecorded() -> None:
        with mock.patch("glmocr_utils.decoding.step.Recorder", NoProbabilities):
            texts["off"] = [result.text for result in _read(model, pages)]

    on, off = compare(recorded, unrecorded, repeats=11)  # the bound is closer than one run can show
    assert texts["on"] == texts["off"]
    yield Row("probabilities on against off, time", "s", on, off, "<= 1.03")


def first_page() -> Iterator[Row]:
    """From a path to the first page's text, the model loaded."""
    model, plain = bundled_model(), plain_model()
    path = project_root() / "data/samples/letter.pdf"
    texts = {}

    def ours() -> None:
        texts["ours"] = next(read_documents(model, [path], max_tokens=MAX_TOKENS)).text

    def baseline() -> None:
        [page] = render_with_pdfium(path, 2.0)
        [texts["baseline"]] = read_single_pages(plain, [page], MAX_TOKENS)

    seconds, script_seconds = compare(ours, baseline, repeats=7)
    assert texts["ours"] == texts["baseline"]
    yield Row("time to the first page's text", "s", seconds, script_seconds, "<= 1.1")


def as_work_grows() -> Iterator[Row]:
    """The time of a page, and the memory, when there are ten and a hundred times as many."""
    model = bundled_model()
    options = {"max_tokens": MAX_TOKENS, "batch_size": PAGES_TOGETHER, "top_k": TOP_K}

    def read(pages: list[PageImage]) -> None:
        for _ in read_pages(model, pages, **options):  # the readings aren't kept
            pass

    read(small_pages(100))
    seconds, memory = defaultdict(list), {}
    for count, repeats in [(10, 5), (100, 3), (1000, 1)] * 2:  # in turn: machines have moods
        pages = small_pages(count)
        seconds[count] += [seconds_of(lambda p=pages: read(p)) / count for _ in range(repeats)]
        memory.setdefault(count, held_memory())
    for fewer, more in ((10, 100), (100, 1000)):
        yield Row(
            f"time a page, {more:,} pages against {fewer}",
            "ms",
            1000 * min(seconds[more]),
            1000 * min(seconds[fewer]),
            "<= 1.05",
        )
    yield Row(
        "memory after 1,000 pages against 100",
        "MB",
        memory[1000] / MEGABYTE,
        memory[100] / MEGABYTE,
        "<= 1.05",
    )


def _read(model: object, pages: list[PageImage], together: int = PAGES_TOGETHER) -> list[OcrResult]:
    options = {"max_tokens": MAX_TOKENS, "batch_size": together, "top_k": TOP_K}
    return list(read_pages(model, pages, **options))


def _same_text(ours: list[str], texts: list[str]) -> None:
    assert ours == texts, "the texts differ, so the row does not count"
