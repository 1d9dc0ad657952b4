"""Where on its page a text is that was read there."""

from collections.abc import Iterable, Iterator
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

    def __iter__(self) -> Iterator[float]:
        """left, top, right, bottom."""
        return iter((self.left, self.top, self.right, self.bottom))

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a token is.

    Attributes:
        box: of its characters with ink; of markup and white space, the gap where they would be.
        certainty: of the place, 0 to 1. It says nothing of whether the text is right.
        line_index: of its printed line among `PageLayout.lines`, from 0.
    """

    box: Box
    certainty: float
    line_index: int

    def __post_init__(self) -> None:
        if not 0 <= self.certainty <= 1:
            raise ValueError(f"a certainty is from 0 to 1, got {self.certainty}")


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Where the tokens and printed lines of a page are on its image.

    Attributes:
        page: which page.
        width_px, height_px: of the image that the boxes are given for.
        tokens: one for each token of the reading; None where its place is unclear.
        lines: one for each printed line, in reading order; None where its place is unclear. The
            parts of a table's row are one line. Line ends of the text may be others: the model
            writes a paragraph as one line.
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

    def strip_of(self, tokens: Iterable[int]) -> Box | None:
        """Around the printed lines that these tokens are on; None where none of them is clear."""
        places = [self.tokens[index] for index in tokens]
        lines = {place.line_index for place in places if place}
        boxes = [self.lines[index] for index in lines if index < len(self.lines)]
        return around(box for box in boxes if box)


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
