"""Boxes: where the tokens and lines of a reading are on the page image."""

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

    def grown(self, margin: float) -> "Box":
        """With a margin on each side; it does not begin left of the image or above it."""
        left, top = max(0.0, self.left - margin), max(0.0, self.top - margin)
        return Box(left, top, self.right + margin, self.bottom + margin)

    def scaled(self, factor: float) -> "Box":
        """On the image with `factor` times its width and height."""
        return Box(*(side * factor for side in self))


@dataclass(frozen=True, slots=True)
class TokenBox:
    """The box of a token.

    Attributes:
        box: of its characters with ink; of markup and white space, the gap where they would be.
        certainty: of the box, 0 to 1. It says nothing about whether the text is right.
        line_index: of its printed line among `PageLayout.lines`, from 0.
        looked_at: the share of the model's attention for this token alone that goes to the box,
            divided by the model's usual share (`HeadChoice.usual_share`); None where it is not
            known.
    """

    box: Box
    certainty: float
    line_index: int
    looked_at: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.certainty <= 1:
            raise ValueError(f"a certainty is from 0 to 1, got {self.certainty}")


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Where the tokens and printed lines of a page are on its image.

    Attributes:
        page: which page.
        width_px, height_px: of the image that the boxes are given for.
        tokens: one for each token of the reading; None where its box is unclear.
        lines: one for each printed line, in reading order; None where its box is unclear. The
            parts of a table's row are one line. Line ends of the text may be others: the model
            writes a paragraph as one line.
        found: as `tokens`, but with the unclear boxes too; for `coverage`. Empty where they were
            not kept.
    """

    page: PageRef
    width_px: int
    height_px: int
    tokens: tuple[TokenBox | None, ...]
    lines: tuple[Box | None, ...]
    found: tuple[TokenBox | None, ...] = ()

    def box_of(self, tokens: Iterable[int]) -> Box | None:
        """Around these tokens, of a word for instance; None where that of any is unclear."""
        found = [self.tokens[index] for index in tokens]
        boxes = [token.box for token in found if token is not None]
        return around(boxes) if boxes and len(boxes) == len(found) else None

    def strip_of(self, tokens: Iterable[int]) -> Box | None:
        """Around the printed lines that these tokens are on; None where none of them is clear."""
        found = [self.tokens[index] for index in tokens]
        lines = {token.line_index for token in found if token}
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
