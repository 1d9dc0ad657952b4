"""Image files, read by Pillow: PNG, JPEG, TIFF (each frame is a page) and WebP."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from glmocr_utils.render.errors import DocumentError, named
from glmocr_utils.render.options import RenderOptions
from glmocr_utils.render.raster import RAW_MODE, Canvas, Raster, as_bytes, largest_scale

# The plugins are called directly because the guard of Image.open against decompression bombs is a
# setting of the whole process. Here max_pixels guards.
IMAGE_PLUGINS: dict[bytes, type[ImageFile.ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,  # BigTIFF
    b"MM\0+": TiffImageFile,
    b"RIFF": WebPImageFile,
}

# An image over the budget is decoded and then reduced if it decodes to at most this many bytes
# for each pixel of the budget: twice the budget of colour, eight times of grey.
DECODED_BYTES_PER_BUDGET_PIXEL = 8
DECODED_BYTES_PER_PIXEL = {"1": 1, "L": 1, "I;16": 2, "I;16B": 2}  # all other modes: 4


class ImageReader:
    """An image file as a document: a TIFF has a page per frame, the others have one.

    Raises:
        DocumentError: `unreadable` or `too_large`.
    """

    def __init__(self, path: Path, plugin: type[ImageFile.ImageFile]) -> None:
        self._path = path
        self._plugin = plugin
        self._tiff: TiffImageFile | None = None
        self.num_pages = 1
        if plugin is TiffImageFile:
            with self._errors_named(None):
                # Kept open: finding frame n anew means walking through all before it.
                self._tiff = TiffImageFile(path)
                self.num_pages = self._tiff.n_frames

    def close(self) -> None:
        if self._tiff is not None:
            self._tiff.close()

    def render(self, page_index: int, options: RenderOptions, canvas: Canvas) -> Raster:
        """Decode a frame upright, without transparency, at its own size.

        `options.scale` does not apply: the file is pixels already. An image over the budget is
        reduced.
        """
        with self._errors_named(page_index), self._frame(page_index) as frame:
            full_size = frame.size
            self._limit_decoding(frame, page_index, options.max_pixels)
            image = _without_transparency(self._path, page_index, frame)
            image = _reduced(image, options.max_pixels)
            image = ImageOps.exif_transpose(image).convert("RGB")
        pixels = image.tobytes("raw", RAW_MODE)
        as_bytes(canvas)[: len(pixels)] = pixels
        scale = max(image.size) / max(full_size)  # either may lie on its side
        return Raster(image.width, image.height, scale, asked_scale=1.0)

    @contextmanager
    def _frame(self, page_index: int) -> Iterator[ImageFile.ImageFile]:
        if self._tiff is not None:
            self._tiff.seek(page_index)
            yield self._tiff
        else:
            with self._plugin(self._path) as image:
                yield image

    def _limit_decoding(self, frame: ImageFile.ImageFile, page_index: int, max_pixels: int) -> None:
        """Make sure, before it is decoded, that `frame` decodes to a bounded number of bytes."""
        limit = DECODED_BYTES_PER_BUDGET_PIXEL * max_pixels
        num_bytes = _decoded_bytes(frame)
        # A progressive JPEG is held whole in memory even when a smaller one is asked for.
        shrinks = isinstance(frame, JpegImageFile) and "progressive" not in frame.info
        if num_bytes > limit and shrinks:
            factor = next((f for f in (2, 4) if num_bytes / f**2 <= limit), 8)
            frame.draft(None, (frame.width // factor, frame.height // factor))
            num_bytes = _decoded_bytes(frame)
        if num_bytes > limit:
            raise DocumentError(
                "too_large",
                f"{named(self._path, page_index)} has {frame.width:,} × {frame.height:,} pixels, "
                f"too many to reduce to {max_pixels:,}; make the image smaller, or cut it into "
                "parts",
            )

    @contextmanager
    def _errors_named(self, page_index: int | None) -> Iterator[None]:
        try:
            yield
        except DocumentError:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise DocumentError(
                "too_large",
                f"{named(self._path, page_index)} has more pixels than can be decoded ({error}); "
                "make the image smaller, or cut it into parts",
            ) from error
        except Exception as error:  # a damaged image raises nearly any type in Pillow
            raise DocumentError(
                "unreadable",
                f"{named(self._path, page_index)} is not a complete image or is damaged "
                f"({error}); copy or scan it again",
            ) from error


def _decoded_bytes(frame: ImageFile.ImageFile) -> int:
    return frame.width * frame.height * DECODED_BYTES_PER_PIXEL.get(frame.mode, 4)


def _without_transparency(path: Path, page_index: int, frame: ImageFile.ImageFile) -> Image.Image:
    """Decode `frame` to grey (L) or RGB, on white where it is transparent."""
    if frame.mode in ("I", "F"):
        raise DocumentError(
            "unreadable",
            f"{named(path, page_index)} has 32-bit grey pixels, and which of them are black and "
            "white is not known; convert the image to 8-bit grey",
        )
    if frame.mode.startswith("I;16"):
        return frame.convert("I").point(lambda grey: grey * (1 / 257)).convert("L")
    if frame.has_transparency_data:
        return on_white(frame)
    return frame.convert("L" if frame.mode in ("1", "L") else "RGB")


def on_white(image: Image.Image) -> Image.Image:
    """An image with transparency as RGB, laid on white paper."""
    colour = image.convert("RGBA")
    page = Image.new("RGB", colour.size, "white")
    page.paste(colour, mask=colour)
    page.info = image.info  # holds the EXIF orientation
    return page


def _reduced(image: Image.Image, max_pixels: int) -> Image.Image:
    scale = largest_scale(image.width, image.height, 1.0, max_pixels)
    if scale == 1:
        return image
    size = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)
