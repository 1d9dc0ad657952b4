"""A PDF page → the lines of its text layer, with their boxes, and what speaks against it.

Characters and their boxes are walked together: the text that pdfium gives as a whole has other
indices than its boxes, and loses the line end behind a hyphen.
"""

import ctypes
import math
import unicodedata
from collections import Counter
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from glmocr_utils.text_layer.visibility import Seen, what_is_seen

LINE_END_HYPHENS = {0x02, 0xFFFE}  # what pdfium makes of a hyphen that parts a word
SOFT_HYPHEN = 0xAD
HIGHEST_CODE = 0x10FFFF  # a damaged font can name higher ones; this one isn't a character either
NO_WIDTH = {0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF}


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line, or a part of one, as the PDF draws it.

    Attributes:
        text: without spaces at its ends.
        left, top, right, bottom: in points, in a frame in which the text is upright and `top` and
            `bottom` grow downwards. They span the font's height, not the letters' ink.
        aside: it runs in another direction than most of the page, like a stamp in the margin.
        boxes: left, top, right, bottom of each character of `text`, in the same frame.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    aside: bool = False
    boxes: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class PageText:
    """The text layer of a page.

    Attributes:
        lines: in the order in which the PDF draws them.
        raw: the characters as pdfium gives them, in that order.
        num_characters: that are seen and are not spaces.
        invisible: how many more leave no ink of their own where other ink is, as those that an OCR
            program adds to a scan.
        hidden: how many more leave no ink where nothing else is: one does not see them.
        unmapped: how many of `num_characters` have no known Unicode value.
        image_share: how much of the page images cover, 0 to 1.
        frame: left, top, right, bottom of what is shown of the page, in the frame of the lines.
        is_upright: a viewer shows the text upright.
    """

    lines: tuple[TextLine, ...]
    raw: str
    num_characters: int
    invisible: int
    unmapped: int
    image_share: float
    frame: tuple[float, float, float, float]
    is_upright: bool
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    box: tuple[float, float, float, float]  # left, bottom, right, top in points, as the PDF has it
    turns: int  # quarter turns, counter-clockwise, from upright
    ends_line: bool = False


def read_page_text(pdf: pdfium.PdfDocument, page_index: int) -> PageText:
    """Read a page's text layer; form fields and annotations count as text.

    Args:
        pdf: with `init_forms` called.

    Raises:
        pypdfium2.PdfiumError: the page is damaged.
    """
    page = pdf[page_index]
    pdfium_c.FPDFPage_Flatten(page, pdfium_c.FLAT_NORMALDISPLAY)
    page.close()
    page = pdf[page_index]  # flattening leaves the open page as it was
    try:
        image_share = _image_share(page)
        textpage = page.get_textpage()
        bbox, rotation = page.get_bbox(), page.get_rotation()
        reader = _Reader(page, textpage, bbox)
        characters = reader.characters()
        textpage.close()
    finally:
        page.close()
    turns = _most_turns(characters)
    return PageText(
        lines=_lines(characters, turns),
        raw=reader.raw,
        num_characters=sum(bool(character.text.strip()) for character in characters),
        invisible=reader.invisible,
        unmapped=reader.unmapped,
        image_share=image_share,
        frame=_upright(bbox, turns),
        is_upright=rotation == 90 * turns,
        hidden=reader.hidden,
    )


class _Reader:
    """Walks the characters of a page."""

    def __init__(
        self,
        page: pdfium.PdfPage,
        textpage: pdfium.PdfTextPage,
        cropbox: tuple[float, float, float, float],
    ) -> None:
        self._page = page
        self._textpage = textpage
        self._cropbox = cropbox
        self.raw = ""
        self.invisible = 0
        self.hidden = 0
        self.unmapped = 0
        self._seen: list[Seen] = []

    def characters(self) -> list[_Character]:
        """What is seen, with spaces and line ends, in the order of drawing."""
        codes = [
            min(pdfium_c.FPDFText_GetUnicode(self._textpage, index), HIGHEST_CODE)
            for index in range(self._textpage.count_chars())
        ]
        units = b"".join(code.to_bytes(4, "little") for code in codes)
        self.raw = units.decode("utf-32-le", "surrogatepass")
        # where pdfium gives the halves of a surrogate pair apart, the first stands for both
        self.raw = self.raw.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self._seen = self._what_is_seen(len(codes))
        characters = []
        for index, code in enumerate(codes):
            if 0xDC00 <= code < 0xE000:
                continue
            if 0xD800 <= code < 0xDC00 and index + 1 < len(codes):
                code = 0x10000 + (code - 0xD800) * 0x400 + (codes[index + 1] - 0xDC00) % 0x400
            character = self._character(index, code)
            if character is not None:
                characters.append(character)
        return characters

    def _character(self, index: int, code: int) -> _Character | None:
        if pdfium_c.FPDFText_IsGenerated(self._textpage, index) == 1:
            ends_line = chr(code) in "\r\n"
            return _Character("" if ends_line else " ", (0, 0, 0, 0), 0, ends_line)
        box = self._textpage.get_charbox(index, loose=True)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        left, bottom, right, top = self._cropbox
        if not (left <= x <= right and bottom <= y <= top):
            return None
        text = self._text(index, code)
        if not text:
            return None
        if not text.isspace() and self._seen[index] is not Seen.DRAWN:
            self.invisible += self._seen[index] is Seen.OVER_INK
            self.hidden += self._seen[index] is Seen.HIDDEN
            return None
        if _is_unmapped(text) or pdfium_c.FPDFText_HasUnicodeMapError(self._textpage, index) == 1:
            self.unmapped += not text.isspace()
        ends_line = code in LINE_END_HYPHENS
        return _Character(text, box, self._turns(index), ends_line)

    def _what_is_seen(self, count: int) -> list[Seen]:
        textpage = self._textpage
        objects = [pdfium_c.FPDFText_GetTextObject(textpage, index) for index in range(count)]
        tight = [textpage.get_charbox(index) for index in range(count)]
        loose = [textpage.get_charbox(index, loose=True) for index in range(count)]
        return what_is_seen(self._page, [each or None for each in objects], tight, loose)

    def _text(self, index: int, code: int) -> str:
        """What is seen of a character: "" for one that has no shape.

        pdfium has taken ligatures apart already.
        """
        if code in LINE_END_HYPHENS:
            return "-"
        if code == SOFT_HYPHEN:  # a hyphen where it is drawn, and nothing elsewhere
            left, bottom, right, top = self._textpage.get_charbox(index)
            return "-" if right > left and top > bottom else ""
        if code in NO_WIDTH:
            return ""
        if not code or 0xD800 <= code < 0xE000:
            return "\ufffd"
        return " " if chr(code).isspace() else chr(code)

    def _turns(self, index: int) -> int:
        matrix = pdfium_c.FS_MATRIX()
        if not pdfium_c.FPDFText_GetMatrix(self._textpage, index, ctypes.byref(matrix)):
            return 0
        return round(math.atan2(matrix.b, matrix.a) / (math.pi / 2)) % 4


def _is_unmapped(text: str) -> bool:
    """A character of a private range, a control character, or the sign for an unknown one."""
    return any(
        unicodedata.category(sign) in ("Co", "Cc", "Cn") or sign == "\ufffd" for sign in text
    )


def _most_turns(characters: list[_Character]) -> int:
    """The direction of most of the text."""
    turns = Counter(character.turns for character in characters if not character.text.isspace())
    return max(turns, key=lambda each: turns[each], default=0)


def _lines(characters: list[_Character], page_turns: int) -> tuple[TextLine, ...]:
    lines, line = [], []
    for character in characters:
        line.append(character)
        if character.ends_line:
            lines.append(_line(line, page_turns))
            line = []
    lines.append(_line(line, page_turns))
    return tuple(line for line in lines if line is not None)


def _line(characters: list[_Character], page_turns: int) -> TextLine | None:
    seen = [character for character in characters if character.text.strip()]
    if not seen:
        return None
    text, space = "", False
    boxes: list[tuple[float, float, float, float]] = []
    for character in characters:
        space = space or character.text.isspace()
        if not character.text.strip():
            continue
        box = _upright(character.box, page_turns)
        if space and text:  # one for any number of them, as wide as the gap
            text += " "
            boxes.append((boxes[-1][2], box[1], max(boxes[-1][2], box[0]), box[3]))
        text += character.text
        boxes += [box] * len(character.text)
        space = False
    left, top, right, bottom = zip(*(_upright(c.box, page_turns) for c in seen), strict=True)
    aside = seen[0].turns != page_turns
    return TextLine(text, min(left), min(top), max(right), max(bottom), aside, tuple(boxes))


def _upright(
    box: tuple[float, float, float, float], turns: int
) -> tuple[float, float, float, float]:
    """A box of the PDF as (left, top, right, bottom) where text after `turns` is upright."""
    left, bottom, right, top = box
    if turns == 0:
        return left, -top, right, -bottom
    if turns == 1:
        return bottom, left, top, right
    if turns == 2:
        return -right, bottom, -left, top
    return -top, -right, -bottom, -left


def _image_share(page: pdfium.PdfPage) -> float:
    """How much of the page images cover, 0 to 1; images that overlap count twice."""
    left, bottom, right, top = page.get_bbox()
    covered = 0.0
    for image in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_IMAGE]):
        x0, y0, x1, y1 = image.get_bounds()
        width, height = min(x1, right) - max(x0, left), min(y1, top) - max(y0, bottom)
        covered += max(0.0, width) * max(0.0, height)
    return min(1.0, covered / ((right - left) * (top - bottom)))
