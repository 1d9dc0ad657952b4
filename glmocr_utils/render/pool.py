"""Render in worker processes: pages in order, a few at a time, whatever the documents do.

pdfium is not thread-safe and a hostile PDF can end the process that reads it, so every document
is opened in a worker only. A worker is a plain subprocess with a thread of this process that
talks to it. That is less than `concurrent.futures.ProcessPoolExecutor` and gives more: when a
worker dies, its thread knows which page it was on, so that no other page is lost; the worker
imports neither the caller's main module (torch, say) nor is it forked from a process that uses
CUDA; and pixels cross in shared memory. It needs Linux or macOS.
"""

import itertools
import mmap
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.records import FailedPage, PageImage, PageRef
from glmocr_utils.render.documents import select_pages, warn_if_reduced
from glmocr_utils.render.errors import DocumentError, failed_page, named
from glmocr_utils.render.options import RenderOptions
from glmocr_utils.render.raster import Raster, canvas_bytes
from glmocr_utils.render.worker import (
    CheckedRaster,
    Inspect,
    Inspected,
    PngPage,
    Render,
    RenderChecked,
    Reply,
    Request,
)

MAX_DEFAULT_WORKERS = 8  # more than a GPU that reads the pages can use
PACKAGE_PARENT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """A page image and what its pixels say.

    Attributes:
        is_blank: there is no ink on it.
        runs_sideways: its lines of text seem to run up or down.
        asked_scale: larger than the image's scale where the pixel budget forced that.
    """

    image: PageImage
    is_blank: bool
    runs_sideways: bool
    asked_scale: float


def render_documents(
    paths: Iterable[str | Path],
    options: RenderOptions | None = None,
    workers: int | None = None,
    ahead: int | None = None,
) -> Iterator[PageImage | FailedPage]:
    """Render documents in worker processes, in the order of `paths` and of their pages.

    The pages of one document are rendered by all workers. A page, or a document, that cannot be
    rendered comes as a `FailedPage` in its place; also when its worker died or took longer than
    `options.timeout`. Closing the generator stops the workers.

    Args:
        paths: PDFs and image files.
        options: how to render; by default at 2 pixels per point.
        workers: number of processes, by default one a CPU core, at most 8.
        ahead: number of pages that are rendered before they are asked for and wait in memory, by
            default twice the workers. No page is started before there is room for it.
    """
    options = options or RenderOptions()
    with WorkerPool(options, workers) as pool:
        inspected = pool.map((Inspect(Path(path), options) for path in paths), pool.workers)
        requests = itertools.chain.from_iterable(
            page_requests(document, options) for document in inspected
        )
        yield from pool.map(requests, ahead or 2 * pool.workers)


def inspect_documents(
    paths: Iterable[str | Path], options: RenderOptions | None = None, workers: int | None = None
) -> Iterator[Inspected | FailedPage]:
    """What each document is: its hash and how many pages it has, in the order of `paths`.

    A document that does not open comes as a `FailedPage` without a page.
    """
    options = options or RenderOptions()
    with WorkerPool(options, workers) as pool:
        yield from pool.map((Inspect(Path(path), options) for path in paths), 2 * pool.workers)


def render_and_check(
    pages: Iterable[PageRef],
    options: RenderOptions | None = None,
    workers: int | None = None,
    ahead: int | None = None,
) -> Iterator[CheckedPage | FailedPage]:
    """Render pages of inspected documents, in their order, and look at their pixels.

    All that happens in the workers; else as `render_documents`.
    """
    options = options or RenderOptions()
    with WorkerPool(options, workers) as pool:
        requests = (RenderChecked(page, options) for page in pages)
        yield from pool.map(requests, ahead or 2 * pool.workers)


def page_requests(
    document: Inspected | FailedPage, options: RenderOptions
) -> Iterator[Render | FailedPage]:
    """A request for each page that was asked for, or the failure that stands in their place."""
    if isinstance(document, FailedPage):
        yield document
        return
    try:
        page_indices = select_pages(document.path, options.pages, document.num_pages)
    except DocumentError as error:
        yield failed_page(document.path, None, error)
        return
    for page_index in page_indices:
        yield Render(PageRef(str(document.path), document.sha256, page_index), options)


class WorkerDied(Exception):
    """The worker ended before it replied. The message says how, and what to do."""


class Worker:
    """A worker process, started when it is first asked, and again after it died."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._starting = threading.Lock()
        self._shared_file = _anonymous_file(canvas_bytes(max_pixels))
        self.shared = mmap.mmap(self._shared_file, canvas_bytes(max_pixels))

    def ask(self, request: Request) -> Reply:
        """Send `request` and wait for the reply.

        Raises:
            WorkerDied: no reply came.
        """
        process = self._running_process()
        try:
            self.send(request, process)
            return pickle.load(process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            process.kill()
            process.wait()
            if process.returncode == -signal.SIGALRM:
                raise WorkerDied(
                    f"took longer than timeout={request.options.timeout:g} seconds; allow it "
                    "more, or leave it out"
                ) from error
            if process.returncode >= 0:  # no document does that
                raise RuntimeError(
                    "a render worker could not run; its traceback is on standard error"
                ) from error
            name = signal.Signals(-process.returncode).name
            raise WorkerDied(
                f"ended the process that rendered it ({name}), as a damaged file or too little "
                "memory does; save the file again with another PDF program, or leave it out"
            ) from error

    def send(self, request: Request, process: subprocess.Popen[bytes]) -> None:
        pickle.dump(request, process.stdin)
        process.stdin.flush()

    def stop(self) -> None:
        """End the process at once, also in the middle of a page; it is not started again."""
        with self._starting:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Free what it holds, after `stop` and when no thread asks it any more."""
        if self._process is not None:
            _bury(self._process)
        self.shared.close()
        os.close(self._shared_file)

    def _running_process(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._stopped:
                raise WorkerDied("was stopped")
            if self._process is None or self._process.poll() is not None:
                if self._process is not None:
                    _bury(self._process)
                self._process = self._start()
            return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        program = (
            "from glmocr_utils.render.worker import main; "
            f"main({self._shared_file}, {self._max_pixels})"
        )
        # The worker finds its modules where this process did, and not in the working directory.
        search_path = os.pathsep.join([str(PACKAGE_PARENT), *filter(None, sys.path)])
        return subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search_path},
            pass_fds=[self._shared_file],
        )


class WorkerPool:
    """Workers, each with a thread that talks to it. Use it as a context manager."""

    def __init__(self, options: RenderOptions, workers: int | None) -> None:
        self.workers = workers or min(_num_cores(), MAX_DEFAULT_WORKERS)
        self._all = [Worker(options.max_pixels) for _ in range(self.workers)]
        self._idle: queue.LifoQueue[Worker] = (
            queue.LifoQueue()
        )  # the last one has the document open
        for worker in self._all:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="render")

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            worker.stop()
        self._threads.shutdown(wait=True)
        for worker in self._all:
            worker.close()

    def map(
        self, requests: Iterable[Request | FailedPage], ahead: int
    ) -> Iterator[Inspected | PageImage | PngPage | CheckedPage | FailedPage]:
        """Answers in the order of `requests`, at most `ahead` of them begun and not yet taken.

        A `FailedPage` among the requests is passed on in its place.
        """
        begun: deque[Future | FailedPage] = deque()
        for request in requests:
            passed_on = isinstance(request, FailedPage)
            begun.append(request if passed_on else self._threads.submit(self._answer, request))
            if len(begun) >= ahead:
                yield _result(begun.popleft())
        while begun:
            yield _result(begun.popleft())

    def _answer(
        self, request: Request
    ) -> Inspected | PageImage | PngPage | CheckedPage | FailedPage:
        worker = self._idle.get()
        try:
            reply = worker.ask(request)
            if isinstance(reply, Raster):
                warn_if_reduced(request.page, reply, request.options)
                return _page_image(request.page, reply, worker)
            if isinstance(reply, CheckedRaster):
                image = _page_image(request.page, reply.raster, worker)
                asked_scale = reply.raster.asked_scale
                return CheckedPage(image, reply.is_blank, reply.runs_sideways, asked_scale)
            if isinstance(reply, PngPage):
                warn_if_reduced(reply.page, reply.raster, request.options)
            return reply
        except WorkerDied as death:
            reason = f"{named(request.path, request.page_index)} {death}"
            return FailedPage(str(request.path), request.page_index, "failed", reason)
        finally:
            self._idle.put(worker)


def _page_image(page: PageRef, raster: Raster, worker: Worker) -> PageImage:
    with memoryview(worker.shared) as shared:
        return PageImage(page, raster.to_image(shared), raster.scale)


def _result(
    begun: "Future | FailedPage",
) -> Inspected | PageImage | PngPage | CheckedPage | FailedPage:
    return begun if isinstance(begun, FailedPage) else begun.result()


def _bury(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that has been killed or died, and close its pipes."""
    process.wait()
    process.stdout.close()
    with suppress(OSError):  # what it did not read any more
        process.stdin.close()


def _anonymous_file(num_bytes: int) -> int:
    """Descriptor of a file without a name, in memory where the system can do that.

    Not `multiprocessing.shared_memory`: its files are lost in /dev/shm when the process is killed,
    and in a container that is often too small.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("glmocr-page")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, num_bytes)
    return descriptor


def _num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
