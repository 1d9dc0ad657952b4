"""Figures of a run: lengths against the budget, the curve as it grows, before against after."""

import glmocr_utils.model.quiet  # noqa: F401 - before TrainerCallback, which imports PEFT

# isort: split
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import DisplayHandle, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from transformers import TrainerCallback

from glmocr_utils.confidence import mark_tokens, reliability
from glmocr_utils.figures.fitting import (
    fitting_lines,
    length_of,
    short_name,
    split_at_line_ends,
)
from glmocr_utils.figures.lines import Look, Piece, draw_lines
from glmocr_utils.figures.style import (
    INK,
    MONOSPACE_ADVANCE_EM,
    WORST_INK,
    nothing_to_draw,
    without_frame,
)
from glmocr_utils.finetune.comparison import DocumentChange
from glmocr_utils.finetune.evaluation import PageReading
from glmocr_utils.finetune.preflight import Preflight
from glmocr_utils.finetune.rounds import Round
from glmocr_utils.metrics import cer

BEFORE, AFTER, LIMIT = "#9aa7b0", "#e8853a", WORST_INK
DOCUMENTS_SHOWN = 20
MOST_COLUMNS = 80  # characters of a line; longer ones are broken
BREAK_AT = (44, 60, MOST_COLUMNS)  # where
WRONG = Look(ink=WORST_INK, is_bold=True)
MIN_ROWS = 14  # a page of few lines is not set in giant letters
TEXT_WIDTH_PT, TEXT_HEIGHT_PT = 290, 280  # of a page's text in `page_before_and_after`


def token_lengths(checked: Preflight, max_length: int | None) -> Figure:
    """How many tokens the training pages take, against the budget."""
    figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
    ax.hist(checked.num_tokens, bins=30, color=BEFORE, edgecolor="white")
    if max_length is not None:
        ax.axvline(max_length, color=LIMIT, ls="--", label=f"max_length {max_length}")
        ax.legend(fontsize=8, frameon=False)
    ax.set(xlabel="tokens of image, prompt and label", ylabel="pages")
    return without_frame(figure)


def training_curve(history: Sequence[dict[str, float]], cer_before: float | None = None) -> Figure:
    """Loss of training and held-out pages, and CER of held-out pages, against the step.

    Args:
        cer_before: the CER at step 0; None where no page was held out.
    """
    if not history:
        return nothing_to_draw("nothing was trained")
    if cer_before is not None:
        history = [{"step": 0, "eval_cer": cer_before}, *history]
    figure, (losses, rates) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for ax, name, color, label in (
        (losses, "loss", BEFORE, "training"),
        (losses, "eval_loss", AFTER, "held out"),
        (rates, "eval_cer", AFTER, "held out, as read"),
    ):
        points = [(row["step"], row[name]) for row in history if name in row]
        if points:
            ax.plot(*zip(*points, strict=True), color=color, marker=".", label=label)
            ax.legend(fontsize=8, frameon=False)
    losses.set(xlabel="step", ylabel="loss a token (nats)", ylim=(0, None))
    rates.set(xlabel="step", ylabel="CER", ylim=(0, None))
    return without_frame(figure)


def labels_curve(rounds: Sequence[Round]) -> Figure:
    """CER of the held-out pages against the number of labelled pages, round by round."""
    figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    ax.set(xlabel="labelled pages", ylabel="CER of held-out pages, %", ylim=(0, None))
    if not rounds:
        ax.text(0.5, 0.5, "no round with held-out pages so far", ha="center", color=INK,
                transform=ax.transAxes)  # fmt: skip
        return without_frame(figure)
    pages = [each.pages for each in rounds]
    after = 100 * np.array([[each.after.value, each.after.low, each.after.high] for each in rounds])
    value, low, high = after.T
    spread = np.abs([value - low, high - value])
    ax.errorbar(pages, value, spread, color=AFTER, marker="o", capsize=3)
    ax.axhline(100 * rounds[0].before.value, color=BEFORE, ls="--", label="before training")
    ax.set_xscale("log", base=2)
    ax.set_xticks(pages, [str(number) for number in pages])
    ax.set_ylim(0, None)
    ax.legend(fontsize=8, frameon=False)
    return without_frame(figure)


def document_changes(changes: Sequence[DocumentChange]) -> Figure:
    """Each document's CER before and after, the most improved at the top."""
    if not changes:
        return nothing_to_draw("no documents were read before and after")
    shown = list(changes[:DOCUMENTS_SHOWN])[::-1]
    figure, ax = plt.subplots(figsize=(8, 1 + 0.3 * len(shown)), layout="constrained")
    before, after = [c.cer_before for c in shown], [c.cer_after for c in shown]
    rows = np.arange(len(shown))
    ax.hlines(rows, before, after, color="#cccccc")
    ax.plot(before, rows, "o", color=BEFORE, label="before")
    ax.plot(after, rows, "D", color=AFTER, label="after")
    names = [short_name(change.document.rpartition("/")[2], 40) for change in shown]
    ax.set_yticks(rows, names, fontsize=8)
    ax.set(xlabel="CER", xlim=(0, None), ylim=(-0.7, len(shown) - 0.3))
    ax.legend(fontsize=8, frameon=False)
    return without_frame(figure)


def page_before_and_after(image: Image.Image, before: PageReading, after: PageReading) -> Figure:
    """A page image beside its readings before and after; wrong tokens red, bold and underlined.

    Text that is missing altogether has no token, and shows in the CER alone.
    """
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    axes[0].imshow(image)
    axes[0].set(xticks=[], yticks=[])
    axes[0].set_title(short_name(before.document.rpartition("/")[2], 40), fontsize=10)
    for ax, name, reading in zip(axes[1:], ("before", "after"), (before, after), strict=True):
        _draw_marked(ax, reading)
        ax.set_title(f"{name}: CER {cer(*reading.pair):.0%}", fontsize=10, loc="left")
    return figure


def _draw_marked(ax: Axes, reading: PageReading) -> None:
    marks = mark_tokens(reading.result, reading.reference).is_wrong
    pieces = (
        (token.text, WRONG if is_wrong else Look())
        for token, is_wrong in zip(reading.result.tokens, marks, strict=True)
    )
    lines = fitting_lines(split_at_line_ends(pieces), MOST_COLUMNS, BREAK_AT, _font_size)
    font_size = _font_size(lines)
    ax.set_axis_off()
    # in data units, so that text and lines keep together whatever the layout makes of the axes
    columns = TEXT_WIDTH_PT / (MONOSPACE_ADVANCE_EM * font_size)
    ax.set(xlim=(0, columns), ylim=(max(len(lines), MIN_ROWS), 0))
    draw_lines(ax, lines, font_size)


def _font_size(lines: Sequence[Sequence[Piece]]) -> float:
    """Points, so that these lines fit beside a page."""
    columns = max(map(length_of, lines), default=1)
    rows = max(len(lines), MIN_ROWS)
    return min(TEXT_WIDTH_PT / (columns * MONOSPACE_ADVANCE_EM), TEXT_HEIGHT_PT / (1.3 * rows))


def reliability_change(before: Sequence[PageReading], after: Sequence[PageReading]) -> Figure:
    """Stated probability against the share of right tokens, before and after.

    On the diagonal probabilities are calibrated; below it the model is too sure.
    """
    if not before and not after:
        return nothing_to_draw("no pages were read before and after")
    figure, ax = plt.subplots(figsize=(4, 4), layout="constrained")
    ax.plot([0, 1], [0, 1], color="#cccccc", lw=1)
    for readings, color, marker, label in (
        (before, BEFORE, "o", "before"),
        (after, AFTER, "D", "after"),
    ):
        marked = [mark_tokens(reading.result, reading.reference) for reading in readings]
        probs = [token.prob for page in marked for token in page.result.tokens]
        if probs:
            points = reliability(probs, [wrong for page in marked for wrong in page.is_wrong])
            ax.plot(*points, color=color, marker=marker, label=label)
    ax.set(xlabel="stated probability", ylabel="share of right tokens", xlim=(0, 1), ylim=(0, 1))
    ax.legend(fontsize=8, frameon=False)
    return without_frame(figure)


class LiveCurve(TrainerCallback):
    """Draws `training_curve` under the cell that trains, again at each line of the log.

    The trainer's own progress bar above it shows the time left.
    """

    def __init__(self) -> None:
        self._shown: DisplayHandle | None = None

    def on_log(self, args, state, control, **_others: object) -> None:
        if not state.is_world_process_zero:
            return
        figure = training_curve(state.log_history)
        if self._shown is None:
            self._shown = display(figure, display_id=True)
        else:
            self._shown.update(figure)
        plt.close(figure)
