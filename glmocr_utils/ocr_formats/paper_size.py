"""How large the paper of a page is."""

from dataclasses import dataclass
from functools import lru_cache
from math import log
from pathlib import Path

from PIL import Image

from glmocr_utils.records import PageImage

POINTS_AN_INCH = 72
PLAUSIBLE_DPI = (90, 2400)  # 72 is what programs write that do not know
USUAL_DPI = (100, 150, 200, 240, 300, 400, 600, 1200)
USUAL_LONG_SIDE_PT = 842.0  # A4


@dataclass(frozen=True, slots=True)
class PaperSize:
    """Of a page, in points.

    Attributes:
        is_guess: the file doesn't say how large its pixels are.
    """

    width_pt: float
    height_pt: float
    is_guess: bool


def paper_size(image: PageImage, angle: int = 0) -> PaperSize:
    """The size of a page: of a PDF as it says, of an image from its resolution.

    Where an image file states no resolution, or one that can't be (less than 90 dpi, as programs
    write that don't know it), the usual one is taken that brings its longer side nearest to that of
    A4.

    Args:
        image: the page as it was read, turned clockwise by `angle`.
    """
    path = image.page.document_path
    width, height = image.width_px / image.scale, image.height_px / image.scale
    if Path(path).suffix.lower() == ".pdf":
        return PaperSize(width, height, False)
    stated = _stated_dpi(path, image.page.page_index)
    guess = min(
        USUAL_DPI,
        key=lambda dpi: abs(log(max(width, height) / dpi * POINTS_AN_INCH / USUAL_LONG_SIDE_PT)),
    )
    across, down = stated or (guess, guess)
    if angle % 180:
        across, down = down, across
    points = width / across * POINTS_AN_INCH, height / down * POINTS_AN_INCH
    return PaperSize(*points, stated is None)


@lru_cache(maxsize=1)
def _stated_dpi(path: str, page_index: int) -> tuple[float, float] | None:
    """Of an image file, across and down; None where there is none that can be."""
    try:
        with Image.open(path) as file:
            if getattr(file, "n_frames", 1) > page_index:
                file.seek(page_index)
            across, down = map(float, file.info.get("dpi") or (0, 0))
            turned = file.getexif().get(0x0112, 1) >= 5  # on its side
    except (OSError, ValueError, TypeError, SyntaxError):
        return None
    least, most = PLAUSIBLE_DPI
    if not (least <= across <= most and least <= down <= most):
        return None
    return (down, across) if turned else (across, down)
