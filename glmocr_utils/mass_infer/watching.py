"""Ways to watch a run: a bar for a terminal, lines for a log."""

import sys
import time
from datetime import timedelta

from tqdm import tqdm

from glmocr_utils.mass_infer.progress import Progress

LINE_EVERY_S = 30.0


def progress_line(progress: Progress) -> str:
    """`412 of 1,000 pages, 3.1 pages/s, 0:03:10 left; ok 400, looped 12`"""
    parts = [f"{progress.done:,} of {progress.total:,} pages"]
    if progress.read_now and progress.seconds_left is not None:
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
        self._bar.total = progress.total  # documents are still being looked at
        self._bar.set_postfix_str(status_counts(progress), refresh=False)
        self._bar.update(progress.done - self._bar.n)
        if progress.done == progress.total:
            self._bar.close()


def watch_in_terminal() -> Bar | LogLines:
    """A bar where somebody looks, else lines."""
    return Bar() if sys.stderr.isatty() else LogLines()
