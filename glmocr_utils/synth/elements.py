"""The content of one region of a page, and its ink: text, a table, a formula, a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw

from glmocr_utils.synth.formula import Formula, draw_formula, formula_latex
from glmocr_utils.synth.page import (
    Block,
    BlockKind,
    Line,
    PageStyle,
    PlacedText,
    break_lines,
    load_font,
    place_line,
)
from glmocr_utils.synth.table import Rules, TableCell, table_html, table_ink

MARKS = {"doc_title": "# ", "paragraph_title": "## "}
BULLETS = "•–-* "
SMALLEST_PX = 5  # an em

Slot = Literal["left", "middle", "right"]


@dataclass(frozen=True, slots=True)
class Look:
    """How the text of a class is set.

    Attributes:
        size: em as a multiple of the body's.
        font: path of the font file; None for the body's.
        kind: of block.
        inset: of both margins, as a share of the width.
    """

    size: float = 1.0
    font: Path | None = None
    kind: BlockKind = "paragraph"
    inset: float = 0.0


@dataclass(frozen=True, slots=True)
class SheetStyle:
    """How a page in columns is set.

    Attributes:
        page: fonts, em, line spacing, size and margins, ink and paper; `height_px` is needed.
        looks: how the text of each class is set; a class that is missing looks like the body.
        num_columns: of the flowing part.
        gutter_px: between columns; column_rule: with a line in it.
        aside_px: width of the left margin's column for side notes; 0 for none.
        gap: between groups, in lines; title_gap: more of it above a heading.
    """

    page: PageStyle
    looks: Mapping[str, Look] = field(default_factory=dict)
    num_columns: int = 1
    gutter_px: int = 24
    column_rule: bool = False
    aside_px: int = 0
    gap: float = 0.6
    title_gap: float = 0.6

    @property
    def line_px(self) -> float:
        return self.page.font_px * self.page.line_spacing

    def look_of(self, label: str) -> Look:
        return self.looks.get(label, Look())


@dataclass(frozen=True, slots=True)
class Element:
    """The content of one region.

    Attributes:
        label: class name of PP-DocLayoutV3, such as `text` or `table`.
        text: lines that belong together are separated by line ends: list items, entries of a table
            of contents, lines of an algorithm. A tab separates label and value of such a line.
        rows: the cells of a table.
        formula: of a `display_formula`.
        ink: a picture (mode L, 0 where the paper shows, 255 black).
        rules: of a table.
        is_list: each line of `text` is an item.
        align: of what is narrower than its column. A table in the middle is stretched to its width.
    """

    label: str
    text: str = ""
    rows: Sequence[Sequence[TableCell]] | None = None
    formula: Formula | None = None
    ink: Image.Image | None = None
    rules: Rules = "grid"
    is_list: bool = False
    align: Slot = "middle"

    @property
    def markdown(self) -> str:
        """The text as Markdown: HTML for a table, LaTeX for a formula, nothing for a picture."""
        if self.rows is not None:
            return table_html(self.rows)
        if self.formula is not None:
            return f"$$ {formula_latex(self.formula)} $$"
        text = self.text.replace("\t", " ")
        if self.is_list:
            return "\n".join(_item(line) for line in text.split("\n"))
        return MARKS.get(self.label, "") + text


def _item(line: str) -> str:
    """A list item as Markdown; a number stays as it is."""
    bare = line.lstrip(BULLETS)
    return f"- {bare}" if bare != line else line


@dataclass(frozen=True, slots=True)
class PrintedText:
    """Text that is drawn in one go: a line, or a word of a justified one; all in pixels."""

    text: str
    font: Path
    font_px: int
    left_px: float
    baseline_px: float

    def moved(self, right: float, down: float) -> "PrintedText":
        return replace(self, left_px=self.left_px + right, baseline_px=self.baseline_px + down)


@dataclass(frozen=True, slots=True)
class Stamp:
    """An element's ink, to be put somewhere.

    Attributes:
        ink: mode L, 0 is paper, 255 black.
        em_px: the size of its em.
        texts: what of the ink is text; without that of formulas and pictures.
    """

    element: Element
    ink: Image.Image
    em_px: float
    texts: tuple[PrintedText, ...] = ()

    def cropped(self) -> "Stamp":
        """Without the paper around the ink."""
        box = self.ink.getbbox() or (0, 0, *self.ink.size)
        texts = tuple(text.moved(-box[0], -box[1]) for text in self.texts)
        return replace(self, ink=self.ink.crop(box), texts=texts)


def draw_texts(texts: Sequence[PrintedText], size: tuple[int, int]) -> Image.Image:
    """The ink of texts on paper of that size."""
    ink = Image.new("L", size)
    draw = ImageDraw.Draw(ink)
    for text in texts:
        where = (text.left_px, text.baseline_px)
        font = load_font(text.font, text.font_px)
        draw.text(where, text.text, font=font, fill=255, anchor="ls")
    return ink


def draw_element(element: Element, style: SheetStyle, width: int) -> Stamp:
    """The ink of an element that has `width` pixels; a wider one is made smaller."""
    page = style.page
    look = style.look_of(element.label)
    em_px = _em_px(look, page)
    font = look.font or page.font
    if element.ink is not None:
        return Stamp(element, _within(element.ink, width), page.font_px)
    if element.rows is not None:
        table_style = replace(page, font=font, font_px=em_px)
        stretch = width if element.align == "middle" else None
        ink, pieces = table_ink(element.rows, table_style, element.rules, stretch)
        texts = _printed(pieces, em_px) if ink.width <= width else ()
        return Stamp(element, _within(ink, width), em_px, texts)
    if element.formula is not None:
        return Stamp(element, _within(draw_formula(element.formula, font, em_px), width), em_px)
    if element.label == "formula_number":
        texts = (PrintedText(element.text, font, em_px, 0.0, 1.35 * em_px),)
        letters = load_font(font, em_px)
        size = (round(letters.getlength(element.text)) + 1, 2 * em_px)
        return Stamp(element, draw_texts(texts, size), em_px, texts)
    texts, height = _set_text(element, style, width)
    return Stamp(element, draw_texts(texts, (width, height)), em_px, texts)


def text_lines(element: Element, style: SheetStyle, width: int) -> tuple[PageStyle, list[Line]]:
    """The lines of a text in a column of `width` pixels, and the style that they are set in."""
    look = style.look_of(element.label)
    font = look.font or style.page.font
    text_style = replace(
        style.page,
        font=font,
        bold_font=font,
        font_px=_em_px(look, style.page),
        width_px=round(width * (1 - 2 * look.inset)),
        margin_px=0,
    )
    kind = "item" if element.is_list else look.kind
    blocks = [
        Block(line, "row" if "\t" in line else kind, tight=True)
        for line in element.text.split("\n")
    ]
    return text_style, list(break_lines(blocks, text_style))


def split_text(element: Element, lines: Sequence[Line], at: int) -> tuple[Element, Element]:
    """The element that prints the first lines, and the one that prints the rest."""
    first, second = (replace(element, text=_joined(part)) for part in (lines[:at], lines[at:]))
    return first, second


def _em_px(look: Look, page: PageStyle) -> int:
    return max(SMALLEST_PX, round(look.size * page.font_px))


def _set_text(
    element: Element, style: SheetStyle, width: int
) -> tuple[tuple[PrintedText, ...], int]:
    """The pieces of a text in a column, and its height in pixels."""
    text_style, lines = text_lines(element, style, width)
    line_px = text_style.font_px * text_style.line_spacing
    inset = round(width * style.look_of(element.label).inset)
    pieces = [
        piece
        for number, line in enumerate(lines)
        for piece in place_line(line, (number + 0.7) * line_px, text_style)
    ]
    texts = tuple(text.moved(inset, 0) for text in _printed(pieces, text_style.font_px))
    return texts, round(line_px * len(lines) + 0.1 * text_style.font_px)


def _printed(pieces: Sequence[PlacedText], font_px: int) -> tuple[PrintedText, ...]:
    return tuple(
        PrintedText(piece.text, piece.font, font_px, piece.left_px, piece.baseline_px)
        for piece in pieces
    )


def _within(ink: Image.Image, width: int) -> Image.Image:
    """The ink, made smaller if it is wider than that."""
    if ink.width <= width:
        return ink
    return ink.resize((width, max(1, round(ink.height * width / ink.width))))


def _joined(lines: Sequence[Line]) -> str:
    """The text of a paragraph's lines; a word divided at the last line's end keeps its hyphen."""
    return "".join(_line_texts(lines)).strip()


def _line_texts(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        text = " ".join(line.words)
        if line.is_divided and line is not lines[-1]:
            yield text[:-1]
        else:
            yield text + " "
