"""The lines of a text layer → its text as GLM-OCR writes it: a paragraph is one line.

A printed line continues in the next one where it is full: the next word would not have fitted
behind it. Where it would have, the line was meant to end: in an address, a list, a poem.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from glmocr_utils.markup import unspaced_script
from glmocr_utils.text_layer.characters import TextLine
from glmocr_utils.text_layer.reading_order import ordered

# a bullet, a number or a letter with a dot or parenthesis, a dash
ITEM = re.compile(r"([•◦▪‣·*–—-]|\(?(\d{1,3}|[a-z]|[ivx]{1,4})[.)])\s")
TABLE_GAP = 1.5  # as a multiple of the line's height, between parts of a row that are cells
INDENT = 1.0  # likewise; a line that starts further right begins something
FIRST_LINE = 4.0  # likewise; how far a paragraph's first line may be indented
SAME_SIZE = 0.75  # of the heights of lines in one paragraph; one may have the number of a note
NEIGHBOURS = 12  # lines before and after that show where a column ends, if the paragraph does not
AT_MARGIN = 0.1  # of its width; how ragged the margin of a paragraph may be
LEAST_WIDTH = 12.0  # of the longest line, as a multiple of its height; shorter ones are no prose
# between the halves of `Vor- und Nachteile`, `pre- and post-war`, the hyphen belongs to the word
BETWEEN_HALVES = frozenset({"und", "oder", "bis", "sowie", "and", "or", "to"})


@dataclass(frozen=True, slots=True)
class _Row:
    """A printed line, with all of its parts."""

    between: str  # what parts it from the row before
    text: str
    left: float
    top: float
    right: float
    bottom: float
    first_word: float  # its width
    is_table: bool
    is_aside: bool

    @property
    def height(self) -> float:
        return self.bottom - self.top


def in_paragraphs(lines: Sequence[TextLine]) -> str:
    """The page's text in reading order: paragraphs without line ends, words whole."""
    rows = list(_rows(lines))
    margins = _right_margins(rows)
    text = rows[0].text if rows else ""
    is_item = bool(rows and ITEM.match(rows[0].text))
    for (first, second), margin in zip(pairwise(rows), margins, strict=False):
        if second.between == "\n" and _continues(first, second, margin, is_item):
            text = _joined(text, second.text)
            continue
        text += second.between + second.text
        is_item = bool(ITEM.match(second.text))
    return text


def _rows(lines: Sequence[TextLine]) -> Iterator[_Row]:
    row: _Row | None = None
    for between, line in ordered(lines):
        if row is not None and between == " ":
            # the height of its longest part: a note's number is higher and smaller
            longest = line if line.right - line.left > row.right - row.left else row
            row = _Row(
                row.between,
                f"{row.text} {line.text}",
                min(row.left, line.left),
                longest.top,
                max(row.right, line.right),
                longest.bottom,
                row.first_word,
                row.is_table or _has_cells(line) or line.left - row.right > TABLE_GAP * row.height,
                row.is_aside,
            )
            continue
        if row is not None:
            yield row
        sides = line.left, line.top, line.right, line.bottom
        row = _Row(between, line.text, *sides, _first_word(line), _has_cells(line), line.aside)
    if row is not None:
        yield row


def _first_word(line: TextLine) -> float:
    words = line.text.split(maxsplit=1)
    length = len(words[0]) if words else 0
    if line.boxes and length:
        return line.boxes[length - 1][2] - line.boxes[0][0]
    return length * _character(line.text, line.left, line.right)


def _character(text: str, left: float, right: float) -> float:
    return (right - left) / max(1, len(text))


def _has_cells(line: TextLine) -> bool:
    """Whether a line as it was drawn has a gap as between the cells of a table."""
    inked = [box for char, box in zip(line.text, line.boxes, strict=False) if not char.isspace()]
    gap = TABLE_GAP * (line.bottom - line.top)
    return any(second[0] - first[2] > gap for first, second in pairwise(inked))


def _right_margins(rows: Sequence[_Row]) -> list[float]:
    """How far to the right each row could have gone."""
    margins: list[float] = []
    start = 0
    for stop in range(1, len(rows) + 1):
        if stop < len(rows) and _is_below(rows[stop - 1], rows[stop]):
            continue
        block = rows[start:stop]
        right = max(row.right for row in block)
        ragged = AT_MARGIN * (right - min(row.left for row in block))
        at_margin = sum(row.right > right - ragged for row in block)
        if at_margin > 1 and _is_prose(block):
            margins += [right] * len(block)
        else:
            margins += [_margin_of_column(rows, number) for number in range(start, stop)]
        start = stop
    return margins


def _is_below(first: _Row, second: _Row) -> bool:
    """Without a gap, and in the same column."""
    is_over = second.left < first.right and first.left < second.right
    return second.between == "\n" and second.top >= first.top and is_over


def _margin_of_column(rows: Sequence[_Row], number: int) -> float:
    own = rows[number]
    near = [
        row
        for row in rows[max(0, number - NEIGHBOURS) : number + NEIGHBOURS + 1]
        if abs(row.left - own.left) <= FIRST_LINE * own.height
    ]  # of other columns, the left edge is elsewhere
    return max(row.right for row in near) if _is_prose(near) else float("inf")


def _is_prose(rows: Sequence[_Row]) -> bool:
    return any(0 < LEAST_WIDTH * row.height <= row.right - row.left for row in rows)


def _continues(first: _Row, second: _Row, margin: float, is_item: bool) -> bool:
    """Whether `second` is more of the paragraph, or of the item, that `first` is in."""
    if first.is_table or second.is_table or first.is_aside or second.is_aside:
        return False
    if ITEM.match(second.text) or second.top < first.top:
        return False
    smaller, larger = sorted((first.height, second.height))
    if smaller < SAME_SIZE * larger:
        return False
    indent = second.left - first.left
    if not -FIRST_LINE * larger <= indent <= (FIRST_LINE if is_item else INDENT) * larger:
        return False
    space = _character(second.text, second.left, second.right)
    return first.right + space + second.first_word > margin


def _joined(text: str, more: str) -> str:
    """A text and the next printed line of its paragraph."""
    word = more.split(maxsplit=1)[0] if more.split() else ""
    if len(text) > 1 and text[-1] in "-\u2010" and text[-2].isalnum() and more[:1].isalnum():
        if word in BETWEEN_HALVES:
            return f"{text} {more}"
        return (text[:-1] if more[0].islower() else text) + more
    if text and more and unspaced_script(text[-1]) and unspaced_script(more[0]):
        return text + more
    return f"{text} {more}"
