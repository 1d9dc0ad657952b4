"""Which characters of a text layer one sees on the page: those that leave ink of their own.

The page is drawn with its text and without it. Where a character is and nothing changes, nothing
is seen of it, whatever the reason: its layer is off, it is white, transparent, clipped away, under
a bar or a picture, drawn in no ink, or its font has no such letter. No list of cases is kept.
"""

import ctypes
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

SCALE = 2.0  # pixels per unit of the page: what a model is given
MAX_PIXELS = 16_000_000
CHANGE = 16  # levels of a colour, 0 to 255, that drawing a letter changes at least
CONTRAST = 40  # grey levels in a box that contains another character's ink
MIN_EXTENT = 0.4  # of a letter's box, in each direction, that its ink spans at least
MIN_HEIGHT_PX = 5  # of a font; what is smaller cannot be read
THIN_PX = 3
FLAT = 0.005  # of a letter's side: it has no outline
MAX_LAYERS = 4  # of text over text are distinguished
MAX_DEPTH = 8  # of forms within forms

Box = tuple[float, float, float, float]  # left, bottom, right, top in the page's own units


class Seen(Enum):
    """The visibility of characters."""

    DRAWN = 1  # its own ink
    OVER_INK = 2  # other ink, such as that of the scan that it was read from
    HIDDEN = 3  # nothing


def what_is_seen(
    page: pdfium.PdfPage, objects: Sequence[Any], tight: Sequence[Box], loose: Sequence[Box]
) -> list[Seen]:
    """How much of each character is visible.

    Args:
        page: open, and as a viewer shows it: form fields and annotations flattened.
        objects: pdfium's text object of each character; None where it has none.
        tight, loose: boxes of each character's outline, and of its font's height.
    """
    if not objects:
        return []
    by_address = {_address(each): each for each in objects if each is not None}
    addresses = [None if each is None else _address(each) for each in objects]
    layers = _layers(page, by_address, addresses, loose)
    bare = _drawn_with(page, by_address, set())
    boxes, lines = _to_pixels(page, tight, bare.shape), _to_pixels(page, loose, bare.shape)
    flat = _is_flat(tight, loose)
    changes = {}
    for layer in sorted(set(layers.values())):
        shown = {address for address in by_address if layers[address] >= layer}
        drawn = _drawn_with(page, by_address, shown)
        changes[layer] = np.abs(drawn - bare).max(axis=2) >= CHANGE
    for each in by_address.values():
        pdfium_c.FPDFPageObj_SetIsActive(each, True)
    grey = bare.mean(axis=2)
    return [
        _seen(
            changes.get(layers.get(address or 0, -1)),
            grey,
            boxes[number],
            lines[number],
            flat[number],
        )
        for number, address in enumerate(addresses)
    ]


def _seen(
    changed: np.ndarray | None, grey: np.ndarray, box: np.ndarray, line: np.ndarray, flat: bool
) -> Seen:
    readable = min(line[3] - line[1], line[2] - line[0]) > 0 and (
        max(line[3] - line[1], line[2] - line[0]) >= MIN_HEIGHT_PX
    )
    where = _slices(_middle_of(line) if flat else _at_least(box, THIN_PX))
    if changed is not None and readable and _spans(changed[where], anywhere=flat):
        return Seen.DRAWN
    below = grey[where]
    if below.size and below.max() - below.min() >= CONTRAST:
        return Seen.OVER_INK
    return Seen.HIDDEN


def _spans(changed: np.ndarray, anywhere: bool) -> bool:
    """Does ink reach over so much of the box as a whole letter does, and not a rest of it?"""
    if not changed.any():
        return False
    if anywhere:
        return True
    return all(
        np.ptp(np.flatnonzero(changed.any(axis=axis))) + 1
        >= MIN_EXTENT * (changed.shape[1 - axis] if changed.shape[1 - axis] > THIN_PX + 1 else 1)
        for axis in (0, 1)
    )


def _address(handle: Any) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


def _drawn_with(page: pdfium.PdfPage, objects: dict[int, Any], shown: set[int]) -> np.ndarray:
    """(height, width, 3), int16: the page with these of its text objects."""
    for address, each in objects.items():
        pdfium_c.FPDFPageObj_SetIsActive(each, address in shown)
    width, height = page.get_size()
    scale = min(SCALE, (MAX_PIXELS / (width * height)) ** 0.5)
    bitmap = page.render(scale=scale, may_draw_forms=False, rev_byteorder=True)
    pixels = bitmap.to_numpy()[:, :, :3].astype(np.int16)
    bitmap.close()
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _layers(
    page: pdfium.PdfPage,
    objects: dict[int, Any],
    addresses: Sequence[int | None],
    loose: Sequence[Box],
) -> dict[int, int]:
    """How many layers of other text lie over each text object: 0 for most.

    What was crossed out with a white box and overwritten is to be judged without the new text.
    """
    order = [address for address in _drawing_order(page) if address in objects]
    order += [address for address in objects if address not in set(order)]
    extents: dict[int, list[float]] = {}
    for address, (left, bottom, right, top) in zip(addresses, loose, strict=True):
        if address is None:
            continue
        inset = (top - bottom) / 4  # lines that only touch lie beside each other
        box = extents.setdefault(address, [left, bottom + inset, right, top - inset])
        box[:] = (
            min(box[0], left),
            min(box[1], bottom + inset),
            max(box[2], right),
            max(box[3], top - inset),
        )
    order = [address for address in order if address in extents]
    boxes = np.array([extents[address] for address in order]).reshape(-1, 4)
    layers = np.zeros(len(order), int)
    for number in reversed(range(len(order))):
        later = boxes[number + 1 :]
        width = np.minimum(later[:, 2], boxes[number, 2]) - np.maximum(
            later[:, 0], boxes[number, 0]
        )
        height = np.minimum(later[:, 3], boxes[number, 3]) - np.maximum(
            later[:, 1], boxes[number, 1]
        )
        over = (width > 1) & (height > 0)
        if over.any():
            layers[number] = min(MAX_LAYERS, layers[number + 1 :][over].max() + 1)
    return dict(zip(order, layers.tolist(), strict=True))


def _drawing_order(page: pdfium.PdfPage) -> list[int]:
    """Addresses of the page's text objects, those inside forms too, the first drawn first."""
    found: list[int] = []

    def walk(count: int, get: Any, depth: int) -> None:
        for index in range(count):
            handle = get(index)
            kind = pdfium_c.FPDFPageObj_GetType(handle)
            if kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
                found.append(_address(handle))
            elif kind == pdfium_c.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
                inner = pdfium_c.FPDFFormObj_CountObjects(handle)
                walk(
                    inner,
                    lambda at, form=handle: pdfium_c.FPDFFormObj_GetObject(form, at),
                    depth + 1,
                )

    walk(
        pdfium_c.FPDFPage_CountObjects(page),
        lambda index: pdfium_c.FPDFPage_GetObject(page, index),
        0,
    )
    return found


def _is_flat(tight: Sequence[Box], loose: Sequence[Box]) -> np.ndarray:
    outline, line = np.array(tight).reshape(-1, 4), np.array(loose).reshape(-1, 4)
    sides, whole = outline[:, 2:] - outline[:, :2], line[:, 2:] - line[:, :2]
    return (sides <= FLAT * np.maximum(whole, 1e-6)).any(axis=1)


def _to_pixels(page: pdfium.PdfPage, boxes: Sequence[Box], shape: tuple[int, ...]) -> np.ndarray:
    """(num_boxes, 4): left, top, right, bottom on the drawn page."""
    height, width = shape[:2]
    grain = 1024  # pdfium gives whole numbers

    def device(x: float, y: float) -> np.ndarray:
        at = ctypes.c_int(), ctypes.c_int()
        pdfium_c.FPDF_PageToDevice(
            page, 0, 0, width * grain, height * grain, 0, x, y, *map(ctypes.byref, at)
        )
        return np.array([at[0].value, at[1].value]) / grain

    origin = device(0, 0)
    matrix = np.array([device(100, 0) - origin, device(0, 100) - origin]) / 100
    left, bottom, right, top = np.array(boxes, float).reshape(-1, 4).T
    corners = np.stack([np.stack([left, bottom], 1), np.stack([right, top], 1)]) @ matrix + origin
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1)


def _middle_of(box: np.ndarray) -> np.ndarray:
    inset = (box[2:] - box[:2]) / 4
    return np.concatenate([box[:2] + inset, box[2:] - inset])


def _at_least(box: np.ndarray, side: float) -> np.ndarray:
    """A dash's ink may lie in the row of pixels beside its box."""
    missing = np.maximum(0, side - (box[2:] - box[:2])) / 2
    return np.concatenate([box[:2] - missing, box[2:] + missing])


def _slices(box: np.ndarray) -> tuple[slice, slice]:
    left, top, right, bottom = np.maximum(box, 0)
    return (
        slice(int(top), max(int(top) + 1, int(np.ceil(bottom)))),
        slice(int(left), max(int(left) + 1, int(np.ceil(right)))),
    )
