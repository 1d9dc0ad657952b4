"""Pages of born-digital PDFs: the text layer gives text and positions."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium

from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import RenderOptions, render_document
from glmocr_utils.text_layer.characters import PageText, read_page_text
from glmocr_utils.text_layer.reading_order import ordered
from glmocr_utils.text_layer.trusted import NoTextLayer, trusted_text

MAX_IMAGE_SHARE = 0.5  # where images cover more of a page, the layer may be an OCR program's


def pages_with_text_layer(
    paths: Iterable[str | Path], options: RenderOptions | None = None
) -> Iterator[KnownPage | FailedPage]:
    """The pages of PDFs with the boxes of their characters.

    Yields:
        A page, or why it isn't a page to judge by: its document is none or damaged, it has no layer
        that can be trusted, or its text is not upright.
    """
    for path in map(Path, paths):
        if path.suffix.lower() != ".pdf":
            yield FailedPage(str(path), None, "failed", f"{path} isn't a PDF: it has no text layer")
            continue
        for rendered in render_document(path, options):
            if isinstance(rendered, FailedPage):
                yield rendered
                continue
            try:
                yield _known_page(rendered, options)
            except (NoTextLayer, pdfium.PdfiumError) as why:
                reason = f"{path.name}, page {rendered.page.page_number}: {why}"
                yield FailedPage(str(path), rendered.page.page_index, "failed", reason)


def _known_page(rendered: PageImage, options: RenderOptions | None) -> KnownPage:
    password = options.password if options else None
    with pdfium.PdfDocument(rendered.page.document_path, password) as pdf:
        pdf.init_forms()
        page = read_page_text(pdf, rendered.page.page_index)
    trusted_text(page, MAX_IMAGE_SHARE)
    if not page.is_upright:
        raise NoTextLayer("most of its text is not upright")
    text, boxes = _text_and_boxes(page)
    left, top, right, bottom = page.frame
    scale = np.array([rendered.width_px / (right - left), rendered.height_px / (bottom - top)] * 2)
    boxes = (boxes - np.array([left, top, left, top])) * scale
    name = f"{rendered.page.document_name}, page {rendered.page.page_number}"
    return KnownPage(name, rendered.image, text, boxes)


def _text_and_boxes(page: PageText) -> tuple[str, np.ndarray]:
    """The text in reading order, and (num_characters, 4) boxes in the frame of its lines."""
    text = ""
    boxes: list[tuple[float, float, float, float]] = []
    for between, line in ordered(page.lines):
        last = boxes[-1] if boxes else (line.left, line.top, line.left, line.bottom)
        boxes += [(last[2], last[1], last[2], last[3])] * len(between)
        text += between + line.text
        boxes += line.boxes
    return text, np.array(boxes, np.float32).reshape(-1, 4)
