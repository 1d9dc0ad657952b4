"""Text that is not seen, and that viewers search and copy: pages of it, in any script."""

import hashlib
import io
import re
from collections.abc import Iterable

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.pdfdoc import PDFDocument
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from glmocr_utils.ocr_formats.placed_text import (
    DESCENT,
    PlacedBlock,
    baseline_in,
    joined_words,
    xml_text,
)
from glmocr_utils.ocr_formats.placed_words import PlacedWord

EM = 1000
ADVANCE = 500  # of every character; a word is then stretched to its box
INVISIBLE = 3  # text render mode
DESCENT_OF_EM = round(DESCENT * EM)  # a word's box is an em high


class InvisibleText:
    """Writes words on a canvas without a trace of ink.

    Words whose box is unclear are at the page's upper left corner, so that a search still finds
    the page.

    Args:
        canvas: one page after the other.
        texts: all that will be written; characters that are not in them cannot be.
    """

    def __init__(self, canvas: Canvas, texts: Iterable[str]) -> None:
        self._canvas = canvas
        self._font = _register_font("".join(map(xml_text, texts)))

    def write(
        self,
        words: Iterable[PlacedWord],
        scale: tuple[float, float],
        page_height: float,
    ) -> None:
        """Write words on the canvas's page.

        Args:
            scale: pixels of their boxes per unit of the page, across and down.
            page_height: in those units.
        """
        for word in words:
            _write(self._canvas, word, self._font, scale, page_height)


def words_of(blocks: Iterable[PlacedBlock]) -> list[PlacedWord]:
    """All words of a page, those without white space between as one."""
    return [word for block in blocks for line in block for word in joined_words(line)]


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
