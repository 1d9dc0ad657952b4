"""Documents → readings: rendering ahead in processes, reading in batches, kept page by page."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from glmocr_utils.decoding import NotFiniteError
from glmocr_utils.model import LoadedModel
from glmocr_utils.model.source import first_line
from glmocr_utils.ocr.by_region import NO_LAYOUT, ByRegion
from glmocr_utils.ocr.failures import is_out_of_memory
from glmocr_utils.ocr.pages import read_pages
from glmocr_utils.ocr.reading_files import ReadingFiles, reading_settings
from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle
from glmocr_utils.records import FailedPage, OcrResult, PageImage, PageRef
from glmocr_utils.render import (
    SAMPLES,
    RenderOptions,
    input_documents,
    render_documents,
)

FIRST_SAMPLE = SAMPLES / "decision.pdf"


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
    roots: Iterable[Path] = (),
    start_over: bool = False,
    **read_options: object,
) -> Iterator[OcrResult | FailedPage]:
    """Read documents page by page, in their order; what fails does not stop the others.

    Pages that are in `output_dir` already, read with the same settings, are taken from there: a
    reading that was interrupted resumes. Only a step that fails for all pages under way, for lack
    of memory say, ends it.

    Args:
        output_dir: gets `{name}.jsonl`, one `OcrResult` a line, each as soon as its page is read,
            and `{name}.txt`, pages separated by form feeds, once all pages of the document that
            were asked for are in. By regions, also `{name}.md` and the pictures that it links, in
            `{name}_pictures/`. None writes nothing and reads all.
        options: how pages are rendered, and which.
        roots: the folders of documents below them are kept in `output_dir`.
        start_over: read again what is in `output_dir`, and replace it.
        read_options: those of `ocr.read_pages`: prompt, style, max_tokens, batch_size, top_k,
            by_region.

    Yields:
        What was read, and each page or document that could not be rendered, or not be given to
        the model, as a `FailedPage`.

    Raises:
        ValueError: `output_dir` has one of the documents, read with other settings, and
            `start_over` is False.
    """
    options = options or RenderOptions()
    paths = [Path(path) for path in dict.fromkeys(map(str, paths))]
    files = None
    if output_dir is not None:
        settings = _settings(model, options, **read_options)
        files = ReadingFiles(Path(output_dir), paths, settings, roots, start_over)
    in_order = _InOrder(files)
    rendered = render_documents(paths, options, skip=in_order.expect)
    pages = in_order.without_failed(rendered)
    keep = files and files.add
    reading = read_pages(model, pages, on_failure=in_order.fail, on_read=keep, **read_options)
    try:
        with closing(reading):
            for result in reading:
                in_order.put(result)
                yield from in_order.ready()
        yield from in_order.ready()
    finally:
        if files:
            files.close()


def _settings(
    model: LoadedModel,
    options: RenderOptions,
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    max_tokens: int = 2048,
    top_k: int = 5,
    batch_size: int = 1,  # the text does not depend on it
    by_region: ByRegion | None = None,
) -> dict[str, object]:
    style = style or model.prompt_style
    others = {"prompt": prompt, "prompt_style": style, "max_tokens": max_tokens, "top_k": top_k}
    others |= by_region.settings() if by_region else NO_LAYOUT
    return reading_settings(model, options.scale, **others)


class _InOrder:
    """Gives what became of each page in the order in which pages were asked for.

    `expect` and `without_failed` run in the thread that renders ahead, all else in the caller's.

    Args:
        files: have the pages that were read before; None where none are kept.
    """

    def __init__(self, files: ReadingFiles | None) -> None:
        self._files = files
        self._asked: deque[tuple[str, int]] = deque()
        self._found: dict[tuple[str, int], OcrResult | FailedPage] = {}
        self._unopened: deque[FailedPage] = deque()  # documents: they have no page to wait for
        self._document: str | None = None

    def expect(self, page: PageRef) -> bool:
        """Note that a page is asked for. Returns whether it was read before."""
        before = self._files and self._files.find(page)
        if before:
            self.put(before)
        self._asked.append(_place(page))
        return before is not None

    def without_failed(self, pages: Iterable[PageImage | FailedPage]) -> Iterator[PageImage]:
        """The page images; what failed is noted."""
        for page in pages:
            if isinstance(page, PageImage):
                yield page
            elif page.page_index is None:
                self._unopened.append(page)
            else:
                self._found[page.document_path, page.page_index] = page

    def put(self, result: OcrResult) -> None:
        """Note what was read."""
        self._found[_place(result.page)] = result

    def fail(self, page: PageImage, error: Exception) -> None:
        """Note that a page could not be given to the model."""
        self._found[_place(page.page)] = _failed_page(page, error)

    def ready(self) -> Iterator[OcrResult | FailedPage]:
        """What can be given now; a document's text is written when the next one begins."""
        while self._unopened:
            yield self._unopened.popleft()
        while self._asked and self._asked[0] in self._found:
            document, _ = place = self._asked.popleft()
            if self._files and self._document not in (None, document):
                self._files.finish(self._document)
            self._document = document
            yield self._found.pop(place)


def _place(page: PageRef) -> tuple[str, int]:
    return page.document_path, page.page_index


def _failed_page(page: PageImage, error: Exception) -> FailedPage:
    ref = page.page
    if isinstance(error, NotFiniteError):
        why = str(error)
    elif is_out_of_memory(error):
        why = f"memory ran out ({first_line(error)}); lower batch_size, scale or max_tokens"
    else:
        why = f"the model does not take it ({first_line(error)}); cut it or change scale"
    reason = f"{ref.document_path}, page {ref.page_number}: {why}"
    return FailedPage(ref.document_path, ref.page_index, "failed", reason)
