"""What is tried on a page, and what comes of it: the same for every engine.

A `PageTask` asks for passes of the model and is given what was read, until it is done: passes over
a page, or over each of its regions (`passes.py`), what it left out (`covering.py`), second readers.
The text is kept as the model wrote it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from glmocr_utils.confidence import PageQuality
from glmocr_utils.confidence.verdict import NOT_READ_BELOW
from glmocr_utils.markdown.pictures import Picture, crop_pictures
from glmocr_utils.mass_infer.covering import (
    CoveredRow,
    renumbered,
    supported,
    with_parts,
    with_regions,
)
from glmocr_utils.mass_infer.passes import LOOP_SCALES, Limits, Passes, Steps
from glmocr_utils.mass_infer.reading_rows import ReadingRows
from glmocr_utils.mass_infer.region_rows import RegionReading, kept_readings
from glmocr_utils.mass_infer.request import (
    Answer,
    AnyRequest,
    CoverRequest,
    Failure,
    LayoutRequest,
    Request,
    RequestFailed,
    Second,
    SecondRequest,
)
from glmocr_utils.mass_infer.strands import Strands, Together
from glmocr_utils.options import SecondPages, Tasks
from glmocr_utils.records import (
    Furniture,
    PageLayout,
    Region,
    UnreadInk,
)
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import CheckedPage

COVER_SCALES = (1.25, 0.75)  # the same, for a page that lacks much
PART_MARGIN_PT = 2.0  # around unread ink
UNREAD_LABEL = "text"  # of a region that is unread ink


@dataclass(frozen=True, slots=True)
class RegionOptions:
    """How pages are read by regions: prompts by kind, and where furniture goes."""

    tasks: Tasks
    furniture: Furniture = "apart"


@dataclass(frozen=True, slots=True)
class Settled:
    """A page or document that is not to be read; `row` says what became of it."""

    row: PageRow
    pictures: tuple[Picture, ...] = ()

    def next_requests(self) -> list[Request]:
        return []


class PageTask:
    """One page on its way to its row.

    Args:
        page: its image, and what the pixels say of it.
        num_pages: of its document.
        by_region: None reads it as a whole.
        before: its row of an earlier reading by regions: only what has one of the statuses `again`
            is read again, and where that fails, the earlier text stays.
        cover: find what was left out or made up, and read a page with unread ink again.
        second: which pages second readers read too; None where there are none.
        cover_by_region: how a page that lacks a large part is read again; None never does so.

    Attributes:
        row: what became of it; None until it is done.
        pictures: of the page, once it is done.
    """

    def __init__(
        self,
        page: CheckedPage,
        num_pages: int,
        limits: Limits,
        by_region: RegionOptions | None = None,
        before: PageRow | None = None,
        again: frozenset[str] = frozenset(),
        cover: bool = False,
        second: SecondPages | None = None,
        cover_by_region: RegionOptions | None = None,
    ) -> None:
        self._checked = page
        self._page = page.image
        self._limits = limits
        self._before = before if before is not None and before.regions else None
        self._again = again
        self._cover = cover
        self._second = second
        self._cover_by_region = cover_by_region
        self._passes = Passes(page.image, limits)
        self._rows = ReadingRows(page, num_pages, self._passes)
        self.row: PageRow | None = None
        self.pictures: tuple[Picture, ...] = ()
        self._strands = Strands()
        steps = self._read() if by_region is None else self._read_by_region(by_region)
        self._advance(lambda: self._strands.begin(steps))

    @property
    def request(self) -> AnyRequest | None:
        """The oldest request without an answer; None when the page is done."""
        return next(iter(self._strands.open), None) if self.row is None else None

    def next_requests(self) -> list[AnyRequest]:
        """The requests that came up since the last call, to be answered in any order."""
        if self.row is not None:
            return []
        new = list(self._strands.new)
        self._strands.new.clear()
        return new

    def take(self, answer: Answer, request: AnyRequest | None = None) -> None:
        """Hand over what came of a request; of the oldest one, where none is named."""
        request = request or self.request
        if self.row is not None or request is None:
            return  # the page has ended without it
        if isinstance(answer, Failure):
            error = RequestFailed(answer.reason)
            self._advance(lambda: self._strands.fail(request, error))
        else:
            self._advance(lambda: self._strands.answer(request, answer))

    def fail(self, reason: str, request: AnyRequest | None = None) -> None:
        """A request could not be answered at all; without regions, that ends the page."""
        self.take(Failure(reason), request)

    def _advance(self, step: Callable[[], None]) -> None:
        try:
            step()
        except RequestFailed as error:
            self._end(self._rows.row("failed", reason=str(error)))
        except Exception as error:  # whatever it is, it costs this page alone
            reason = f"its reading cannot be kept ({error!r}); run it again with retry"
            self._end(self._rows.row("failed", reason=reason))
        else:
            if self._strands.is_done:
                self._end(self._strands.result)

    def _end(self, row: PageRow) -> None:
        self.row = row
        self._strands.close()
        # the image is not needed any more
        del self._page, self._checked, self._passes, self._rows, self._before

    def _read(self) -> Steps:
        if self._checked.is_blank:
            return self._rows.blank()
        angle = 0
        if self._checked.runs_sideways:
            angle = yield from self._passes.surest_turn()
        limit = self._limits.max_tokens
        first = yield from self._passes.over(angle, 1, limit)
        if angle == 0 and (yield from self._passes.is_upside_down(first.mean_prob)):
            angle = 180
            first = yield from self._passes.over(angle, 1, limit)
        reading, factor, limit = yield from self._passes.tried_again(first, angle)
        row = self._rows.read(reading, angle, factor, limit)
        if not self._cover or not reading.token_ids:
            return (yield from self._with_second(row))
        first = yield from self._covered(row)
        best = first
        if self._cover_by_region is not None and first.lacks_a_part:
            best = yield from self._by_region_instead(first, self._cover_by_region)
        if best is first and first.lacks_much and not first.is_lost:
            best = yield from self._with_unread_parts(first)
        if best.lacks_much:
            best = yield from self._covering_more(best)
        if not best.row.regions:  # those that were found are not the row's
            self.pictures = ()
            self._passes.attempts = renumbered(self._passes.attempts, {})
        return (yield from self._kept(best, first))

    def _by_region_instead(self, first: CoveredRow, by_region: RegionOptions) -> Steps:
        """The page read by regions, unread ink among them, where it then lacks less."""
        angle = first.row.angle
        try:
            readings = yield from self._read_regions(angle, by_region.tasks)
        except RequestFailed:
            return first
        row = self._region_row(readings, angle, by_region.furniture)
        other = (yield from self._covered(row)) if row.token_ids else CoveredRow(row)
        if other.lacks_much:
            other = yield from self._with_unread_regions(other, readings, by_region)
        return first.or_better(other)

    def _covering_more(self, best: CoveredRow) -> Steps:
        """The reading at another resolution that lacks least, where one lacks less."""
        limit = self._limits.max_tokens
        angle = best.row.angle
        for factor in COVER_SCALES:
            reading = yield from self._passes.over(angle, factor, limit)
            if reading.status != "ok":
                continue
            row = self._rows.read(reading, angle, factor, limit, "to cover more")
            best = best.or_better((yield from self._covered(row)))
            if not best.lacks_much:
                break
        return best

    def _with_unread_parts(self, first: CoveredRow) -> Steps:
        """The reading with its unread ink read alone and inserted, where it then lacks less."""
        row = first.row
        factor = self._passes.factor_of(row)
        parts = yield Together.of(
            self._read_part(unread, row.angle, factor) for unread in first.unread
        )
        read = [part for part in parts if part is not None]
        if not read:
            return first
        other = yield from self._covered(with_parts(row, read))
        return first.or_better(supported(other, read))

    def _read_part(self, unread: UnreadInk, angle: int, factor: float) -> Steps:
        """(tokens before it, reading) of unread ink by itself; None where nothing came of it."""
        box = unread.box.grown(PART_MARGIN_PT * self._page.scale).scaled(1 / factor)
        try:
            reading = yield from self._passes.over(angle, factor, self._limits.max_tokens, part=box)
        except RequestFailed:
            return None
        # ink that isn't text is read too, but with little certainty
        is_sure = reading.token_ids and (reading.mean_prob or 0.0) >= NOT_READ_BELOW
        return (unread.token_stop, reading) if reading.status == "ok" and is_sure else None

    def _covered(self, row: PageRow) -> Steps:
        """A row with what its reading left out and made up, as far as that can be found out."""
        try:
            answer = yield CoverRequest(self._passes.as_read(row), row)
        except RequestFailed:
            return CoveredRow(row)
        return CoveredRow(row, answer.coverage, answer.layout)

    def _kept(self, best: CoveredRow, first: CoveredRow) -> Steps:
        row = replace(
            best.as_row(again=best is not first),
            attempts=tuple(self._passes.attempts),
            seconds=self._passes.seconds,
        )
        return (yield from self._with_second(row, best.layout))

    def _with_second(self, row: PageRow, layout: PageLayout | None = None) -> Steps:
        """A row with what second readers say of it; whatever they fail at, it stays."""
        wanted = self._second
        text = row.text or ""
        if wanted is None or not text.strip():
            return row
        if wanted == "doubtful" and not _is_doubtful(row):
            return row
        try:
            second = yield SecondRequest(self._passes.as_read(row), text, layout)
        except RequestFailed as error:
            second = Second((), (f"No second reader could read it: {error}.",))
        reason = " ".join(filter(None, [row.reason, *second.failed])) or None
        return replace(row, second_readings=second.readings, reason=reason)

    def _read_by_region(self, by_region: RegionOptions) -> Steps:
        if self._checked.is_blank:
            return self._rows.blank()
        tasks = by_region.tasks
        if self._before is not None:
            angle = self._before.angle
            readings = yield from self._read_some_again(self._before, tasks)
        else:
            angle = 0
            if self._checked.runs_sideways:
                angle = yield from self._passes.surest_turn()
            readings = yield from self._read_regions(angle, tasks)
            if angle == 0 and (yield from self._passes.is_upside_down(_mean_prob(readings))):
                angle = 180
                readings = yield from self._read_regions(angle, tasks)
        row = self._region_row(readings, angle, by_region.furniture)
        if not self._cover or not row.token_ids:
            return (yield from self._with_second(row))
        first = yield from self._covered(row)
        best = first
        if first.lacks_much:
            best = yield from self._with_unread_regions(first, readings, by_region)
        return (yield from self._kept(best, first))

    def _with_unread_regions(
        self, first: CoveredRow, readings: list[RegionReading], by_region: RegionOptions
    ) -> Steps:
        """The page with its unread ink as regions of their own, where it then lacks less."""
        pictures, attempts = self.pictures, self._passes.attempts
        unchanged = {each.region.index: each.region.index for each in readings}
        row, margin = first.row, PART_MARGIN_PT * self._page.scale
        gaps = first.unread
        read = yield Together.of(
            self._read_region(
                RegionReading.wanted(
                    Region(len(readings) + number, UNREAD_LABEL, gap.box.grown(margin)),
                    by_region.tasks,
                ),
                row.angle,
            )
            for number, gap in enumerate(gaps)
        )
        new = [
            (gap.token_stop, each)
            for gap, each in zip(gaps, read, strict=True)
            if each.region.status == "ok"
        ]
        if not new:
            self._passes.attempts = renumbered(attempts, unchanged)
            return first
        together, numbers = with_regions(readings, row, new)
        self._passes.attempts = renumbered(attempts, numbers)
        other = yield from self._covered(self._region_row(together, row.angle, by_region.furniture))
        best = first.or_better(other)
        if best is first:
            self.pictures, self._passes.attempts = pictures, renumbered(attempts, unchanged)
        return best

    def _read_regions(self, angle: int, tasks: Tasks) -> Steps:
        """Find the regions of the turned page and read them."""
        layout = yield LayoutRequest(self._passes.turned(angle))
        return (
            yield Together.of(
                self._read_region(RegionReading.wanted(region, tasks), angle)
                for region in layout.regions
            )
        )

    def _read_some_again(self, row: PageRow, tasks: Tasks) -> Steps:
        """Read the regions of a row again that ended as `again` says; the others stay."""
        before = kept_readings(row)
        is_wanted = [each.region.status in self._again for each in before]
        read = yield Together.of(
            self._read_region(RegionReading.wanted(each.region, tasks), row.angle)
            for each, again in zip(before, is_wanted, strict=True)
            if again
        )
        new = iter(read)
        return [
            each.after(next(new)) if again else each
            for each, again in zip(before, is_wanted, strict=True)
        ]

    def _read_region(self, wanted: RegionReading, angle: int) -> Steps:
        region = wanted.region
        if region.task is None:
            return wanted.as_picture()
        try:
            first = yield from self._passes.over(angle, 1, self._limits.max_tokens, region)
            reading, factor, limit = yield from self._passes.tried_again(first, angle, region)
        except RequestFailed as error:
            return wanted.failed(str(error))
        return wanted.read(reading, factor, limit, len(LOOP_SCALES) + 1)

    def _region_row(
        self, readings: list[RegionReading], angle: int, furniture: Furniture
    ) -> PageRow:
        turned = self._passes.turned(angle)
        self.pictures = tuple(crop_pictures(turned, (each.region for each in readings)))
        return self._rows.by_region(readings, angle, furniture)


Task = PageTask | Settled


def _is_doubtful(row: PageRow) -> bool:
    """Whether a page was not read well, or left something out or made something up."""
    if row.coverage is not None and not row.coverage.is_complete:
        return True
    known = {"status": row.status, "mean_prob": row.mean_prob, "text": row.text}
    return PageQuality.of_row(known).quality != "well_read"


def _mean_prob(readings: list[RegionReading]) -> float | None:
    """Mean probability of all tokens that the model wrote; None where it is not known."""
    probs = [prob for each in readings for prob in each.probs]
    return sum(probs) / len(probs) if probs else None
