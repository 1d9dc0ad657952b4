"""Where a run is, and what it did."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.records.page_row import PageRow


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        done, total: pages; `done` includes those of earlier runs. While documents are still being
            looked at, each of them counts as one page.
        read_now: pages that this run has added.
        seconds: since this run began to read.
        statuses: how many pages have which status, earlier runs included.
        last: the row that was added last; None before the first.
    """

    done: int
    total: int
    read_now: int
    seconds: float
    statuses: Counter[str]
    last: PageRow | None

    @property
    def pages_per_second(self) -> float:
        return self.read_now / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected, at the speed so far; None before the first page."""
        speed = self.pages_per_second
        return (self.total - self.done) / speed if speed else None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run did.

    Attributes:
        folder: where everything is.
        documents: how many were found.
        total: pages that the collection has, as far as its documents open; a document that does
            not open, or was not looked at before the run ended, counts as one.
        read_now: pages that this run has added.
        statuses: how many pages have which status, earlier runs included.
        seconds: that this run took to read.
        stopped: why it ended early; None when every page has its row.
    """

    folder: Path
    documents: int
    total: int
    read_now: int
    statuses: Counter[str]
    seconds: float
    stopped: str | None

    @property
    def pages_per_second(self) -> float | None:
        """Pages that this run has added; None where it had nothing to add."""
        return self.read_now / self.seconds if self.read_now and self.seconds else None

    def cost_per_million_pages(self, price_per_hour: float | None) -> float | None:
        """In the currency of the price, at this run's speed; None where either is not known."""
        speed = self.pages_per_second
        if price_per_hour is None or speed is None:
            return None
        return price_per_hour * 1_000_000 / speed / 3600

    def speed_line(self, price_per_hour: float | None = None) -> str:
        """`3.1 pages/s; a million pages cost 179 at 2 an hour`, or why there is no speed."""
        if self.pages_per_second is None:
            return "no page was read in this run, so it has no speed"
        line = f"{self.pages_per_second:,.2g} pages/s"
        cost = self.cost_per_million_pages(price_per_hour)
        if cost is None:
            return line
        return f"{line}; a million pages cost {cost:,.0f} at {price_per_hour:g} an hour"
