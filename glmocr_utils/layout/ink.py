"""Which ink belongs to which region, so that none is lost.

A model's boxes cut through letters, end before a line does, overlap, or miss a paragraph. Here
each mark of ink (a letter, as a rule) goes to one region, and the region's box is drawn around its
marks; what is left forms blocks of its own. Rules between columns aren't text.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from glmocr_utils.records import Box
from glmocr_utils.render.page_checks import SPECK_PX, find_marks

# In sizes of the page's letters
LETTER_SIZES = (4.0, 16.0)  # height and width of what may be a letter, or several that touch
WORD_GAP = 1.6  # a letter that near on the same line belongs to the region
SPECK_GAP = 0.6  # and a speck, which may be a full stop or dust
DOT_SIZE, DOT_GAP = 0.6, 1.0  # a dot or an accent belongs to the letter beside it
BLOCK_GAPS = (1.4, 3.0)  # down and across: marks that near are one block
LINE_STEP = 0.5  # marks of one line are closer to each other than that, top to bottom
LINE_GAP, ROW_GAP = 1.2, 3.0  # a block right under a text, or a table, belongs to it
# A rule: so thin, in pixels or in letter sizes, and so many times as long
RULE_PX, RULE_SIZE, RULE_LENGTH = 5, 0.3, 12.0
MOST = 0.5  # of a large mark that lies in a region: the rest of it is ignored
MOST_BELOW = 0.8  # of a block's width that lies under its region
MAX_ROUNDS = 60  # of growing along a line
PICTURE_BLUR_PX = 3  # around a picture, in pixels of the reduced page
BLUR_PX = 1  # of a mark's faint edge, in pixels of the reduced page
NO_REGION = -1


@dataclass(frozen=True, slots=True)
class InkShares:
    """How a page's ink is shared out.

    Attributes:
        boxes: (num_regions, 4), x1, y1, x2, y2 in pixels of the page: each region around its ink.
        has_ink: (num_regions,), False where all ink in a region is another's.
        left: (num_blocks, 4), boxes of blocks of ink that no region contains.
    """

    boxes: np.ndarray
    has_ink: np.ndarray
    left: np.ndarray


def share_out(
    image: Image.Image, boxes: np.ndarray, is_picture: np.ndarray, is_table: np.ndarray
) -> InkShares:
    """Give each mark of ink on a page to a region, or to a new block.

    A mark in several boxes belongs to the smallest. Where boxes overlap, each is then drawn around
    its own marks alone, so that no line is read twice.

    Args:
        image: the page, RGB.
        boxes: (num_regions, 4), x1, y1, x2, y2 in pixels, within the page.
        is_picture: (num_regions,), these keep their boxes.
        is_table: (num_regions,), these take in more distant rows.
    """
    labels = find_marks(image)
    scale = np.array([image.width / labels.shape[1], image.height / labels.shape[0]] * 2)
    inner = boxes / scale
    number = int(labels.max(initial=0))
    if not number:
        return InkShares(boxes, np.ones(len(boxes), bool), np.empty((0, 4)))
    marks = _mark_boxes(labels, number)
    size = _letter_size(marks)
    owners, shares = _owners(labels, _cover(inner, labels.shape), number, len(boxes))
    is_letter = (_heights(marks) <= LETTER_SIZES[0] * size) & (
        _widths(marks) <= LETTER_SIZES[1] * size
    )
    owners[~is_letter & (shares < MOST)] = NO_REGION
    _adopt_dots(marks, owners, size)
    _keep_lines_whole(marks, owners, inner, size)
    has_ink = np.isin(np.arange(len(boxes)), owners) | is_picture | (_ink_in(inner, labels) == 0)
    may_grow = has_ink & ~is_picture
    drawn = _around_their_marks(inner, marks, owners, is_letter, may_grow)
    drawn = _along_lines(drawn, marks, owners, is_letter, may_grow, size)
    is_left = (owners == NO_REGION) & ~_is_rule(marks, size)
    if is_picture.any() and is_left.any():
        is_left &= _is_seen_beside(boxes[is_picture], labels, number, image)
    cover = _cover(drawn[has_ink], labels.shape)
    ink_left = np.concatenate([[False], is_left])[labels] & (cover < 0)
    left = _blocks(ink_left, labels, _is_speck(marks), size)
    gaps = np.where(is_table, ROW_GAP, LINE_GAP) * size
    drawn, left = _with_blocks_below(drawn, left, may_grow, gaps)
    return InkShares(_within_page(drawn * scale, image), has_ink, _within_page(left * scale, image))


def _is_seen_beside(
    pictures: np.ndarray, labels: np.ndarray, number: int, image: Image.Image
) -> np.ndarray:
    """Which marks are also ink once the pictures are left out of the page, their blur as well.

    The paper beside a large photograph is brighter than it, and forms marks otherwise.
    """
    margin = PICTURE_BLUR_PX * image.width / labels.shape[1]
    outer = pictures + np.array([-margin, -margin, margin, margin])
    seen = labels[find_marks(image, [Box(*box) for box in outer.tolist()]) > 0]
    counts = np.bincount(seen, minlength=number + 1)
    return (counts > MOST * np.bincount(labels.ravel(), minlength=number + 1))[1:]


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


def _keep_lines_whole(
    marks: np.ndarray, owners: np.ndarray, boxes: np.ndarray, size: float
) -> None:
    """Give a line at the border of two overlapping boxes to the one that owns most of its marks."""
    centres = (marks[:, 1] + marks[:, 3]) / 2
    for first in range(len(boxes)):
        for second in np.flatnonzero(_overlaps(boxes[first], boxes)).tolist():
            x1, y1 = np.maximum(boxes[first, :2], boxes[second, :2])
            x2, y2 = np.minimum(boxes[first, 2:], boxes[second, 2:])
            pair = np.array([first, second])
            narrower = _widths(boxes[pair]).min()
            if second <= first or x2 - x1 < MOST * narrower:
                continue
            is_near = (centres > y1 - size) & (centres < y2 + size)
            near = np.flatnonzero(is_near & np.isin(owners, pair))
            near = near[np.argsort(centres[near])]
            ends = np.flatnonzero(np.diff(centres[near]) > LINE_STEP * size) + 1
            for line in np.split(near, ends):
                is_first = (owners[line] == first).mean() > 0.5 if len(line) else True
                owners[line] = first if is_first else second


def _ink_in(boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many pixels of ink each box has."""
    height, width = labels.shape
    sums = np.zeros((height + 1, width + 1), np.int64)
    sums[1:, 1:] = (labels > 0).cumsum(axis=0).cumsum(axis=1)
    x1, y1 = np.floor(boxes[:, :2]).astype(int).T
    x2, y2 = np.ceil(boxes[:, 2:]).astype(int).clip(0, [width, height]).T
    return sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]


def _adopt_dots(marks: np.ndarray, owners: np.ndarray, size: float) -> None:
    """Give dots, accents and full stops in no region to that of the nearest mark."""
    largest = np.maximum(_heights(marks), _widths(marks))
    dots = np.flatnonzero((owners == NO_REGION) & (largest < DOT_SIZE * size))
    owned = np.flatnonzero((owners != NO_REGION) & (largest >= DOT_SIZE * size))
    if not len(dots) or not len(owned):
        return
    centres = (marks[:, :2] + marks[:, 2:]) / 2
    distance, nearest = cKDTree(centres[owned]).query(centres[dots])
    is_near = distance <= DOT_GAP * size
    owners[dots[is_near]] = owners[owned[nearest[is_near]]]


def _around_their_marks(
    boxes: np.ndarray,
    marks: np.ndarray,
    owners: np.ndarray,
    is_letter: np.ndarray,
    may_grow: np.ndarray,
) -> np.ndarray:
    """Boxes around the letters that they own; one that overlaps no other is never made smaller."""
    drawn = boxes.copy()
    for index in np.flatnonzero(may_grow):
        is_own = owners == index
        letters = marks[is_own & is_letter]
        overlaps = _overlaps(boxes[index], boxes)
        overlaps[index] = False
        if overlaps.any() and is_own.any():
            own = marks[is_own]
            own = np.concatenate([letters, _cut_to(own, boxes[index])])
            start = np.array([*own[:, :2].min(axis=0), *own[:, 2:].max(axis=0)])
            drawn[index] = _hull(start, own)
        elif len(letters):
            drawn[index] = _hull(boxes[index], letters)
    return drawn


def _cut_to(marks: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The parts of marks within a box."""
    low, high = np.maximum(marks[:, :2], box[:2]), np.minimum(marks[:, 2:], box[2:])
    return np.concatenate([low, np.maximum(low, high)], axis=1)


def _with_blocks_below(
    boxes: np.ndarray, blocks: np.ndarray, may_grow: np.ndarray, gaps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Regions with the blocks right above or below them, where no other region is in between.

    Args:
        gaps: (num_regions,), how far away a block of it may be.

    Returns:
        The boxes, and the blocks that are left.
    """
    boxes = boxes.copy()
    waiting = list(blocks[np.argsort(blocks[:, 1])])
    for _ in range(MAX_ROUNDS):
        left = [block for block in waiting if not _take_in(boxes, block, may_grow, gaps)]
        if len(left) == len(waiting):
            break
        waiting = left
    return boxes, np.array(waiting).reshape(-1, 4)


def _take_in(boxes: np.ndarray, block: np.ndarray, may_grow: np.ndarray, gaps: np.ndarray) -> bool:
    """Let the nearest region grow around a block. Returns whether one did."""
    shared = np.minimum(block[2], boxes[:, 2]) - np.maximum(block[0], boxes[:, 0])
    gap = np.maximum(block[1] - boxes[:, 3], boxes[:, 1] - block[3])
    fits = may_grow & (shared >= MOST_BELOW * (block[2] - block[0])) & (gap <= gaps)
    for index in np.flatnonzero(fits)[np.argsort(gap[fits], kind="stable")]:
        grown = _hull(boxes[index], block[None])
        if not _hits_another(grown, boxes, int(index)):
            boxes[index] = grown
            return True
    return False


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
    if not ink.any():
        return np.empty((0, 4))
    down, across = (2 * max(1, round(gap * size / 2)) + 1 for gap in BLOCK_GAPS)
    joined = ndimage.maximum_filter1d(ink.astype(np.uint8), across, axis=1)
    joined = ndimage.maximum_filter1d(joined, down, axis=0)
    blocks, number = ndimage.label(joined)
    blocks[~ink] = 0
    boxes = _mark_boxes(blocks, number)
    of_marks = np.unique(blocks[ink & ~np.concatenate([[True], is_speck])[labels]])
    return boxes[of_marks[of_marks > 0] - 1] + [-BLUR_PX, -BLUR_PX, BLUR_PX, BLUR_PX]


def _within_page(boxes: np.ndarray, image: Image.Image) -> np.ndarray:
    return boxes.clip(0, [image.width, image.height, image.width, image.height])
