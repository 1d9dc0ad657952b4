"""Where a run is, and what it did."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from glmocr_utils.ocr import ReadingProgress
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
        last: the row that has just been added; None where none has.
        doing: what is done before the first page is read, `loading the model`; empty afterwards.
        reading: the page that a model in this process is writing; None before the first, and
            where other processes read.
        tokens_now: written since this run began to read, as far as that is known.
    """

    done: int
    total: int
    read_now: int
    seconds: float
    statuses: Counter[str]
    last: PageRow | None
    doing: str = ""
    reading: ReadingProgress | None = None
    tokens_now: int = 0

    @property
    def is_over(self) -> bool:
        return self.done == self.total and not self.doing

    @property
    def share(self) -> float | None:
        """Of the pages, 0 to 1."""
        return self.done / self.total if self.total else None

    @property
    def tokens_per_second(self) -> float:
        return self.tokens_now / self.seconds if self.seconds else 0.0

    @property
    def pages_per_second(self) -> float:
        return self.read_now / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected, at the speed so far; None before the first page."""
        speed = self.pages_per_second
        return (self.total - self.done) / speed if speed else None

    def __str__(self) -> str:
        """`412 of 1,000 pages, 3.1 pages/s, 96 tokens/s, 0:03:10 left · ok 400, looped 12 · …`

        The end names the page under way, its tokens so far and the last of what is written.
        """
        parts = [f"{self.done:,} of {self.total:,} pages"]
        if self.read_now and self.seconds_left is not None:
            parts.append(f"{self.pages_per_second:.2g} pages/s")
        if self.tokens_now:
            parts.append(f"{self.tokens_per_second:.3g} tokens/s")
        if self.read_now and self.seconds_left:
            parts.append(f"{timedelta(seconds=round(self.seconds_left))} left")
        counts = (f"{status} {count:,}" for status, count in self.statuses.most_common())
        return " · ".join(filter(None, (", ".join(parts), ", ".join(counts), self._now())))

    def _now(self) -> str:
        """What is being done at the moment."""
        reading = self.reading
        if self.doing or self.is_over or reading is None or reading.page is None:
            return self.doing
        at = f"{reading.page.document_name}, page {reading.page.page_number}: "
        at += f"{reading.tokens:,} tokens" if reading.tokens else "looking at it"
        return f"{at} · … {reading.tail}" if reading.tail else at


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
        return cost_of_pages(1_000_000, 1 / speed, price_per_hour)

    def speed_line(self, price_per_hour: float | None = None) -> str:
        """`3.1 pages/s; a million pages cost 179 at 2 an hour`, or why there is no speed."""
        if self.pages_per_second is None:
            return "no page was read in this run, so it has no speed"
        line = f"{self.pages_per_second:,.2g} pages/s"
        cost = self.cost_per_million_pages(price_per_hour)
        if cost is None:
            return line
        return f"{line}; a million pages cost {cost:,.0f} at {price_per_hour:g} an hour"


def cost_of_pages(pages: float, seconds_a_page: float, price_per_hour: float) -> float:
    """In the currency of the price."""
    return pages * seconds_a_page / 3600 * price_per_hour
