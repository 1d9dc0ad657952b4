"""A run over a collection: find the pages, read what is missing, account for every one."""

import importlib.metadata
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from glmocr_utils.confidence import Calibration, expected_errors, load_calibration
from glmocr_utils.mass_infer.in_flight import InFlightReader
from glmocr_utils.mass_infer.local import read_local
from glmocr_utils.mass_infer.options import InferOptions
from glmocr_utils.mass_infer.ray_pool import RayPool
from glmocr_utils.mass_infer.run_folder import RunFolder
from glmocr_utils.mass_infer.server import Server, ServerUnavailable
from glmocr_utils.mass_infer.task import PageTask, Settled
from glmocr_utils.model import (
    LoadedModel,
    find_revision,
    load_model,
    load_processor,
    resolve_adapter,
    weights_sha256,
)
from glmocr_utils.prompt import max_page_pixels
from glmocr_utils.records import FailedPage, PageRef
from glmocr_utils.records.page_row import PageRow, storable_path, to_result
from glmocr_utils.render import (
    CheckedPage,
    Inspected,
    find_documents,
    inspect_documents,
    render_and_check,
)

CHECKPOINT_PIXELS = 4_816_896  # the budget of GLM-OCR's own checkpoint, for a server's pages
PINNED_PACKAGES = ("torch", "transformers")
FAILURES = ("failed", "looped")  # of the reading; a damaged document says nothing about it
MIN_PAGES_TO_JUDGE = 20

Read = Callable[[Iterable[PageTask | Settled]], Iterator[PageTask | Settled]]  # how an engine reads


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        done, total: pages; `done` includes those of earlier runs.
        read_now: pages that this run has added.
        seconds: since this run began to read.
        statuses: how many pages have which status, earlier runs included.
        last: the row that was added last; None before the first.
    """

    done: int
    total: int
    read_now: int
    seconds: float
    statuses: Counter[str]
    last: PageRow | None

    @property
    def pages_per_second(self) -> float:
        return self.read_now / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected, at the speed so far; None before the first page."""
        speed = self.pages_per_second
        return (self.total - self.done) / speed if speed else None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        folder: where everything is.
        documents: how many were found.
        total: pages that the collection has, as far as its documents open; a document that does
            not open counts as one.
        read_now: pages that this run has added.
        statuses: how many pages have which status, earlier runs included.
        seconds: that this run took to read.
        stopped: why it ended early; None when every page has its row.
    """

    folder: Path
    documents: int
    total: int
    read_now: int
    statuses: Counter[str]
    seconds: float
    stopped: str | None


def infer(
    options: InferOptions,
    *,
    model: LoadedModel | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Read all pages of a collection that have no row in the run's ledger yet.

    Ctrl-C ends it cleanly: what was read is kept, and the next call goes on.

    Args:
        model: for the engine `local`, when it is loaded already.
        watch: called after each page, and once before the first.

    Raises:
        ValueError: options that cannot work, or `output_dir` holds another run.
        FileNotFoundError: there is nothing to read.
        BlockingIOError: another process writes to the run.
        ModelLoadError: the model cannot be loaded.
        OSError: the disk is full.
    """
    paths = find_documents(options.input_path or "data")
    calibration = options.calibration and load_calibration(options.calibration)
    settings = run_settings(options)
    render_options = options.render_options()
    # documents are opened in worker processes only: a hostile one can end its process
    plan = list(inspect_documents(paths, render_options))
    with RunFolder(options.output_dir, settings, options.new_run) as folder:
        retry = options.statuses_to_retry()
        opened = {storable_path(each.path) for each in plan if isinstance(each, Inspected)}
        folder.forget(
            lambda row: (
                row["status"] in retry
                # encrypted or damaged before, and no longer
                or (row["page_index"] is None and row["document_path"] in opened)
            )
        )
        run = _Run(options, folder, plan, calibration, settings, watch)
        read: Read = iter
        if run.missing:
            read, max_pixels = _engine(options, settings, model)
            render_options = replace(render_options, max_pixels=max_pixels)
        stopped = None
        with (
            closing(render_and_check(run.missing_pages(), render_options)) as pages,
            closing(read(run.tasks(pages))) as tasks,
        ):
            try:
                stopped = run.collect(tasks)
            except KeyboardInterrupt:
                stopped = "interrupted; the next start goes on where this one was"
            except ServerUnavailable as error:
                stopped = str(error)
        folder.flush()
        return run.summary(stopped)


def run_settings(options: InferOptions) -> dict[str, object]:
    """What a run's pages share; `run.json` holds it, and no other pages are mixed in.

    Raises:
        ModelLoadError: the model is not there.
    """
    model_id, adapter, revision = options.model_id, options.adapter, None
    if options.engine != "server":
        model_id, adapter = resolve_adapter(options.model_id, options.adapter)
        revision = find_revision(model_id)
    return {
        "model_id": model_id,
        "revision": revision,
        "adapter": adapter,
        "weights_sha256": weights_sha256(model_id),
        "adapter_sha256": adapter and weights_sha256(adapter),
        "prompt": options.prompt,
        "prompt_style": options.prompt_style,
        "scale": options.scale,
        "max_tokens": options.max_tokens,
        "retry_max_tokens": options.retry_max_tokens,
        "calibration": options.calibration,
        "versions": {name: importlib.metadata.version(name) for name in PINNED_PACKAGES},
    }


def _engine(
    options: InferOptions, settings: dict[str, object], model: LoadedModel | None
) -> tuple[Read, int]:
    """How tasks are read, and the pixel budget of a page."""
    if options.engine == "server":
        server = Server(
            options.base_url,
            options.model_id,
            options.prompt,
            options.concurrency,
            options.prompt_style,
        )
        return server.read, CHECKPOINT_PIXELS
    load = {
        "model_id": settings["model_id"],
        "adapter": settings["adapter"],
        "revision": settings["revision"],
        "attn": options.attn,
        "device_map": options.device_map,
    }
    if options.engine == "ray":
        processor = load_processor(options.model_id, options.adapter)
        pool = RayPool(
            load,
            (options.prompt, options.prompt_style, options.batch_size),
            options.num_actors,
            options.ray_address,
        )
        return pool.read, max_page_pixels(processor)
    model = model or load_model(**load)
    reader = InFlightReader(model, options.prompt, options.prompt_style, options.batch_size)
    return partial(read_local, reader), max_page_pixels(model.processor)


class _Run:
    """One call of `infer`: what is missing, and what came of it."""

    def __init__(
        self,
        options: InferOptions,
        folder: RunFolder,
        plan: list[Inspected | FailedPage],
        calibration: Calibration | None,
        settings: dict[str, object],
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self._options = options
        self._folder = folder
        self._calibration = calibration
        self._settings = settings
        self._watch = watch or (lambda progress: None)
        self._begun = time.monotonic()
        self.read_now = 0
        self.documents = len(plan)
        self._opened = [document for document in plan if isinstance(document, Inspected)]
        self._unopened = [document for document in plan if isinstance(document, FailedPage)]
        self._num_pages = {
            (storable_path(document.path), document.sha256): document.num_pages
            for document in self._opened
        }
        folder.expect(self._num_pages)
        self.total = sum(self._num_pages.values()) + len(self._unopened)
        self.missing = [
            (document, page_index)
            for document in self._opened
            for page_index in range(document.num_pages)
            if (storable_path(document.path), document.sha256, page_index) not in folder.done
        ]
        self._failures = 0
        self._left = len(self.missing) + sum(
            _document_row(failed).key not in folder.done for failed in self._unopened
        )

    def missing_pages(self) -> Iterator[PageRef]:
        for document, page_index in self.missing:
            yield PageRef(str(document.path), document.sha256, page_index)

    def tasks(self, pages: Iterable[CheckedPage | FailedPage]) -> Iterator[PageTask | Settled]:
        """A task for each page, those that could not be rendered among them."""
        for failed in self._unopened:
            row = _document_row(failed)
            if row.key not in self._folder.done:
                yield Settled(row)
        limits = self._options.limits()
        for (document, _), page in zip(self.missing, pages, strict=True):
            if isinstance(page, FailedPage):
                values = {"document_sha256": document.sha256, "num_pages": document.num_pages}
                yield Settled(replace(_document_row(page), **values))
            else:
                yield PageTask(page, document.num_pages, limits)

    def collect(self, tasks: Iterable[PageTask | Settled]) -> str | None:
        """Take in what is done. Returns why the run ends early, or None."""
        self._begun = time.monotonic()  # the model is loaded
        self._tell(None)
        for task in tasks:
            self._add(self._with_expected_errors(task.row))
            share = self._failure_rate()
            if share > self._options.max_failure_rate:
                return (
                    f"{share:.0%} of {self.read_now} pages failed or looped, above "
                    f"max_failure_rate={self._options.max_failure_rate:g}; the last: "
                    f"{task.row.reason}"
                )
        return None

    def summary(self, stopped: str | None) -> RunSummary:
        return RunSummary(
            self._folder.path,
            self.documents,
            self.total,
            self.read_now,
            self._folder.statuses,
            time.monotonic() - self._begun,
            stopped,
        )

    def _add(self, row: PageRow) -> None:
        self._folder.add(replace(row, finished_at=time.time()))
        self.read_now += 1
        self._left -= 1
        self._failures += row.status in FAILURES
        self._tell(row)

    def _with_expected_errors(self, row: PageRow) -> PageRow:
        result = to_result(row, self._settings) if self._calibration else None
        if result is None:
            return row
        return replace(row, expected_errors=expected_errors(result, self._calibration).mean)

    def _failure_rate(self) -> float:
        if self.read_now < MIN_PAGES_TO_JUDGE:
            return 0.0
        return self._failures / self.read_now

    def _tell(self, row: PageRow | None) -> None:
        self._watch(
            Progress(
                done=self.total - self._left,
                total=self.total,
                read_now=self.read_now,
                seconds=time.monotonic() - self._begun,
                statuses=self._folder.statuses,
                last=row,
            )
        )


def _document_row(failed: FailedPage) -> PageRow:
    """The row of a page, or of a document that does not open."""
    path = storable_path(failed.document_path)
    return PageRow(path, None, failed.page_index, None, failed.status, reason=failed.reason)
