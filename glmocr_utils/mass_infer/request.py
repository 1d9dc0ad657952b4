"""What a page task asks of an engine, and what it gets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmocr_utils.layout import crop_region
from glmocr_utils.records import (
    Box,
    FinishReason,
    OcrResult,
    PageCoverage,
    PageImage,
    PageLayout,
    ReadStatus,
    Region,
    SecondReading,
    read_status,
)
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.second_reader import SecondReader, read_second


class RequestFailed(Exception):
    """A request could not be answered; the message is a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One pass that a page needs.

    Attributes:
        whole: the page, turned as it is to be read.
        max_tokens: new tokens, at most.
        prompt: another one than the run's; None for that.
        box: of the region to read, in pixels of `whole`; None for all of it.
        factor: of its resolution, at which to read it.
    """

    whole: PageImage
    max_tokens: int
    prompt: str | None = None
    box: Box | None = None
    factor: float = 1.0

    @property
    def page(self) -> PageImage:
        """What the model is to see; cut out each time, so that a waiting request is small."""
        part = self.whole if self.box is None else crop_region(self.whole, self.box).page
        return part.resized(self.factor)

    def alone(self) -> "Request":
        """The same request without the rest of its page, to send elsewhere."""
        return replace(self, whole=self.page, box=None, factor=1.0)


@dataclass(frozen=True, slots=True, eq=False)
class LayoutRequest:
    """The regions of a page are wanted. The answer is a `Layout`."""

    page: PageImage

    def alone(self) -> "LayoutRequest":
        return self


@dataclass(frozen=True, slots=True)
class Layout:
    """The regions of a page, in reading order."""

    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CoverRequest:
    """What a reading left out of its page, and what it made up, is wanted.

    Attributes:
        page: as it was read.
        row: the reading. The answer is `Covered`.
    """

    page: PageImage
    row: PageRow

    def alone(self) -> "CoverRequest":
        return self


@dataclass(frozen=True, slots=True)
class Covered:
    """What a reading left out and made up, and where its tokens are."""

    coverage: PageCoverage
    layout: PageLayout | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SecondRequest:
    """What second readers say of a page is wanted.

    Attributes:
        page: as it was read.
        text: the reading; layout: where its tokens are, if known. The answer is `Second`.
    """

    page: PageImage
    text: str
    layout: PageLayout | None = None

    def alone(self) -> "SecondRequest":
        return self

    def answered_by(self, readers: Sequence[SecondReader]) -> "Second":
        readings, failed = read_second(readers, self.text, self.page.image, self.layout)
        return Second(tuple(readings), tuple(failed))


@dataclass(frozen=True, slots=True)
class Second:
    """What second readers say of a page; `failed` has a sentence for each that could not."""

    readings: tuple[SecondReading, ...]
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that cannot be answered; `reason` is one sentence."""

    reason: str


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
        context_end: after how many tokens the engine's context ended it, before the limit did;
            None where it did not.
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
    context_end: int | None = None

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


Answer = Reading | Layout | Covered | Second | Failure
AnyRequest = Request | LayoutRequest | CoverRequest | SecondRequest
