"""The label set as figures: whose labels, how far they agree, which characters, how long."""

import unicodedata
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from glmocr_utils.labels.report import LabelReport

# Each status has a hatch too, so that colour is never the only sign.
STATUS_LOOKS = {
    "gold": ("#e0a72e", ""),
    "silver": ("#a9b4bd", "//"),
    "draft": ("#dccbb8", ".."),
}
SPLIT_LOOK = ("#e8853a", "//")
WHOLE_LOOK = ("#8fa8bd", "")
SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥", "$": r"\$"}
MAX_CHARACTERS = 32  # on the picture of the inventory


def label_overview(report: LabelReport) -> Figure:
    """Four views of a label set.

    Pages by source and status; CER between each two sources; the characters, those first that the
    tokenizer splits; and how many tokens the pages take, against the budget.
    """
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
    _draw_sources(axes[0, 0], report)
    _draw_agreements(axes[0, 1], report)
    _draw_characters(axes[1, 0], report)
    _draw_lengths(axes[1, 1], report)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_sources(ax: Axes, report: LabelReport) -> None:
    sources = sorted({source for source, _ in report.pages})
    names = [_short(source) for source in sources]
    left = np.zeros(len(sources))
    for status, (color, hatch) in STATUS_LOOKS.items():
        counts = np.array([report.pages[source, status] for source in sources], dtype=float)
        if counts.any():
            look: dict[str, Any] = {"color": color, "hatch": hatch, "edgecolor": "white"}
            ax.barh(names, counts, left=left, label=f"{status}, {counts.sum():.0f}", **look)
        left += counts
    ax.set(xlabel="pages whose label counts", title="Whose labels count")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(-1, max(2, len(sources)))  # a single bar must not fill the height
    if sources:
        ax.legend(fontsize=8, frameon=False)


def _draw_agreements(ax: Axes, report: LabelReport) -> None:
    names = [f"{_short(a.first)}\n{_short(a.second)}" for a in report.agreements]
    bars = ax.barh(names, [100 * a.cer for a in report.agreements], color=WHOLE_LOOK[0])
    notes = [f" {a.cer:.1%}, pages: {a.num_pages}" for a in report.agreements]
    ax.bar_label(bars, notes, fontsize=8)
    ax.set(xlabel="CER between the two, in %", title="How far sources agree")
    ax.margins(x=0.4)
    ax.set_ylim(-1, max(2, len(names)))
    if not names:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no page has labels of two sources", ha="center", transform=ax.transAxes)


def _draw_characters(ax: Axes, report: LabelReport) -> None:
    split = report.split_characters
    ranked = sorted(report.characters.items(), key=lambda item: (item[0] not in split, -item[1]))
    shown = ranked[:MAX_CHARACTERS]
    positions = np.arange(len(shown))
    for is_split, (color, hatch), name in (
        (True, SPLIT_LOOK, "spelled in several tokens"),
        (False, WHOLE_LOOK, "one token"),
    ):
        chosen = [n for n, (sign, _) in enumerate(shown) if (sign in split) == is_split]
        if chosen:
            counts = [shown[n][1] for n in chosen]
            ax.bar(chosen, counts, color=color, hatch=hatch, edgecolor="white", label=name)
    ax.set_xticks(positions, [_sign(sign) for sign, _ in shown], fontsize=8)
    ax.set(
        yscale="log",
        ylabel="how often",
        title=f"{len(report.characters)} characters, {len(split)} of them split by the tokenizer",
    )
    if shown:
        ax.legend(fontsize=8, frameon=False)


def _draw_lengths(ax: Axes, report: LabelReport) -> None:
    if report.num_tokens:
        ax.hist(report.num_tokens, bins=30, color=WHOLE_LOOK[0], edgecolor="white")
    if report.budget is not None:
        ax.axvline(report.budget, color="#b00020", ls="--")
        ax.annotate(
            f" budget {report.budget}", (report.budget, 0.95), xycoords=("data", "axes fraction"),
            color="#b00020", fontsize=8, ha="right", rotation=90, va="top",
        )  # fmt: skip
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    over = len(report.over_budget)
    ax.set(xlabel="tokens of text and image", ylabel="pages", title=f"pages over budget: {over}")


def _sign(character: str) -> str:
    """A character for an axis; what has no ink is written as a sign or as its code."""
    if character in SIGNS:
        return SIGNS[character]
    no_ink = unicodedata.category(character)[0] in "CMZ"
    return f"{ord(character):04X}" if no_ink else character


def _short(source: str) -> str:
    """`model:data/models/some-model` → `model:some-model`; dollar signs make no formula."""
    kind, colon, name = source.partition(":")
    return f"{kind}{colon}{name.rpartition('/')[2]}".replace("$", r"\$")
