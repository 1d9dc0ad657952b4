"""A PDF that shows the page images and lets their text be searched and copied."""

import hashlib
import io
import re
from collections.abc import Iterable

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFDocument
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from glmocr_utils.ocr_formats.paper_size import paper_size
from glmocr_utils.ocr_formats.placed_text import (
    DESCENT,
    baseline_in,
    joined_words,
    placed_blocks,
    xml_text,
)
from glmocr_utils.ocr_formats.placed_words import PlacedWord
from glmocr_utils.records import OcrResult, PageImage, PageLayout

EM = 1000
ADVANCE = 500  # of every character; a word is then stretched to its box
INVISIBLE = 3  # text render mode
DESCENT_OF_EM = round(DESCENT * EM)  # a word's box is an em high
JPEG_QUALITY = 85


class SearchablePdf:
    """A document's page images with an invisible layer of text; pages are kept as JPEG.

    A page is as large as its paper, see `paper_size`. Words whose box is unclear are at the
    page's upper left corner, so that a search still finds the page.

    Args:
        results: of all pages that will be added.
    """

    def __init__(self, results: Iterable[OcrResult]) -> None:
        self._font = _register_font("".join(xml_text(result.text) for result in results))
        self._buffer = io.BytesIO()
        self._canvas = Canvas(self._buffer, invariant=True)

    def add(self, result: OcrResult, layout: PageLayout, image: PageImage) -> None:
        """Add a page."""
        paper = paper_size(image, result.angle)
        self._canvas.setPageSize((paper.width_pt, paper.height_pt))
        jpeg = image.jpeg(image.width_px, JPEG_QUALITY)
        shown = ImageReader(io.BytesIO(jpeg))
        self._canvas.drawImage(shown, 0, 0, paper.width_pt, paper.height_pt)
        scale = layout.width_px / paper.width_pt, layout.height_px / paper.height_pt
        for block in placed_blocks(result, layout):
            for line in block:
                for word in joined_words(line):
                    _write(self._canvas, word, self._font, scale, paper.height_pt)
        self._canvas.showPage()

    def content(self) -> bytes:
        """The file, after the last page."""
        self._canvas.save()
        return self._buffer.getvalue()


def _register_font(text: str) -> str:
    """A font whose characters have no shape, for all that `text` says, in any script.

    Fonts that are seen lack most of them.
    """
    characters = sorted({*text, " "})
    name = "glyphless-" + hashlib.sha256("".join(characters).encode()).hexdigest()[:16]
    if name in pdfmetrics.getRegisteredFontNames():
        return name
    shapes = [".notdef", "blank"]
    font = FontBuilder(EM)
    font.setupGlyphOrder(shapes)
    font.setupCharacterMap({ord(character): "blank" for character in characters})
    font.setupGlyf({shape: TTGlyphPen(None).glyph() for shape in shapes})
    font.setupHorizontalMetrics(dict.fromkeys(shapes, (ADVANCE, 0)))
    font.setupHorizontalHeader(ascent=EM - DESCENT_OF_EM, descent=-DESCENT_OF_EM)
    font.setupNameTable({"familyName": name, "styleName": "Regular", "psName": name})
    font.setupOS2(sTypoAscender=EM - DESCENT_OF_EM, sTypoDescender=-DESCENT_OF_EM)
    font.setupPost()
    buffer = io.BytesIO()
    font.save(buffer)
    buffer.seek(0)
    pdfmetrics.registerFont(_GlyphlessFont(name, buffer))
    return name


class _GlyphlessFont(TTFont):
    """Says of characters beyond U+FFFF, too, what they are.

    The format wants UTF-16 there, surrogates and all; reportlab writes five digits, which viewers
    cannot read.
    """

    def addObjects(self, doc: PDFDocument) -> None:
        super().addObjects(doc)
        for name, meanings in doc.idToObject.items():
            if name.startswith("toUnicodeCMap:"):
                meanings.content = re.sub(
                    "<([0-9A-F]{5,6})>",
                    lambda match: f"<{chr(int(match[1], 16)).encode('utf-16-be').hex()}>",
                    meanings.content,
                )


def _write(
    canvas: Canvas,
    word: PlacedWord,
    font: str,
    scale: tuple[float, float],
    page_height: float,
) -> None:
    """`scale`: pixels per point, across and down."""
    written = xml_text(word.text)  # nothing that steers a viewer
    text = canvas.beginText()
    text.setTextRenderMode(INVISIBLE)
    if word.box is None:
        text.setFont(font, 1)
        text.setTextOrigin(0, page_height - 1)
    else:
        across, down = scale
        size = max((word.box.bottom - word.box.top) / down, 1)
        width = max((word.box.right - word.box.left) / across, 0.1)
        natural = pdfmetrics.stringWidth(written, font, size)
        text.setFont(font, size)
        text.setHorizScale(100 * width / max(natural, 0.1))
        text.setTextOrigin(word.box.left / across, page_height - baseline_in(word.box) / down)
    text.textOut(written + " ")
    canvas.drawText(text)
