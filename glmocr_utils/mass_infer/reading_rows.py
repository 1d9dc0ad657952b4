"""What came of a page → its row in the ledger, with the remarks that a person needs."""

from typing import Any

from glmocr_utils.mass_infer.passes import LOOP_SCALES, Passes
from glmocr_utils.mass_infer.region_rows import RegionReading, joined, remarks_of
from glmocr_utils.mass_infer.request import Reading
from glmocr_utils.mass_infer.server_context import CONTEXT_SETTINGS
from glmocr_utils.records import Furniture, read_status, storable_path
from glmocr_utils.records.ocr_result import PageStatus
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import CheckedPage


class ReadingRows:
    """Makes the rows of one page.

    Args:
        page: its image, and what the pixels say of it.
        num_pages: of its document.
        passes: over it.
    """

    def __init__(self, page: CheckedPage, num_pages: int, passes: Passes) -> None:
        self._checked = page
        self._page = page.image
        self._num_pages = num_pages
        self._passes = passes

    def blank(self) -> PageRow:
        """The row of a page without ink."""
        return self.row("blank", text="", reason="no ink on the page: the model was not asked")

    def read(
        self,
        reading: Reading,
        angle: int,
        factor: float,
        limit: int,
        why: str = "since it failed at its own",
    ) -> PageRow:
        """The row of a reading.

        Args:
            why: it was read at another resolution.
        """
        probs = reading.probs
        remarks = self._remarks(angle, reading.remark)
        return self.row(
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
            reason=" ".join([*remarks, *_remarks_on(reading, factor, limit, why)]) or None,
        )

    def by_region(self, readings: list[RegionReading], angle: int, furniture: Furniture) -> PageRow:
        """The row of a page that was read by regions."""
        remarks = [*self._remarks(angle, None), *remarks_of(readings)]
        page = joined(readings, furniture, self._page.missing)
        width, height = self._passes.turned(angle).image.size
        reason = " ".join(remarks) or None
        return self.row(**page, angle=angle, reason=reason, width_px=width, height_px=height)

    def _remarks(self, angle: int, said: str | None) -> list[str]:
        remarks = [each for each in (self._page.missing, self._page.remark, said) if each]
        asked_scale = self._checked.asked_scale
        if self._page.scale < asked_scale:
            remarks.append(
                f"Rendered at scale {self._page.scale:.3g} instead of {asked_scale:g}, to stay "
                "within the pixel budget."
            )
        if angle:
            remarks.append(f"Turned by {angle}° clockwise to be read.")
        return remarks

    def row(self, status: PageStatus, **values: Any) -> PageRow:
        """A row with what is known of each page, its passes so far among it."""
        page = self._page.page
        values.setdefault("scale", self._page.scale)
        return PageRow(
            storable_path(page.document_path),
            page.document_sha256,
            page.page_index,
            self._num_pages,
            status,
            seconds=self._passes.seconds,
            attempts=tuple(self._passes.attempts),
            **values,
        )


def _remarks_on(reading: Reading, factor: float, limit: int, why: str) -> list[str]:
    remarks = []
    if factor != 1:
        remarks.append(f"Read at {factor:g} of its resolution, {why}.")
    if reading.status == "truncated":
        remarks.append(_cut_by(reading, limit))
    if reading.status == "looped":
        remarks.append(f"Looped at {len(LOOP_SCALES) + 1} resolutions and was stopped.")
    if reading.status == "empty":
        remarks.append(
            f"There is ink on the page, and the model wrote nothing at {len(LOOP_SCALES) + 1} "
            "resolutions."
        )
    return remarks


def _cut_by(reading: Reading, limit: int) -> str:
    if reading.context_end is None:
        return f"The limit of {limit} tokens cut it."
    return (
        f"The server's context cut it after {reading.context_end} of {limit} tokens; start the "
        f"server with a longer one ({CONTEXT_SETTINGS})."
    )
