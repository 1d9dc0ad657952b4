"""Contents of a page that its rendering lacks: images, text, content.

Only what left no ink is looked at closely, so that a sound page costs next to nothing.
"""

import ctypes
import io
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from glmocr_utils.render.inventory import (
    INVISIBLE,
    Box,
    FileInventory,
    ImageObject,
    PageInventory,
    font_name,
    page_inventory,
)
from glmocr_utils.render.raster import Raster

REDUCED_LONG_SIDE_PX = 400  # of the picture in which an image's own ink is looked for
INK = 6  # grey levels from what is around
MIN_SHARE = 0.001  # of the page; a smaller image is a spacer or an ornament
MOST = 0.5  # of the page, or of its characters: what is left is not worth reading
MIN_CHARACTERS = 3  # fewer are taken for a font's own blanks
MIN_CHARACTER_SIDE = 1.0  # points; smaller ones cannot be read
FLAT = 0.005  # of a character's side
MIN_EDGE = 0.02  # of an image's side
WHOLE = 0.98  # of the bytes that an image needs
FAX_CODECS = {"CCITTFaxDecode", "CCF"}
UNDECODABLE = "cannot be decoded"
CODECS = {"DCTDecode", "DCT", "JPXDecode", "CCITTFaxDecode", "CCF", "JBIG2Decode"}
CJK = ((0x1100, 0x11FF), (0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


@dataclass(frozen=True, slots=True)
class Undrawn:
    """The missing contents of a page.

    Attributes:
        what: a clause for each part: the part, the cause, the remedy.
        is_most: so much is missing that the page is not to be read.
    """

    what: str
    is_most: bool


def find_undrawn(
    pdf: pdfium.PdfDocument,
    page: pdfium.PdfPage,
    raster: Raster,
    canvas: memoryview,
    file: FileInventory,
    page_index: int,
) -> Undrawn | None:
    """Compare the file's objects with the rendering.

    Args:
        raster, canvas: the page as it was drawn, all of it.

    Returns:
        None where nothing is missing.
    """
    inventory = page_inventory(page)
    damage = file.content_damage(page_index)
    is_empty = raster.is_even(canvas)
    if not inventory.num_objects and not damage:
        damage = file.damage_of_empty_page(page_index)
    looks_closer = inventory.images or is_empty or not all(inventory.font_is_embedded.values())
    if not damage and not looks_closer:
        return None
    image = raster.to_image(canvas)
    found = [_Part(f"{each}; save the file again, or get a sound copy", 0.0) for each in damage]
    if inventory.images:
        found += _undrawn_images(pdf, page, image, inventory)
    if is_empty or not all(inventory.font_is_embedded.values()):
        found += _undrawn_text(page, image, inventory, is_empty)
    if not found:
        return None
    share = max(part.share for part in found)
    what = "; ".join(dict.fromkeys(part.what for part in found))
    return Undrawn(what, share >= MOST or _has_no_ink(image))


@dataclass(frozen=True, slots=True)
class _Part:
    what: str
    share: float  # of the page, or of its characters


def _has_no_ink(image: Image.Image) -> bool:
    # scipy takes a moment to import, which sound pages need not wait for
    from glmocr_utils.render.page_checks import is_blank

    return is_blank(image)


class _ToPixels:
    """Boxes of the page → boxes of the rendered page, as shares of its sides."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        side = 1 << 20
        origin, right, up = (self._device(page, side, *at) for at in ((0, 0), (1000, 0), (0, 1000)))
        self._matrix = np.array([right - origin, up - origin]) / 1000 / side
        self._origin = origin / side

    @staticmethod
    def _device(page: pdfium.PdfPage, side: int, x: float, y: float) -> np.ndarray:
        at = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDF_PageToDevice(page, 0, 0, side, side, 0, x, y, *map(ctypes.byref, at))
        return np.array([at[0].value, at[1].value], float)

    def __call__(self, boxes: list[Box]) -> np.ndarray:
        """(num_boxes, 4): left, top, right, bottom, not cut at the page's edges."""
        if not boxes:
            return np.empty((0, 4))
        left, bottom, right, top = np.array(boxes, float).T
        corners = np.stack([np.stack([left, bottom], 1), np.stack([right, top], 1)])
        placed = corners @ self._matrix + self._origin
        return np.concatenate([placed.min(axis=0), placed.max(axis=0)], axis=1)


# Images


def _undrawn_images(
    pdf: pdfium.PdfDocument, page: pdfium.PdfPage, image: Image.Image, inventory: PageInventory
) -> list[_Part]:
    to_pixels = _ToPixels(page)
    grey = image.convert("L")
    grey = grey.reduce(max(1, max(grey.size) // REDUCED_LONG_SIDE_PX))
    pixels = np.asarray(grey, np.int16)
    height, width = pixels.shape
    others = np.zeros((height, width), bool)
    for box in to_pixels([each.box for each in inventory.texts + inventory.others]):
        if not _is_page(box):
            others[_slices(box, width, height, 1)] = True
    parts = []
    boxes = to_pixels([each.box for each in inventory.images])
    for number, (each, box) in enumerate(zip(inventory.images, boxes, strict=True)):
        share = _share(box)
        if share < MIN_SHARE:
            continue
        rest = boxes[np.arange(len(boxes)) != number]
        where = _slices(box, width, height, 0)
        free = ~others[where]
        if not _covers(rest, box):
            for other in rest:
                free &= ~_mask(other, width, height)[where]
        own = pixels[where][free]
        edge = _even_edge(pixels[where])
        if own.size and own.max() - own.min() > INK and not edge:
            continue
        problem = _decoding_problem(pdf, page, each)
        if problem is not None:
            lost = share * (1 if problem == UNDECODABLE else edge)
            parts.append(_Part(f"{each.name} {problem}; scan it or save the file again", lost))
    return _together(parts)


def _together(parts: list[_Part]) -> list[_Part]:
    """Many broken images as one part: a scan may come in strips."""
    if len(parts) < 3:
        return parts
    share = min(1.0, sum(part.share for part in parts))
    return [_Part(f"{len(parts)} images, the first being {parts[0].what}", share)]


def _is_page(box: np.ndarray) -> bool:
    """A background or a clip, which does not explain ink."""
    return _share(box) > 0.9


def _covers(boxes: np.ndarray, box: np.ndarray) -> bool:
    inside = (boxes[:, :2] <= box[:2] + 0.01).all(axis=1)
    return bool((inside & (boxes[:, 2:] >= box[2:] - 0.01).all(axis=1)).any())


def _share(box: np.ndarray) -> float:
    """Of the page, 0 to 1."""
    left, top, right, bottom = np.clip(box, 0, 1)
    return float((right - left) * (bottom - top))


def _slices(box: np.ndarray, width: int, height: int, margin: int) -> tuple[slice, slice]:
    left, top, right, bottom = np.clip(box, -1, 2)
    return (
        slice(max(0, int(top * height) - margin), max(0, int(np.ceil(bottom * height)) + margin)),
        slice(max(0, int(left * width) - margin), max(0, int(np.ceil(right * width)) + margin)),
    )


def _mask(box: np.ndarray, width: int, height: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[_slices(box, width, height, 0)] = True
    return mask


def _even_edge(pixels: np.ndarray) -> float:
    """How much of the image, 0 to 1, is of one grey at one of its sides: its data may end early."""
    if not pixels.size:
        return 1.0
    shares = []
    for rows in (pixels, pixels[::-1], pixels.T, pixels.T[::-1]):
        varies = (rows != rows[:1, :1]).any(axis=1)
        shares.append(float(varies.argmax()) / len(rows) if varies.any() else 1.0)
    widest = max(shares)
    return widest if widest >= MIN_EDGE else 0.0


def _decoding_problem(
    pdf: pdfium.PdfDocument, page: pdfium.PdfPage, image: ImageObject
) -> str | None:
    """Why the image is not, or not all, on the page."""
    bitmap = pdfium_c.FPDFImageObj_GetBitmap(image.handle)
    if not bitmap:
        return UNDECODABLE
    pdfium_c.FPDFBitmap_Destroy(bitmap)
    if image.filters and image.filters[-1] in ("DCTDecode", "DCT"):
        return "breaks off" if _jpeg_breaks_off(image) else None
    if image.filters and image.filters[-1] in FAX_CODECS and not any(_data(image)[:8]):
        return UNDECODABLE  # no code of fax begins so, and pdfium takes it for white
    if CODECS & set(image.filters):
        return None
    metadata = pdfium_c.FPDF_IMAGEOBJ_METADATA()
    if not pdfium_c.FPDFImageObj_GetImageMetadata(image.handle, page, ctypes.byref(metadata)):
        return None
    length = pdfium_c.FPDFImageObj_GetImageDataDecoded(image.handle, None, 0)
    needed = _bytes(image, metadata.bits_per_pixel)
    # pdfium gives the bits of a palette's colours, not those of the indices into it
    is_palette = metadata.colorspace == pdfium_c.FPDF_COLORSPACE_INDEXED
    if length >= WHOLE * needed or (
        is_palette and any(0.99 < length / _bytes(image, bits) < 1.01 for bits in (1, 2, 4))
    ):
        return None
    return f"breaks off after {length / needed:.0%} of its data"


def _bytes(image: ImageObject, bits_per_pixel: int) -> int:
    return max(1, -(-image.width_px * bits_per_pixel // 8) * image.height_px)


def _data(image: ImageObject) -> bytes:
    """What the image's codec is given."""
    length = pdfium_c.FPDFImageObj_GetImageDataDecoded(image.handle, None, 0)
    data = ctypes.create_string_buffer(max(1, length))
    pdfium_c.FPDFImageObj_GetImageDataDecoded(image.handle, data, length)
    return data.raw[:length]


def _jpeg_breaks_off(image: ImageObject) -> bool:
    data = _data(image)
    if b"\xff\xd9" in data[-1024:]:
        return False
    try:
        JpegImageFile(io.BytesIO(data)).load()
    except Exception as error:  # nearly any type; a kind of JPEG that Pillow lacks isn't damage
        return "truncated" in str(error)
    return False


# Text


def _undrawn_text(
    page: pdfium.PdfPage, image: Image.Image, inventory: PageInventory, is_empty: bool
) -> list[_Part]:
    """Characters without a glyph: their boxes are flat, and nothing is drawn where they are.

    Of embedded fonts, blank glyphs are the rule (those of OCR programs have no others): they count
    only on a page that is empty.
    """
    if not inventory.texts:
        return []
    textpage = page.get_textpage()
    try:
        characters, missing = _characters_without_glyph(textpage)
    finally:
        textpage.close()
    to_pixels = _ToPixels(page)
    undrawn: dict[str, list[str]] = {}
    for name, signs in missing.items():
        if inventory.font_is_embedded.get(name, True) and not is_empty:
            continue
        boxes = to_pixels([box for _, box in signs])
        pairs = zip(signs, boxes, strict=True)
        left = [sign for (sign, _), box in pairs if _is_bare(image, box)]
        if len(left) >= min(MIN_CHARACTERS, characters):
            undrawn[name] = left
    return [
        _Part(
            _text_clause(name, signs, inventory.font_is_embedded.get(name, True)),
            sum(map(len, undrawn.values())) / characters,
        )
        for name, signs in undrawn.items()
    ]


def _characters_without_glyph(
    textpage: pdfium.PdfTextPage,
) -> tuple[int, dict[str, list[tuple[str, Box]]]]:
    """How many characters are meant to be seen, and those without a glyph, by their font."""
    characters = 0
    missing: dict[str, list[tuple[str, Box]]] = {}
    modes: dict[int, int] = {}
    for index in range(textpage.count_chars()):
        code = pdfium_c.FPDFText_GetUnicode(textpage, index)
        if pdfium_c.FPDFText_IsGenerated(textpage, index) == 1:
            continue
        sign = chr(min(code, 0x10FFFF))
        if sign.isspace() or 0xDC00 <= code < 0xE000:
            continue
        handle = pdfium_c.FPDFText_GetTextObject(textpage, index)
        if not handle:
            continue
        address = ctypes.cast(handle, ctypes.c_void_p).value or 0
        if address not in modes:
            modes[address] = pdfium_c.FPDFTextObj_GetTextRenderMode(handle)
        if modes[address] == INVISIBLE:
            continue
        characters += 1
        loose = textpage.get_charbox(index, loose=True)
        if code >= 0x20 and _is_flat(textpage.get_charbox(index), loose):
            name = font_name(pdfium_c.FPDFTextObj_GetFont(handle))
            missing.setdefault(name, []).append((sign, loose))
    return characters, missing


def _is_flat(box: Box, loose: Box) -> bool:
    """A glyph has an outline, unless there is none; text of no size has none either."""
    width, height = loose[2] - loose[0], loose[3] - loose[1]
    if width < MIN_CHARACTER_SIDE or height < MIN_CHARACTER_SIDE:
        return False
    return box[2] - box[0] < FLAT * width or box[3] - box[1] < FLAT * height


def _is_bare(image: Image.Image, box: np.ndarray) -> bool:
    """On the page, and of one grey."""
    left, top, right, bottom = box * np.tile(image.size, 2)
    middle = (left + right) / 2, (top + bottom) / 2
    if not (0 <= middle[0] < image.width and 0 <= middle[1] < image.height):
        return False
    # a neighbour's ink may reach in a little
    inset_x, inset_y = (right - left) / 6, (bottom - top) / 6
    x0, y0 = max(0, int(left + inset_x)), max(0, int(top + inset_y))
    x1, y1 = max(x0 + 1, int(right - inset_x)), max(y0 + 1, int(bottom - inset_y))
    area = np.asarray(image.crop((x0, y0, min(x1, image.width), min(y1, image.height))))
    return bool((np.ptp(area, axis=(0, 1)) <= INK).all())


def _text_clause(name: str, signs: list[str], is_embedded: bool) -> str:
    count = f"{len(signs)} character{'s' if len(signs) != 1 else ''}"
    if is_embedded:
        return f"{count} in the embedded font {name!r} left no ink; save the file again"
    clause = f"{count} in the font {name!r}, which is neither embedded nor installed here"
    advice = "save the file with its fonts embedded"
    scripts = Counter(_is_cjk(sign) for sign in signs)
    if scripts[True] >= scripts[False]:
        return f"{clause}; install fonts-noto-cjk, or {advice}"
    return f"{clause}; install that font (fc-list has to list it), or {advice}"


def _is_cjk(sign: str) -> bool:
    return any(first <= ord(sign) <= last for first, last in CJK)
