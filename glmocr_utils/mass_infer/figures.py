"""Figures of a finished run, from its ledger as a data frame."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from glmocr_utils.mass_infer.watching import READ, UNREAD
from glmocr_utils.plots import without_frame

SPEED_BINS = 40
MEDIAN_OF_PAGES = 20


def run_overview(pages: pd.DataFrame) -> Figure:
    """Speed over time, how many pages have which status, and mean probability page by page."""
    figure, (speed, statuses, surety) = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
    pages = pages.sort_values("finished_at")
    minutes = (pages["finished_at"] - pages["finished_at"].min()) / 60
    counts, edges = np.histogram(minutes, bins=min(SPEED_BINS, max(1, len(pages) // 8)))
    seconds = np.maximum(60 * np.diff(edges), 1e-9)
    speed.stairs(counts / seconds, edges, color=READ, fill=True, alpha=0.6)
    speed.set(xlabel="minutes", ylabel="pages/s")
    frequency = pages["status"].value_counts()[::-1]
    colors = [READ if status == "ok" else UNREAD for status in frequency.index]
    bars = statuses.barh(frequency.index, frequency, color=colors)
    statuses.bar_label(bars, padding=3, fontsize=8)
    statuses.set(xlabel="pages", xlim=(0, 1.15 * max(frequency, default=1)))
    probs = pages["mean_prob"].reset_index(drop=True)
    surety.plot(probs.index + 1, probs, ".", color=UNREAD, ms=3, label="a page")
    middle = probs.rolling(MEDIAN_OF_PAGES, min_periods=1).median()
    label = f"median of {MEDIAN_OF_PAGES}"
    surety.plot(probs.index + 1, middle, color=READ, label=label)
    surety.set(xlabel="page, in order of reading", ylabel="mean probability", ylim=(0, 1.02))
    surety.legend(fontsize=8, frameon=False)
    return without_frame(figure)


def probability_and_length(pages: pd.DataFrame) -> Figure:
    """Each page by the length of its text and its mean probability."""
    figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    for status, group in pages[pages["mean_prob"].notna()].groupby("status"):
        marker = {"marker": "o", "color": READ} if status == "ok" else {"marker": "x"}
        ax.scatter(group["text"].str.len(), group["mean_prob"], s=18, label=status, **marker)
    ax.set(xlabel="characters", ylabel="mean probability", ylim=(None, 1.02))
    if ax.has_data():
        ax.legend(fontsize=8, frameon=False)
    return without_frame(figure)
