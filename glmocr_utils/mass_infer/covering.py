"""Readings of a page by how much of it they cover, and what is added to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from glmocr_utils.mass_infer.region_rows import RegionReading
from glmocr_utils.mass_infer.request import Reading
from glmocr_utils.records import PageCoverage, PageLayout, UnreadInk
from glmocr_utils.records.page_row import Attempt, PageRow

READ_AGAIN_FROM = 12  # characters left out: a page that lacks so many is read again
PART = 0.2  # of a page's characters, left out: a column, or a block of some size
LOST = 0.5  # of a page's characters, without support
PART_BREAK = "\n"  # around what was read alone


@dataclass(frozen=True, slots=True)
class CoveredRow:
    """A reading of a page, what it left out and made up, and where its tokens are, if known."""

    row: PageRow
    coverage: PageCoverage | None = None
    layout: PageLayout | None = None

    @property
    def unread(self) -> tuple[UnreadInk, ...]:
        return self.coverage.unread if self.coverage is not None else ()

    @property
    def lacking(self) -> float:
        """How many characters were left out or made up, as far as that is known."""
        if self.coverage is None:
            return 0.0
        return (self.coverage.unread_characters or 0.0) + self.coverage.unsupported_characters

    @property
    def lacks_much(self) -> bool:
        """Whether the page is worth another reading."""
        coverage = self.coverage
        has_unread = coverage is not None and coverage.is_clear and bool(coverage.unread)
        return has_unread and self.row.status == "ok" and self.lacking >= READ_AGAIN_FROM

    @property
    def is_lost(self) -> bool:
        """Whether most of the text looks nowhere: so boxes of unread ink are guesses, too."""
        return self.coverage is not None and (
            not self.coverage.is_clear
            or self.coverage.unsupported_characters > LOST * self._num_read
        )

    @property
    def lacks_a_part(self) -> bool:
        """Whether a column may be missing, or the model lost its place: not so by regions."""
        if self.coverage is None or self.row.status != "ok":
            return False
        unread = self.coverage.unread_characters or 0.0
        is_large = unread >= PART * (unread + self._num_read)
        return self.is_lost or (self.lacks_much and is_large)

    @property
    def _num_read(self) -> int:
        return len("".join((self.row.text or "").split()))

    @property
    def faults(self) -> float:
        """Characters that it lacks, and tokens that the model doubts.

        What covers a page with a guess for each line lacks nothing.
        """
        tokens = len(self.row.token_ids or ())
        return self.lacking + tokens * (1 - (self.row.mean_prob or 0.0))

    def or_better(self, other: "CoveredRow") -> "CoveredRow":
        """The other reading where it lacks less and has fewer faults; otherwise this one."""
        if other.row.status != "ok" or other.coverage is None or not other.coverage.is_clear:
            return self
        is_better = other.lacking < self.lacking and other.faults < self.faults
        return other if is_better else self

    def as_row(self, again: bool) -> PageRow:
        """The row with its coverage.

        Args:
            again: this reading is not the first, and covers more.
        """
        if self.coverage is None:
            return self.row
        said = [self.row.reason, self.coverage.reason]
        said += ["Read again, since the first reading left something out."] if again else []
        reason = " ".join(filter(None, said)) or None
        return replace(self.row, coverage=self.coverage, reason=reason)


def supported(covered: CoveredRow, parts: Sequence[tuple[int, Reading]]) -> CoveredRow:
    """A row with parts that were read from their own ink, which therefore support their text.

    Within the whole page the model loses its place around what it had skipped.

    Args:
        parts: as in `with_parts`.
    """
    if covered.coverage is None:
        return covered
    ranges = []
    before = 0  # tokens that were inserted so far
    for position, part in sorted(parts, key=lambda each: each[0]):
        start = position + before
        before += len(part.token_ids or ())
        ranges.append((start, position + before))
    unsupported = tuple(
        run
        for run in covered.coverage.unsupported
        if not any(run.token_start < stop and start < run.token_stop for start, stop in ranges)
    )
    return replace(covered, coverage=replace(covered.coverage, unsupported=unsupported))


def with_parts(row: PageRow, parts: Sequence[tuple[int, Reading]]) -> PageRow:
    """A row with parts of the page that were read alone, each a line or lines of its own.

    Args:
        parts: (how many of the row's tokens come before it, what was read).
    """
    ids, logprobs, lengths = (
        [*(row.token_ids or ())],
        [*(row.logprobs or ())],
        [*(row.token_lengths or ())],
    )
    ends = [0, *accumulate(lengths)]
    text = row.text or ""
    for position, part in sorted(parts, key=lambda each: each[0], reverse=True):
        at = min(position, len(lengths))
        before, after = text[: ends[at]], text[ends[at] :]
        head = PART_BREAK if before and not before.endswith("\n") else ""
        tail = PART_BREAK if after and not after.startswith("\n") else ""
        own = [*(part.token_lengths or ())]
        own[-1] += len(tail)
        if head:
            lengths[at - 1] += len(head)
        ids[at:at], logprobs[at:at], lengths[at:at] = part.token_ids or (), part.logprobs or (), own
        text = f"{before}{head}{part.text}{tail}{after}"
    probs = np.exp([each for each in logprobs if each is not None])
    return replace(
        row,
        text=text,
        token_ids=ids,
        logprobs=logprobs,
        token_lengths=lengths,
        min_prob=float(probs.min()) if len(probs) else None,
        mean_prob=float(probs.mean()) if len(probs) else None,
    )


def with_regions(
    readings: Sequence[RegionReading], row: PageRow, new: Sequence[tuple[int, RegionReading]]
) -> tuple[list[RegionReading], dict[int, int]]:
    """The regions of a page and new ones, in reading order and numbered again.

    Args:
        row: of `readings`, with the ranges of their tokens.
        new: (how many of the row's tokens come before it, region); their numbers are not those of
            other regions.

    Returns:
        All regions; the new number of each by its old one.
    """
    behind: dict[int | None, list[RegionReading]] = {}
    for position, each in new:
        before = [region for region in row.regions if region.token_start < position]
        last = max(before, key=lambda region: region.token_start).index if before else None
        behind.setdefault(last, []).append(each)
    together = [*behind.get(None, ())]
    for each in sorted(readings, key=lambda each: each.region.index):
        together += [each, *behind.get(each.region.index, ())]
    numbers = {each.region.index: number for number, each in enumerate(together)}
    return [
        replace(each, region=replace(each.region, index=number))
        for number, each in enumerate(together)
    ], numbers


def renumbered(attempts: Sequence[Attempt], numbers: Mapping[int, int]) -> list[Attempt]:
    """Passes by the regions' new numbers; those outside all regions of the page have none."""
    return [
        replace(each, region=None if each.region is None else numbers.get(each.region))
        for each in attempts
    ]
