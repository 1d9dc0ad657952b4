"""A PDF as it is, with the text that was read laid over its own pages, unseen.

Everything else of the file stays: pages that were not read, pictures at their full resolution,
metadata, bookmarks, page labels, links and forms. A layer of invisible text that the file has on
its pages is replaced. Text that is drawn stays, and words that are there are not written again.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from reportlab.pdfgen.canvas import Canvas

from glmocr_utils.ocr_formats.invisible_layer import remove_invisible_text
from glmocr_utils.ocr_formats.invisible_text import InvisibleText, words_of
from glmocr_utils.ocr_formats.placed_text import placed_blocks
from glmocr_utils.ocr_formats.placed_words import PlacedWord
from glmocr_utils.records import OcrResult, PageLayout, PageRef

MARGIN = 0.25  # of a drawn character's height, within which a word is that character's
ALREADY_THERE = 0.5  # of a word's characters


@dataclass(frozen=True, slots=True)
class _Page:
    """How a page is seen.

    Attributes:
        box: left, bottom, right, top of what is shown of it, in its own units.
        turn: degrees clockwise by which it was turned to be read.
    """

    box: tuple[float, float, float, float]
    turn: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height as it was read, in its own units."""
        left, bottom, right, top = self.box
        size = right - left, top - bottom
        return size if self.turn % 180 == 0 else size[::-1]

    @property
    def matrix(self) -> tuple[float, float, float, float, float, float]:
        """From the page as it was read, from its lower left corner, to its own coordinates."""
        left, bottom, right, top = self.box
        return {
            0: (1, 0, 0, 1, left, bottom),
            90: (0, 1, -1, 0, right, bottom),
            180: (-1, 0, 0, -1, right, top),
            270: (0, -1, 1, 0, left, top),
        }[self.turn]


class OverlaidPdf:
    """A PDF with invisible text over its own pages.

    An encrypted one stays encrypted, with the same passwords and permissions. A signature does not
    outlast the change.

    Args:
        path: of the PDF.
        results: of all pages that will be added.
        texts: of pages that a person corrected.
        password: opens the file, where it is encrypted.

    Raises:
        ValueError: the password does not open it.
        pikepdf.PdfError: the file is damaged so that it cannot be changed.
    """

    def __init__(
        self,
        path: str | Path,
        results: Sequence[OcrResult],
        texts: Mapping[PageRef, str] | None = None,
        password: str | None = None,
    ) -> None:
        self._texts = texts or {}
        self._pdf = _open(path, password)
        remove_invisible_text(self._pdf, [result.page.page_index for result in results])
        bare = io.BytesIO()
        self._pdf.save(bare, encryption=False)
        self._bare = pdfium.PdfDocument(bare.getvalue())
        self._buffer = io.BytesIO()
        self._canvas = Canvas(self._buffer, invariant=True)
        said = (self._texts.get(result.page, result.text) for result in results)
        self._layer = InvisibleText(self._canvas, said)
        self._added: list[tuple[int, _Page]] = []

    def add(self, result: OcrResult, layout: PageLayout, image: object = None) -> None:
        """Add the text of a page."""
        shown = self._bare[result.page.page_index]
        try:
            turn = (shown.get_rotation() + result.angle) % 360
            page = _Page(shown.get_bbox(), turn)
            drawn = _Drawn(shown)
        finally:
            shown.close()
        width, height = page.size
        scale = layout.width_px / width, layout.height_px / height
        blocks = placed_blocks(result, layout, self._texts.get(result.page))
        words = [word for word in words_of(blocks) if not drawn.has(word, page, scale)]
        if not words:
            return
        self._canvas.setPageSize(page.size)
        self._layer.write(words, scale, height)
        self._canvas.showPage()
        self._added.append((result.page.page_index, page))

    def content(self) -> bytes:
        """The file, after the last page."""
        if self._added:
            self._canvas.save()
            with pikepdf.Pdf.open(self._buffer) as layers:
                for (index, page), layer in zip(self._added, layers.pages, strict=True):
                    form = self._pdf.copy_foreign(layer.as_form_xobject())
                    self._lay_over(self._pdf.pages[index], form, page)
        written = io.BytesIO()
        is_encrypted = self._pdf.is_encrypted
        self._pdf.save(
            written, encryption=is_encrypted, deterministic_id=not is_encrypted, preserve_pdfa=True
        )
        self._bare.close()
        self._pdf.close()
        return written.getvalue()

    def _lay_over(self, own: pikepdf.Page, form: pikepdf.Object, page: _Page) -> None:
        """First on the page, where nothing has moved its coordinates yet."""
        name = own.add_resource(form, pikepdf.Name.XObject, prefix="OCR")
        numbers = " ".join(f"{number:.6g}" for number in page.matrix)
        own.contents_add(f"q {numbers} cm {name} Do Q\n".encode(), prepend=True)


def _open(path: str | Path, password: str | None) -> pikepdf.Pdf:
    try:
        try:
            return pikepdf.Pdf.open(path, suppress_warnings=True)
        except pikepdf.PasswordError:
            return pikepdf.Pdf.open(path, password=password or "", suppress_warnings=True)
    except pikepdf.PasswordError:
        raise ValueError(
            f"{path} is encrypted, and text can be laid over it only with its password; give it as "
            "the option password"
        ) from None


class _Drawn:
    """The characters that are drawn on a page."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        textpage = page.get_textpage()
        try:
            boxes = [
                textpage.get_charbox(index, loose=True)
                for index in range(textpage.count_chars())
                if pdfium_c.FPDFText_IsGenerated(textpage, index) != 1
                and not chr(min(pdfium_c.FPDFText_GetUnicode(textpage, index), 0x10FFFF)).isspace()
            ]
            self._words = set(textpage.get_text_bounded().split()) if boxes else set()
        finally:
            textpage.close()
        self._boxes = np.array(boxes, float).reshape(-1, 4)
        margin = MARGIN * np.minimum(
            self._boxes[:, 2] - self._boxes[:, 0], self._boxes[:, 3] - self._boxes[:, 1]
        )
        self._boxes[:, :2] -= margin[:, None]
        self._boxes[:, 2:] += margin[:, None]

    def has(self, word: PlacedWord, page: _Page, scale: tuple[float, float]) -> bool:
        """Whether a word is among them: most of where it is, or its text where that is unclear."""
        if not len(self._boxes):
            return False
        if word.box is None:
            return word.text in self._words
        across, down = scale
        _, height = page.size
        count = max(1, len(word.text))
        a, b, c, d, e, f = page.matrix
        u = (
            word.box.left + (np.arange(count) + 0.5) / count * (word.box.right - word.box.left)
        ) / across
        v = height - (word.box.top + word.box.bottom) / 2 / down
        x, y = (a * u + c * v + e)[:, None], (b * u + d * v + f)[:, None]
        left, bottom, right, top = self._boxes.T
        inside = (left <= x) & (x <= right) & (bottom <= y) & (y <= top)
        return float(inside.any(axis=1).mean()) >= ALREADY_THERE
