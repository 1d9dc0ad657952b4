"""Elements in columns → a page image and its regions, in reading order, with their Markdown.

The regions have the class names of PP-DocLayoutV3. Reading order: what is in the head, from left to
right; the full-width top; the columns; the full-width bottom; side notes; footnotes; what is in the
foot. A box holds a region's ink and a quarter of an em around it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from glmocr_utils.synth.degrade import Scan, degrade
from glmocr_utils.synth.formula import Formula, draw_formula, formula_latex
from glmocr_utils.synth.page import (
    Block,
    BlockKind,
    Line,
    PageStyle,
    break_lines,
    load_font,
    place_line,
)
from glmocr_utils.synth.table import Rules, TableCell, table_html, table_ink

NOTE_GAP = 0.25  # between footnotes, in lines
AROUND_EM = 0.25  # between a region's ink and its box
HEAD_ORDER = ("header", "header_image")
MARKS = {"doc_title": "# ", "paragraph_title": "## "}
Slot = Literal["left", "middle", "right"]
Box = tuple[float, float, float, float]


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
class Element:
    """What one region prints: text, a table, a formula or a picture.

    Attributes:
        label: class name, such as `text` or `table`.
        text: lines that belong together are separated by line ends: list items, entries of a table
            of contents, lines of an algorithm. A tab separates label and value of such a line.
        rows: the cells of a table.
        formula: of a `display_formula`.
        ink: a picture (mode L, 0 where the paper shows, 255 black).
        rules: of a table.
        is_list: each line of `text` is an item.
        align: of what is narrower than its column.
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
            return "\n".join(f"- {line.lstrip('•–- ')}" for line in text.split("\n"))
        return MARKS.get(self.label, "") + text


Group = tuple[Element, ...]  # stays in one column: a picture and its caption


@dataclass(frozen=True, slots=True)
class SheetContent:
    """What a page has to print; what finds no room is left out.

    Attributes:
        head, foot: elements with the slot they are in.
        top, bottom: groups as wide as the page, above and below the columns.
        columns: groups that flow from column to column; long paragraphs break.
        footnotes: at the foot of the column `footnote_column`, -1 for the whole width.
        asides: in the left margin, beside the columns.
        stamp: printed upwards along the left edge.
    """

    columns: tuple[Group, ...]
    head: tuple[tuple[Slot, Element], ...] = ()
    foot: tuple[tuple[Slot, Element], ...] = ()
    top: tuple[Group, ...] = ()
    bottom: tuple[Group, ...] = ()
    footnotes: tuple[Element, ...] = ()
    footnote_column: int = -1
    asides: tuple[Element, ...] = ()
    stamp: Element | None = None


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


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """A region of a drawn page.

    Attributes:
        index: from 0 in reading order.
        label: class name of PP-DocLayoutV3.
        box: left, top, right, bottom in pixels of the page.
        text: Markdown; empty for a picture.
    """

    index: int
    label: str
    box: Box
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drawn page (RGB) and its regions in reading order."""

    image: Image.Image
    regions: tuple[DrawnRegion, ...]

    @property
    def markdown(self) -> str:
        """The texts of all regions, in reading order, with blank lines between them."""
        return "\n\n".join(region.text for region in self.regions if region.text)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Ink that is to be put somewhere, and what it says."""

    element: Element
    ink: Image.Image
    em_px: float


def draw_sheet(content: SheetContent, style: SheetStyle) -> Sheet:
    """Set and draw a page."""
    return _Setter(style).set(content)


def scan_sheet(sheet: Sheet, scan: Scan, rng: np.random.Generator) -> Sheet:
    """The page as a scanner leaves it; boxes become those around the turned regions."""
    image = degrade(sheet.image, scan, rng)
    angle = np.deg2rad(scan.skew_degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    middle = np.array(image.size) / 2
    regions = []
    for region in sheet.regions:
        left, top, right, bottom = region.box
        corners = np.array([(left, top), (right, top), (left, bottom), (right, bottom)]) - middle
        x, y = corners.T
        turned = np.stack([x * cos + y * sin, y * cos - x * sin], axis=1) + middle
        low = np.clip(turned.min(0), 0, image.size)
        high = np.clip(turned.max(0), 0, image.size)
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        regions.append(replace(region, box=(left, top, right, bottom)))
    return Sheet(image, tuple(regions))


class _Setter:
    """Sets one page: puts ink on it and notes the regions."""

    def __init__(self, style: SheetStyle) -> None:
        page = style.page
        if page.height_px is None:
            raise ValueError("a page in columns needs a height; set height_px of its PageStyle")
        self.style = style
        self.paper = Image.new("L", (page.width_px, page.height_px))
        self.regions: list[DrawnRegion] = []
        self.left = page.margin_px + style.aside_px
        self.right = page.width_px - page.margin_px
        self.top = page.margin_px
        self.bottom = page.height_px - page.margin_px

    def set(self, content: SheetContent) -> Sheet:
        self._put_slots(content.head, self.style.page.margin_px * 0.5)
        notes_px = [0.0] * self.style.num_columns
        notes = self._footnote_stamps(content)
        height = self._notes_height(notes)
        for column in range(self.style.num_columns):
            if content.footnote_column in (-1, column):
                notes_px[column] = height
        y = self._put_all(content.top, self.top, self.bottom - max(notes_px))
        bottoms = [self._stamps(group, self._full_width) for group in content.bottom]
        bottom_px = sum(self._height(stamps) for stamps in bottoms)
        if y + bottom_px > self.bottom - max(notes_px) - 8 * self.style.line_px:
            bottoms, bottom_px = [], 0.0
        floors = [self.bottom - bottom_px - note for note in notes_px]
        body_top = y
        self._flow(content.columns, y, floors)
        y = self.bottom - max(notes_px) - bottom_px
        for stamps in bottoms:
            y = self._put_group(stamps, self.left, self._full_width, y + self._gap)
        self._put_asides(content, body_top, min(floors))
        self._put_footnotes(notes, content.footnote_column)
        page = self.style.page
        self._put_slots(content.foot, (page.height_px or self.bottom) - page.margin_px * 0.75)
        return Sheet(self._image(), tuple(self.regions))

    @property
    def _gap(self) -> float:
        return self.style.gap * self.style.line_px

    @property
    def _full_width(self) -> int:
        return self.right - self.left

    def _image(self) -> Image.Image:
        page = self.style.page
        span = page.ink - page.paper
        return self.paper.point(
            [round(page.paper + span * ink / 255) for ink in range(256)]
        ).convert("RGB")

    def _flow(self, groups: Sequence[Group], top: float, floors: Sequence[float]) -> None:
        """Fill the columns one by one; break paragraphs at their feet."""
        columns = self.style.num_columns
        width = (self._full_width - (columns - 1) * self.style.gutter_px) // columns
        waiting = list(groups)[::-1]
        for column, floor in enumerate(floors):
            left = self.left + column * (width + self.style.gutter_px)
            if column and self.style.column_rule:
                x = left - self.style.gutter_px / 2
                ImageDraw.Draw(self.paper).line((x, top, x, floor), fill=160)
            y = top
            while waiting:
                group = waiting.pop()
                y_group = y + self._space_before(group, y == top)
                stamps = self._stamps(group, width)
                if y_group + self._height(stamps) <= floor:
                    y = self._put_group(stamps, left, width, y_group)
                    continue
                parts = self._broken(group, width, floor - y_group)
                if parts:
                    self._put_group(self._stamps(parts[0], width), left, width, y_group)
                    waiting.append(parts[1])
                elif y > top:
                    waiting.append(group)  # the next column is empty
                break

    def _space_before(self, group: Group, is_first: bool) -> float:
        if is_first:
            return 0.0
        more = self.style.title_gap if group[0].label == "paragraph_title" else 0
        return self._gap + more * self.style.line_px

    def _broken(self, group: Group, width: int, room: float) -> tuple[Group, Group] | None:
        """A paragraph as the lines that fit and the rest; None if it has to stay in one piece."""
        [element, *more] = group
        if more or element.label != "text" or element.is_list or "\n" in element.text:
            return None
        style, lines = self._lines(element, width)
        fit = int(room / (style.font_px * style.line_spacing))
        if fit < 2 or len(lines) - fit < 2:
            return None
        first, rest = (replace(element, text=_joined(part)) for part in (lines[:fit], lines[fit:]))
        return (first,), (rest,)

    def _put_all(self, groups: Sequence[Group], top: float, floor: float) -> float:
        y = top
        for group in groups:
            stamps = self._stamps(group, self._full_width)
            if y + self._height(stamps) > floor:
                break
            y = self._put_group(stamps, self.left, self._full_width, y)
            y += self._gap + self.style.title_gap * self.style.line_px
        return y

    def _put_group(self, stamps: Sequence[_Stamp], left: float, width: int, y: float) -> float:
        """Put the stamps under one another; returns where the group ends."""
        for number, stamp in enumerate(stamps):
            if stamp.element.label == "formula_number":
                continue  # stands beside the formula
            y += 0.25 * self.style.line_px if number else 0
            spare = width - stamp.ink.width
            x = left + {"left": 0, "middle": spare / 2, "right": spare}[stamp.element.align]
            self._put(stamp, x, y)
            follower = stamps[number + 1] if number + 1 < len(stamps) else None
            if follower and follower.element.label == "formula_number":
                middle = y + (stamp.ink.height - follower.ink.height) / 2
                self._put(follower, left + width - follower.ink.width, middle)
            y += stamp.ink.height
        return y

    def _height(self, stamps: Sequence[_Stamp]) -> float:
        stacked = [stamp for stamp in stamps if stamp.element.label != "formula_number"]
        return sum(s.ink.height for s in stacked) + 0.25 * self.style.line_px * (len(stacked) - 1)

    def _notes_height(self, notes: Sequence[_Stamp]) -> float:
        """With the room above them."""
        gaps = NOTE_GAP * self.style.line_px * len(notes)
        return sum(note.ink.height for note in notes) + gaps + self.style.line_px if notes else 0.0

    def _footnote_stamps(self, content: SheetContent) -> list[_Stamp]:
        columns = self.style.num_columns if content.footnote_column >= 0 else 1
        width = (self._full_width - (columns - 1) * self.style.gutter_px) // columns
        return [self._stamp(note, width) for note in content.footnotes]

    def _put_footnotes(self, notes: Sequence[_Stamp], column: int) -> None:
        if not notes:
            return
        left = self.left
        if column >= 0:
            columns = self.style.num_columns
            width = (self._full_width - (columns - 1) * self.style.gutter_px) // columns
            left += column * (width + self.style.gutter_px)
        y = self.bottom - self._notes_height(notes) + self.style.line_px
        rule = y - 0.3 * self.style.line_px
        ImageDraw.Draw(self.paper).line((left, rule, left + 8 * self.style.page.font_px, rule), 230)
        for note in notes:
            self._put(note, left, y)
            y += note.ink.height + NOTE_GAP * self.style.line_px

    def _put_asides(self, content: SheetContent, top: float, floor: float) -> None:
        margin = self.style.page.margin_px
        y = top
        for note in content.asides if self.style.aside_px else ():
            stamp = self._stamp(note, self.style.aside_px - self.style.page.font_px)
            if y + stamp.ink.height > floor:
                break
            self._put(stamp, margin, y)
            y += stamp.ink.height + (floor - top) / (len(content.asides) + 1)
        if content.stamp:
            stamp = self._stamp(content.stamp, round(0.6 * (self.bottom - self.top)))
            turned = replace(
                stamp, ink=stamp.ink.crop(stamp.ink.getbbox()).transpose(Image.Transpose.ROTATE_90)
            )
            if turned.ink.width < margin:
                middle = (self.top + self.bottom - turned.ink.height) / 2
                self._put(turned, (margin - turned.ink.width) / 2, middle)

    def _put_slots(self, slots: Sequence[tuple[Slot, Element]], y: float) -> None:
        order = ("left", "middle", "right")
        for slot, element in sorted(slots, key=lambda pair: order.index(pair[0])):
            stamp = self._stamp(replace(element, align=slot), self._full_width)
            cropped = stamp.ink.crop(stamp.ink.getbbox())
            spare = self._full_width - cropped.width
            x = self.left + {"left": 0, "middle": spare / 2, "right": spare}[slot]
            self._put(replace(stamp, ink=cropped), x, y - cropped.height / 2)

    def _put(self, stamp: _Stamp, x: float, y: float) -> None:
        """Lay ink on the paper and note the region; ink beyond the page is cut off."""
        ink_box = stamp.ink.getbbox()
        if ink_box is None:
            return
        x, y = round(x), round(y)
        self.paper.paste(255, (x, y), stamp.ink)
        around = AROUND_EM * stamp.em_px
        left, top, right, bottom = ink_box
        width, height = self.paper.size
        box = (
            max(0.0, x + left - around),
            max(0.0, y + top - around),
            min(float(width), x + right + around),
            min(float(height), y + bottom + around),
        )
        element = stamp.element
        self.regions.append(DrawnRegion(len(self.regions), element.label, box, element.markdown))

    def _stamps(self, group: Group, width: int) -> list[_Stamp]:
        return [self._stamp(element, width) for element in group]

    def _stamp(self, element: Element, width: int) -> _Stamp:
        page = self.style.page
        look = self.style.looks.get(element.label, Look())
        em_px = max(5, round(look.size * page.font_px))
        font = look.font or page.font
        if element.ink is not None:
            return _Stamp(element, _within(element.ink, width), page.font_px)
        if element.rows is not None:
            style = replace(page, font=font, font_px=em_px)
            stretch = width if element.align == "middle" else None
            return _Stamp(element, table_ink(element.rows, style, element.rules, stretch), em_px)
        if element.formula is not None:
            ink = draw_formula(element.formula, font, em_px)
            return _Stamp(element, _within(ink, width), em_px)
        if element.label == "formula_number":
            letters = load_font(font, em_px)
            ink = Image.new("L", (round(letters.getlength(element.text)) + 1, 2 * em_px))
            ImageDraw.Draw(ink).text((0, em_px), element.text, font=letters, fill=255, anchor="lm")
            return _Stamp(element, ink, em_px)
        return _Stamp(element, self._text_ink(element, width), em_px)

    def _lines(self, element: Element, width: int) -> tuple[PageStyle, list[Line]]:
        """The lines of a text, and the style that they are set in."""
        look = self.style.looks.get(element.label, Look())
        page = self.style.page
        font = look.font or page.font
        style = replace(
            page,
            font=font,
            bold_font=font,
            font_px=max(5, round(look.size * page.font_px)),
            width_px=round(width * (1 - 2 * look.inset)),
            margin_px=0,
        )
        kind = "item" if element.is_list else look.kind
        blocks = [
            Block(line, "row" if "\t" in line else kind, tight=True)
            for line in element.text.split("\n")
        ]
        return style, list(break_lines(blocks, style))

    def _text_ink(self, element: Element, width: int) -> Image.Image:
        style, lines = self._lines(element, width)
        line_px = style.font_px * style.line_spacing
        look = self.style.looks.get(element.label, Look())
        inset = round(width * look.inset)
        image = Image.new("L", (width, round(line_px * len(lines) + 0.1 * style.font_px)))
        draw = ImageDraw.Draw(image)
        letters = load_font(style.font, style.font_px)
        for number, line in enumerate(lines, start=1):
            baseline = number * line_px - 0.3 * line_px
            for piece in place_line(line, baseline, style):
                where = (inset + piece.left_px, piece.baseline_px)
                draw.text(where, piece.text, font=letters, fill=255, anchor="ls")
        return image


def _within(ink: Image.Image, width: int) -> Image.Image:
    """The ink, made smaller if it is wider than that."""
    if ink.width <= width:
        return ink
    return ink.resize((width, max(1, round(ink.height * width / ink.width))))


def _joined(lines: Sequence[Line]) -> str:
    """The text of a paragraph's lines; a word divided at the last line's end keeps its hyphen."""
    return "".join(_pieces(lines)).strip()


def _pieces(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        text = " ".join(line.words)
        if line.is_divided and line is not lines[-1]:
            yield text[:-1]
        else:
            yield text + " "
