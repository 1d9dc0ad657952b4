"""Passes of the model over a page, and what is tried when one goes wrong.

It turns pages that lie on their side or upside down, reads what looped again at another resolution,
and what was cut again with a higher limit: a page, or a region of it. Every pass is recorded.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from glmocr_utils.mass_infer.request import AnyRequest, Reading, Request
from glmocr_utils.mass_infer.strands import Together
from glmocr_utils.records import Box, PageImage, Region
from glmocr_utils.records.page_row import Attempt, PageRow

PROBE_TOKENS = 48  # enough to distinguish reading from guessing
DOUBTFUL_PROB = 0.7  # a page read with less on average may be upside down
CLEARLY_SURER = 0.1  # by so much in mean probability is the other way up the right one
# other resolutions for a page that looped or was read as nothing, as shares of its own
LOOP_SCALES = (0.75, 1.25)

Steps = Generator[AnyRequest | Together, Any, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a page, or a region, may get.

    Attributes:
        max_tokens: new tokens, at most.
        retry_max_tokens: for one more try of what met that limit; None tries no more.
    """

    max_tokens: int = 2048
    retry_max_tokens: int | None = None


class Passes:
    """The passes over one page, as steps that a `PageTask` takes.

    Attributes:
        attempts: every pass so far, in order.
        seconds: that they took, in all.
    """

    def __init__(self, page: PageImage, limits: Limits) -> None:
        self.attempts: list[Attempt] = []
        self.seconds = 0.0
        self._page = page
        self._limits = limits
        self._turns: dict[int, PageImage] = {}

    def tried_again(self, first: Reading, angle: int, region: Region | None = None) -> Steps:
        """What is kept of a page or region that looped, came to nothing or was cut.

        Returns:
            The reading, the factor of its resolution, and its limit.
        """
        reading, factor, limit = first, 1.0, self._limits.max_tokens
        for other in LOOP_SCALES if reading.status in ("looped", "empty") else ():
            again = yield from self.over(angle, other, limit, region)
            if again.status not in ("looped", "empty"):
                reading, factor = again, other
                break
        higher = self._limits.retry_max_tokens
        if reading.finish_reason == "length" and higher is not None and higher > limit:
            limit = higher
            reading = yield from self.over(angle, factor, limit, region)
        return reading, factor, limit

    def is_upside_down(self, mean_prob: float | None) -> Steps:
        """Whether the model is clearly surer of the page turned by 180 degrees.

        Args:
            mean_prob: with which it read the page as it is.
        """
        if mean_prob is None or mean_prob >= DOUBTFUL_PROB:
            return False
        turned = yield from self.over(180, 1, min(PROBE_TOKENS, self._limits.max_tokens))
        return (turned.mean_prob or 0) > mean_prob + CLEARLY_SURER

    def surest_turn(self) -> Steps:
        """The angle at which the model reads the page's beginning with the least doubt.

        The check of the pixels may err: 0 it is, unless another one is clearly surer.
        """
        tokens = min(PROBE_TOKENS, self._limits.max_tokens)
        probs: dict[int, float] = {}
        for angle in (0, 90, 270):
            reading = yield from self.over(angle, 1, tokens)
            probs[angle] = reading.mean_prob or 0.0
        surest = max(probs, key=lambda angle: probs[angle])
        return surest if probs[surest] > probs[0] + CLEARLY_SURER else 0

    def over(
        self,
        angle: int,
        factor: float,
        max_tokens: int,
        region: Region | None = None,
        part: Box | None = None,
    ) -> Steps:
        """One pass over the page, a region of it, or a part outside all regions."""
        page = self.turned(angle)
        if region is None:
            reading = yield Request(page, max_tokens, box=part, factor=factor)
        else:
            reading = yield Request(page, max_tokens, region.task, region.box, factor)
        scale = page.scale * factor * reading.factor
        self.attempts.append(
            Attempt(
                angle,
                scale,
                max_tokens,
                reading.finish_reason,
                reading.mean_prob,
                None if region is None else region.index,
            )
        )
        self.seconds += reading.seconds
        return reading

    def turned(self, angle: int) -> PageImage:
        if angle not in self._turns:
            self._turns[angle] = self._page.turned(angle)
        return self._turns[angle]

    def factor_of(self, row: PageRow) -> float:
        """Of the page's resolution, at which the row was read."""
        return 1.0 if row.regions else (row.scale or self._page.scale) / self._page.scale

    def as_read(self, row: PageRow) -> PageImage:
        return self.turned(row.angle).resized(self.factor_of(row))
