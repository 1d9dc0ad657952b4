"""Lines in the order in which a PDF draws them → the order in which people read them, as text.

Most programs draw in reading order, and know it better than geometry can. So the order is kept
unless it runs back up the page where no new column begins; then the page is cut into columns.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, quantiles

from glmocr_utils.text_layer.characters import TextLine

# Between columns of prose. Sides with fewer lines or shorter ones are taken for a table, which is
# read row by row.
MIN_COLUMN_LINES = 3
MIN_COLUMN_CHARACTERS = 12
GUTTER = 0.6  # at least this wide, as a multiple of the line's height

# A gap makes a blank line when lines lie this much further apart than those of a paragraph.
PARAGRAPH_GAP = 1.3


def in_reading_order(lines: Sequence[TextLine]) -> str:
    """The page's text: printed lines as lines, gaps between blocks as blank lines."""
    return "".join(between + line.text for between, line in ordered(lines))


def ordered(lines: Sequence[TextLine]) -> list[tuple[str, TextLine]]:
    """The lines in reading order, each with what parts it from the one before it."""
    upright = [line for line in lines if not line.aside]
    if any(_runs_back(first, second) for first, second in pairwise(upright)):
        upright = _sorted(sorted(upright, key=lambda line: (line.top, line.left)))
    asides = [("\n", line) for line in lines if line.aside]
    return [*_with_gaps(upright), *asides]


def _height(line: TextLine) -> float:
    return line.bottom - line.top


def _same_row(first: TextLine, second: TextLine) -> bool:
    shared = min(first.bottom, second.bottom) - max(first.top, second.top)
    return shared > 0.5 * min(_height(first), _height(second))


def _runs_back(first: TextLine, second: TextLine) -> bool:
    """`second` is drawn after `first` and should be read before it."""
    if _same_row(first, second):
        return second.right <= first.left
    return second.top < first.top and second.left < first.right


def _sorted(lines: list[TextLine]) -> list[TextLine]:
    """Lines sorted by their tops → column by column if there are columns, or row by row."""
    band = _widest_band(lines)
    if band is None:
        return _row_by_row(lines)
    start, end, gutter = band
    left = [line for line in lines[start:end] if line.right <= gutter]
    right = [line for line in lines[start:end] if line.right > gutter]
    return [
        *_sorted(lines[:start]),
        *_sorted(left),
        *_sorted(right),
        *_sorted(lines[end:]),
    ]


def _widest_band(lines: list[TextLine]) -> tuple[int, int, float] | None:
    """The most consecutive lines on the left and right of one gutter.

    Returns:
        Start and end of those lines, and the left edge of the gutter.
    """
    best = None
    for gutter in sorted({line.right for line in lines}):
        start = 0
        for end in range(len(lines) + 1):
            if end < len(lines) and not _crosses(lines[end], gutter):
                continue
            wider = best is None or end - start > best[1] - best[0]
            if wider and _are_columns(lines[start:end], gutter):
                best = (start, end, gutter)
            start = end + 1
    return best


def _crosses(line: TextLine, gutter: float) -> bool:
    return line.right > gutter and line.left < gutter + GUTTER * _height(line)


def _are_columns(lines: list[TextLine], gutter: float) -> bool:
    left = [len(line.text) for line in lines if line.right <= gutter]
    right = [len(line.text) for line in lines if line.right > gutter]
    return all(
        len(side) >= MIN_COLUMN_LINES and fmean(side) >= MIN_COLUMN_CHARACTERS
        for side in (left, right)
    )


def _row_by_row(lines: list[TextLine]) -> list[TextLine]:
    rows: list[list[TextLine]] = []
    for line in lines:
        if rows and _same_row(rows[-1][0], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]


def _bottoms(lines: Sequence[TextLine]) -> list[float]:
    """Of each line's row, as far as it is read: the number of a note is higher than its line."""
    bottoms: list[float] = []
    for number, line in enumerate(lines):
        is_more = number and _same_row(lines[number - 1], line)
        bottoms.append(max(bottoms[-1], line.bottom) if is_more else line.bottom)
    return bottoms


def _with_gaps(lines: Sequence[TextLine]) -> list[tuple[str, TextLine]]:
    if not lines:
        return []
    steps = [line.bottom - before for before, line in zip(_bottoms(lines), lines[1:], strict=False)]
    down = [step for step, line in zip(steps, lines[1:], strict=True) if step > 0.5 * _height(line)]
    # The lower quarter: most lines of a page may be headings and table rows with gaps around them.
    usual = quantiles(down, n=4, method="inclusive")[0] if len(down) > 1 else float("inf")
    parted = [("", lines[0])]
    for (first, second), step in zip(pairwise(lines), steps, strict=True):
        if _same_row(first, second) and second.left >= first.right:
            parted.append((" ", second))
        else:
            parted.append(("\n\n" if step > PARAGRAPH_GAP * usual else "\n", second))
    return parted
