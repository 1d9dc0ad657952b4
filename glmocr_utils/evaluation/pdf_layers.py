"""The text layers of PDFs as page texts: exact where a program set the page, none for scans."""

from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium

from glmocr_utils.text_layer.characters import read_page_text
from glmocr_utils.text_layer.trusted import NoTextLayer, trusted_text

MAX_IMAGE_SHARE = 0.5  # of a page; more is a scan, whose layer is the work of an OCR program


def layer_texts(path: Path) -> Iterator[str | None]:
    """The text of each page; None where it has no layer that can be trusted.

    Raises:
        ValueError: the document cannot be opened; the message names it.
    """
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        raise ValueError(f"{path} cannot be opened ({error}); check it, or remove it") from error
    with document:
        document.init_forms()
        for index in range(len(document)):
            try:
                yield trusted_text(read_page_text(document, index), MAX_IMAGE_SHARE)
            except (NoTextLayer, pdfium.PdfiumError):
                yield None
