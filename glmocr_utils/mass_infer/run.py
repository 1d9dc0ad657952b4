"""A run over a collection: find the pages, read what is missing, account for every one."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace

from glmocr_utils.confidence import (
    Calibration,
    WordRisk,
    expected_errors,
    load_calibration,
    risk_beside,
)
from glmocr_utils.endpoint import EndpointUnavailable
from glmocr_utils.mass_infer.engines import Engine, run_settings, start_engine
from glmocr_utils.mass_infer.known_documents import KnownDocuments, Located, locate
from glmocr_utils.mass_infer.ledger_table import write_ledger_csv
from glmocr_utils.mass_infer.looking import look_at
from glmocr_utils.mass_infer.page_tasks import document_row, page_tasks, region_options
from glmocr_utils.mass_infer.progress import Progress, RunSummary
from glmocr_utils.mass_infer.run_folder import RunFolder
from glmocr_utils.mass_infer.task import Settled, Task
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import ReadingProgress, ScaleCheck
from glmocr_utils.ocr.progress import LOOK_EVERY_S
from glmocr_utils.options import InferOptions
from glmocr_utils.records import FailedPage, PageImage, PageRef, storable_path
from glmocr_utils.records.page_row import PageRow, to_result
from glmocr_utils.render import (
    CheckedPage,
    Inspected,
    input_documents,
    render_and_check,
    root_of,
)

FAILURES = ("failed", "looped", "empty")  # of the reading; a damaged document says nothing about it
MIN_PAGES_TO_JUDGE = 20
MAX_PAGES_TO_JUDGE = 200  # the last ones: a server that dies late is soon noticed


def infer(
    options: InferOptions,
    *,
    model: LoadedModel | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Read all pages of a collection that have no row in the run's ledger yet.

    Ctrl-C ends it cleanly: finished pages are kept, and the next call resumes.

        summary = infer(InferOptions(input_path="my-pdfs", output_dir="outputs/06_mass_infer"))
        print(summary.stopped or dict(summary.statuses))  # {'ok': 990, 'blank': 8, 'looped': 2}

    Args:
        model: for the engine `local`, when it is loaded already.
        watch: called after each page, and before the first; with the engine `local` also twice a
            second while a page is read. See `show_reading`.

    Raises:
        ValueError: options that cannot work, or `output_dir` holds another run.
        FileNotFoundError: there is nothing to read.
        BlockingIOError: another process writes to the run.
        ModelLoadError: the model cannot be loaded.
        OSError: the disk is full, or `output_dir` cannot be a folder.
    """
    documents = locate(options.input_path, input_documents(options.input_path))
    calibration = load_calibration(options.calibration) if options.calibration else None
    risk = risk_beside(options.calibration) if options.calibration else None
    settings = run_settings(options)
    render_options = options.render_options()
    retry = options.statuses_to_retry()
    root = root_of(options.input_path)
    with (
        RunFolder(options.output_dir, settings, options.new_run, retry, root) as folder,
        KnownDocuments(folder.path, folder.documents) as known,
        closing(look_at(documents, known, render_options)) as looks,
    ):
        run = _Run(options, folder, known, calibration, risk, settings, watch)
        run.look(looks, len(documents))
        engine = Engine(_as_they_are, render_options.max_pixels)
        if run.misses_pages:
            if model is None and options.engine != "server":
                run.report("loading the model")
            engine = start_engine(options, settings, model, run.read_on)
            render_options = replace(render_options, max_pixels=engine.max_pixels)
        stopped = None
        with (
            closing(render_and_check(run.missing_pages(), render_options)) as pages,
            closing(engine.read(run.tasks(pages, ScaleCheck(engine.trained_for)))) as tasks,
        ):
            try:
                stopped = run.collect(tasks)
            except KeyboardInterrupt:
                stopped = "interrupted; the next start resumes where this one left off"
            except EndpointUnavailable as error:
                stopped = str(error)
        folder.flush()
        write_ledger_csv(folder.path)
        return run.summary(stopped)


def _as_they_are(tasks: Iterable[Task]) -> Generator[Task, None, None]:
    """An engine for a run of which nothing is left to read."""
    yield from tasks


class _Run:
    """One call of `infer`: what is missing, and what came of it."""

    def __init__(
        self,
        options: InferOptions,
        folder: RunFolder,
        known: KnownDocuments,
        calibration: Calibration | None,
        risk: WordRisk | None,
        settings: dict[str, object],
        watch: Callable[[Progress], None] | None,
    ) -> None:
        self._options = options
        self._folder = folder
        self._known = known
        self._calibration = calibration
        self._risk = risk
        self._settings = settings
        self._watch = watch or (lambda progress: None)
        self._begun = time.monotonic()
        self._ledger = threading.Lock()  # engines may take new tasks in a thread
        self.read_now = 0
        self.documents = 0
        self._to_look_at = 0
        self._found = 0  # pages, and documents that do not open
        self._there = 0  # of these had a row before
        self._names: dict[str, str] = {}  # path → name in the ledger
        self._unopened: deque[PageRow] = deque()  # not in the ledger yet
        self._open_now: set[str] = set()  # names of documents that did not open before
        self._asked_for: deque[Inspected] = deque()  # of each page that is being rendered
        self._missing: Iterator[tuple[Inspected, int]] = iter(())
        self._next: tuple[Inspected, int] | None = None
        self._failed: deque[bool] = deque(maxlen=MAX_PAGES_TO_JUDGE)  # of each of the last pages
        self._reading: ReadingProgress | None = None
        self._tokens = 0  # of rows that were added
        self._is_looking = False
        self._told_at = time.monotonic()

    def look(self, looks: Iterable[tuple[Located, Inspected | FailedPage]], documents: int) -> None:
        """Look at documents until one misses a page; the others follow while pages are read."""
        self.documents = self._to_look_at = documents
        self._missing = self._missing_of(looks)
        self._is_looking = True
        self._next = next(self._missing, None)
        self._is_looking = False

    @property
    def misses_pages(self) -> bool:
        return self._next is not None

    @property
    def total(self) -> int:
        """Pages of the collection; a document that was not looked at yet counts as one."""
        return self._found + self._to_look_at

    def missing_pages(self) -> Iterator[PageRef]:
        """Pages to read, as the documents are looked at."""
        while self._next is not None:
            self._forget_unopened()
            document, page_index = self._next
            self._asked_for.append(document)
            yield PageRef(str(document.path), document.sha256, page_index)
            self._next = next(self._missing, None)
        self._forget_unopened()

    def tasks(
        self, pages: Iterable[CheckedPage | FailedPage], check_scale: Callable[[PageImage], None]
    ) -> Iterator[Task]:
        """A task for each page, those that could not be rendered among them."""
        make = page_tasks(self._options)
        by_region = region_options(self._options, self._options.layout)
        reads_some_again = by_region and self._options.statuses_to_retry()
        for page in pages:
            yield from self._documents_that_do_not_open()
            document = self._asked_for.popleft()
            if isinstance(page, FailedPage):
                row = document_row(page)
                yield Settled(
                    replace(row, document_sha256=document.sha256, num_pages=document.num_pages)
                )
            else:
                check_scale(page.image)
                before = self._row_before(page.image.page) if reads_some_again else None
                yield make(page, document.num_pages, before)
        yield from self._documents_that_do_not_open()

    def _row_before(self, page: PageRef) -> PageRow | None:
        """The row that is to be replaced, of a page that is read again."""
        path = storable_path(page.document_path)
        key = (self._names.get(path, path), page.document_sha256, page.page_index)
        with self._ledger:
            return self._folder.before(key)

    def _documents_that_do_not_open(self) -> Iterator[Settled]:
        while self._unopened:
            yield Settled(self._unopened.popleft())

    def _missing_of(
        self, looks: Iterable[tuple[Located, Inspected | FailedPage]]
    ) -> Iterator[tuple[Inspected, int]]:
        """Documents and indices of pages that have no row."""
        for located, document in looks:
            self._tell_of_looking()
            name = self._known.name(located, document)
            self._known.note(located, document, name)
            self._names[storable_path(located.path)] = name
            if isinstance(document, FailedPage):
                self._take_unopened(document, name)
            else:
                for page_index in self._take_opened(located, document, name):
                    yield document, page_index

    def _tell_of_looking(self) -> None:
        now = time.monotonic()
        if self._is_looking and now - self._told_at >= LOOK_EVERY_S:
            self._told_at = now
            looked_at = self.documents - self._to_look_at
            self.report(f"looked at {looked_at:,} of {self.documents:,} documents")

    def _take_unopened(self, failed: FailedPage, name: str) -> None:
        row = document_row(failed)
        with self._ledger:
            self._to_look_at -= 1
            self._found += 1
            if replace(row, document_path=name).key in self._folder.done:
                self._there += 1
            else:
                self._unopened.append(row)

    def _take_opened(self, located: Located, document: Inspected, name: str) -> list[int]:
        """Returns the indices of its pages that have no row."""
        with self._ledger:
            before = self._known.name_in_ledger(located, None)
            if before in self._folder.unopened:
                self._open_now.add(before)
            self._folder.expect({(name, document.sha256): document.num_pages})
            missing = self._folder.done.missing((name, document.sha256), document.num_pages)
            self._to_look_at -= 1
            self._found += document.num_pages
            self._there += document.num_pages - len(missing)
        return missing

    def _forget_unopened(self) -> None:
        if self._open_now:
            with self._ledger:
                self._folder.forget_unopened(self._open_now)
            self._open_now.clear()

    def collect(self, tasks: Iterable[Task]) -> str | None:
        """Take in what is done. Returns why the run ends early, or None."""
        self._begun = time.monotonic()  # the model is loaded
        self.report()
        for task in tasks:
            if task.row is None:
                raise RuntimeError("an engine gave a page back before it was done")
            self._folder.keep_pictures(task.row, task.pictures)
            self._add(self._with_estimates(task.row))
            share = self._failure_rate()
            if share > self._options.max_failure_rate:
                return (
                    f"{share:.0%} of the last {len(self._failed)} pages failed, looped or are "
                    f"empty, above max_failure_rate={self._options.max_failure_rate:g}; the last: "
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
        name = self._names.get(row.document_path, row.document_path)
        with self._ledger:
            self._folder.add(replace(row, document_path=name, finished_at=time.time()))
            self.read_now += 1
        self._tokens += len(row.token_ids or ())
        self._failed.append(row.status in FAILURES)
        self.report(row=row)

    def _with_estimates(self, row: PageRow) -> PageRow:
        """A row with the errors to expect, where that can be known."""
        result = to_result(row, self._settings) if self._calibration else None
        if result is None:
            return row
        errors = expected_errors(result, self._calibration)
        words = self._risk.wrong_words(result) if self._risk and result.tokens else None
        known = errors.mean if errors.is_known else None
        return replace(row, expected_errors=known, expected_wrong_words=words)

    def _failure_rate(self) -> float:
        if self.read_now < MIN_PAGES_TO_JUDGE:
            return 0.0
        return sum(self._failed) / len(self._failed)

    def read_on(self, reading: ReadingProgress) -> None:
        """What the engine is writing."""
        self._reading = reading
        self.report()

    def report(self, doing: str = "", row: PageRow | None = None) -> None:
        """Show where the run is.

        Args:
            doing: before pages are read.
            row: that has just been added.
        """
        reading = self._reading
        self._watch(
            Progress(
                done=self._there + self.read_now,
                total=self.total,
                read_now=self.read_now,
                seconds=time.monotonic() - self._begun,
                statuses=self._folder.statuses,
                last=row,
                doing=doing,
                reading=reading,
                tokens_now=reading.tokens_now if reading else self._tokens,
            )
        )
