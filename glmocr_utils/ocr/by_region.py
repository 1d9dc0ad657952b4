"""A page read region by region: which prompt each gets, and one result for all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from glmocr_utils.layout import LayoutModel, load_layout
from glmocr_utils.model import LoadedModel, weights_sha256
from glmocr_utils.model.source import first_line
from glmocr_utils.options import Tasks, parse_tasks, resolve_layout
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import FinishReason, OcrResult, TokenProb, read_status
from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.region import (
    MARK_ID,
    MARK_LOGPROB,
    REGION_BREAK,
    Furniture,
    Region,
    RegionStatus,
    with_token_ranges,
)


@dataclass(frozen=True, slots=True)
class ByRegion:
    """How pages are read by regions.

    Attributes:
        layout: finds the regions.
        tasks: the prompt of each kind.
        furniture: `apart` puts headers, footers, page numbers, footnotes and side notes after the
            page's body, `in` leaves them where they are, and `out` leaves them out of text files.
            They are read and kept in the results in each case.
    """

    layout: LayoutModel
    tasks: Tasks = field(default_factory=Tasks)
    furniture: Furniture = "apart"

    def __post_init__(self) -> None:
        check_one_of("furniture", self.furniture, Furniture)

    def settings(self) -> dict[str, object]:
        """What readings of one document share."""
        layout = self.layout
        return layout_settings(layout.layout_id, layout.revision, self.tasks, self.furniture)


def read_by_region(
    model: LoadedModel,
    layout: str | Path | None,
    tasks: str | Mapping[str, str] | None = None,
    furniture: Furniture = "apart",
    prompt: str = TEXT_RECOGNITION,
) -> ByRegion | None:
    """How to read by regions, from the parameters of notebooks and commands.

    Args:
        model: the layout model goes to its device.
        layout: None or `none` (read whole pages), `auto`, or a hub id or folder.
        tasks: as in `layout.parse_tasks`.
        prompt: of text regions.

    Returns:
        None where pages are read as a whole.

    Raises:
        ModelLoadError: the layout model cannot be loaded.
        ValueError: `tasks` or `furniture` cannot work.
    """
    if resolve_layout(None if layout is None else str(layout)) is None:
        return None
    check_one_of("furniture", furniture, Furniture)
    parsed = parse_tasks(tasks, prompt)
    return ByRegion(load_layout(str(layout), model.device), parsed, furniture)


def layout_settings(
    layout_id: str, revision: str | None, tasks: Tasks, furniture: Furniture
) -> dict[str, object]:
    """The settings of reading by regions that a folder of results records."""
    return {
        "layout": layout_id,
        "layout_revision": revision,
        "layout_sha256": weights_sha256(layout_id),
        "tasks": tasks.to_record(),
        "furniture": furniture,
    }


NO_LAYOUT = dict.fromkeys(("layout", "layout_revision", "layout_sha256", "tasks", "furniture"))


def assemble(
    whole: OcrResult,
    regions: Sequence[Region],
    readings: Mapping[int | None, OcrResult | Exception],
    furniture: Furniture,
    size_px: tuple[int, int] | None = None,
) -> OcrResult:
    """One result of a page from those of its regions.

    The texts follow one another with `REGION_BREAK` between, which belongs to the last token before
    it. A region that could not be read has a mark instead of a text: a token of its own, of next
    to no probability.

    Args:
        whole: a result of the page without any text, which says how it is read.
        regions: in reading order; each has its `task` set, or is a picture.
        readings: by region index; of one that could not be read, why.
        size_px: width and height of the page image.
    """
    tokens: dict[int, tuple[TokenProb, ...]] = {}
    read: list[Region] = []
    for region in regions:
        reading = readings.get(region.index)
        read.append(_read_region(region, reading))
        tokens[region.index] = _tokens(read[-1], reading)
    placed = with_token_ranges(
        read, {index: len(each) for index, each in tokens.items()}, furniture
    )
    joined: list[TokenProb] = []
    for each in placed:
        own = tokens[each.region.index]
        joined += _with_break(own) if each.text_follows else own
    results = [reading for reading in readings.values() if isinstance(reading, OcrResult)]
    return replace(
        whole,
        is_blank=False,
        text="".join(token.text for token in joined),
        tokens=tuple(joined),
        finish_reason=_worst(result.finish_reason for result in results),
        seconds=sum(result.seconds for result in results),
        num_image_tokens=sum(result.num_image_tokens for result in results),
        regions=tuple(sorted((each.region for each in placed), key=lambda region: region.index)),
        size_px=size_px,
    )


def mark_token(region: Region) -> TokenProb:
    """The token of a region that could not be read."""
    return TokenProb(MARK_ID, region.mark, MARK_LOGPROB)


def _read_region(region: Region, reading: OcrResult | Exception | None) -> Region:
    if reading is None:
        return replace(region, status="picture")
    if isinstance(reading, Exception):
        return replace(
            region, status="failed", reason=f"It could not be read: {first_line(reading)}"
        )
    status = cast(RegionStatus, read_status(reading.text, reading.finish_reason))
    reasons = {
        "truncated": "The token limit cut it.",
        "looped": "The model repeated itself and was stopped.",
        "empty": "There is ink, and the model wrote nothing.",
    }
    return replace(
        region,
        status=status,
        reason=reasons.get(status),
        num_image_tokens=reading.num_image_tokens,
    )


def _tokens(region: Region, reading: OcrResult | Exception | None) -> tuple[TokenProb, ...]:
    if region.status == "failed":
        return (mark_token(region),)
    return reading.tokens if isinstance(reading, OcrResult) and region.status != "empty" else ()


def _with_break(tokens: Sequence[TokenProb]) -> list[TokenProb]:
    """Tokens whose last one also ends the region, whichever alternative is taken."""
    *before, last = tokens
    others = tuple(replace(other, text=other.text + REGION_BREAK) for other in last.alternatives)
    return [*before, replace(last, text=last.text + REGION_BREAK, alternatives=others)]


def _worst(finish_reasons: Iterable[FinishReason]) -> FinishReason:
    reasons = set(finish_reasons)
    if "loop" in reasons:
        return "loop"
    return "length" if "length" in reasons else "stop"
