"""How long a run will take, and what it will cost, from a few pages drawn at random.

    print(estimate_run(InferOptions("my-pdfs", price_per_hour=2)))

Nothing is written. What a long run does besides (retries that 20 pages had no need of, a busier
machine) is not in the range, which is that of the luck of the draw alone.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmocr_utils.mass_infer.engines import run_settings, start_engine
from glmocr_utils.mass_infer.page_tasks import document_row, page_tasks
from glmocr_utils.mass_infer.progress import Progress, cost_of_pages
from glmocr_utils.mass_infer.task import Settled, Task
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import ReadingProgress, ScaleCheck
from glmocr_utils.options import InferOptions
from glmocr_utils.records import FailedPage, PageRef
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import (
    CheckedPage,
    Inspected,
    input_documents,
    inspect_documents,
    render_and_check,
)

SAMPLE_PAGES = 20
MOST_DOCUMENTS = 2000  # are opened to count pages; of more, so many are drawn
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run will take.

    Attributes:
        documents: how many there are.
        pages: of the collection; where there are very many documents, as those that were drawn.
        is_counted: whether all documents were opened for it.
        sampled: pages that were read; statuses: how they ended.
        seconds: that reading them took; seconds_a_page: the middle, and the ends of a 95 %
            interval over pages drawn at random.
        price_per_hour: of the machine; None where it is not known.
    """

    documents: int
    pages: int
    is_counted: bool
    sampled: int
    statuses: Counter[str]
    seconds: float
    seconds_a_page: tuple[float, float, float]
    price_per_hour: float | None = None

    @property
    def pages_per_second(self) -> float:
        return 1 / self.seconds_a_page[0] if self.seconds_a_page[0] else 0.0

    @property
    def hours(self) -> tuple[float, float, float]:
        """For all pages: the middle, and the ends of the interval."""
        middle, low, high = (self.pages * each / 3600 for each in self.seconds_a_page)
        return middle, low, high

    @property
    def costs(self) -> tuple[float, float, float] | None:
        """As `hours`, in the currency of the price."""
        price = self.price_per_hour
        if price is None:
            return None
        middle, low, high = (cost_of_pages(self.pages, s, price) for s in self.seconds_a_page)
        return middle, low, high

    def __str__(self) -> str:
        about = "" if self.is_counted else "about "
        counts = ", ".join(f"{status} {count}" for status, count in self.statuses.most_common())
        lines = [
            f"{self.documents:,} documents, {about}{self.pages:,} pages; {self.sampled} drawn at "
            f"random were read in {self.seconds:.3g} s ({counts}): "
            f"{self.pages_per_second:.2g} pages/s",
            "all pages: " + _range(*map(_duration, (3600 * each for each in self.hours))),
        ]
        if self.costs is not None:
            cost = _range(*(f"{each:,.3g}" for each in self.costs))
            lines.append(f"cost at {self.price_per_hour:g} an hour: {cost}")
        else:
            lines.append("cost: not known; set price_per_hour")
        lines.append(
            "The range is the luck of the draw (95 %). Longer pages, retries or a busier machine "
            "add to it; where many pages share a batch, a long run is faster."
        )
        return "\n".join(lines)


def estimate_run(
    options: InferOptions,
    *,
    model: LoadedModel | None = None,
    sample_pages: int = SAMPLE_PAGES,
    seed: int = 42,
    watch: Callable[[Progress], None] | None = None,
) -> RunEstimate:
    """Read pages drawn at random as `infer` would, and say what all of them will take.

    Args:
        model: for the engine `local`, when it is loaded already.
        watch: as in `infer`.

    Raises:
        FileNotFoundError: there is nothing to read. ValueError: no document opens.
        ModelLoadError: the model cannot be loaded.
    """
    paths = list(input_documents(options.input_path))
    drawn = random.Random(seed)
    opened = _inspected(drawn.sample(paths, min(len(paths), MOST_DOCUMENTS)), options)
    pages = [
        (document, page_index) for document in opened for page_index in range(document.num_pages)
    ]
    if not pages:
        raise ValueError("no document opens, so there is no page to read for an estimate")
    sample = drawn.sample(pages, min(len(pages), sample_pages))
    rows, seconds = _read(options, sample, model, watch)
    looked_at = min(len(paths), MOST_DOCUMENTS)
    return RunEstimate(
        len(paths),
        round(len(pages) * len(paths) / looked_at),
        looked_at == len(paths),
        len(rows),
        _statuses(rows),
        seconds,
        _seconds_a_page([row.seconds for row in rows], seconds, len(rows) == len(pages)),
        options.price_per_hour,
    )


def _inspected(paths: Sequence[Path], options: InferOptions) -> list[Inspected]:
    with closing(inspect_documents(paths, options.render_options())) as looks:
        return [each for each in looks if isinstance(each, Inspected)]


def _read(
    options: InferOptions,
    sample: Sequence[tuple[Inspected, int]],
    model: LoadedModel | None,
    watch: Callable[[Progress], None] | None,
) -> tuple[list[PageRow], float]:
    """The rows of these pages, and how many seconds they took once the model was loaded."""
    rows: list[PageRow] = []
    begun = time.monotonic()

    def show(reading: ReadingProgress | None, doing: str = "") -> None:
        if watch is not None:
            watch(
                Progress(
                    done=len(rows),
                    total=len(sample),
                    read_now=len(rows),
                    seconds=time.monotonic() - begun,
                    statuses=_statuses(rows),
                    last=None,
                    doing=doing,
                    reading=reading,
                    tokens_now=reading.tokens_now if reading else 0,
                )
            )

    if model is None and options.engine != "server":
        show(None, "loading the model")
    engine = start_engine(options, run_settings(options), model, show)
    render_options = replace(options.render_options(), max_pixels=engine.max_pixels)
    refs = (PageRef(str(each.path), each.sha256, index) for each, index in sample)
    begun = time.monotonic()
    with (
        closing(render_and_check(refs, render_options)) as pages,
        closing(
            engine.read(_tasks(options, sample, pages, ScaleCheck(engine.trained_for)))
        ) as done,
    ):
        for task in done:
            if task.row is not None:
                rows.append(task.row)
    seconds = time.monotonic() - begun
    show(None)
    return rows, seconds


def _tasks(
    options: InferOptions,
    sample: Sequence[tuple[Inspected, int]],
    pages: Iterable[CheckedPage | FailedPage],
    check_scale: ScaleCheck,
) -> Iterator[Task]:
    make = page_tasks(options)
    for (document, _), page in zip(sample, pages, strict=True):
        if isinstance(page, FailedPage):
            yield Settled(document_row(page))
        else:
            check_scale(page.image)
            yield make(page, document.num_pages)


def _statuses(rows: Sequence[PageRow]) -> Counter[str]:
    return Counter(str(row.status) for row in rows)


def _seconds_a_page(
    of_pages: Sequence[float], seconds: float, are_all: bool
) -> tuple[float, float, float]:
    """The middle and a 95 % interval; pages are drawn again and again (Efron 1979).

    Args:
        of_pages: seconds of each page, which may overlap; `seconds` is what they took together.
        are_all: these are all pages there are, so that nothing is left to luck.
    """
    middle = seconds / len(of_pages)
    if are_all or not sum(of_pages):
        return middle, middle, middle
    draws = np.random.default_rng(0).choice(of_pages, (DRAWS, len(of_pages))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975)) / np.mean(of_pages)
    return middle, float(middle * low), float(middle * high)


def _range(middle: str, low: str, high: str) -> str:
    return middle if low == high else f"{middle} ({low} to {high})"


def _duration(seconds: float) -> str:
    """`40 seconds`, `12 minutes`, `7.2 hours`, `3.1 days`."""
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            number = seconds / unit
            return f"{number:.1f} {name}" if number < 10 else f"{number:.0f} {name}"
    return f"{seconds:.0f} seconds"
