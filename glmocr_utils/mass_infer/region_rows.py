"""What was read of each region of a page → the page's row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, cast

import numpy as np

from glmocr_utils.mass_infer.request import Reading
from glmocr_utils.options import Tasks
from glmocr_utils.records import Region, RegionStatus, page_status
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.records.region import (
    MARK_ID,
    MARK_LOGPROB,
    REGION_BREAK,
    Furniture,
    with_token_ranges,
)

MAX_REMARKS = 5
MAX_TOKEN_LENGTH = 60_000  # the ledger's column has 16 bits


@dataclass(frozen=True, slots=True)
class RegionReading:
    """A region, and what was read in it.

    Attributes:
        text: as the model wrote it; the mark of a region that could not be read.
        token_ids, logprobs, token_lengths: of its tokens; one token of unknown probability holds
            the whole text where the engine gives none.
        dtype, attention: as in `PageRow`.
    """

    region: Region
    text: str = ""
    token_ids: Sequence[int] = ()
    logprobs: Sequence[float | None] = ()
    token_lengths: Sequence[int] = ()
    dtype: str | None = None
    attention: str | None = None

    @classmethod
    def wanted(cls, region: Region, tasks: Tasks) -> "RegionReading":
        """A region that was found; its task says how to read it."""
        task = tasks.of(region.label)
        return cls(
            replace(region, task=task, status=None, reason=None, token_start=0, token_stop=0)
        )

    @property
    def probs(self) -> np.ndarray:
        """Probabilities of what the model wrote, as far as they are known."""
        if self.region.status == "failed":
            return np.empty(0)
        return np.exp([each for each in self.logprobs if each is not None])

    def as_picture(self) -> "RegionReading":
        return replace(self, region=replace(self.region, status="picture"))

    def failed(self, reason: str) -> "RegionReading":
        region = replace(self.region, status="failed", reason=reason)
        return RegionReading(region, region.mark, (MARK_ID,), (MARK_LOGPROB,), (len(region.mark),))

    def read(self, reading: Reading, factor: float, limit: int, num_tries: int) -> "RegionReading":
        """The region with what was read at last.

        Args:
            factor: of the page's resolution, at which it was read.
            limit: of its tokens.
            num_tries: at how many resolutions a loop was tried.
        """
        reasons = {
            "truncated": f"The limit of {limit} tokens cut it.",
            "looped": f"Looped at {num_tries} resolutions and was stopped.",
            "empty": f"There is ink, and the model wrote nothing at {num_tries} resolutions.",
        }
        region = replace(
            self.region,
            status=cast(RegionStatus, reading.status),
            factor=factor * reading.factor,
            num_image_tokens=reading.num_image_tokens,
            reason=reasons.get(reading.status),
        )
        read = replace(self, region=region, dtype=reading.dtype, attention=reading.attention)
        if region.status == "empty":
            return read
        lengths = reading.token_lengths or ()
        if reading.logprobs is None:
            lengths = _lengths(len(reading.text))
        logprobs = reading.logprobs if reading.logprobs is not None else [None] * len(lengths)
        ids = reading.token_ids if reading.token_ids is not None else [MARK_ID] * len(lengths)
        return replace(
            read, text=reading.text, token_ids=ids, logprobs=logprobs, token_lengths=lengths
        )

    def after(self, again: "RegionReading") -> "RegionReading":
        """What stays of a region that was read again: the new reading, unless that failed."""
        if again.region.status != "failed" or self.region.status == "failed":
            return again
        reason = f"{self.region.reason} Read again, it failed: {again.region.reason}"
        return replace(self, region=replace(self.region, reason=reason))


def kept_readings(row: PageRow) -> list[RegionReading]:
    """The regions of a row with what was read in them, in reading order."""
    ends = [0, *accumulate(row.token_lengths or ())]
    ids = row.token_ids if row.token_ids is not None else [MARK_ID] * (len(ends) - 1)
    kept = []
    for region in row.regions:
        start, stop = region.token_start, region.token_stop
        text = (row.text or "")[ends[start] : ends[stop]]
        lengths = list((row.token_lengths or ())[start:stop])
        if stop > start and stop < len(ends) - 1 and text.endswith(REGION_BREAK):
            text = text.removesuffix(REGION_BREAK)
            lengths[-1] -= len(REGION_BREAK)
        logprobs = (row.logprobs or ())[start:stop]
        kept.append(
            RegionReading(
                region, text, ids[start:stop], logprobs, lengths, row.dtype, row.attention
            )
        )
    return kept


def joined(
    readings: Sequence[RegionReading], furniture: Furniture, missing: str | None
) -> dict[str, Any]:
    """The values of a page's row, from its regions.

    Args:
        missing: what could not be drawn of the page.
    """
    by_index = {each.region.index: each for each in readings}
    counts = {index: len(each.token_lengths) for index, each in by_index.items()}
    placed = with_token_ranges((each.region for each in readings), counts, furniture)
    texts: list[str] = []
    token_ids: list[int] = []
    logprobs: list[float | None] = []
    lengths: list[int] = []
    for each in placed:
        own = by_index[each.region.index]
        texts.append(own.text)
        token_ids += own.token_ids
        logprobs += own.logprobs
        lengths += own.token_lengths
        if each.text_follows:
            texts.append(REGION_BREAK)
            lengths[-1] += len(REGION_BREAK)
    regions = tuple(sorted((each.region for each in placed), key=lambda region: region.index))
    probs = np.exp([each for each in logprobs if each is not None])
    text = "".join(texts)
    return {
        "status": page_status(text, "stop", regions, missing),
        "text": text,
        "token_ids": token_ids,
        "logprobs": logprobs,
        "token_lengths": lengths,
        "min_prob": float(probs.min()) if len(probs) else None,
        "mean_prob": float(probs.mean()) if len(probs) else None,
        "num_image_tokens": sum(region.num_image_tokens for region in regions),
        "dtype": next(filter(None, (each.dtype for each in readings)), None),
        "attention": next(filter(None, (each.attention for each in readings)), None),
        "regions": regions,
    }


def remarks_of(readings: Sequence[RegionReading]) -> list[str]:
    """A sentence for each region that a person should know of, up to a few."""
    noted = [each.region for each in readings if each.region.reason]
    remarks = [
        f"Region {region.index + 1} ({region.label}), {region.status}: {region.reason}"
        for region in noted[:MAX_REMARKS]
    ]
    if len(noted) > MAX_REMARKS:
        remarks.append(f"And {len(noted) - MAX_REMARKS} regions more.")
    return remarks


def _lengths(characters: int) -> list[int]:
    """A text's length in pieces that the ledger has room for."""
    whole, rest = divmod(characters, MAX_TOKEN_LENGTH)
    return [MAX_TOKEN_LENGTH] * whole + ([rest] if rest else [])
