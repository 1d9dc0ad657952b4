"""The pictures of a page, cropped: their names and their files."""

from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from glmocr_utils.records import Box, PageImage, Region


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture or chart of a page.

    Attributes:
        name: of its file.
        image: RGB, without a margin.
    """

    name: str
    image: Image.Image


def picture_name(page_index: int, region: Region) -> str:
    """The name of a picture's file; `page_index` from 0, numbers in the name from 1."""
    return f"page_{page_index + 1:04d}_{region.label}_{region.index + 1:03d}.png"


def crop_pictures(page: PageImage, regions: Iterable[Region]) -> list[Picture]:
    """The pictures of a page.

    Args:
        page: as it was read: turned, where it was turned.
    """
    return [
        Picture(
            picture_name(page.page.page_index, region),
            page.image.crop(_whole_pixels(region.box)),
        )
        for region in regions
        if region.status == "picture"
    ]


def _whole_pixels(box: Box) -> tuple[int, int, int, int]:
    return round(box.left), round(box.top), round(box.right), round(box.bottom)
