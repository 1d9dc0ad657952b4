"""What is tried on a page, and what comes of it: the same for every engine.

A `PageTask` asks for one pass of the model at a time and is given what was read, until it is done.
It turns pages that lie on their side or stand on their head, reads a page that looped again at
another resolution, and one that was cut again with a higher limit. Every pass is recorded, and the
text is kept as the model wrote it.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glmocr_utils.records import (
    FinishReason,
    OcrResult,
    PageImage,
    ReadStatus,
    read_status,
    storable_path,
)
from glmocr_utils.records.page_row import Attempt, PageRow, PageStatus
from glmocr_utils.render import CheckedPage

PROBE_TOKENS = 48  # enough to tell reading from guessing
DOUBTFUL_PROB = 0.7  # a page read with less on average may stand on its head
CLEARLY_SURER = 0.1  # by so much in mean probability is the other way up the right one
# other resolutions for a page that looped or was read as nothing, as shares of its own
LOOP_SCALES = (0.75, 1.25)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a page may get.

    Attributes:
        max_tokens: new tokens a page, at most.
        retry_max_tokens: for one more try of a page that met that limit; None tries no more.
    """

    max_tokens: int = 2048
    retry_max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One pass that a page needs: read `page` with at most `max_tokens` new tokens."""

    page: PageImage
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a request.

    Attributes:
        text: as the model wrote it.
        finish_reason: `stop`, `length` or `loop`.
        seconds: wall-clock time, divided by the pages that were read together.
        token_ids, logprobs, token_lengths: (num_tokens,) as in `PageRow`; None where the engine
            gives none. One log probability is None where it is not known.
        num_image_tokens: length of the image in the prompt; 0 where it is not known.
        dtype, attention: as in `OcrResult`; None where they are not known.
        remark: a sentence about it for the row's `reason`; None without one.
        factor: of the page's resolution at which it was read, where the engine reduced it.
    """

    text: str
    finish_reason: FinishReason
    seconds: float
    token_ids: Sequence[int] | None = None
    logprobs: Sequence[float | None] | None = None
    token_lengths: Sequence[int] | None = None
    num_image_tokens: int = 0
    dtype: str | None = None
    attention: str | None = None
    remark: str | None = None
    factor: float = 1.0

    @classmethod
    def of(cls, result: OcrResult) -> "Reading":
        return cls(
            text=result.text,
            finish_reason=result.finish_reason,
            seconds=result.seconds,
            token_ids=[token.token_id for token in result.tokens],
            logprobs=[token.logprob for token in result.tokens],
            token_lengths=[len(token.text) for token in result.tokens],
            num_image_tokens=result.num_image_tokens,
            dtype=result.dtype,
            attention=result.attention,
        )

    @property
    def status(self) -> ReadStatus:
        """Of the page, if this reading is kept and nothing is missing on its image."""
        return read_status(self.text, self.finish_reason)

    @property
    def mean_prob(self) -> float | None:
        """Mean probability of the tokens; None without tokens or probabilities."""
        return float(self.probs.mean()) if len(self.probs) else None

    @property
    def probs(self) -> np.ndarray:
        """Probabilities of the tokens, as far as they are known."""
        return np.exp([each for each in self.logprobs or () if each is not None])


@dataclass(frozen=True, slots=True)
class Settled:
    """A page or document that is not to be read; `row` says what became of it."""

    row: PageRow
    request: None = None


class PageTask:
    """One page on its way to its row.

    Args:
        page: its image, and what the pixels say of it.
        num_pages: of its document.

    Attributes:
        request: what to read next; None when the page is done.
        row: what became of it; None until it is done.
    """

    def __init__(self, page: CheckedPage, num_pages: int, limits: Limits) -> None:
        self._checked = page
        self._page = page.image
        self._num_pages = num_pages
        self._limits = limits
        self._attempts: list[Attempt] = []
        self._seconds = 0.0
        self.request: Request | None = None
        self.row: PageRow | None = None
        self._steps: Generator[Request, Any, PageRow] = self._read()
        self._go_on(None)

    def take(self, reading: Reading) -> None:
        """Hand over what was read of `request`."""
        self._go_on(reading)

    def fail(self, reason: str) -> None:
        """End the page: `request` could not be read at all."""
        self._end(self._row("failed", reason=reason))

    def _go_on(self, reading: Reading | None) -> None:
        try:
            self.request = self._steps.send(reading)
        except StopIteration as done:
            self._end(done.value)
        except Exception as error:  # whatever it is, it costs this page alone
            self.fail(f"its reading cannot be kept ({error!r}); run it again with retry")

    def _end(self, row: PageRow) -> None:
        self.request, self.row = None, row
        self._steps.close()
        del self._page, self._checked  # the image is not needed any more

    def _read(self) -> Generator[Request, Reading, PageRow]:
        if self._checked.is_blank:
            return self._row("blank", text="", reason="no ink on the page: the model was not asked")
        angle = 0
        if self._checked.runs_sideways:
            angle = yield from self._surest_turn()
        limit = self._limits.max_tokens
        reading = yield from self._pass(angle, 1, limit)
        if angle == 0 and _is_doubtful(reading):
            turned = yield from self._pass(180, 1, min(PROBE_TOKENS, limit))
            if (turned.mean_prob or 0) > (reading.mean_prob or 0) + CLEARLY_SURER:
                angle = 180
                reading = yield from self._pass(angle, 1, limit)
        factor = 1.0
        for other in LOOP_SCALES if reading.status in ("looped", "empty") else ():
            again = yield from self._pass(angle, other, limit)
            if again.status not in ("looped", "empty"):
                reading, factor = again, other
                break
        higher = self._limits.retry_max_tokens
        if reading.finish_reason == "length" and higher is not None and higher > limit:
            limit = higher
            reading = yield from self._pass(angle, factor, limit)
        return self._read_row(reading, angle, factor, limit)

    def _surest_turn(self) -> Generator[Request, Reading, int]:
        """The angle at which the model reads the page's beginning with the least doubt.

        The check of the pixels may err: 0 it is, unless another one is clearly surer.
        """
        tokens = min(PROBE_TOKENS, self._limits.max_tokens)
        probs: dict[int, float] = {}
        for angle in (0, 90, 270):
            reading = yield from self._pass(angle, 1, tokens)
            probs[angle] = reading.mean_prob or 0.0
        surest = max(probs, key=lambda angle: probs[angle])
        return surest if probs[surest] > probs[0] + CLEARLY_SURER else 0

    def _pass(
        self, angle: int, factor: float, max_tokens: int
    ) -> Generator[Request, Reading, Reading]:
        page = self._page.turned(angle).resized(factor)
        reading = yield Request(page, max_tokens)
        prob = reading.mean_prob
        scale = page.scale * reading.factor
        self._attempts.append(Attempt(angle, scale, max_tokens, reading.finish_reason, prob))
        self._seconds += reading.seconds
        return reading

    def _read_row(self, reading: Reading, angle: int, factor: float, limit: int) -> PageRow:
        probs = reading.probs
        return self._row(
            read_status(reading.text, reading.finish_reason, self._page.missing),
            text=reading.text,
            token_ids=reading.token_ids,
            logprobs=reading.logprobs,
            token_lengths=reading.token_lengths,
            min_prob=float(probs.min()) if len(probs) else None,
            mean_prob=reading.mean_prob,
            angle=angle,
            scale=self._page.scale * factor * reading.factor,
            num_image_tokens=reading.num_image_tokens,
            dtype=reading.dtype,
            attention=reading.attention,
            reason=" ".join(self._remarks(reading, angle, factor, limit)) or None,
        )

    def _remarks(self, reading: Reading, angle: int, factor: float, limit: int) -> list[str]:
        said = (self._page.missing, self._page.remark, reading.remark)
        remarks = [each for each in said if each]
        asked_scale = self._checked.asked_scale
        if self._page.scale < asked_scale:
            remarks.append(
                f"Rendered at scale {self._page.scale:.3g} instead of {asked_scale:g}, to stay "
                "within the pixel budget."
            )
        if angle:
            remarks.append(f"Turned by {angle}° clockwise to be read.")
        if factor != 1:
            remarks.append(f"Read at {factor:g} of its resolution, since it failed at its own.")
        if reading.status == "truncated":
            remarks.append(f"The limit of {limit} tokens cut it.")
        if reading.status == "looped":
            remarks.append(f"Looped at {len(LOOP_SCALES) + 1} resolutions and was stopped.")
        if reading.status == "empty":
            remarks.append(
                f"There is ink on the page, and the model wrote nothing at {len(LOOP_SCALES) + 1} "
                "resolutions."
            )
        return remarks

    def _row(self, status: PageStatus, **values: Any) -> PageRow:
        page = self._page.page
        values.setdefault("scale", self._page.scale)
        return PageRow(
            storable_path(page.document_path),
            page.document_sha256,
            page.page_index,
            self._num_pages,
            status,
            seconds=self._seconds,
            attempts=tuple(self._attempts),
            **values,
        )


Task = PageTask | Settled


def _is_doubtful(reading: Reading) -> bool:
    return reading.mean_prob is not None and reading.mean_prob < DOUBTFUL_PROB
