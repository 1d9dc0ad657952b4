"""Figures of a run: lengths against the budget, the curve as it grows, before against after."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import DisplayHandle, display
from matplotlib.figure import Figure
from transformers import TrainerCallback

from glmocr_utils.confidence import mark_tokens, reliability
from glmocr_utils.finetune.comparison import DocumentChange
from glmocr_utils.finetune.preflight import Preflight
from glmocr_utils.finetune.reading import PageReading

BEFORE, AFTER, LIMIT = "#9aa7b0", "#e8853a", "#b00020"
DOCUMENTS_SHOWN = 20


def token_lengths(checked: Preflight, max_length: int | None) -> Figure:
    """How many tokens the training pages take, against the budget."""
    figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
    ax.hist(checked.num_tokens, bins=30, color=BEFORE, edgecolor="white")
    if max_length is not None:
        ax.axvline(max_length, color=LIMIT, ls="--", label=f"max_length {max_length}")
        ax.legend(fontsize=8, frameon=False)
    ax.set(xlabel="tokens of image, prompt and label", ylabel="pages")
    return _tidied(figure)


def training_curve(history: Sequence[dict[str, float]]) -> Figure:
    """Loss of training and held-out pages, and CER of held-out pages, against the step."""
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
    return _tidied(figure)


def document_changes(changes: Sequence[DocumentChange]) -> Figure:
    """Each document's CER before and after, the most improved at the top."""
    shown = list(changes[:DOCUMENTS_SHOWN])[::-1]
    figure, ax = plt.subplots(figsize=(8, 1 + 0.3 * len(shown)), layout="constrained")
    before, after = [c.cer_before for c in shown], [c.cer_after for c in shown]
    rows = np.arange(len(shown))
    ax.hlines(rows, before, after, color="#cccccc")
    ax.plot(before, rows, "o", color=BEFORE, label="before")
    ax.plot(after, rows, "D", color=AFTER, label="after")
    names = [change.document.rpartition("/")[2].replace("$", r"\$") for change in shown]
    ax.set_yticks(rows, names, fontsize=8)
    ax.set(xlabel="CER", xlim=(0, None), ylim=(-0.7, len(shown) - 0.3))
    ax.legend(fontsize=8, frameon=False)
    return _tidied(figure)


def reliability_change(before: Sequence[PageReading], after: Sequence[PageReading]) -> Figure:
    """Stated probability against the share of right tokens, before and after.

    On the diagonal a probability means what it says; below it the model is too sure.
    """
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
    return _tidied(figure)


class LiveCurve(TrainerCallback):
    """Draws `training_curve` under the cell that trains, again at each line of the log.

    The trainer's own progress bar stands above it and says how long it will take.
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


def _tidied(figure: Figure) -> Figure:
    for ax in figure.axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure
