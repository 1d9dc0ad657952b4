"""Documents → text files: rendering ahead in processes, reading in batches, one file a document."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from glmocr_utils.model import LoadedModel
from glmocr_utils.model.source import first_line
from glmocr_utils.ocr import is_out_of_memory, read_pages
from glmocr_utils.records import (
    FailedPage,
    OcrResult,
    PageImage,
    PageRef,
    read_results,
    write_results,
)
from glmocr_utils.records.page_row import parts_of, read_rows, to_result
from glmocr_utils.render import (
    SAMPLES,
    RenderOptions,
    input_documents,
    render_document,
    render_documents,
    safe_stem,
)

FIRST_SAMPLE = SAMPLES / "decision.pdf"
PAGE_BREAK = "\f"  # between the pages of a text file, as pdftotext writes it


def default_input(input_path: str | Path | None) -> Path:
    """`input_path`; without one the first PDF under `data/`, or a sample if there is no other.

    Raises:
        FileNotFoundError: no path was given and there is no PDF under `data/`.
    """
    if input_path is not None:
        return Path(input_path)
    pdfs = [path for path in input_documents(None) if path.suffix.lower() == ".pdf"]
    if not pdfs:
        raise FileNotFoundError("no PDF under data/; put one there or name an input_path")
    return FIRST_SAMPLE if FIRST_SAMPLE in pdfs else pdfs[0]


def read_documents(
    model: LoadedModel,
    paths: Iterable[str | Path],
    output_dir: str | Path | None = None,
    *,
    options: RenderOptions | None = None,
    **read_options: object,
) -> Iterator[OcrResult | FailedPage]:
    """Read documents page by page, in their order; what fails does not stop the others.

    Only a step that fails for all pages under way, for lack of memory say, ends it.

    Args:
        output_dir: gets `{name}.jsonl`, one `OcrResult` a line, and `{name}.txt`, pages parted by
            form feeds, for each document as soon as its last page is read. None writes nothing.
        options: how pages are rendered, and which.
        read_options: those of `ocr.read_pages`: prompt, max_tokens, batch_size, top_k.

    Yields:
        What was read, and each page or document that could not be rendered, or not be given to
        the model, as a `FailedPage`.
    """
    failed: list[FailedPage] = []

    def fail(page: PageImage, error: Exception) -> None:
        failed.append(_failed_page(page, error))

    pages = _rendered(render_documents(paths, options), failed)
    results = read_pages(model, pages, on_failure=fail, **read_options)
    files = None if output_dir is None else _DocumentFiles(Path(output_dir))
    for result in results:
        while failed:
            yield failed.pop(0)
        if files:
            files.add(result)
        yield result
    yield from failed
    if files:
        files.close()


def load_results(path: str | Path) -> list[OcrResult]:
    """What was read before: one `.jsonl` file, all of a folder, or the run of notebook 06.

    Of a run come the pages that have text with probabilities, in the order of their documents.

    Raises:
        FileNotFoundError: there is no such file, or none in the folder.
    """
    path = Path(path)
    if parts_of(path):
        run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        results = [to_result(row, run) for row in read_rows(path)]
        return sorted(
            filter(None, results),
            key=lambda result: (result.page.document_path, result.page.page_index),
        )
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise FileNotFoundError(
            f"no results at {path}; notebook 02 writes .jsonl files, and notebook 06 a run's folder"
        )
    return [result for file in files for result in read_results(file)]


class PageImages(Mapping[PageRef, PageImage]):
    """The images of pages as they were read, rendered (and turned) again when asked for.

    One image is kept. Pages asked for in order are rendered in one go, which ends with the last
    page of their document; a page whose document is gone has no image (`get` gives None).

    Args:
        results: the pages; each is rendered at the scale at which it was read.
        password: opens encrypted PDFs.
    """

    def __init__(self, results: Sequence[OcrResult], password: str | None = None) -> None:
        self._scales = {result.page: result.scale for result in results}
        self._angles = {result.page: result.angle for result in results}
        self._last_index: dict[str, int] = {}
        for page in self._scales:
            so_far = self._last_index.get(page.document_path, 0)
            self._last_index[page.document_path] = max(so_far, page.page_index)
        self._password = password
        self._coming: Iterator[PageImage | FailedPage] = iter(())
        self._last: PageImage | None = None

    def __getitem__(self, page: PageRef) -> PageImage:
        scale = self._scales[page]
        if self._last is None or self._last.page != page:
            follows = self._last and (page.document_path, page.page_index - 1) == (
                self._last.page.document_path,
                self._last.page.page_index,
            )
            if not follows or self._last.scale != scale:
                options = RenderOptions(scale, f"{page.page_number}-", self._password)
                self._coming = render_document(page.document_path, options)
            self._last = None
            image = next(self._coming, None)
            if not isinstance(image, PageImage) or image.page != page:
                raise KeyError(page)
            self._last = image.turned(self._angles[page])
            if page.page_index == self._last_index[page.document_path]:
                self._coming.close()
        return self._last

    def __iter__(self) -> Iterator[PageRef]:
        return iter(self._scales)

    def __len__(self) -> int:
        return len(self._scales)


def _rendered(
    pages: Iterable[PageImage | FailedPage], failed: list[FailedPage]
) -> Iterator[PageImage]:
    """The page images; what failed goes to `failed`."""
    for page in pages:
        if isinstance(page, FailedPage):
            failed.append(page)
        else:
            yield page


def _failed_page(page: PageImage, error: Exception) -> FailedPage:
    ref = page.page
    memory_ran_out = is_out_of_memory(error)
    why = "memory ran out" if memory_ran_out else "the model does not take it"
    advice = "lower batch_size, scale or max_tokens" if memory_ran_out else "cut it or change scale"
    reason = f"{ref.document_path}, page {ref.page_number}: {why} ({first_line(error)}); {advice}"
    return FailedPage(ref.document_path, ref.page_index, "failed", reason)


class _DocumentFiles:
    """Collects the pages of one document at a time and writes its files when it is complete."""

    def __init__(self, output_dir: Path) -> None:
        output_dir.mkdir(parents=True, exist_ok=True)
        self._output_dir = output_dir
        self._pages: list[OcrResult] = []
        self._document_of_name: dict[str, str] = {}

    def add(self, result: OcrResult) -> None:
        if self._pages and self._pages[0].page.document_path != result.page.document_path:
            self.close()
        self._pages.append(result)

    def close(self) -> None:
        if not self._pages:
            return
        page = self._pages[0].page
        name = safe_stem(page.document_path)
        if self._owner(name) not in (None, page.document_path):
            name = f"{name}_{page.document_sha256[:8]}"
        self._document_of_name[name.casefold()] = page.document_path
        write_results(self._pages, self._output_dir / f"{name}.jsonl")
        text = PAGE_BREAK.join(result.text for result in self._pages)
        (self._output_dir / f"{name}.txt").write_text(text, encoding="utf-8")
        self._pages = []

    def _owner(self, name: str) -> str | None:
        """The document whose files have this name, from this run or an earlier one."""
        written = self._output_dir / f"{name}.jsonl"
        if name.casefold() not in self._document_of_name and written.exists():
            return next(read_results(written)).page.document_path
        return self._document_of_name.get(name.casefold())
