"""Elements in columns → a page image and its regions, in reading order, with their Markdown.

Reading order: what is in the head, from left to right; the full-width top; the columns; the
full-width bottom; side notes; footnotes; what is in the foot. A box contains a region's ink and a
quarter of an em around it.
"""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image, ImageDraw

from glmocr_utils.synth.elements import (
    Element,
    PrintedText,
    SheetStyle,
    Slot,
    Stamp,
    draw_element,
    split_text,
    text_lines,
)
from glmocr_utils.synth.sheet import DrawnRegion, Group, Sheet, SheetContent
from glmocr_utils.synth.table import rule_px

NOTE_GAP = 0.25  # between footnotes, in lines
FLOAT_GAP = 0.25  # between a picture and its caption, in lines
LEAST_LINES = 2  # of a part of a broken paragraph
LEAST_COLUMN = 8  # lines that the columns keep above a full-width bottom
AROUND_EM = 0.25  # between a region's ink and its box
SHARES: dict[Slot, float] = {"left": 0.0, "middle": 0.5, "right": 1.0}  # of free room on the left
RULE_INK, COLUMN_RULE_INK = 230, 160


def draw_sheet(content: SheetContent, style: SheetStyle) -> Sheet:
    """Set and draw a page."""
    return _Setter(style).set(content)


class _Setter:
    """Sets one page: puts ink on it and notes the regions."""

    def __init__(self, style: SheetStyle) -> None:
        page = style.page
        if page.height_px is None:
            raise ValueError("a page in columns needs a height; set height_px of its PageStyle")
        self.style = style
        self.paper = Image.new("L", (page.width_px, page.height_px))
        self.pen = ImageDraw.Draw(self.paper)
        self.regions: list[DrawnRegion] = []
        self.texts: list[PrintedText] = []
        self.left = page.margin_px + style.aside_px
        self.right = page.width_px - page.margin_px
        self.top = page.margin_px
        self.bottom = page.height_px - page.margin_px
        self.full_width = self.right - self.left
        self.gap = style.gap * style.line_px

    def set(self, content: SheetContent) -> Sheet:
        style = self.style
        self._put_slots(content.head, style.page.margin_px * 0.5)
        notes = self._footnote_stamps(content)
        notes_px = self._notes_height(notes)
        top = self._put_top(content.top, self.bottom - notes_px)
        bottoms = [self._stamps(group, self.full_width) for group in content.bottom]
        bottom_px = sum(self.gap + self._height(stamps) for stamps in bottoms)
        if top + bottom_px > self.bottom - notes_px - LEAST_COLUMN * style.line_px:
            bottoms, bottom_px = [], 0.0
        floors = [
            self.bottom - bottom_px - (notes_px if content.footnote_column in (-1, column) else 0)
            for column in range(style.num_columns)
        ]
        if bottoms:  # under all columns alike
            floors = [min(floors)] * style.num_columns
        self._flow(content.columns, top, floors)
        y = self.bottom - notes_px - bottom_px
        for stamps in bottoms:
            y = self._put_group(stamps, self.left, self.full_width, y + self.gap)
        self._put_asides(content, top, min(floors))
        self._put_footnotes(notes, content.footnote_column)
        self._put_slots(content.foot, self.paper.height - style.page.margin_px * 0.75)
        return Sheet(self._image(), tuple(self.regions), tuple(self.texts))

    def _image(self) -> Image.Image:
        page = self.style.page
        span = page.ink - page.paper
        greys = [round(page.paper + span * ink / 255) for ink in range(256)]
        return self.paper.point(greys).convert("RGB")

    def _rule(self, line: tuple[float, float, float, float], ink: int) -> None:
        self.pen.line(line, fill=ink, width=rule_px(self.style.page))

    def _column(self, index: int) -> tuple[float, int]:
        """Left edge and width of a column; -1 for the whole width."""
        if index < 0:
            return self.left, self.full_width
        gutter, columns = self.style.gutter_px, self.style.num_columns
        width = (self.full_width - (columns - 1) * gutter) // columns
        return self.left + index * (width + gutter), width

    def _flow(self, groups: Sequence[Group], top: float, floors: Sequence[float]) -> None:
        """Fill the columns one by one; break paragraphs at their feet."""
        waiting = list(groups)[::-1]
        for column, floor in enumerate(floors):
            left, width = self._column(column)
            if column and self.style.column_rule:
                x = left - self.style.gutter_px / 2
                self._rule((x, top, x, floor), COLUMN_RULE_INK)
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
        return self.gap + more * self.style.line_px

    def _broken(self, group: Group, width: int, room: float) -> tuple[Group, Group] | None:
        """A paragraph as the lines that fit and the rest; None if it has to stay in one piece."""
        [element, *more] = group
        if more or element.label != "text" or element.is_list or "\n" in element.text:
            return None
        style, lines = text_lines(element, self.style, width)
        fit = min(int(room / (style.font_px * style.line_spacing)), len(lines) - LEAST_LINES)
        if fit < LEAST_LINES:
            return None
        first, second = split_text(element, lines, fit)
        return (first,), (second,)

    def _put_top(self, groups: Sequence[Group], floor: float) -> float:
        y = float(self.top)
        for group in groups:
            stamps = self._stamps(group, self.full_width)
            if y + self._height(stamps) > floor:
                break
            y = self._put_group(stamps, self.left, self.full_width, y)
            y += self.gap + self.style.title_gap * self.style.line_px
        return y

    def _put_group(self, stamps: Sequence[Stamp], left: float, width: int, y: float) -> float:
        """Put the stamps under one another; returns where the group ends."""
        for number, stamp in enumerate(stamps):
            if stamp.element.label == "formula_number":
                continue  # beside the formula
            y += FLOAT_GAP * self.style.line_px if number else 0
            spare = width - stamp.ink.width
            x = left + SHARES[stamp.element.align] * spare
            self._put(stamp, x, y)
            follower = stamps[number + 1] if number + 1 < len(stamps) else None
            if follower and follower.element.label == "formula_number":
                middle = y + (stamp.ink.height - follower.ink.height) / 2
                self._put(follower, left + width - follower.ink.width, middle)
            y += stamp.ink.height
        return y

    def _height(self, stamps: Sequence[Stamp]) -> float:
        stacked = [stamp for stamp in stamps if stamp.element.label != "formula_number"]
        gaps = FLOAT_GAP * self.style.line_px * (len(stacked) - 1)
        return sum(stamp.ink.height for stamp in stacked) + gaps

    def _notes_height(self, notes: Sequence[Stamp]) -> float:
        """With the room above them."""
        gaps = NOTE_GAP * self.style.line_px * len(notes)
        return sum(note.ink.height for note in notes) + gaps + self.style.line_px if notes else 0.0

    def _footnote_stamps(self, content: SheetContent) -> list[Stamp]:
        _, width = self._column(content.footnote_column)
        return [self._stamp(note, width) for note in content.footnotes]

    def _put_footnotes(self, notes: Sequence[Stamp], column: int) -> None:
        if not notes:
            return
        left, _ = self._column(column)
        y = self.bottom - self._notes_height(notes) + self.style.line_px
        rule = y - 0.3 * self.style.line_px
        self._rule((left, rule, left + 8 * self.style.page.font_px, rule), RULE_INK)
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
            upright = stamp.cropped().ink
            turned = replace(stamp, ink=upright.transpose(Image.Transpose.ROTATE_90), texts=())
            if turned.ink.width < margin:
                middle = (self.top + self.bottom - turned.ink.height) / 2
                self._put(turned, (margin - turned.ink.width) / 2, middle)

    def _put_slots(self, slots: Sequence[tuple[Slot, Element]], y: float) -> None:
        for slot, element in sorted(slots, key=lambda pair: SHARES[pair[0]]):
            stamp = self._stamp(replace(element, align=slot), self.full_width)
            cropped = stamp.cropped()
            x = self.left + SHARES[slot] * (self.full_width - cropped.ink.width)
            self._put(cropped, x, y - cropped.ink.height / 2)

    def _put(self, stamp: Stamp, x: float, y: float) -> None:
        """Lay ink on the paper and note the region; ink beyond the page is cut off."""
        ink_box = stamp.ink.getbbox()
        if ink_box is None:
            return
        x, y = round(x), round(y)
        self.paper.paste(255, (x, y), stamp.ink)
        self.texts += [text.moved(x, y) for text in stamp.texts]
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

    def _stamps(self, group: Group, width: int) -> list[Stamp]:
        return [self._stamp(element, width) for element in group]

    def _stamp(self, element: Element, width: int) -> Stamp:
        return draw_element(element, self.style, width)
