"""Figures of an evaluation: where the errors are, and which pages got better."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from glmocr_utils.evaluation import SetComparison, SetScore
from glmocr_utils.figures.fitting import short_name
from glmocr_utils.figures.style import INK, WORST_INK, nothing_to_draw, without_frame

MISREAD, MISPLACED, BETTER = "#e8853a", "#9aa7b0", "#2f6690"
DOCUMENTS_SHOWN = 20


def errors_by_document(score: SetScore) -> Figure:
    """Headline CER of each document, worst first, in misread and misplaced characters."""
    counts: dict[str, np.ndarray] = {}
    for page in score.pages:
        name = Path(page.reference.document).name
        numbers = np.array([page.misread, page.misplaced, page.characters])
        counts[name] = counts.get(name, 0) + numbers
    shown = sorted(counts, key=lambda name: -counts[name][:2].sum() / max(1, counts[name][2]))
    shown = shown[:DOCUMENTS_SHOWN][::-1]
    misread, misplaced = (
        [100 * counts[name][part] / max(1, counts[name][2]) for name in shown] for part in (0, 1)
    )
    figure, ax = plt.subplots(figsize=(8, 0.28 * len(shown) + 1.2), layout="constrained")
    rows = range(len(shown))  # two long names may be alike once they are cut
    ax.set_yticks(rows, [short_name(name, 40) for name in shown])
    ax.barh(rows, misread, color=MISREAD, label="misread")
    ax.barh(rows, misplaced, left=misread, color=MISPLACED, label="misplaced")
    ax.axvline(100 * score.headline.value, color=INK, lw=1, ls="--", label="all pages")
    ax.set(xlabel="headline CER, %", xlim=(0, None))
    figure.legend(loc="outside upper right", ncols=3, fontsize=8, frameon=False)  # not on a bar
    return without_frame(figure)


def pages_changed(comparison: SetComparison | None) -> Figure:
    """Each page's headline CER in one set against the other; below the line is better."""
    if comparison is None:
        return nothing_to_draw("set other_readings to compare two sets")
    figure, ax = plt.subplots(figsize=(4.6, 4.4), layout="constrained")
    before, after = (
        np.array([100 * pair[side].cer for pair in comparison.pairs]) for side in (0, 1)
    )
    top = 1.05 * max(1.0, before.max(), after.max())
    colors = np.where(after < before, BETTER, np.where(after > before, WORST_INK, MISPLACED))
    ax.plot([0, top], [0, top], color="#c8c8c8", lw=1)
    ax.scatter(before, after, c=colors, s=18)
    ax.set(
        xlabel=f"CER in {comparison.first}, %", ylabel=f"CER in {comparison.second}, %",
        xlim=(0, top), ylim=(0, top),
    )  # fmt: skip
    ax.set_title(f"{comparison.num_better} pages better, {comparison.num_worse} worse", fontsize=10)
    return without_frame(figure)
