"""A drawn page before it is an image: its pixels in a canvas that several pages use in turn.

A worker's canvas is memory that it shares with the parent, so that a page crosses between them
without being copied through a pipe, which would cost about half as much as rendering it.
"""

import ctypes
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glmocr_utils.records import PageImage, PageRef

RAW_MODE = "RGBX"  # of the pixels, as Pillow calls it; the last byte means nothing
COLOUR = 0xFFFFFF  # of a pixel as a number
SPARSE = 61  # one pixel in so many; a prime, so that no ruled page hides between them
Canvas = ctypes.Array  # of c_ubyte, at least canvas_bytes(max_pixels) long


@dataclass(frozen=True, slots=True)
class Raster:
    """The page that a canvas holds, as packed rows of RGBX pixels from its first byte.

    Four bytes a pixel are what pdfium draws and Pillow copies fastest.

    Attributes:
        width_px, height_px: size of the page image.
        scale: pixels per point (PDF) or per file pixel (image file) that was used.
        asked_scale: the scale that was asked for; larger than `scale` when `max_pixels` forced it.
        missing, remark: as in `PageImage`.
    """

    width_px: int
    height_px: int
    scale: float
    asked_scale: float
    missing: str | None = None
    remark: str | None = None

    @property
    def num_bytes(self) -> int:
        return canvas_bytes(self.width_px * self.height_px)

    def to_image(self, canvas: memoryview) -> Image.Image:
        """Copy the page out of `canvas` (bytes) into an RGB image of its own."""
        image = Image.new("RGB", (self.width_px, self.height_px), None)  # not filled first
        with canvas[: self.num_bytes] as pixels:
            image.frombytes(pixels, "raw", RAW_MODE)
        return image

    def is_even(self, canvas: memoryview) -> bool:
        """Whether all pixels have one colour; a few of them show that a page has ink."""
        pixels = np.frombuffer(canvas, "<u4", self.width_px * self.height_px)
        first = pixels[0] & COLOUR
        return all(bool(((some & COLOUR) == first).all()) for some in (pixels[::SPARSE], pixels))

    def to_page(self, page: PageRef, canvas: memoryview) -> PageImage:
        """Copy the page out of `canvas` (bytes), with what is known of it."""
        return PageImage(page, self.to_image(canvas), self.scale, self.missing, self.remark)


def canvas_bytes(num_pixels: int) -> int:
    """Bytes of `num_pixels` pixels."""
    return len(RAW_MODE) * num_pixels


def new_canvas(max_pixels: int) -> Canvas:
    """A canvas in this process. Memory is taken only where pages are drawn."""
    return (ctypes.c_ubyte * canvas_bytes(max_pixels))()


def as_bytes(canvas: Canvas) -> memoryview:
    return memoryview(canvas).cast("B")


def largest_scale(width: float, height: float, scale: float, max_pixels: int) -> float:
    """The largest scale up to `scale` at which `width` × `height` fits into `max_pixels`.

    Sides round up to whole pixels, as pdfium does it.
    """

    def fits(candidate: float) -> bool:
        return math.ceil(width * candidate) * math.ceil(height * candidate) <= max_pixels

    if fits(scale):
        return scale
    largest = math.sqrt(max_pixels / (width * height))  # fits, but for the rounding
    while not fits(largest):
        largest *= 0.999
    return largest
