"""Figures of pages: thumbnails, a page beside its text, its unsure words outlined."""

from collections import defaultdict
from collections.abc import Sequence
from textwrap import wrap

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from glmocr_utils.confidence import (
    WORST_STEP,
    step_of,
    words_of_tokens,
)
from glmocr_utils.figures.fitting import (
    fitting_lines,
    length_of,
    short_name,
    size_within,
    split_at_line_ends,
)
from glmocr_utils.figures.lines import Line, Look, Piece, draw_lines
from glmocr_utils.figures.style import (
    COVERAGE_INK,
    COVERAGE_TINT,
    INK,
    MONOSPACE,
    MONOSPACE_ADVANCE_EM,
    TINTS,
    WORST_INK,
    tint,
)
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef, TokenProb
from glmocr_utils.records.region import COLOURS, role_of

MIN_COLUMNS, MOST_COLUMNS = 40, 100  # characters of a line; longer ones are broken
BREAK_AT = (60, 80, MOST_COLUMNS)  # where
MIN_ROWS, FULL_ROWS, MOST_ROWS = 24, 60, 110  # lines at least, in the usual height, and at most
TEXT_WIDTH_PT = 5.3 * 72  # beside a page
PLAIN, UNSUPPORTED, NOTE = Look(), Look(fill=COVERAGE_TINT), Look(ink=COVERAGE_INK)


def page_grid(pages: Sequence[PageImage], columns: int = 4) -> Figure:
    """Thumbnails with name, page number and size in pixels."""
    columns = max(1, min(columns, len(pages)))
    rows = max(1, -(-len(pages) // columns))
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.6 * columns, 3.6 * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, page in zip(axes.flat, pages, strict=False):
        _draw_page(ax, page)
        ax.set_title(
            f"{_name(page.page, 32)}\n{page.width_px} × {page.height_px} px", fontsize=8, color=INK
        )
    return figure


def scale_comparison(pages: Sequence[PageImage], width_points: float = 110) -> Figure:
    """The same corner of one page at several scales, as the model gets it: pixel by pixel.

    Args:
        pages: one page, rendered at several scales.
        width_points: the width of the piece that is shown, in PDF points.
    """
    figure, axes = plt.subplots(
        1, len(pages), figsize=(3.6 * len(pages), 2.6), squeeze=False, layout="constrained"
    )
    for ax, page in zip(axes[0], pages, strict=True):
        width, height = width_points * page.scale, 0.6 * width_points * page.scale
        left, top = 0.12 * page.width_px, 0.06 * page.height_px
        ax.imshow(page.image.crop((left, top, left + width, top + height)), interpolation="nearest")
        ax.set_axis_off()
        ax.set_title(f"scale {page.scale:g} = {72 * page.scale:.0f} DPI", fontsize=10)
    return figure


def page_and_tokens(page: PageImage, result: OcrResult) -> Figure:
    """The page image beside its text, each token tinted by its probability in five steps.

    Tokens below 0.5 are also bold, red and underlined. Lines are set in a monospaced font, so the
    tint sits exactly on characters of ordinary width; long ones are broken, and a page of very many
    is cut, which is said.
    """
    lines = split_at_line_ends((token.text, _probability_look(token)) for token in result.tokens)
    figure, _ = _page_beside_text(page, lines, "darker = less sure, red = probability below 0.5")
    return figure


def page_with_coverage(page: PageImage, result: OcrResult) -> Figure:
    """The page image, ink that was not read outlined, beside its text.

    Where the outlined ink belongs in the text, a note says about how many characters are missing;
    unsupported tokens are marked.

    Args:
        result: with its `coverage`.
    """
    coverage = result.coverage
    unsupported = {
        number
        for run in (coverage.unsupported if coverage else ())
        for number in range(run.token_start, run.token_stop)
    }
    notes: defaultdict[int, str] = defaultdict(str)  # by the token that they precede
    for unread in coverage.unread if coverage else ():
        notes[unread.token_stop] += f" ← about {unread.num_characters:.0f} characters not read "
    pieces: list[Piece] = []
    for number, token in enumerate(result.tokens):
        _add_note(pieces, notes[number])
        pieces.append((token.text, UNSUPPORTED if number in unsupported else PLAIN))
    _add_note(pieces, notes[len(result.tokens)])
    title = "outlined: not read · marked: perhaps not on the page"
    figure, left = _page_beside_text(page, split_at_line_ends(pieces), title)
    for unread in coverage.unread if coverage else ():
        box = unread.box
        corner = box.left - 3, box.top - 3
        size = box.right - box.left + 6, box.bottom - box.top + 6
        left.add_patch(Rectangle(corner, *size, fill=False, edgecolor=COVERAGE_INK, linewidth=2))
    return figure


def page_with_unsure_words(page: PageImage, result: OcrResult, layout: PageLayout) -> Figure:
    """The page image with its unsure words outlined.

    Thin outlines are words with a token below 0.8, thick red ones below 0.5. Unsure words whose
    box is unclear are counted in the title.
    """
    width, height = size_within(page.width_px, page.height_px, width=4.6, most=9.0)
    figure, ax = plt.subplots(figsize=(max(4.6, width), height + 0.6), layout="constrained")
    _draw_page(ax, page)
    num_unclear = 0
    for word in words_of_tokens(result):
        step = step_of(min(result.tokens[index].prob for index in word))
        if step < WORST_STEP - 1:
            continue
        spelling = [n for n in word if result.tokens[n].text.strip()]
        box = layout.box_of(spelling)
        if box is None:
            num_unclear += 1
            continue
        is_worst = step == WORST_STEP
        ax.add_patch(
            Rectangle(
                (box.left - 2, box.top - 1),
                box.right - box.left + 4,
                box.bottom - box.top + 2,
                fill=False,
                edgecolor=WORST_INK if is_worst else TINTS[-1],
                linewidth=1.8 if is_worst else 1.2,
            )
        )
    _set_title(figure, page, f"unsure words; {num_unclear} without a clear box")
    return figure


def page_both_ways(page: PageImage, whole: OcrResult, regions: OcrResult, most: int = 46) -> Figure:
    """A page with its regions, numbered in reading order and coloured by kind, beside the texts of
    two readings: as a whole, and by these regions.

    Args:
        most: lines of each text that are shown.
    """
    figure, (left, *texts) = plt.subplots(
        1, 3, figsize=(13, 6), width_ratios=(1, 1.05, 1.05), layout="constrained"
    )
    _draw_page(left, page)
    _set_title(figure, page)
    for region in regions.regions:
        x1, y1, x2, y2 = region.box
        colour = COLOURS[role_of(region)]
        left.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, lw=1.3))
        left.text(
            x1, y1, str(region.index + 1), fontsize=6, color="white", va="bottom",
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    for ax, title, result in zip(
        texts, ("read as a whole", "read by regions"), (whole, regions), strict=True
    ):
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_axis_off()
        ax.text(
            0, 1, "\n".join(_wrapped(result.text, most)), fontsize=6.6, family=MONOSPACE, color=INK,
            transform=ax.transAxes, va="top", linespacing=1.35, parse_math=False,
        )  # fmt: skip
    return figure


def _wrapped(text: str, most: int, width: int = 62) -> list[str]:
    """The first lines of a text, long ones broken."""
    lines = [part for line in text.split("\n") for part in wrap(line, width) or [""]]
    return lines if len(lines) <= most else [*lines[: most - 1], "…"]


def _probability_look(token: TokenProb) -> Look:
    fill = tint(token)
    is_worst = fill == TINTS[WORST_STEP]
    return Look(fill, WORST_INK, is_bold=True) if is_worst else Look(fill)


def _add_note(pieces: list[Piece], note: str) -> None:
    """Behind the last character, not on a blank line after it."""
    if not note:
        return
    blank = []
    while pieces and not pieces[-1][0].rstrip("\n"):
        blank.append(pieces.pop())
    if pieces:
        text, look = pieces.pop()
        written = text.rstrip("\n")
        pieces += [(written, look), (note, NOTE), (text[len(written) :], look)]
    else:
        pieces.append((note, NOTE))
    pieces += reversed(blank)


def _page_beside_text(page: PageImage, lines: Sequence[Line], title: str) -> tuple[Figure, Axes]:
    """A page image beside lines of text, in as large a font as fits, and the axes of the page."""
    shown = fitting_lines(lines, MOST_COLUMNS, BREAK_AT, _font_size) or [[]]
    hidden, shown = len(shown) - MOST_ROWS, shown[:MOST_ROWS]
    rows = _num_rows(shown)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, _height(rows)), layout="constrained")
    _draw_page(left, page)
    _set_title(figure, page)
    right.set_title(title, loc="left", fontsize=10)
    right.set_axis_off()
    font_size = _font_size(shown)
    # in data units, so that text and tint keep together whatever the layout makes of the axes
    right.set(xlim=(0, TEXT_WIDTH_PT / (MONOSPACE_ADVANCE_EM * font_size)), ylim=(rows, 0))
    draw_lines(right, shown, font_size)
    if hidden > 0:
        right.text(0, rows - 0.2, f"… and {hidden} more lines", fontsize=9, color=INK)
    return figure, left


def _num_rows(lines: Sequence[Sequence[Piece]]) -> int:
    return max(MIN_ROWS, min(len(lines), MOST_ROWS) + 1)


def _height(rows: int) -> float:
    """Inches of a figure with so many lines."""
    return max(7.0, 7.0 * rows / FULL_ROWS)


def _font_size(lines: Sequence[Sequence[Piece]]) -> float:
    """Points, so that these lines fit."""
    columns = max(MIN_COLUMNS, 1 + max(map(length_of, lines), default=0))
    rows = _num_rows(lines)
    line_pt = (_height(rows) - 0.6) * 72 / rows
    return min(TEXT_WIDTH_PT / (columns * MONOSPACE_ADVANCE_EM), line_pt / 1.3)


def _draw_page(ax: Axes, page: PageImage) -> None:
    ax.imshow(page.image, interpolation="antialiased")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_axis_on()
    for spine in ax.spines.values():
        spine.set_color("#cccccc")


def _set_title(figure: Figure, page: PageImage, more: str = "") -> None:
    """Above all axes: that of a skinny page is too narrow for a title."""
    title = "\n".join(filter(None, (_name(page.page, 60), more)))
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def _name(page: PageRef, most: int) -> str:
    """Name and number of a page in at most so many characters."""
    number = f", page {page.page_number}"
    return short_name(page.document_name, most - len(number)) + number
