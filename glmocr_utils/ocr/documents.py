"""Documents → readings: rendering ahead in processes, reading in batches, kept page by page."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from glmocr_utils.decoding import NotFiniteError
from glmocr_utils.model import LoadedModel
from glmocr_utils.model.source import first_line
from glmocr_utils.ocr.by_region import NO_LAYOUT, ByRegion
from glmocr_utils.ocr.failures import is_out_of_memory
from glmocr_utils.ocr.pages import read_pages
from glmocr_utils.ocr.progress import ReadingProgress, Watch
from glmocr_utils.ocr.reading_files import ReadingFiles, reading_settings
from glmocr_utils.options import ReadingOptions
from glmocr_utils.prompt import PromptStyle
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
    prompt: str = ReadingOptions.prompt,
    style: PromptStyle | None = None,
    max_tokens: int = ReadingOptions.max_tokens,
    batch_size: int = ReadingOptions.batch_size,
    top_k: int = ReadingOptions.top_k,
    by_region: ByRegion | None = None,
    watch: Watch | None = None,
) -> Iterator[OcrResult | FailedPage]:
    """Read documents page by page; a failure does not stop the others.

    Pages that `output_dir` already contains, read with the same settings, are taken from there, so
    an interrupted reading resumes. Only a step that fails for all pages in flight ends it, for
    example for lack of memory.

        for page in read_documents(model, ["my.pdf"], "outputs/mine", batch_size=4):
            print(page.reason if isinstance(page, FailedPage) else page.text)

    Args:
        paths: PDFs and image files.
        output_dir: gets `{name}.jsonl`, one `OcrResult` per line, each as soon as its page is read,
            and `{name}.txt`, pages separated by form feeds, once all requested pages of the
            document are read. By regions, also `{name}.md` and the pictures that it links, in
            `{name}_pictures/`. None writes nothing and reads all.
        options: which pages are rendered, and how.
        roots: the folders of documents below them are kept in `output_dir`.
        start_over: read documents in `output_dir` again and replace their results.
        prompt, style, max_tokens, batch_size, top_k, by_region, watch: as in `read_pages`.

    Yields:
        In the order of documents and their pages: an `OcrResult` for each reading, and a
        `FailedPage` for each page or document that could not be rendered or given to the model.

    Raises:
        ValueError: `output_dir` contains one of the documents, read with other settings, and
            `start_over` is False.
    """
    options = options or RenderOptions()
    documents = [Path(path) for path in dict.fromkeys(map(str, paths))]
    files = None
    if output_dir is not None:
        settings = reading_settings(
            model,
            options.scale,
            prompt=prompt,
            prompt_style=style or model.prompt_style,
            max_tokens=max_tokens,
            top_k=top_k,
            layout=by_region.settings() if by_region else NO_LAYOUT,
        )
        files = ReadingFiles(Path(output_dir), documents, settings, roots, start_over)
    in_order = _InOrder(files)
    counts: list[int] = []  # pages of each document, as far as they are known

    def with_total(progress: ReadingProgress) -> None:
        assert watch is not None
        mean = sum(counts) / max(1, len(counts))
        total = sum(counts) + round(mean * (len(documents) - len(counts)))
        watch(replace(progress, done=progress.done + in_order.num_passed, pages=total))

    rendered = render_documents(
        documents, options, known=files.find if files else None, on_document=counts.append
    )
    pages = in_order.to_read(rendered)
    reading = read_pages(
        model,
        pages,
        prompt=prompt,
        style=style,
        max_tokens=max_tokens,
        batch_size=batch_size,
        top_k=top_k,
        by_region=by_region,
        on_failure=in_order.fail,
        on_read=files.add if files else None,
        watch=with_total if watch else None,
    )
    try:
        with closing(reading):
            for result in reading:
                in_order.put(result)
                yield from in_order.ready()
        yield from in_order.ready()
    finally:
        if files:
            files.close()


# A document's path and the index of its page; None where the document could not be opened. It isn't
# `PageRef.key`, for two copies of a document are read, and written, one by one.
_Asked = tuple[str, int | None]


def _asked(page: PageRef | FailedPage) -> _Asked:
    return page.document_path, page.page_index


class _InOrder:
    """Gives what became of each page in the order in which pages were asked for.

    `to_read` runs in the thread that renders ahead, all else in the caller's.

    Args:
        files: of the documents, finished one by one; None where none are written.
    """

    def __init__(self, files: ReadingFiles | None) -> None:
        self._files = files
        self._order: deque[_Asked] = deque()
        self._found: dict[_Asked, OcrResult | FailedPage] = {}
        self._document: str | None = None
        self.num_passed = 0  # pages that failed before they were read, or were read before

    def to_read(
        self, rendered: Iterable[PageImage | OcrResult | FailedPage]
    ) -> Iterator[PageImage]:
        """The page images; what failed, or was read before, is noted in its place."""
        for each in rendered:
            if isinstance(each, PageImage):
                self._order.append(_asked(each.page))
                yield each
            else:
                asked = _asked(each if isinstance(each, FailedPage) else each.page)
                self._found[asked] = each
                self._order.append(asked)
                self.num_passed += 1

    def put(self, result: OcrResult) -> None:
        """Note what was read."""
        self._found[_asked(result.page)] = result

    def fail(self, page: PageImage, error: Exception) -> None:
        """Note that a page could not be given to the model."""
        self._found[_asked(page.page)] = _failed_page(page, error)

    def ready(self) -> Iterator[OcrResult | FailedPage]:
        """What can be given now; a document's text is written when the next one begins."""
        while self._order and self._order[0] in self._found:
            document, _ = asked = self._order.popleft()
            if self._files and self._document not in (None, document):
                self._files.finish(self._document)
            self._document = document
            yield self._found.pop(asked)


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
