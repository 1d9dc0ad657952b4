"""Page images → regions in reading order, so that every mark of ink is in one of them."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from glmocr_utils.layout.detecting import THRESHOLD, Detections, detect
from glmocr_utils.layout.ink import share_out
from glmocr_utils.layout.model import LayoutModel
from glmocr_utils.layout.ordering import insert_in_order
from glmocr_utils.layout.overlaps import resolve_overlaps
from glmocr_utils.records import Box, Region
from glmocr_utils.records.region import PICTURE_LABELS, TABLE_LABELS
from glmocr_utils.render.image_file import on_white
from glmocr_utils.render.page_checks import is_blank

LAYOUT_BATCH = 8  # pages that are looked at together
MIN_SIDE_PX = 3  # no letter is smaller
LABEL_OF_MISSED_INK = "text"


def find_regions(
    layout: LayoutModel, images: Sequence[Image.Image], threshold: float = THRESHOLD
) -> list[list[Region]]:
    """Find the regions of page images.

    Boxes that repeat or contain others are resolved as the official SDK does it. Each box then
    grows around the letters that it cuts, and ink in no box becomes a region of its own: `text`,
    with no score, at its place in the order. A page without ink has only what the model found.

    Args:
        images: upright, of any sizes; the model sees `LAYOUT_BATCH` of them at a time. Those that
            aren't RGB are converted, on white paper where they are transparent.
        threshold: regions with a lower score are left out, and their ink is found as missed.

    Returns:
        For each image its regions in reading order, in whole pixels of that image.
    """
    found: list[list[Region]] = []
    for start in range(0, len(images), LAYOUT_BATCH):
        batch = [
            image if image.mode == "RGB" else on_white(image)
            for image in images[start : start + LAYOUT_BATCH]
        ]
        detections = detect(layout, batch, threshold)
        found += [
            regions_of(image, each, layout.labels)
            for image, each in zip(batch, detections, strict=True)
        ]
    return found


def regions_of(image: Image.Image, detections: Detections, labels: dict[int, str]) -> list[Region]:
    """The regions of one page, from what a model detected on it."""
    page = np.array([0, 0, image.width, image.height], np.float64)
    sides = np.array([image.width, image.height] * 2, np.float64)
    boxes = detections.boxes.numpy().astype(np.float64).reshape(-1, 4)
    names = [labels.get(int(number), "text") for number in detections.class_ids]
    scores = detections.scores.numpy().astype(np.float64)
    is_finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    boxes = np.where(is_finite[:, None], boxes, 0).clip(0, sides)
    on_page = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE_PX).all(axis=1))
    kept = on_page[
        resolve_overlaps(boxes[on_page], scores[on_page], [names[i] for i in on_page], image.size)
    ]
    is_picture = np.array([names[index] in PICTURE_LABELS for index in kept], bool)
    is_table = np.array([names[index] in TABLE_LABELS for index in kept], bool)
    shares = share_out(image, boxes[kept], is_picture, is_table)
    kept, found = kept[shares.has_ink], shares.boxes[shares.has_ink]
    left = _one_block(shares.left) if not len(kept) else shares.left
    if not len(kept) and not len(left) and not is_blank(image):  # a photo from edge to edge
        left = page[None]
    everything = np.concatenate([found.reshape(-1, 4), left.reshape(-1, 4)])
    # so that a box is the same once it was written to a file
    whole_pixels = np.concatenate([np.floor(everything[:, :2]), np.ceil(everything[:, 2:])], axis=1)
    return [
        Region(
            index,
            names[kept[place]] if place < len(kept) else LABEL_OF_MISSED_INK,
            Box(*whole_pixels[place].tolist()),
            float(scores[kept[place]]) if place < len(kept) else None,
        )
        for index, place in enumerate(insert_in_order(found, left))
    ]


def _one_block(blocks: np.ndarray) -> np.ndarray:
    """Where a model found nothing, a page is read as it would be without one."""
    if not len(blocks):
        return blocks
    return np.concatenate([blocks[:, :2].min(axis=0), blocks[:, 2:].max(axis=0)])[None]
