"""A PDF that shows page images and lets their text be searched and copied."""

import io
from collections.abc import Mapping, Sequence

from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from glmocr_utils.ocr_formats.invisible_text import InvisibleText, words_of
from glmocr_utils.ocr_formats.paper_size import paper_size
from glmocr_utils.ocr_formats.placed_text import placed_blocks
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef

JPEG_QUALITY = 85


class SearchablePdf:
    """A document's page images with an invisible layer of text; pages are kept as JPEG.

    A page is as large as its paper, see `paper_size`.

    Args:
        results: of all pages that will be added.
        texts: of pages that a person corrected.
    """

    def __init__(
        self, results: Sequence[OcrResult], texts: Mapping[PageRef, str] | None = None
    ) -> None:
        self._texts = texts or {}
        self._buffer = io.BytesIO()
        self._canvas = Canvas(self._buffer, invariant=True)
        said = (self._texts.get(result.page, result.text) for result in results)
        self._layer = InvisibleText(self._canvas, said)

    def add(self, result: OcrResult, layout: PageLayout, image: PageImage) -> None:
        """Add a page."""
        paper = paper_size(image, result.angle)
        self._canvas.setPageSize((paper.width_pt, paper.height_pt))
        jpeg = image.jpeg(image.width_px, JPEG_QUALITY)
        shown = ImageReader(io.BytesIO(jpeg))
        self._canvas.drawImage(shown, 0, 0, paper.width_pt, paper.height_pt)
        scale = layout.width_px / paper.width_pt, layout.height_px / paper.height_pt
        blocks = placed_blocks(result, layout, self._texts.get(result.page))
        self._layer.write(words_of(blocks), scale, paper.height_pt)
        self._canvas.showPage()

    def content(self) -> bytes:
        """The file, after the last page."""
        self._canvas.save()
        return self._buffer.getvalue()
