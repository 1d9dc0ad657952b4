"""Render a collection, or a random sample of its pages, into an imagefolder that can grow."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from glmocr_utils.options import RenderOptions
from glmocr_utils.records import FailedPage
from glmocr_utils.render.imagefolder import ImageFolder, RenderSummary
from glmocr_utils.render.pool import WorkerPool, are_several, page_requests
from glmocr_utils.render.worker import Inspect, Inspected, PngPage, RenderPng

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Collection:
    """What there is to render.

    Attributes:
        pages: requests for the pages that were asked for, in document and page order.
        failed: documents that cannot be opened.
        duplicates: documents left out because an earlier one has the same bytes.
        incomplete: what rendered pages lack, a sentence for each such page.
    """

    pages: list[RenderPng] = field(default_factory=list)
    failed: list[FailedPage] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def render_to_imagefolder(
    paths: Iterable[str | Path],
    output_dir: str | Path,
    options: RenderOptions | None = None,
    num_pages: int | None = None,
    seed: int = 42,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RenderSummary:
    """Render documents into an imagefolder; a rerun renders only the pages that are missing.

    Args:
        paths: PDFs and image files, as `find_documents` gives them.
        output_dir: the imagefolder, made when it is missing.
        options: how to render, and which pages of each document.
        num_pages: number of pages that the folder is to hold in the end, a random sample over all
            documents; None for all pages. A larger number keeps the pages chosen for a smaller
            one. A page that cannot be rendered is replaced by the next in the sample.
        seed: of the sample. The same seed and documents give the same pages.
        workers: processes, as in `render_documents`.
        progress: called after each page with the pages added so far and the pages to add.

    Raises:
        ValueError: the folder contains pages that were rendered at another scale or pixel budget.
    """
    if num_pages is not None and num_pages < 1:
        raise ValueError(
            f"num_pages must be at least 1, got {num_pages}; leave it out for all pages"
        )
    options = options or RenderOptions()
    folder = ImageFolder(Path(output_dir))
    folder.claim(options)
    already_there = len(folder)
    with WorkerPool(options, workers) as pool:
        collection = _inspect(paths, options, pool)
        for request in collection.pages:
            folder.name_document(request.page)
        missing = [page for page in collection.pages if folder.scale_of(page.page) is None]
        wanted = len(missing)
        if num_pages is not None:
            missing.sort(key=lambda request: _sample_key(seed, request))
            wanted = min(wanted, max(0, num_pages - already_there))
        failed = list(_render(collection, missing, wanted, folder, pool, progress))
    shortfall = max(0, num_pages - len(folder)) if num_pages is not None else 0
    if shortfall:
        logger.warning(
            "%d pages were asked for, but the documents have only %d that can be rendered; "
            "all of them are taken",
            num_pages,
            len(folder),
        )
    return RenderSummary(
        written=len(folder) - already_there,
        already_there=already_there,
        failed=(*collection.failed, *failed),
        duplicates=tuple(collection.duplicates),
        shortfall=shortfall,
        incomplete=tuple(collection.incomplete),
    )


def _inspect(paths: Iterable[str | Path], options: RenderOptions, pool: WorkerPool) -> Collection:
    collection = Collection()
    first_path: dict[str, Path] = {}  # by document_sha256
    paths, several = are_several(paths)
    inspects = (Inspect(Path(path), options) for path in paths)
    for document in pool.map(inspects, 2 * pool.workers, Inspected):
        if not isinstance(document, FailedPage):
            if document.sha256 in first_path:
                logger.info("%s equals %s", document.path, first_path[document.sha256])
                collection.duplicates.append(str(document.path))
                continue
            first_path[document.sha256] = document.path
        for request in page_requests(document, options, one_of_many=several):
            if isinstance(request, FailedPage):
                collection.failed.append(request)
            else:
                collection.pages.append(RenderPng(request.page, options))
    return collection


def _sample_key(seed: int, request: RenderPng) -> bytes:
    """Orders pages at random, each by itself, so that a larger sample contains a smaller one."""
    page = request.page
    return hashlib.sha256(f"{seed} {page.document_key} {page.page_index}".encode()).digest()


def _render(
    collection: Collection,
    missing: list[RenderPng],
    wanted: int,
    folder: ImageFolder,
    pool: WorkerPool,
    progress: Callable[[int, int], None] | None,
) -> Iterator[FailedPage]:
    """Add the first `wanted` of `missing`, and further ones in place of those that fail."""
    begun = done = 0
    while done < wanted and begun < len(missing):
        chosen = {request.page for request in missing[begun : begun + wanted - done]}
        begun += len(chosen)
        # In document order, so that each worker opens a document once.
        requests = [request for request in collection.pages if request.page in chosen]
        for page in pool.map(requests, 2 * pool.workers, PngPage):
            if isinstance(page, PngPage):
                raster = page.raster
                folder.add(page.page, raster.scale, page.png, raster.missing)
                collection.incomplete += [raster.missing] if raster.missing else []
                done += 1
            else:
                yield page
            if progress is not None:
                progress(done, wanted)
