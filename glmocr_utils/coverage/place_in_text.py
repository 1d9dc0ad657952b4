"""Where in the text of a reading a line of unread ink belongs.

All lengths are in units of `text_on_page`.
"""

import numpy as np

from glmocr_utils.coverage.text_on_page import TextOnPage

# in ems
SAME_ROW = 0.6
COLUMN_GAP = 1.2  # between columns, at least

Edges = tuple[int, int, int, int]  # left, top, right, bottom


def tokens_before(text: TextOnPage, line: Edges, is_prose: bool) -> int:
    """How many tokens come before a line of unread ink.

    They are those left of it in its row, or those of the line above. Of prose, text that is far
    beside it is another column: that comes before it as a whole, or after it.

    Args:
        line: its edges on the deskewed page.
        is_prose: lines of ink here are as wide as those of a column, not as a table's cells.
    """
    if not len(text.boxes):
        return 0
    left, top, right, bottom = line
    lefts, rights = text.boxes[:, 0], text.boxes[:, 2]
    middle = (top + bottom) / 2
    row = np.abs(text.middles - middle) < SAME_ROW * text.em
    over = (lefts < right) & (rights > left)
    above = np.flatnonzero(over & ~row & (text.middles < middle))
    over_it = int(above[text.middles[above].argmax()]) if len(above) else None
    before = np.flatnonzero(row & (rights <= left + text.em))
    if len(before):
        nearest = int(before[rights[before].argmax()])
        if over_it is not None and text.tokens[over_it] > text.tokens[nearest]:
            return _end_of_text_above(text, over_it, middle)
        is_column = is_prose and left - rights[nearest] > COLUMN_GAP * text.em
        last = _column_of(text, nearest, rights <= left)[-1] if is_column else nearest
        return int(text.tokens[last]) + 1
    if over_it is not None:
        return _end_of_text_above(text, over_it, middle)
    behind = np.flatnonzero(row & (lefts >= right - text.em))
    if len(behind):
        nearest = int(behind[lefts[behind].argmin()])
        is_column = is_prose and lefts[nearest] - right > COLUMN_GAP * text.em
        first = _column_of(text, nearest, lefts >= right)[0] if is_column else nearest
        return int(text.tokens[first])
    after = row | (over & (text.middles > middle))
    return int(text.tokens[after].min()) if after.any() else int(text.tokens.max()) + 1


def _column_of(text: TextOnPage, piece: int, is_beside: np.ndarray) -> range:
    """The pieces of the printed lines that follow each other down the page, with that of `piece`
    among them, as far as they are all beside something.

    Args:
        is_beside: (num_pieces,) bool.
    """
    numbers = text.lines

    def goes_on(line: int, following: int) -> bool:
        own, other = numbers == line, numbers == following
        is_below = np.median(text.middles[other]) >= np.median(text.middles[own])
        return bool(is_below and is_beside[own].all() and is_beside[other].all())

    start = stop = piece
    while start > 0 and goes_on(numbers[start - 1], numbers[start]):
        start -= 1
    while stop + 1 < len(numbers) and goes_on(numbers[stop], numbers[stop + 1]):
        stop += 1
    return range(start, stop + 1)


def _end_of_text_above(text: TextOnPage, piece: int, middle: float) -> int:
    """How many tokens come until the end of a line, and of those after it that are above `middle`.

    The last line of a paragraph is often too short to be above a signature at the right.
    """
    line = text.lines == text.lines[piece]
    while True:
        stop = int(text.tokens[line].max()) + 1
        later = text.tokens >= stop
        if not later.any():
            return stop
        following = text.lines == text.lines[later.argmax()]
        left, right = text.boxes[line, 0].min(), text.boxes[line, 2].max()
        is_below_it = (text.boxes[following, 0] < right) & (text.boxes[following, 2] > left)
        is_above = text.middles[following] < middle - SAME_ROW * text.em
        if not (is_below_it.any() and is_above.all() and text.tokens[following].max() >= stop):
            return stop
        line = following
