"""A region of a page: where it is, what kind of thing it is, and what became of it when read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any, Literal, get_args

from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.layout import Box

Role = Literal["title", "text", "table", "formula", "picture", "furniture"]
RegionStatus = Literal["ok", "truncated", "looped", "empty", "failed", "picture"]
Furniture = Literal["apart", "in", "out"]

# Kinds of region, by the class names of PP-DocLayoutV3. Any other name is a block of text.
TITLE_LABELS = frozenset({"doc_title", "paragraph_title"})
TABLE_LABELS = frozenset({"table"})
FORMULA_LABELS = frozenset({"display_formula", "inline_formula", "formula"})
PICTURE_LABELS = frozenset({"image", "chart", "header_image", "footer_image"})
FOOTNOTE_LABELS = frozenset({"footnote"})
FURNITURE_LABELS = frozenset(
    {"header", "footer", "number", "footnote", "aside_text", "header_image", "footer_image"}
)

ROLES: dict[Role, frozenset[str]] = {
    "title": TITLE_LABELS,
    "table": TABLE_LABELS,
    "formula": FORMULA_LABELS,
}

REGION_BREAK = "\n\n"  # between the texts of two regions
MARK_ID = -1  # token id of a mark that isn't the model's
MARK_LOGPROB = -20.0  # nothing of the region is right
# What decides over a page's status, the worst first; an empty region leaves a page as it is.
WorstStatus = Literal["failed", "looped", "truncated"]
WORST_FIRST: tuple[WorstStatus, ...] = get_args(WorstStatus)


@dataclass(frozen=True, slots=True)
class Region:
    """A region of a page image.

    Attributes:
        index: 0-based, in reading order.
        label: class name of the layout model, such as `text` or `table`.
        box: in pixels of the page image as it was read (turned, where the page was turned). It can
            be unpacked: `x1, y1, x2, y2 = region.box`.
        score: of the layout model, 0 to 1; None where no model found it, as with ink that no
            region contains.
        task: the prompt with which it was read; None for a picture, or before reading.
        status: `ok`, `truncated`, `looped`, `empty` (the model wrote nothing), `failed` (it could
            not be read) or `picture` (kept as an image, not read). None before reading.
        token_start, token_stop: the region's tokens in `OcrResult.tokens`, `token_stop` exclusive.
        factor: of the page's resolution, at which it was read.
        num_image_tokens: length of its image in the prompt, in tokens.
        reason: of a status other than `ok` and `picture`: one sentence.
    """

    index: int
    label: str
    box: Box
    score: float | None = None
    task: str | None = None
    status: RegionStatus | None = None
    token_start: int = 0
    token_stop: int = 0
    factor: float = 1.0
    num_image_tokens: int = 0
    reason: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.box, Box):
            object.__setattr__(self, "box", Box(*map(float, self.box)))
        if self.status is not None:
            check_one_of("status", self.status, RegionStatus)
        if not 0 <= self.token_start <= self.token_stop:
            raise ValueError(
                f"a region's tokens end where they begin or later, got {self.token_start} to "
                f"{self.token_stop}"
            )
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"a region's score is from 0 to 1, got {self.score}")

    @property
    def is_furniture(self) -> bool:
        """A header, footer, page number, footnote or side note."""
        return self.label in FURNITURE_LABELS

    @property
    def is_picture(self) -> bool:
        return self.label in PICTURE_LABELS

    @property
    def mark(self) -> str:
        """The mark in the page's text for a region that could not be read."""
        return f"[{self.label}: not read]"


# Of a region by its role, wherever regions are drawn.
COLOURS = {
    "title": "#c2185b",
    "text": "#1565c0",
    "table": "#2e7d32",
    "formula": "#7b1fa2",
    "picture": "#ef6c00",
    "furniture": "#616161",
}


def role_of(region: Region) -> Role:
    """The role of a region on its page; each role has a colour."""
    if region.is_furniture:
        return "furniture"
    if region.is_picture:
        return "picture"
    for role, labels in ROLES.items():
        if region.label in labels:
            return role
    return "text"


def in_text_order(regions: Iterable[Region], furniture: Furniture = "apart") -> list[Region]:
    """The regions in the order in which a page's text contains them.

    Args:
        furniture: `in` keeps headers, footers and notes where they are; otherwise they follow the
            page's body.
    """
    in_order = sorted(regions, key=lambda region: region.index)
    if furniture == "in":
        return in_order
    return sorted(in_order, key=lambda region: region.is_furniture)


@dataclass(frozen=True, slots=True)
class InText:
    """A region in its page's text.

    Attributes:
        region: with its range of tokens.
        text_follows: another region's text follows, after `REGION_BREAK`, which belongs to this
            region's last token.
    """

    region: Region
    text_follows: bool


def with_token_ranges(
    regions: Iterable[Region], num_tokens: Mapping[int, int], furniture: Furniture
) -> list[InText]:
    """Give each region its range of the page's tokens.

    Args:
        num_tokens: how many tokens each region has, by index; the others have none.

    Returns:
        The regions in the order of the text.
    """
    ordered = in_text_order(regions, furniture)
    counts = [num_tokens.get(region.index, 0) for region in ordered]
    starts = [0, *accumulate(counts)]
    return [
        InText(
            replace(region, token_start=starts[place], token_stop=starts[place + 1]),
            0 < starts[place + 1] < starts[-1] and counts[place] > 0,
        )
        for place, region in enumerate(ordered)
    ]


def worst_status(regions: Sequence[Region]) -> WorstStatus | None:
    """The status among `WORST_FIRST` that a page gets from its regions; None where all is well."""
    statuses = {region.status for region in regions}
    return next((status for status in WORST_FIRST if status in statuses), None)


def check_token_ranges(regions: Sequence[Region], num_tokens: int) -> None:
    """Check that each token of a page belongs to exactly one region.

    Raises:
        ValueError: it does not.
    """
    at = 0
    for region in sorted(regions, key=lambda region: (region.token_start, region.token_stop)):
        if region.token_start == region.token_stop:
            continue
        if region.token_start != at:
            raise ValueError(f"token {at} belongs to no region, or to several")
        at = region.token_stop
    if at != num_tokens:
        raise ValueError(f"the regions have {at} tokens, the page {num_tokens}")


def region_to_record(region: Region) -> dict[str, object]:
    """Plain values for JSON and parquet; the box is a list (x1, y1, x2, y2), with 2 decimals."""
    record = asdict(region)
    record["box"] = [round(side, 2) for side in region.box]
    return record


def region_from_record(record: dict[str, Any]) -> Region:
    """Inverse of `region_to_record`."""
    return Region(**{**record, "box": Box(*record["box"])})
