"""Which ink belongs to which region, so that none is lost.

A model's boxes cut through letters, end before a line does, or miss a paragraph. Here each mark of
ink (a letter, as a rule) goes to the region that contains most of it, and the region's box grows
around it; what is left forms blocks of its own. Rules between columns aren't text.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from glmocr_utils.render.page_checks import SPECK_PX, find_marks

# In sizes of the page's letters
LETTER_SIZES = (4.0, 16.0)  # height and width of what may be a letter, or several that touch
WORD_GAP = 1.6  # a letter that near on the same line belongs to the region
SPECK_GAP = 0.6  # and a speck, which may be a full stop or dust
BLOCK_GAPS = (1.4, 3.0)  # down and across: marks that near are one block
# A rule: so thin, in pixels or in letter sizes, and so many times as long
RULE_PX, RULE_SIZE, RULE_LENGTH = 5, 0.3, 12.0
MOST = 0.5  # of a large mark that lies in a region: the rest of it is ignored
MAX_ROUNDS = 60  # of growing along a line
BLUR_PX = 1  # of a mark's faint edge, in pixels of the reduced page
NO_REGION = -1


@dataclass(frozen=True, slots=True)
class InkShares:
    """How a page's ink is shared out.

    Attributes:
        boxes: (num_regions, 4), x1, y1, x2, y2 in pixels of the page: each region around its ink.
        left: (num_blocks, 4), the same for blocks of ink that no region contains.
    """

    boxes: np.ndarray
    left: np.ndarray


def share_out(image: Image.Image, boxes: np.ndarray, may_grow: np.ndarray) -> InkShares:
    """Give each mark of ink on a page to a region, or to a new block.

    Args:
        image: the page, RGB.
        boxes: (num_regions, 4), x1, y1, x2, y2 in pixels, within the page.
        may_grow: (num_regions,), False for pictures, which keep their boxes.
    """
    labels = find_marks(image)
    scale = np.array([image.width / labels.shape[1], image.height / labels.shape[0]] * 2)
    inner = boxes / scale
    number = int(labels.max(initial=0))
    if not number:
        return InkShares(boxes, np.empty((0, 4)))
    marks = _mark_boxes(labels, number)
    size = _letter_size(marks)
    cover = _cover(inner, labels.shape)
    owners, shares = _owners(labels, cover, number, len(boxes))
    is_letter = (_heights(marks) <= LETTER_SIZES[0] * size) & (
        _widths(marks) <= LETTER_SIZES[1] * size
    )
    owners[~is_letter & (shares < MOST)] = NO_REGION
    grown = _around_their_marks(inner, marks, owners, is_letter, may_grow)
    grown = _along_lines(grown, marks, owners, is_letter, may_grow, size)
    is_left = (owners == NO_REGION) & ~_is_rule(marks, size)
    ink_left = np.concatenate([[False], is_left])[labels] & (_cover(grown, labels.shape) < 0)
    left = _within_page(_blocks(ink_left, labels, _is_speck(marks), size) * scale, image)
    return InkShares(_within_page(grown * scale, image), left)


def _mark_boxes(labels: np.ndarray, number: int) -> np.ndarray:
    """(number, 4), x1, y1, x2, y2."""
    boxes = np.zeros((number, 4))
    for place, slices in enumerate(ndimage.find_objects(labels, number)):
        if slices:
            rows, columns = slices
            boxes[place] = columns.start, rows.start, columns.stop, rows.stop
    return boxes


def _heights(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 3] - boxes[:, 1]


def _widths(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, 2] - boxes[:, 0]


def _letter_size(marks: np.ndarray) -> float:
    """The height of most marks, in pixels of the reduced page."""
    heights = _heights(marks)
    heights = heights[(heights >= 4) & (_widths(marks) >= 2)]
    return float(np.median(heights)) if len(heights) else 12.0


def _cover(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """For each pixel the smallest box that contains it, by index; -1 for none."""
    cover = np.full(shape, NO_REGION, np.int32)
    areas = _widths(boxes) * _heights(boxes)
    for index in np.argsort(-areas, kind="stable"):
        x1, y1, x2, y2 = boxes[index]
        cover[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = index
    return cover


def _owners(
    labels: np.ndarray, cover: np.ndarray, number: int, num_regions: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each mark the region that contains most of it, and the share that any region contains."""
    is_ink = labels > 0
    marks, regions = labels[is_ink] - 1, cover[is_ink]
    pixels = np.bincount(marks, minlength=number)
    inside = regions >= 0
    pairs, counts = np.unique(
        marks[inside].astype(np.int64) * max(1, num_regions) + regions[inside], return_counts=True
    )
    owners = np.full(number, NO_REGION)
    by_count = np.argsort(counts, kind="stable")  # the largest comes last, and stays
    owners[pairs[by_count] // max(1, num_regions)] = pairs[by_count] % max(1, num_regions)
    covered = np.bincount(marks[inside], minlength=number)
    return owners, covered / np.maximum(pixels, 1)


def _around_their_marks(
    boxes: np.ndarray,
    marks: np.ndarray,
    owners: np.ndarray,
    is_letter: np.ndarray,
    may_grow: np.ndarray,
) -> np.ndarray:
    grown = boxes.copy()
    for index in np.flatnonzero(may_grow):
        own = marks[(owners == index) & is_letter]
        if len(own):
            grown[index] = _hull(boxes[index], own)
    return grown


def _hull(box: np.ndarray, marks: np.ndarray) -> np.ndarray:
    low = np.minimum(box[:2], marks[:, :2].min(axis=0) - BLUR_PX)
    high = np.maximum(box[2:], marks[:, 2:].max(axis=0) + BLUR_PX)
    return np.concatenate([low, high])


def _along_lines(
    boxes: np.ndarray,
    marks: np.ndarray,
    owners: np.ndarray,
    is_letter: np.ndarray,
    may_grow: np.ndarray,
    size: float,
) -> np.ndarray:
    """Let regions take in the letters that follow on their lines, where no other region is."""
    boxes = boxes.copy()
    growing = [int(index) for index in np.flatnonzero(may_grow)]
    for _ in range(MAX_ROUNDS):
        free = np.flatnonzero((owners == NO_REGION) & is_letter)
        if not len(free) or not growing:
            break
        still = []
        for index in growing:
            near = free[_is_beside(boxes[index], marks[free], size) & (owners[free] == NO_REGION)]
            taken = [
                mark
                for mark in near
                if not _hits_another(_hull(boxes[index], marks[[mark]]), boxes, index)
            ]
            if taken:
                owners[taken] = index
                boxes[index] = _hull(boxes[index], marks[taken])
                still.append(index)
        growing = still
    return boxes


def _is_beside(box: np.ndarray, marks: np.ndarray, size: float) -> np.ndarray:
    """Which marks continue a line of the box: level with it by their middle, and a word gap off."""
    middle = (marks[:, 1] + marks[:, 3]) / 2
    gap = np.maximum(box[0] - marks[:, 2], marks[:, 0] - box[2])
    farthest = np.where(_is_speck(marks), SPECK_GAP, WORD_GAP) * size
    return (middle > box[1]) & (middle < box[3]) & (gap <= farthest)


def _is_speck(marks: np.ndarray) -> np.ndarray:
    return np.maximum(_heights(marks), _widths(marks)) < SPECK_PX


def _hits_another(grown: np.ndarray, boxes: np.ndarray, index: int) -> bool:
    """Whether a grown box reaches into a region that its old one did not."""
    before = _overlaps(boxes[index], boxes)
    now = _overlaps(grown, boxes)
    return bool((now & ~before).any())


def _overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    return (high > low).all(axis=1)


def _is_rule(marks: np.ndarray, size: float) -> np.ndarray:
    short = np.minimum(_heights(marks), _widths(marks))
    long = np.maximum(_heights(marks), _widths(marks))
    thin = np.maximum(RULE_PX, RULE_SIZE * size)
    return (short <= thin) & (long >= RULE_LENGTH * np.maximum(short, 1))


def _blocks(ink: np.ndarray, labels: np.ndarray, is_speck: np.ndarray, size: float) -> np.ndarray:
    """(num_blocks, 4), x1, y1, x2, y2: marks close to each other are one block, unless all are
    specks."""
    down, across = (max(1, round(gap * size / 2)) for gap in BLOCK_GAPS)
    joined = ndimage.binary_dilation(ink, np.ones((1, 2 * across + 1), bool))
    joined = ndimage.binary_dilation(joined, np.ones((2 * down + 1, 1), bool))
    blocks, number = ndimage.label(joined)
    blocks[~ink] = 0
    boxes = _mark_boxes(blocks, number)
    of_marks = np.unique(blocks[ink & ~np.concatenate([[True], is_speck])[labels]])
    return boxes[of_marks[of_marks > 0] - 1] + [-BLUR_PX, -BLUR_PX, BLUR_PX, BLUR_PX]


def _within_page(boxes: np.ndarray, image: Image.Image) -> np.ndarray:
    return boxes.clip(0, [image.width, image.height, image.width, image.height])
