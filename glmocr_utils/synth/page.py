"""Text blocks → a page image and its text, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

BlockKind = Literal["paragraph", "heading", "centred", "right", "row", "item"]
TextForm = Literal["printed", "paragraphs"]

HEADING_MARK = "# "
HYPHEN = "-"
ONE_SOUND = frozenset(("ch", "ck", "ph", "sh", "th"))
VOWELS = frozenset("aeiouyäöüéèêáàâóôúíëï")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page; blocks are set apart by a gap, which is a blank line in the text.

    Attributes:
        text: the text. In a `row`, a tab parts the left from the right column.
        kind: `paragraph`, `heading` (bold), `centred`, `right` (flush right), `row` (label left,
            value right; without room for both, like a paragraph) or `item` (hanging indent).
        tight: True puts it right under the block before it, without the gap.
    """

    text: str
    kind: BlockKind = "paragraph"
    tight: bool = False


@dataclass(frozen=True, slots=True)
class PageStyle:
    """How a page is set. All lengths are in pixels.

    Attributes:
        font: path of the font file; bold_font: the one for headings.
        font_px: the size of an em.
        line_spacing: line height as a multiple of `font_px`.
        width_px, height_px: the page; `height_px=None` ends the page under the last line.
        margin_px: on all four sides.
        justify: stretch the lines of paragraphs to the right margin.
        indent_px: of a paragraph's first line.
        hyphenate: divide words at line ends of paragraphs and items.
        ink, paper: grey levels, 0 to 255.
    """

    font: Path
    bold_font: Path
    font_px: int = 20
    line_spacing: float = 1.3
    width_px: int = 595
    height_px: int | None = 842
    margin_px: int = 48
    justify: bool = False
    indent_px: int = 0
    hyphenate: bool = False
    ink: int = 0
    paper: int = 255


@dataclass(frozen=True, slots=True)
class SynthPage:
    """A drawn page.

    Attributes:
        image: RGB.
        text: as printed: its lines as lines, gaps as blank lines. Or in paragraphs, as GLM-OCR
            writes: a paragraph or a heading is one line, words divided at a line end are whole, and
            a heading begins with `# ` if its font is another than the text's.
        boxes: (num_characters, 4), float32: left, top, right, bottom in pixels for each character
            of `text`, from the height of a capital to a little under the baseline. A line end, or
            the space instead of it, lies behind the last character of the line above it; the mark
            of a heading lies at the heading's left edge.
    """

    image: Image.Image
    text: str
    boxes: np.ndarray


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A unit of drawing: a whole line, or a word of a justified one.

    Attributes:
        font: path of the font file.
        left_px, baseline_px: where it starts, from the page's top left corner.
    """

    text: str
    font: Path
    left_px: float
    baseline_px: float


@dataclass(frozen=True, slots=True)
class SetPage:
    """A page set but not drawn: the pieces of each line; `text` and `boxes` as a `SynthPage`'s."""

    lines: tuple[tuple[PlacedText, ...], ...]
    height_px: int
    text: str
    boxes: np.ndarray


@dataclass(frozen=True, slots=True)
class Line:
    words: tuple[str, ...]
    block: Block
    is_first: bool
    is_last: bool
    gap_above: bool
    is_divided: bool = False  # its last word continues in the next line


def draw_page(blocks: list[Block], style: PageStyle, form: TextForm = "printed") -> SynthPage:
    """Set `blocks` into lines and draw as many as the page holds.

    What does not fit on the page is neither drawn nor in the text.
    """
    page = set_page(blocks, style, form)
    image = Image.new("L", (style.width_px, page.height_px), style.paper)
    draw = ImageDraw.Draw(image)
    for piece in (piece for line in page.lines for piece in line):
        font = load_font(piece.font, style.font_px)
        anchor = (piece.left_px, piece.baseline_px)
        draw.text(anchor, piece.text, font=font, fill=style.ink, anchor="ls")
    return SynthPage(image.convert("RGB"), page.text, page.boxes)


def set_page(blocks: list[Block], style: PageStyle, form: TextForm = "printed") -> SetPage:
    """Where `draw_page` draws what, for those who draw it elsewhere, as in a PDF."""
    lines = _fit(list(break_lines(blocks, style)), style)
    line_px = style.font_px * style.line_spacing
    heights = [line_px * (1.6 if line.gap_above else 1.0) for line in lines]
    height_px = style.height_px or round(2 * style.margin_px + sum(heights) + 0.3 * style.font_px)
    placed = []
    bottom = float(style.margin_px)
    for line, height in zip(lines, heights, strict=True):
        bottom += height
        placed.append(tuple(place_line(line, bottom - 0.3 * line_px, style)))
    text, boxes = _written(lines, placed, style, form)
    return SetPage(tuple(placed), height_px, text, boxes)


def box_of_character(left: float, right: float, baseline: float, font_px: float) -> tuple:
    """(left, top, right, bottom) in pixels; at least a pixel wide."""
    return (left, baseline - 0.72 * font_px, max(right, left + 1), baseline + 0.1 * font_px)


def _written(
    lines: list[Line], placed: list[tuple[PlacedText, ...]], style: PageStyle, form: TextForm
) -> tuple[str, np.ndarray]:
    """The text of the lines and the box of each of its characters."""
    font_px = style.font_px
    marked = form == "paragraphs" and style.bold_font != style.font  # a heading that can be seen
    text: list[str] = []
    boxes: list[tuple] = []
    before: Line | None = None
    for line, pieces in zip(lines, placed, strict=True):
        separator = _separator(before, line, form) if before else ""
        if before and not separator:
            text.pop()  # the hyphen
            boxes.pop()
        for _ in separator:
            _, top, right, bottom = boxes[-1]
            boxes.append((right, top, right + 1, bottom))
        mark = HEADING_MARK if marked and line.is_first and line.block.kind == "heading" else ""
        start = pieces[0]
        boxes += [
            box_of_character(start.left_px, start.left_px, start.baseline_px, font_px) for _ in mark
        ]
        boxes += line_boxes(pieces, font_px)
        text += [*separator, *mark, *" ".join(line.words)]
        before = line
    return "".join(text), np.array(boxes, np.float32).reshape(-1, 4)


def line_boxes(pieces: Sequence[PlacedText], font_px: int) -> list[tuple]:
    """A box for each character of the pieces and of the spaces between them."""
    boxes: list[tuple] = []
    for number, piece in enumerate(pieces):
        font = load_font(piece.font, font_px)
        if number:  # the space before it
            end = boxes[-1][2]
            right = min(piece.left_px, end + 0.4 * font_px)
            boxes.append(box_of_character(end, right, piece.baseline_px, font_px))
        edges = [piece.left_px + font.getlength(piece.text[:i]) for i in range(len(piece.text) + 1)]
        boxes += [box_of_character(*pair, piece.baseline_px, font_px) for pair in pairwise(edges)]
    return boxes


def _separator(before: Line, line: Line, form: TextForm) -> str:
    if line.gap_above:
        return "\n\n"
    if form == "printed" or line.is_first:
        return "\n"
    return "" if before.is_divided else " "


def _fit(lines: list[Line], style: PageStyle) -> list[Line]:
    if style.height_px is None:
        return lines
    room = style.height_px - 2 * style.margin_px
    line_px = style.font_px * style.line_spacing
    used = 0.0
    for number, line in enumerate(lines):
        used += line_px * (1.6 if line.gap_above else 1.0)
        if used > room:
            return lines[:number]
    return lines


def break_lines(blocks: list[Block], style: PageStyle):
    """Break each block's text into lines that fit between the margins, greedily."""
    width = style.width_px - 2 * style.margin_px
    for number, block in enumerate(blocks):
        gap_above = number > 0 and not block.tight
        font = _font_of(block, style)
        if block.kind == "row":
            left, _, right = block.text.partition("\t")
            if text_width(font, left) + style.font_px + text_width(font, right) <= width:
                yield Line((left, right), block, True, True, gap_above)
                continue
            # print on print could not be read: what has no room beside the label comes after it
            block = replace(block, text=f"{left} {right}", kind="paragraph")
        offset = style.indent_px if block.kind == "paragraph" else 0
        offset = 2 * style.font_px if block.kind == "item" else offset
        space = _advance(font, " ")
        lines: list[list[str]] = [[]]
        divided: set[int] = set()
        used = float(offset)
        words = block.text.split()[::-1]
        while words:
            word = words.pop()
            needed = text_width(font, word)
            room = width - used - (space if lines[-1] else 0)
            if lines[-1] and needed > room:
                head = _head_that_fits(font, word, room) if style.hyphenate else ""
                if head and block.kind in ("paragraph", "item"):
                    divided.add(len(lines) - 1)
                    lines[-1].append(head + HYPHEN)
                    word = word[len(head) :]
                    needed = text_width(font, word)
                lines.append([])
                used = float(offset if block.kind == "item" else 0)
            used += needed + (space if lines[-1] else 0)
            lines[-1].append(word)
        for index, words_of_line in enumerate(filter(None, lines)):
            yield Line(
                tuple(words_of_line),
                block,
                index == 0,
                index == len(lines) - 1,
                gap_above and index == 0,
                index in divided,
            )


def _head_that_fits(font: ImageFont.FreeTypeFont, word: str, room: float) -> str:
    """The longest part of `word` that may end in a hyphen within `room` pixels, or nothing.

    Words are divided before a consonant that a vowel follows, as most are in English and German.
    """
    if not word.rstrip(".,;:!?").isalpha():
        return ""
    letters = word.lower()
    for end in range(len(word) - 3, 1, -1):
        syllable = letters[end] not in VOWELS and letters[end + 1] in VOWELS
        may_end = syllable and letters[end - 1 : end + 1] not in ONE_SOUND
        if (
            may_end
            and VOWELS & set(letters[:end])
            and text_width(font, word[:end] + HYPHEN) <= room
        ):
            return word[:end]
    return ""


def place_line(line: Line, baseline: float, style: PageStyle) -> list[PlacedText]:
    font = _font_of(line.block, style)
    left, right = style.margin_px, style.width_px - style.margin_px
    kind = line.block.kind

    def put(x: float, text: str) -> PlacedText:
        return PlacedText(text, _font_path(line.block, style), x, baseline)

    if kind == "row":
        label, value = line.words
        return [put(left, label), put(right - font.getlength(value), value)]
    text = " ".join(line.words)
    if kind in ("centred", "right"):
        free = right - left - font.getlength(text)
        return [put(left + (free / 2 if kind == "centred" else free), text)]
    if kind == "item" and not line.is_first:
        left += 2 * style.font_px
    if kind == "paragraph" and line.is_first:
        left += style.indent_px
    stretch = style.justify and kind == "paragraph" and not line.is_last and len(line.words) > 1
    if not stretch:
        return [put(left, text)]
    lengths = [font.getlength(word) for word in line.words]
    space = (right - left - sum(lengths)) / (len(lengths) - 1)
    if space > 2.5 * style.font_px:  # a river that wide isn't a line of print
        return [put(left, text)]
    starts = accumulate((length + space for length in lengths[:-1]), initial=float(left))
    return [put(x, word) for x, word in zip(starts, line.words, strict=True)]


def _font_of(block: Block, style: PageStyle) -> ImageFont.FreeTypeFont:
    return load_font(_font_path(block, style), style.font_px)


def _font_path(block: Block, style: PageStyle) -> Path:
    return style.bold_font if block.kind == "heading" else style.font


@lru_cache(maxsize=512)
def load_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """The font file at `size` pixels an em."""
    # The basic layout is faster and the same everywhere; Latin script needs no more.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=200_000)
def _advance(font: ImageFont.FreeTypeFont, character: str) -> float:
    return font.getlength(character)


def text_width(font: ImageFont.FreeTypeFont, word: str) -> float:
    """Sum of advances: without kerning it errs by a pixel, which breaking lines can bear."""
    return sum(_advance(font, character) for character in word)
