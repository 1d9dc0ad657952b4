"""Figures of how sure the model was, and how well doubt finds errors."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glmocr_utils.confidence import (
    Calibration,
    MarkedPage,
    errors_caught,
    precision_recall,
    reliability,
    risk_coverage,
)
from glmocr_utils.figures.style import nothing_to_draw, without_frame
from glmocr_utils.records import OcrResult

# the scores of `suspicions`
SCORE_COLORS = {
    "probability": "#e8853a",
    "margin": "#2f6690",
    "entropy": "#5b8c5a",
    "word": "#8e5572",
}


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
    number is in the title. If no token is wrong or none is right, the figure says so instead.
    """
    num_tokens = sum(len(page.is_wrong) for page in pages)
    num_wrong = sum(page.num_wrong for page in pages)
    if not pages:
        return nothing_to_draw("set references to see how well doubt finds errors")
    if num_wrong in (0, num_tokens):
        return nothing_to_draw(f"{num_wrong} of {num_tokens} tokens are wrong: nothing to compare")
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
    figure.suptitle(
        f"{num_wrong} of {num_tokens} tokens wrong; "
        f"{sum(page.omissions for page in pages)} characters left out, which no token shows",
        fontsize=10,
    )
    return without_frame(figure)


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
