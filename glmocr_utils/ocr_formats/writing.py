"""Readings → files with the boxes of their words, for each document and format."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path

import pikepdf

from glmocr_utils.files import write_file
from glmocr_utils.grounding import Locator
from glmocr_utils.ocr.reading_files import PAGE_BREAK
from glmocr_utils.ocr_formats.alto import alto
from glmocr_utils.ocr_formats.docling import check_docling, docling_json
from glmocr_utils.ocr_formats.hocr import hocr
from glmocr_utils.ocr_formats.overlaid_pdf import OverlaidPdf
from glmocr_utils.ocr_formats.page_xml import page_xml
from glmocr_utils.ocr_formats.searchable_pdf import SearchablePdf
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef
from glmocr_utils.render import safe_stem

Placed = Sequence[tuple[OcrResult, PageLayout]]  # pages of one document
# Formats of one file a document, and the ends of their names.
SUFFIXES = {
    "hocr": ".hocr",
    "alto": ".alto.xml",
    "pdf": ".searchable.pdf",
    "docling": ".docling.json",
}
# Formats of one file a page, in a folder of the document; they name the page's image.
PAGE_SUFFIXES = {"alto-pages": ".alto", "page": ".page"}
FORMATS = (*SUFFIXES, *PAGE_SUFFIXES, "txt")
logger = logging.getLogger(__name__)


def check_formats(formats: str | None) -> tuple[str, ...]:
    """`hocr,alto` → the formats, in their order; none for None.

    Raises:
        ValueError: there is no such format.
        ModuleNotFoundError: `docling` is wanted, and docling-core isn't installed.
    """
    wanted = [name.strip() for name in (formats or "").split(",") if name.strip()]
    if strange := [name for name in wanted if name not in FORMATS]:
        raise ValueError(
            f"formats is some of {', '.join(FORMATS)}, with commas; got {strange[0]!r}"
        )
    if "docling" in wanted:
        check_docling()
    return tuple(dict.fromkeys(wanted))


def needs_boxes(formats: Sequence[str]) -> bool:
    """Whether one of these formats has boxes, so that the model has to locate the words."""
    return any(form != "txt" for form in formats)


def export_layouts(
    locator: Locator | None,
    results: Sequence[OcrResult],
    images: Mapping[PageRef, PageImage],
    output_dir: str | Path,
    formats: Sequence[str],
    *,
    texts: Mapping[PageRef, str] | None = None,
    password: str | None = None,
    batch_size: int = 1,
) -> Iterator[Path]:
    """Locate the words of read pages and write them, document by document.

    Args:
        locator: None where no format `needs_boxes`.
        results: pages; those of a document follow each other.
        images: of the pages; a page without one is only in `txt`.
        formats: some of `FORMATS`.
        texts: what pages say after a person corrected them; of the others, what was read.
        password: opens encrypted PDFs.

    Yields:
        Each file when it is complete: `{document}.hocr`, `.alto.xml`, `.searchable.pdf`,
        `.docling.json`, `.txt`, and for `alto-pages` and `page` a file for each page:
        `{document}.alto/{image}.xml` and `{document}.page/{image}.xml`, named as the page's image,
        see `image_name`.

    Raises:
        ValueError: a PDF is encrypted and `password` does not open it.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    texts = texts or {}
    taken: set[str] = set()
    for document, of_document in groupby(results, key=lambda result: result.page.document_path):
        read = list(of_document)
        pdf = _pdf_of(document, read, texts, password) if "pdf" in formats else None
        placed: list[tuple[OcrResult, PageLayout]] = []
        for result, layout, image in _placed(locator, read, images, batch_size):
            placed.append((result, layout))
            if pdf:
                pdf.add(result, layout, image)
        name = safe_stem(document)
        if name.casefold() in taken:
            name = f"{name}_{read[0].page.document_key[:8]}"
        taken.add(name.casefold())
        # notebook 02 has written its own text beside its readings
        is_there = not texts and (folder / f"{name}.jsonl").exists()
        if "txt" in formats and not is_there:
            said = PAGE_BREAK.join(texts.get(result.page, result.text) for result in read)
            yield write_file(folder / f"{name}.txt", said, durable=False)
        for form in formats if placed else ():
            if form in PAGE_SUFFIXES:
                directory = folder / (name + PAGE_SUFFIXES[form])
                yield from _write_pages(form, placed, directory, name, texts)
            elif form != "txt":
                content = (
                    pdf.content()
                    if pdf and form == "pdf"
                    else _of_document(form, placed, name, texts)
                )
                yield write_file(folder / (name + SUFFIXES[form]), content, durable=False)


def _pdf_of(
    document: str,
    results: Sequence[OcrResult],
    texts: Mapping[PageRef, str],
    password: str | None,
) -> SearchablePdf | OverlaidPdf:
    """A PDF's own pages; page images where the document is none, or too damaged to be changed."""
    if Path(document).suffix.lower() == ".pdf" and Path(document).exists():
        try:
            return OverlaidPdf(document, results, texts, password)
        except pikepdf.PdfError as error:
            logger.warning(
                "%s is damaged (%s); its searchable PDF shows page images instead of its own pages",
                document,
                error,
            )
    return SearchablePdf(results, texts)


def image_name(page: PageRef, document_name: str) -> str:
    """The name of a page's image file: of an image its own, of a PDF as notebook 01 writes it.

    Args:
        document_name: that of the document's files, without their ends.
    """
    path = Path(page.document_name)
    if path.suffix.lower() == ".pdf" or page.page_index > 0:
        return f"{document_name}_p{page.page_number:04d}.png"
    return path.name


def _of_document(form: str, placed: Placed, name: str, texts: Mapping[PageRef, str]) -> bytes:
    if form == "hocr":
        return hocr(placed, texts).encode()
    if form == "docling":
        return docling_json(placed, name, texts).encode()
    only_page = placed[0][0].page if len(placed) == 1 else None
    return alto(placed, image_name(only_page, name) if only_page else None, texts).encode()


def _write_pages(
    form: str, placed: Placed, folder: Path, name: str, texts: Mapping[PageRef, str]
) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    for result, layout in placed:
        image = image_name(result.page, name)
        if form == "page":
            content = page_xml(result, layout, image, texts.get(result.page))
        else:
            content = alto([(result, layout)], image, texts)
        yield write_file(folder / f"{Path(image).stem}.xml", content.encode(), durable=False)


def _placed(
    locator: Locator | None,
    results: Sequence[OcrResult],
    images: Mapping[PageRef, PageImage],
    batch_size: int,
) -> Iterator[tuple[OcrResult, PageLayout, PageImage]]:
    """Pages that have an image, with their boxes; of `batch_size` pages images are in memory."""
    if locator is None:
        return
    pages = ((result, images.get(result.page)) for result in results)
    shown = ((result, image) for result, image in pages if image is not None)
    while batch := list(islice(shown, batch_size)):
        located = locator.locate_all([page for page in batch if page[0].tokens])
        for result, image in batch:
            layout = next(located) if result.tokens else _nothing_on(image)
            yield result, layout, image


def _nothing_on(image: PageImage) -> PageLayout:
    """Where the tokens of a page are on which none were read."""
    return PageLayout(image.page, image.width_px, image.height_px, (), ())
