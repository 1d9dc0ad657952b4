"""Documents → text files: rendering ahead in processes, reading in batches, one file a document."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from glmocr_utils.decoding import NotFiniteError
from glmocr_utils.model import LoadedModel
from glmocr_utils.model.source import first_line
from glmocr_utils.ocr.pages import is_out_of_memory, read_pages
from glmocr_utils.records import (
    FailedPage,
    OcrResult,
    PageImage,
    read_results,
    write_results,
)
from glmocr_utils.render import (
    SAMPLES,
    RenderOptions,
    input_documents,
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
    if isinstance(error, NotFiniteError):
        why = str(error)
    elif is_out_of_memory(error):
        why = f"memory ran out ({first_line(error)}); lower batch_size, scale or max_tokens"
    else:
        why = f"the model does not take it ({first_line(error)}); cut it or change scale"
    reason = f"{ref.document_path}, page {ref.page_number}: {why}"
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
