"""Ways to watch a run: a bar for a terminal, lines for a log, a table and plots for a notebook."""

import sys
import time
from collections import deque
from datetime import timedelta

import matplotlib.pyplot as plt
from IPython.display import HTML, DisplayHandle, display
from matplotlib.figure import Figure
from tqdm import tqdm

from glmocr_utils.mass_infer.run import Progress
from glmocr_utils.plots import without_frame

LINE_EVERY_S = 30.0
DRAW_EVERY_S = 3.0
POINTS_SHOWN = 2000
READ, UNREAD = "#e8853a", "#9aa7b0"


def progress_line(progress: Progress) -> str:
    """`412 of 1,000 pages, 3.1 pages/s, 0:03:10 left; ok 400, looped 12`"""
    parts = [f"{progress.done:,} of {progress.total:,} pages"]
    if progress.read_now:
        parts.append(f"{progress.pages_per_second:.2g} pages/s")
        parts.append(f"{timedelta(seconds=round(progress.seconds_left))} left")
    return "; ".join(filter(None, (", ".join(parts), status_counts(progress))))


def status_counts(progress: Progress) -> str:
    """`ok 400, looped 12`, the most frequent first."""
    return ", ".join(f"{status} {count:,}" for status, count in progress.statuses.most_common())


class LogLines:
    """A line every half minute and at the end, for logs and headless notebooks."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next or progress.done == progress.total:
            self._next = time.monotonic() + LINE_EVERY_S
            print(progress_line(progress), flush=True)


class Bar:
    """A bar on standard error, for a terminal."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def __call__(self, progress: Progress) -> None:
        if self._bar is None:
            self._bar = tqdm(total=progress.total, initial=progress.done, unit="page")
        self._bar.set_postfix_str(status_counts(progress), refresh=False)
        self._bar.update(progress.done - self._bar.n)
        if progress.done == progress.total:
            self._bar.close()


class LiveView:
    """A line, and plots of speed, statuses and probability, drawn anew every few seconds."""

    def __init__(self) -> None:
        self._drawn_at = 0.0
        self._probabilities: deque[tuple[int, float]] = deque(maxlen=POINTS_SHOWN)
        self._speeds: deque[tuple[float, float]] = deque(maxlen=POINTS_SHOWN)
        self._line: DisplayHandle | None = None
        self._plots: DisplayHandle | None = None

    def __call__(self, progress: Progress) -> None:
        if progress.last is not None and progress.last.mean_prob is not None:
            self._probabilities.append((progress.done, progress.last.mean_prob))
        now = time.monotonic()
        if now - self._drawn_at < DRAW_EVERY_S and progress.done < progress.total:
            return
        self._drawn_at = now
        self._speeds.append((progress.seconds / 60, progress.pages_per_second))
        line = HTML(f"<b>{progress_line(progress)}</b>")
        figure = self._figure(progress)
        if self._line is None:
            self._line = display(line, display_id=True)
            self._plots = display(figure, display_id=True)
        else:
            self._line.update(line)
            self._plots.update(figure)
        plt.close(figure)

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


def watch_in_terminal() -> Bar | LogLines:
    """A bar where somebody looks, else lines."""
    return Bar() if sys.stderr.isatty() else LogLines()
