"""One self-contained HTML file per document."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from glmocr_utils.confidence import Calibration, WordRisk, summarize
from glmocr_utils.display.escape import escape
from glmocr_utils.display.fragment import style
from glmocr_utils.display.page import page_html
from glmocr_utils.display.tables import ranking_html, worst_tokens_html
from glmocr_utils.files import write_file
from glmocr_utils.ocr.progress import counting
from glmocr_utils.options import ReviewOptions
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef
from glmocr_utils.render import safe_stem

# Should anything hostile ever slip through: a browser runs no script here and fetches nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document_html(
    results: Sequence[OcrResult],
    images: Mapping[PageRef, PageImage] | None = None,
    *,
    worst_n: int = ReviewOptions.worst_n,
    context_tokens: int = ReviewOptions.context_tokens,
    calibration: Calibration | None = None,
    layouts: Mapping[PageRef, PageLayout] | None = None,
    risk: WordRisk | None = None,
    on_page: Callable[[], object] | None = None,
) -> str:
    """A whole document: its pages ranked, its least sure tokens, and each page.

    Args:
        results: the document's pages, in order; at least one.
        images: page images by page; pages without one show their text alone.
        layouts: positions of the tokens, of the pages for which they are known.
        risk: of words, which ranks pages and words.
        on_page: called before each page is drawn.
    """
    name = escape(results[0].page.document_name)
    summary = summarize(token for result in results for token in result.tokens)
    numbers = f"{len(results)} pages, {summary.num_tokens} tokens"
    if summary.num_tokens:
        numbers += f", average probability {summary.average:.4f}, minimum {summary.minimum:.4f}"
    pages = []
    for result in results:
        if on_page:
            on_page()
        image, layout = (images or {}).get(result.page), (layouts or {}).get(result.page)
        pages.append(page_html(result, image, calibration, layout))
    return page_shell(
        results[0].page.document_name,
        f"<h1>{name}</h1><p>{numbers}. Read by {escape(results[0].model_id)}. Darker is less sure; "
        "red, bold and underlined is a probability below 0.5.</p>"
        f"<h2>Where to look first</h2>"
        f"{ranking_html(results, calibration, risk)}"
        "<h2>The least sure tokens</h2>"
        f"{worst_tokens_html(results, worst_n, context_tokens, risk)}"
        f"<h2>Pages</h2>{''.join(pages)}",
    )


def page_shell(title: str, body: str) -> str:
    """A whole HTML file around a body: it runs no script and fetches nothing."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>{style()}</head>"
        f'<body><main class="glmocr">{body}</main></body></html>'
    )


def write_documents(
    results: Sequence[OcrResult],
    folder: str | Path,
    *,
    images: Mapping[PageRef, PageImage] | None = None,
    worst_n: int = ReviewOptions.worst_n,
    context_tokens: int = ReviewOptions.context_tokens,
    calibration: Calibration | None = None,
    layouts: Mapping[PageRef, PageLayout] | None = None,
    risk: WordRisk | None = None,
) -> list[Path]:
    """Write one file a document into `folder`, each complete or not at all.

    A file is named after its document; of two documents with one name the second gets a part of
    its hash as well.

    Args:
        results: pages; those of a document follow each other.
        images, worst_n, context_tokens, calibration, layouts, risk: as in `document_html`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    counted = counting(results, "pages written as HTML")
    for document, pages in groupby(results, key=lambda result: result.page.document_path):
        of_document = list(pages)
        name = safe_stem(document)
        if any(file.stem.casefold() == name.casefold() for file in files):
            name = f"{name}_{of_document[0].page.document_key[:8]}"
        html = document_html(
            of_document,
            images,
            worst_n=worst_n,
            context_tokens=context_tokens,
            calibration=calibration,
            layouts=layouts,
            risk=risk,
            on_page=partial(next, counted, None),
        )
        files.append(write_file(folder / f"{name}.html", html, durable=False))
    next(counted, None)  # shows that the last one is done
    return files
