"""Time, memory, and a row of the table."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import psutil

SAMPLE_EVERY_S = 0.005
MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: what is compared.
        ours, baseline: in `unit`; None where it could not be measured here.
        target: bound of the ratio ours / baseline, such as `<= 1.03` or `>= 2.5`.
        note: what a reader should know; why it was not measured, say.
    """

    name: str
    unit: str
    ours: float | None
    baseline: float | None
    target: str
    note: str = ""

    @property
    def ratio(self) -> float | None:
        if self.ours is None or self.baseline is None:
            return None
        return self.ours / self.baseline

    @property
    def met(self) -> bool | None:
        if self.ratio is None:
            return None
        sign, bound = self.target.split()
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)

    def record(self) -> dict[str, object]:
        return {**asdict(self), "ratio": self.ratio, "met": self.met}


def seconds_of(run: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def compare(
    ours: Callable[[], object], baseline: Callable[[], object], repeats: int = 3
) -> tuple[float, float]:
    """Median seconds of both, run in turn, so that both meet the machine in the same mood."""
    times = [(seconds_of(ours), seconds_of(baseline)) for _ in range(repeats)]
    first, second = zip(*times, strict=True)
    return statistics.median(first), statistics.median(second)


@dataclass(slots=True)
class Memory:
    """Bytes that this process and its children held: before, and at most since."""

    before: int
    peak: int

    @property
    def added(self) -> int:
        return self.peak - self.before


@contextmanager
def watched_memory() -> Iterator[Memory]:
    """Watch the resident memory of this process and its children."""
    stopped = threading.Event()
    memory = Memory(held_memory(), 0)

    def watch() -> None:
        while not stopped.wait(SAMPLE_EVERY_S):
            memory.peak = max(memory.peak, held_memory())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        stopped.set()
        thread.join()
        memory.peak = max(memory.peak, held_memory())


def held_memory() -> int:
    """Resident bytes of this process and its children; shared pages count once a process."""
    process = psutil.Process()
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
