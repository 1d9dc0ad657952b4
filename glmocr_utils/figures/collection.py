"""Figures of a run: while it runs, and of a finished one from its ledger as a data frame."""

import html
import sys
import time
from collections import deque

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import HTML, DisplayHandle, display
from matplotlib.figure import Figure

from glmocr_utils.figures.style import without_frame
from glmocr_utils.mass_infer.progress import Progress
from glmocr_utils.notebook_host import is_kernel_of_a_person
from glmocr_utils.ocr.progress import LOOK_EVERY_S, LogLines, bar

DRAW_EVERY_S = 3.0
POINTS_SHOWN = 2000
READ, UNREAD = "#e8853a", "#9aa7b0"
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
    ax.set(xlabel="characters", ylabel="mean probability")
    if ax.has_data():
        lowest = ax.get_ylim()[0]
        ax.set_ylim(lowest, 1 + (1 - lowest) / 20)  # room for a mark at 1
        ax.set_yticks([tick for tick in ax.get_yticks() if lowest <= tick <= 1])
        # outside, so that none of its marks is taken for a page
        ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return without_frame(figure)


def watch_in_notebook() -> "LiveView | LogLines":
    """Plots that are redrawn if a person looks, otherwise lines now and then."""
    return LiveView() if is_kernel_of_a_person() else LogLines(sys.stdout)


class LiveView:
    """A bar with a line, twice a second; plots of speed, statuses and probability, less often."""

    def __init__(self) -> None:
        self._written_at = self._drawn_at = -DRAW_EVERY_S
        self._probabilities: deque[tuple[int, float]] = deque(maxlen=POINTS_SHOWN)
        self._speeds: deque[tuple[float, float]] = deque(maxlen=POINTS_SHOWN)
        self._line: DisplayHandle | None = None
        self._plots: DisplayHandle | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.last is not None and progress.last.mean_prob is not None:
            self._probabilities.append((progress.done, progress.last.mean_prob))
        now = time.monotonic()
        if now - self._written_at >= LOOK_EVERY_S or progress.is_over:
            self._written_at = now
            self._line = self._shown(self._line, HTML(_line(progress)))
        if not progress.doing and (now - self._drawn_at >= DRAW_EVERY_S or progress.is_over):
            self._drawn_at = now
            self._speeds.append((progress.seconds / 60, progress.pages_per_second))
            figure = self._figure(progress)
            self._plots = self._shown(self._plots, figure)
            plt.close(figure)

    def _shown(self, handle: DisplayHandle | None, shown: object) -> DisplayHandle | None:
        if handle is None:
            return display(shown, display_id=True)
        handle.update(shown)
        return handle

    def _figure(self, progress: Progress) -> Figure:
        figure, axes = plt.subplots(1, 3, figsize=(11, 2.6), layout="constrained")
        speed, statuses, probability = axes
        speed.plot(*zip(*self._speeds, strict=True), color=READ)
        speed.set(xlabel="minutes", ylabel="pages/s", ylim=(0, None))
        names = [name for name, _ in progress.statuses.most_common()][::-1]
        counts = [progress.statuses[name] for name in names]
        colors = [READ if name == "ok" else UNREAD for name in names]
        statuses.barh(names, counts, color=colors)
        statuses.set(xlabel="pages")
        if self._probabilities:
            points = zip(*self._probabilities, strict=True)
            probability.plot(*points, ".", color=READ, ms=3)
        probability.set(xlabel="page", ylabel="mean probability", ylim=(0, 1.02))
        return without_frame(figure)


def _line(progress: Progress) -> str:
    return f"<b>{bar(progress.share)}{html.escape(str(progress))}</b>"
