"""Render in worker processes: pages in order, a few at a time, whatever the documents do.

pdfium is not thread-safe and a hostile PDF can end the process that reads it, so every document
is opened in a worker only, to which a thread of this process talks. That is less than
`concurrent.futures.ProcessPoolExecutor` and gives more: when a worker dies, its thread knows which
page it was on, so that no other page is lost.
"""

import itertools
import os
import queue
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

from PIL import Image

from glmocr_utils.options import RenderOptions
from glmocr_utils.records import FailedPage, OcrResult, PageImage, PageRef
from glmocr_utils.render.documents import select_pages, warn_of
from glmocr_utils.render.errors import DocumentError, failed_page, named
from glmocr_utils.render.raster import Raster
from glmocr_utils.render.worker import (
    CheckedRaster,
    Inspect,
    Inspected,
    PngPage,
    Render,
    RenderChecked,
    Request,
)
from glmocr_utils.render.worker_process import Worker, WorkerDied

MAX_DEFAULT_WORKERS = 8  # more than a GPU that reads the pages can use


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


Answer = Inspected | PageImage | PngPage | CheckedPage | FailedPage
Wanted = TypeVar("Wanted", Inspected, PageImage, PngPage, CheckedPage)


@overload
def render_documents(
    paths: Iterable[str | Path],
    options: RenderOptions | None = None,
    workers: int | None = None,
    ahead: int | None = None,
    known: None = None,
    on_document: Callable[[int], None] | None = None,
) -> Generator[PageImage | FailedPage, None, None]: ...


@overload
def render_documents(
    paths: Iterable[str | Path],
    options: RenderOptions | None = None,
    workers: int | None = None,
    ahead: int | None = None,
    known: Callable[[PageRef], OcrResult | None] | None = None,
    on_document: Callable[[int], None] | None = None,
) -> Generator[PageImage | OcrResult | FailedPage, None, None]: ...


def render_documents(
    paths: Iterable[str | Path],
    options: RenderOptions | None = None,
    workers: int | None = None,
    ahead: int | None = None,
    known: Callable[[PageRef], OcrResult | None] | None = None,
    on_document: Callable[[int], None] | None = None,
) -> Generator[PageImage | OcrResult | FailedPage, None, None]:
    """Render documents in worker processes, in the order of `paths` and of their pages.

    The pages of one document are rendered by all workers. A page or document that cannot be
    rendered becomes a `FailedPage` in its place, also if its worker died or took longer than
    `options.timeout`. Closing the generator stops the workers.

        for page in render_documents(["my.pdf"], RenderOptions(scale=2.0)):
            print(page.reason if isinstance(page, FailedPage) else page.image.size)

    Args:
        paths: PDFs and image files.
        options: how to render; by default at 2 pixels per point.
        workers: number of processes, by default one per CPU core, at most 8.
        ahead: number of pages rendered in advance and kept in memory, by default twice the workers.
            No page is started before there is room for it.
        known: called with each page, in order, before it is rendered; a reading that it returns
            replaces the page, which isn't rendered.
        on_document: called with each document's number of pages, some documents ahead.
    """
    options = options or RenderOptions()
    paths, several = are_several(paths)
    with WorkerPool(options, workers) as pool:
        inspected = pool.map(
            (Inspect(Path(path), options) for path in paths), pool.workers, Inspected
        )
        requests = _of_documents(inspected, options, several, on_document)
        asked = (_known_or(request, known) for request in requests) if known else requests
        yield from pool.map(asked, ahead or 2 * pool.workers, PageImage)


def _of_documents(
    inspected: Iterable[Inspected | FailedPage],
    options: RenderOptions,
    several: bool,
    on_document: Callable[[int], None] | None,
) -> Iterator[Render | FailedPage]:
    for document in inspected:
        requests = list(page_requests(document, options, one_of_many=several))
        if on_document:
            on_document(len(requests))
        yield from requests


def _known_or(
    request: Render | FailedPage, known: Callable[[PageRef], OcrResult | None]
) -> Render | OcrResult | FailedPage:
    return (known(request.page) if isinstance(request, Render) else None) or request


def inspect_documents(
    paths: Iterable[str | Path], options: RenderOptions | None = None, workers: int | None = None
) -> Generator[Inspected | FailedPage, None, None]:
    """What each document is: its hash and how many pages it has, in the order of `paths`.

    A document that does not open comes as a `FailedPage` without a page.
    """
    options = options or RenderOptions()
    with WorkerPool(options, workers) as pool:
        inspects = (Inspect(Path(path), options) for path in paths)
        yield from pool.map(inspects, 2 * pool.workers, Inspected)


def render_and_check(
    pages: Iterable[PageRef],
    options: RenderOptions | None = None,
    workers: int | None = None,
    ahead: int | None = None,
) -> Generator[CheckedPage | FailedPage, None, None]:
    """Render pages of inspected documents, in their order, and look at their pixels.

    All that happens in the workers; else as `render_documents`.
    """
    options = options or RenderOptions()
    with WorkerPool(options, workers) as pool:
        requests = (RenderChecked(page, options) for page in pages)
        yield from pool.map(requests, ahead or 2 * pool.workers, CheckedPage)


def are_several(paths: Iterable[str | Path]) -> tuple[Iterator[str | Path], bool]:
    """The same paths, and whether there is more than one of them."""
    paths = iter(paths)
    first_two = list(itertools.islice(paths, 2))
    return itertools.chain(first_two, paths), len(first_two) > 1


def page_requests(
    document: Inspected | FailedPage, options: RenderOptions, *, one_of_many: bool = False
) -> Iterator[Render | FailedPage]:
    """A request for each page that was asked for, or the failure in their place."""
    if isinstance(document, FailedPage):
        yield document
        return
    try:
        page_indices = select_pages(
            document.path, options.pages, document.num_pages, one_of_many=one_of_many
        )
    except DocumentError as error:
        yield failed_page(document.path, None, error)
        return
    for page_index in page_indices:
        yield Render(PageRef(str(document.path), document.sha256, page_index), options)


class WorkerPool:
    """Workers, each with a thread that talks to it. Use it as a context manager."""

    def __init__(self, options: RenderOptions, workers: int | None) -> None:
        self.workers = workers or min(_num_cores(), MAX_DEFAULT_WORKERS)
        # Pillow is to keep the memory of so many images for the next ones: having Linux clear fresh
        # memory for each costs a fifth of the pages a second.
        Image.core.set_blocks_max(max(self.workers, Image.core.get_blocks_max()))
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

    @overload
    def map(
        self, requests: Iterable[Request | FailedPage], ahead: int, kind: type[Wanted]
    ) -> Iterator[Wanted | FailedPage]: ...

    @overload
    def map(
        self, requests: Iterable[Request | OcrResult | FailedPage], ahead: int, kind: type[Wanted]
    ) -> Iterator[Wanted | OcrResult | FailedPage]: ...

    def map(
        self, requests: Iterable[Request | OcrResult | FailedPage], ahead: int, kind: type[Wanted]
    ) -> Iterator[Wanted | OcrResult | FailedPage]:
        """Answers in the order of `requests`, at most `ahead` of them begun and not yet taken.

        A reading or a `FailedPage` among the requests is passed on in its place.

        Args:
            kind: of the answers to these requests.
        """
        begun: deque[Future[Answer] | OcrResult | FailedPage] = deque()
        for request in requests:
            if isinstance(request, (OcrResult, FailedPage)):
                begun.append(request)
            else:
                begun.append(self._threads.submit(self._answer, request))
            if len(begun) >= ahead:
                yield _result(begun.popleft(), kind)
        while begun:
            yield _result(begun.popleft(), kind)

    def _answer(self, request: Request) -> Answer:
        worker = self._idle.get()
        try:
            reply = worker.ask(request)
            if isinstance(reply, Raster) and isinstance(request, Render):
                warn_of(request.page, reply, request.options)
                return _page_image(request.page, reply, worker)
            if isinstance(reply, CheckedRaster) and isinstance(request, Render):
                image = _page_image(request.page, reply.raster, worker)
                asked_scale = reply.raster.asked_scale
                return CheckedPage(image, reply.is_blank, reply.runs_sideways, asked_scale)
            if isinstance(reply, PngPage):
                warn_of(reply.page, reply.raster, request.options)
            if isinstance(reply, (Inspected, PngPage, FailedPage)):
                return reply
            raise TypeError(f"{type(reply).__name__} isn't an answer to a {type(request).__name__}")
        except WorkerDied as death:
            reason = f"{named(request.path, request.page_index)} {death}"
            return FailedPage(str(request.path), request.page_index, "failed", reason)
        finally:
            self._idle.put(worker)


def _page_image(page: PageRef, raster: Raster, worker: Worker) -> PageImage:
    with memoryview(worker.shared) as shared:
        return raster.to_page(page, shared)


def _result(
    begun: Future[Answer] | OcrResult | FailedPage, kind: type[Wanted]
) -> Wanted | OcrResult | FailedPage:
    if not isinstance(begun, Future):
        return begun
    answer = begun.result()
    if isinstance(answer, (kind, FailedPage)):
        return answer
    raise TypeError(f"a worker answered with a {type(answer).__name__}, not a {kind.__name__}")


def _num_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
