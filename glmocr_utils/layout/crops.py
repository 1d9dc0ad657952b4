"""The part of a page image that is read as a region, and the way back to the page."""

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from PIL import Image

from glmocr_utils.records import Box, PageImage

MARGIN_PX = 14  # of paper around the region, as around the text of a page
MIN_SIDE_PX = 56
MAX_ASPECT = 50.0  # the model's image processor refuses what is 200 times as long as wide
PAPER_PERCENTILE = 50  # of the pixels on the region's edge


@dataclass(frozen=True, slots=True)
class Crop:
    """A region as the model gets it.

    Attributes:
        page: the page with the region's image instead of its own.
        left, top: where that image begins on the page's, in pixels; negative in its margin.
    """

    page: PageImage
    left: int
    top: int

    def to_page(self, box: Box, factor: float = 1.0) -> Box:
        """A box of the crop as a box of the page.

        Args:
            factor: by which the crop was resized before the box was found.
        """
        x1, y1, x2, y2 = (side / factor for side in box)
        return Box(x1 + self.left, y1 + self.top, x2 + self.left, y2 + self.top)


def crop_region(page: PageImage, box: Box) -> Crop:
    """Cut a region out, with a margin in the colour of its paper and never with its neighbours.

    Args:
        box: in pixels of the page; what lies beyond the page is cut off.
    """
    image = page.image
    left, top = max(0, int(box.left)), max(0, int(box.top))
    right, bottom = min(image.width, ceil(box.right)), min(image.height, ceil(box.bottom))
    left, top = min(left, image.width - 1), min(top, image.height - 1)
    part = image.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
    width, height = part.size
    across = _margin(width, height)
    down = _margin(height, width)
    canvas = Image.new("RGB", (width + 2 * across, height + 2 * down), _paper(part))
    canvas.paste(part, (across, down))
    return Crop(replace(page, image=canvas), left - across, top - down)


def _margin(side: int, other: int) -> int:
    """So much paper on both ends of a side that the model takes the crop."""
    least = max(MIN_SIDE_PX, other / MAX_ASPECT)
    return max(MARGIN_PX, ceil((least - side) / 2))


def _paper(part: Image.Image) -> tuple[int, int, int]:
    """The colour of most of the region's edge."""
    pixels = np.asarray(part)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(value) for value in np.percentile(edge, PAPER_PERCENTILE, axis=0))
    return red, green, blue
