"""Documents → text files: rendering ahead in processes, reading in batches, one file a document."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import FailedPage, OcrResult, PageImage, write_results
from glmocr_utils.render import RenderOptions, find_documents, render_documents, safe_stem

PAGE_BREAK = "\f"  # between the pages of a text file, as pdftotext writes it


def default_input(input_path: str | Path | None) -> Path:
    """`input_path`, or the first PDF under `data/` when there is none.

    Raises:
        FileNotFoundError: no path was given and there is no PDF under `data/`.
    """
    if input_path is not None:
        return Path(input_path)
    pdfs = [path for path in find_documents("data") if path.suffix.lower() == ".pdf"]
    if not pdfs:
        raise FileNotFoundError("no PDF under data/; put one there or name an input_path")
    return pdfs[0]


def read_documents(
    model: LoadedModel,
    paths: Iterable[str | Path],
    output_dir: str | Path | None = None,
    *,
    options: RenderOptions | None = None,
    **read_options: object,
) -> Iterator[OcrResult | FailedPage]:
    """Read documents page by page, in their order; a document that fails does not stop the others.

    Args:
        output_dir: gets `{name}.jsonl`, one `OcrResult` a line, and `{name}.txt`, pages parted by
            form feeds, for each document as soon as its last page is read. None writes nothing.
        options: how pages are rendered, and which.
        read_options: those of `ocr.read_pages`: prompt, max_tokens, batch_size, top_k.

    Yields:
        What was read, and each page or document that could not be rendered as a `FailedPage`.
    """
    failed: list[FailedPage] = []
    results = read_pages(model, _rendered(render_documents(paths, options), failed), **read_options)
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


class _DocumentFiles:
    """Collects the pages of one document at a time and writes its files when it is complete."""

    def __init__(self, output_dir: Path) -> None:
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
        if self._document_of_name.setdefault(name.casefold(), page.document_path) != (
            page.document_path
        ):
            name = f"{name}_{page.document_sha256[:8]}"
        write_results(self._pages, self._output_dir / f"{name}.jsonl")
        text = PAGE_BREAK.join(result.text for result in self._pages)
        (self._output_dir / f"{name}.txt").write_text(text, encoding="utf-8")
        self._pages = []
