"""Readings → files with the boxes of their words, for each document and format."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path

from glmocr_utils.files import write_file
from glmocr_utils.grounding import Locator
from glmocr_utils.ocr_formats.alto import alto
from glmocr_utils.ocr_formats.docling import check_docling, docling_json
from glmocr_utils.ocr_formats.hocr import hocr
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
FORMATS = (*SUFFIXES, *PAGE_SUFFIXES)


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


def export_layouts(
    locator: Locator,
    results: Sequence[OcrResult],
    images: Mapping[PageRef, PageImage],
    output_dir: str | Path,
    formats: Sequence[str],
    *,
    batch_size: int = 1,
) -> Iterator[Path]:
    """Say where the words of read pages stand, and write it, document by document.

    Args:
        results: pages; those of a document follow each other.
        images: of the pages; a page without one is left out.
        formats: some of `FORMATS`.

    Yields:
        Each file when it is complete: `{document}.hocr`, `.alto.xml`, `.searchable.pdf`,
        `.docling.json`, and for `alto-pages` and `page` a file for each page:
        `{document}.alto/{image}.xml` and `{document}.page/{image}.xml`, named as the page's image,
        see `image_name`.
    """
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for document, of_document in groupby(results, key=lambda result: result.page.document_path):
        read = list(of_document)
        pdf = SearchablePdf(read) if "pdf" in formats else None
        placed: list[tuple[OcrResult, PageLayout]] = []
        for result, layout, image in _placed(locator, read, images, batch_size):
            placed.append((result, layout))
            if pdf:
                pdf.add(result, layout, image)
        if not placed:
            continue
        name = safe_stem(document)
        if name.casefold() in taken:
            name = f"{name}_{read[0].page.document_key[:8]}"
        taken.add(name.casefold())
        for form in formats:
            if form in PAGE_SUFFIXES:
                yield from _write_pages(form, placed, folder / (name + PAGE_SUFFIXES[form]), name)
            else:
                content = (
                    pdf.content() if pdf and form == "pdf" else _of_document(form, placed, name)
                )
                yield write_file(folder / (name + SUFFIXES[form]), content, durable=False)


def image_name(page: PageRef, document_name: str) -> str:
    """The name of a page's image file: of an image its own, of a PDF as notebook 01 writes it.

    Args:
        document_name: that of the document's files, without their ends.
    """
    path = Path(page.document_name)
    if path.suffix.lower() == ".pdf" or page.page_index > 0:
        return f"{document_name}_p{page.page_number:04d}.png"
    return path.name


def _of_document(form: str, placed: Placed, name: str) -> bytes:
    if form == "hocr":
        return hocr(placed).encode()
    if form == "docling":
        return docling_json(placed, name).encode()
    only_page = placed[0][0].page if len(placed) == 1 else None
    return alto(placed, image_name(only_page, name) if only_page else None).encode()


def _write_pages(form: str, placed: Placed, folder: Path, name: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    for result, layout in placed:
        image = image_name(result.page, name)
        if form == "page":
            content = page_xml(result, layout, image)
        else:
            content = alto([(result, layout)], image)
        yield write_file(folder / f"{Path(image).stem}.xml", content.encode(), durable=False)


def _placed(
    locator: Locator,
    results: Sequence[OcrResult],
    images: Mapping[PageRef, PageImage],
    batch_size: int,
) -> Iterator[tuple[OcrResult, PageLayout, PageImage]]:
    """Pages that have an image, with their boxes; of `batch_size` pages images are in memory."""
    pages = ((result, images.get(result.page)) for result in results)
    shown = ((result, image) for result, image in pages if image is not None)
    while batch := list(islice(shown, batch_size)):
        for (result, image), layout in zip(batch, locator.locate_all(batch), strict=True):
            yield result, layout, image
