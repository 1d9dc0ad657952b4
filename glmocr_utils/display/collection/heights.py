"""Where on its page a part of a text is, about, when no box says it."""

from dataclasses import dataclass

import numpy as np

from glmocr_utils.records import Box, PageImage

SHORT_LINE = 120  # characters; where lines are longer on average, they are whole paragraphs
INK = 60  # grey levels below the paper's
HEIGHT = 0.06  # of the page, shown above and below


@dataclass(frozen=True, slots=True)
class InkHeights:
    """Where the ink of a page begins and ends, in shares of its height from the top."""

    top: float
    bottom: float


def ink_heights(image: PageImage) -> InkHeights:
    """Of a page without ink, its whole height."""
    grey = np.asarray(image.image.convert("L"), np.int16)
    # two in a thousand: a speck isn't ink
    enough = (np.median(grey) - grey >= INK).sum(axis=1) >= max(1, 0.002 * grey.shape[1])
    rows = np.flatnonzero(enough)
    if not rows.size:
        return InkHeights(0.0, 1.0)
    return InkHeights(float(rows[0]) / len(grey), float(rows[-1] + 1) / len(grey))


def height_of(text: str, start: int, ink: InkHeights) -> float:
    """About the height of a character, as a share of the page's from the top.

    By its line, or by how much text is before it where lines are paragraphs.
    """
    lines = text.split("\n")
    if len(text) > SHORT_LINE * len(lines):
        share = start / max(1, len(text))
    else:
        share = (text.count("\n", 0, start) + 0.5) / len(lines)
    return ink.top + share * (ink.bottom - ink.top)


def strip_at(height: float, image: PageImage) -> Box:
    """A part of a page image as wide as the page, around a height in shares."""
    top = max(0.0, height - HEIGHT) * image.height_px
    bottom = min(1.0, height + HEIGHT) * image.height_px
    return Box(0, top, image.width_px, bottom)
