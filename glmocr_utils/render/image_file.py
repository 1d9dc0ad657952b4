"""Image files, read by Pillow: the one decoder, so that a page looks the same in every step.

PNG, JPEG, TIFF (each frame is a page), WebP, JPEG 2000, BMP, GIF and PNM.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from glmocr_utils.options import RenderOptions
from glmocr_utils.render.errors import DocumentError, named
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
    b"\0\0\0\x0cjP  \r\n\x87\n": Jpeg2KImageFile,
    b"\xff\x4f\xff\x51": Jpeg2KImageFile,
    b"GIF8": GifImageFile,
    b"BM": BmpImageFile,
    **{b"P%d%c" % (kind, space): PpmImageFile for kind in range(1, 7) for space in b"\n\r \t"},
}
HEAD_BYTES = 16  # of a file that say what it is
DEFAULT_MAX_PIXELS = 50_000_000

ORIENTATION = 0x0112  # EXIF tags
PHOTOMETRIC = 262
WHITE_IS_ZERO = 0
GREY_BITS = (8, 10, 12, 14, 16)  # that a grey of 16 bits may really have
LONG_CHUNK = 1_000_000  # bytes of a PNG's text; Pillow takes more for an attack

# An image over the budget is decoded and then reduced if it decodes to at most this many bytes
# for each pixel of the budget: twice the budget of colour, eight times of grey.
DECODED_BYTES_PER_BUDGET_PIXEL = 8
LARGEST_SHEET_BYTES = 250_000_000  # bilevel, whatever the budget: A0 at 400 DPI
DECODED_BYTES_PER_PIXEL = {"1": 1, "L": 1, "I;16": 2, "I;16B": 2}  # all other modes: 4


def decode_image(
    source: str | Path | bytes, frame: int = 0, max_pixels: int = DEFAULT_MAX_PIXELS
) -> Image.Image:
    """An image file as every step sees it: upright, RGB, on white, within a pixel budget.

    Args:
        source: path, or the bytes of the file.
        frame: which page of a TIFF, counted from 0.
        max_pixels: a larger image is reduced.

    Raises:
        DocumentError: `unreadable` or `too_large`; it is a ValueError.
    """
    head = bytes(source[:HEAD_BYTES]) if isinstance(source, bytes) else _head(Path(source))
    plugin = image_plugin(head)
    path = Path("image") if isinstance(source, bytes) else Path(source)
    if plugin is None:
        raise DocumentError("unreadable", f"{named(path)} isn't an image that can be read")
    reader = ImageReader(path, plugin, source if isinstance(source, bytes) else None)
    try:
        return reader.decode(frame, max_pixels)[0]
    finally:
        reader.close()


def image_plugin(head: bytes) -> type[ImageFile.ImageFile] | None:
    """What reads an image file that begins like this; None for what isn't an image."""
    return next((plugin for mark, plugin in IMAGE_PLUGINS.items() if head.startswith(mark)), None)


def is_plain(path: Path) -> bool:
    """Any other program shows this file as `decode_image` does: 8 bits, upright, opaque."""
    plugin = image_plugin(_head(path))
    if plugin not in (PngImageFile, JpegImageFile):
        return False
    try:
        with plugin(path) as image:  # as it is, with whatever others would stumble over
            upright = image.getexif().get(ORIENTATION, 1) == 1
            return upright and image.mode in ("1", "L", "RGB") and not image.has_transparency_data
    except Exception:  # nearly any type; the decoder says what is wrong
        return False


def num_frames(path: Path) -> int:
    """Pages of an image file: more than one only for a TIFF.

    Raises:
        DocumentError: it cannot be read.
    """
    plugin = image_plugin(_head(path))
    if plugin is not TiffImageFile:
        return 1
    reader = ImageReader(path, plugin)
    reader.close()
    return reader.num_pages


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


class ImageReader:
    """An image file as a document: a TIFF has a page per frame, the others have one.

    Args:
        content: the file's bytes, where they are at hand; `path` is then but a name.

    Raises:
        DocumentError: `unreadable` or `too_large`.
    """

    def __init__(
        self, path: Path, plugin: type[ImageFile.ImageFile], content: bytes | None = None
    ) -> None:
        self._content = content
        self._path = path
        self._plugin = plugin
        self._tiff: TiffImageFile | None = None
        self.num_pages = 1
        if plugin is TiffImageFile:
            with self._errors_named(None):
                # Kept open: finding frame n again means walking through all before it.
                self._tiff = TiffImageFile(_opened(path, plugin, content))
                self.num_pages = self._tiff.n_frames

    def close(self) -> None:
        if self._tiff is not None:
            self._tiff.close()

    def render(self, page_index: int, options: RenderOptions, canvas: Canvas) -> Raster:
        """Decode a frame upright, without transparency, at its own size.

        `options.scale` does not apply: the file is pixels already. An image over the budget is
        reduced.
        """
        image, full_size, frames = self.decode(page_index, options.max_pixels)
        pixels = image.tobytes("raw", RAW_MODE)
        as_bytes(canvas)[: len(pixels)] = pixels
        scale = max(image.size) / max(full_size)  # either may lie on its side
        remark = None
        if frames > 1:
            what = f"is an animation; the first of its {frames} images is read"
            remark = f"{named(self._path)} {what}"
        return Raster(image.width, image.height, scale, asked_scale=1.0, remark=remark)

    def decode(self, page_index: int, max_pixels: int) -> tuple[Image.Image, tuple[int, int], int]:
        """A frame as RGB, its size before it was reduced, and how many images are not pages."""
        with self._errors_named(page_index), self._frame(page_index) as frame:
            full_size = frame.size
            frames = 1 if self._tiff is not None else getattr(frame, "n_frames", 1)
            self._limit_decoding(frame, page_index, max_pixels)
            with _without_pillows_limit():
                image = _without_transparency(self._path, page_index, frame)
            image = _reduced(image, max_pixels)
            return ImageOps.exif_transpose(image).convert("RGB"), full_size, frames

    @contextmanager
    def _frame(self, page_index: int) -> Iterator[ImageFile.ImageFile]:
        if self._tiff is not None:
            self._tiff.seek(page_index)
            yield self._tiff
        else:
            with self._plugin(_opened(self._path, self._plugin, self._content)) as image:
                yield image

    def _limit_decoding(self, frame: ImageFile.ImageFile, page_index: int, max_pixels: int) -> None:
        """Make sure, before it is decoded, that `frame` decodes to a bounded number of bytes."""
        limit = DECODED_BYTES_PER_BUDGET_PIXEL * max_pixels
        if frame.mode == "1":
            limit = max(limit, LARGEST_SHEET_BYTES)
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


@contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Decode what `_limit_decoding` let pass; Pillow has a limit of its own for all images."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _opened(
    path: Path, plugin: type[ImageFile.ImageFile], content: bytes | None = None
) -> Path | BinaryIO:
    """What a plugin is to read: a PNG without its colour profile and its long texts.

    Pillow takes large ones for an attack and refuses the image; nothing here uses them.
    """
    if plugin is not PngImageFile:
        return path if content is None else io.BytesIO(content)
    return io.BytesIO(_without_long_chunks(path.read_bytes() if content is None else content))


def _without_long_chunks(png: bytes) -> bytes:
    kept, start = [png[:8]], 8
    while start + 12 <= len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4], "big")
        kind = png[start + 4 : start + 8]
        compressed = kind in (b"iCCP", b"zTXt")
        is_long = kind in (b"iTXt", b"tEXt") and end - start > LONG_CHUNK
        # a text after its keyword and a zero byte: 1 for compressed
        packed = kind == b"iTXt" and png[start + 8 : end].partition(b"\0")[2][:1] == b"\1"
        if not (compressed or is_long or packed):
            kept.append(png[start:end])
        start = end
    kept.append(png[start:])
    return b"".join(kept)


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
        return _eight_bits(frame)
    if frame.has_transparency_data:
        return on_white(frame)
    return frame.convert("L" if frame.mode in ("1", "L") else "RGB")


def _eight_bits(frame: ImageFile.ImageFile) -> Image.Image:
    """16 bits of grey as 8. Scanners put 12 bits into 16: white is the highest value of so many."""
    grey = np.asarray(frame)
    highest = int(grey.max(initial=0))
    white = 2 ** next(bits for bits in GREY_BITS if highest < 2**bits) - 1
    eight = (grey * np.float32(255 / white) + np.float32(0.5)).astype(np.uint8)
    tags = getattr(frame, "tag_v2", {})
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        eight = 255 - eight
    image = Image.fromarray(eight)
    image.info = frame.info
    if (orientation := frame.getexif().get(ORIENTATION)) is not None:
        image.getexif()[ORIENTATION] = orientation
    return image


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
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
