"""Where on its page the text stands that was read there."""

from collections.abc import Iterable
from dataclasses import dataclass

from glmocr_utils.records.pages import PageRef


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a page image, in pixels from its top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (self.left <= self.right and self.top <= self.bottom):
            raise ValueError(f"a box ends right of and below where it starts, got {self}")

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a token stands.

    Attributes:
        box: of what it spells.
        certainty: of the place, 0 to 1. It says nothing of whether the text is right.
        line_index: of its line among those of the text, from 0.
    """

    box: Box
    certainty: float
    line_index: int

    def __post_init__(self) -> None:
        if not 0 <= self.certainty <= 1:
            raise ValueError(f"a certainty is from 0 to 1, got {self.certainty}")


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Where the tokens and lines of a page stand on its image.

    Attributes:
        page: which page.
        width_px, height_px: of the image that the boxes are given for.
        tokens: one for each token of the reading; None where its place is unclear.
        lines: one for each line of its text; None where it is blank or its place is unclear.
    """

    page: PageRef
    width_px: int
    height_px: int
    tokens: tuple[TokenPlace | None, ...]
    lines: tuple[Box | None, ...]

    def box_of(self, tokens: Iterable[int]) -> Box | None:
        """Around these tokens, of a word for instance; None where the place of any is unclear."""
        places = [self.tokens[index] for index in tokens]
        if not places or None in places:
            return None
        return around(place.box for place in places)


def around(boxes: Iterable[Box]) -> Box | None:
    """The smallest box that holds all of them; None for none."""
    boxes = list(boxes)
    if not boxes:
        return None
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )
