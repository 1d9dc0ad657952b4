"""Figures for notebooks: pages, a page beside its text, how sure the model was."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from glmocr_utils.confidence import (
    WORST_STEP,
    Calibration,
    MarkedPage,
    errors_caught,
    lines_of_tokens,
    precision_recall,
    reliability,
    risk_coverage,
    step_of,
    words_of_tokens,
)
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef, TokenProb

# One hue at rising strength, for the five steps of probability; the last step is also bold and
# underlined, so that colour is never the only sign.
TINTS = (None, "#fdf0e2", "#fbd9b5", "#f6b26b", "#e8853a")
# the scores of `suspicions`
SCORE_COLORS = {
    "probability": "#e8853a",
    "margin": "#2f6690",
    "entropy": "#5b8c5a",
    "word": "#8e5572",
}
WORST_INK = "#b00020"
INK = "#1f1f1f"
MONOSPACE = "DejaVu Sans Mono"
MONOSPACE_ADVANCE_EM = 0.602  # the width of each of its characters


def page_grid(pages: Sequence[PageImage], columns: int = 4) -> Figure:
    """Thumbnails with name, page number and size in pixels."""
    rows = max(1, -(-len(pages) // columns))
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.6 * columns, 3.6 * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, page in zip(axes.flat, pages, strict=False):
        _draw_page(ax, page)
        ax.set_title(
            f"{_name(page.page)}\n{page.width_px} × {page.height_px} px", fontsize=8, color=INK
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
    tint sits exactly on characters of ordinary width.
    """
    lines = list(lines_of_tokens(result)) or [[]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 7), layout="constrained")
    _draw_page(left, page)
    left.set_title(_name(page.page), loc="left", fontsize=10)
    right.set_title("darker = less sure, red = probability below 0.5", loc="left", fontsize=10)
    longest = max(sum(len(token.text) for token in line) for line in lines)
    columns, rows = max(40, longest + 1), max(24, len(lines) + 1)
    right.set(xlim=(0, columns), ylim=(rows, 0))
    right.set_axis_off()
    font_size = min(5.3 * 72 / (columns * MONOSPACE_ADVANCE_EM), 6.4 * 72 / rows / 1.3)
    # in data units, so that text and tint keep together whatever the layout makes of the axes
    stretch = columns * MONOSPACE_ADVANCE_EM * font_size / (5.3 * 72)
    right.set_xlim(0, columns / stretch)
    for number, line in enumerate(lines):
        _draw_line(right, number, line, font_size)
    return figure


def page_with_unsure_words(page: PageImage, result: OcrResult, layout: PageLayout) -> Figure:
    """The page image with its unsure words outlined where they stand.

    Thin outlines are words with a token below 0.8, thick red ones below 0.5. Unsure words whose
    place is unclear are counted in the title.
    """
    figure, ax = plt.subplots(
        figsize=(4.6, 4.6 * page.height_px / page.width_px + 0.4), layout="constrained"
    )
    _draw_page(ax, page)
    unplaced = 0
    for word in words_of_tokens(result):
        step = step_of(min(result.tokens[index].prob for index in word))
        if step < WORST_STEP - 1:
            continue
        spelling = [n for n in word if result.tokens[n].text.strip()]
        box = layout.box_of(spelling)
        if box is None:
            unplaced += 1
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
    ax.set_title(
        f"{_name(page.page)}, unsure words; {unplaced} without a clear place",
        loc="left",
        fontsize=9,
    )
    return figure


def probability_histogram(results: Sequence[OcrResult]) -> Figure:
    """How many tokens have which probability; logarithmic counts, for the few are the point."""
    probabilities = [token.prob for result in results for token in result.tokens]
    figure, ax = plt.subplots(figsize=(7, 2.8), layout="constrained")
    ax.hist(probabilities, bins=np.linspace(0, 1, 41), color="#e8853a", edgecolor="white")
    ax.set_yscale("log")
    ax.set(xlabel="probability of the chosen token", ylabel="tokens", xlim=(0, 1))
    return without_frame(figure)


def review_curves(pages: Sequence[MarkedPage], calibration: Calibration | None = None) -> Figure:
    """Four views of how well doubt finds errors, on pages whose true text is known.

    Errors caught against tokens looked at (which is what a reviewer feels); precision over recall;
    stated probability against the share of right tokens; and the share of wrong tokens among those
    trusted. Tokens that should be there and are not cannot be found by looking at tokens: their
    number is in the title.

    Raises:
        ValueError: all tokens are right, or all wrong.
    """
    figure, axes = plt.subplots(2, 2, figsize=(10, 7.4), layout="constrained")
    for name, color in SCORE_COLORS.items():
        caught = errors_caught(pages, name)
        coverage, risk, area = risk_coverage(pages, name)
        label = f"{name}, AUROC {caught.auroc:.3f}"
        axes[0, 0].plot(caught.reviewed, caught.caught, color=color, label=label)
        precision, recall = precision_recall(pages, name)
        label = f"{name}, average precision {caught.average_precision:.3f}"
        axes[0, 1].plot(recall, precision, color=color, label=label)
        axes[1, 1].plot(coverage, risk, color=color, label=f"{name}, area {area:.4f}")
    _draw_reliability(axes[1, 0], pages, calibration)
    axes[0, 0].set(xlabel="share of tokens looked at", ylabel="share of errors found")
    axes[0, 1].set(xlabel="share of errors found", ylabel="share of errors among tokens looked at")
    axes[1, 1].set(xlabel="share of tokens trusted", ylabel="share of errors among them")
    for ax in axes.flat:
        ax.legend(fontsize=8, frameon=False)
        ax.set(xlim=(0, 1), ylim=(0, None))
    num_tokens = sum(len(page.is_wrong) for page in pages)
    figure.suptitle(
        f"{sum(page.num_wrong for page in pages)} of {num_tokens} tokens wrong; "
        f"{sum(page.omissions for page in pages)} characters left out, which no token shows",
        fontsize=10,
    )
    return without_frame(figure)


def without_frame(figure: Figure) -> Figure:
    """The figure with axes at the left and at the bottom only."""
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_reliability(
    ax: Axes, pages: Sequence[MarkedPage], calibration: Calibration | None
) -> None:
    probs = np.array([token.prob for page in pages for token in page.result.tokens])
    is_wrong = [wrong for page in pages for wrong in page.is_wrong]
    ax.plot([0, 1], [0, 1], color="#c8c8c8", lw=1)
    ax.plot(*reliability(probs, is_wrong), "o-", color="#e8853a", label="as stated by the model")
    if calibration:
        curve = reliability(calibration(probs), is_wrong)
        ax.plot(*curve, "s-", color="#2f6690", label="calibrated")
    ax.set(xlabel="stated probability", ylabel="share of right tokens")


def tint(token: TokenProb) -> str | None:
    """The fill for a token's probability; None for the surest step."""
    return TINTS[step_of(token.prob)]


def _draw_line(ax: Axes, number: int, line: Sequence[TokenProb], font_size: float) -> None:
    column = 0
    for token in line:
        text = token.text.rstrip("\n")
        fill = tint(token)
        width = max(len(text), 0.4)  # a token without text of its own still shows
        if fill:
            ax.add_patch(Rectangle((column, number + 0.08), width, 0.92, color=fill, lw=0))
        is_worst = fill == TINTS[WORST_STEP]
        if is_worst:
            ax.plot([column, column + width], [number + 0.96] * 2, color=WORST_INK, lw=1.2)
        ax.text(
            column,
            number + 0.78,
            # OCR text is no formula
            text.replace("$", r"\$"),
            family=MONOSPACE,
            fontsize=font_size,
            color=WORST_INK if is_worst else INK,
            weight="bold" if is_worst else "normal",
        )
        column += len(text)


def _draw_page(ax: Axes, page: PageImage) -> None:
    ax.imshow(page.image, interpolation="antialiased")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_axis_on()
    for spine in ax.spines.values():
        spine.set_color("#cccccc")


def _name(page: PageRef) -> str:
    name = page.document_name.replace("$", r"\$")
    return f"{name}, page {page.page_number}"
