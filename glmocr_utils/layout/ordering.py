"""Where a block of ink that the layout model missed comes in the reading order."""

import numpy as np

SAME_COLUMN = 0.5  # of the narrower one's width that both share


def insert_in_order(boxes: np.ndarray, blocks: np.ndarray) -> list[int]:
    """Put blocks among regions that are in reading order.

    A block follows the region above it in its column, or precedes the one below; beside a region
    alone it follows the one on its left, or precedes the one on its right.

    Args:
        boxes: (num_regions, 4), x1, y1, x2, y2, in reading order.
        blocks: (num_blocks, 4).

    Returns:
        Indices in reading order; those from `num_regions` on are blocks.
    """
    order = list(range(len(boxes)))
    everything = np.concatenate([boxes.reshape(-1, 4), blocks.reshape(-1, 4)])
    # from the top down, so that a block can follow another one
    for block in np.lexsort((blocks[:, 0], blocks[:, 1])):
        index = len(boxes) + int(block)
        order.insert(_place_of(everything[index], everything[order]), index)
    return order


def _place_of(block: np.ndarray, others: np.ndarray) -> int:
    """The place of a block among boxes that are in reading order."""
    if not len(others):
        return 0
    x1, y1, x2, y2 = block
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    shared = np.minimum(x2, others[:, 2]) - np.maximum(x1, others[:, 0])
    narrower = np.minimum(x2 - x1, others[:, 2] - others[:, 0])
    is_column = shared >= SAME_COLUMN * np.maximum(narrower, 1)
    centres = (others[:, 1] + others[:, 3]) / 2
    above = np.flatnonzero(is_column & (centres <= middle_y))
    if len(above):
        return int(above[np.argmax(others[above, 3])]) + 1
    below = np.flatnonzero(is_column & (centres > middle_y))
    if len(below):
        return int(below[np.argmin(others[below, 1])])
    is_level = (others[:, 1] < middle_y) & (middle_y < others[:, 3])
    left = np.flatnonzero(is_level & (others[:, 2] <= middle_x))
    if len(left):
        return int(left[np.argmax(others[left, 2])]) + 1
    right = np.flatnonzero(is_level & (others[:, 0] >= middle_x))
    if len(right):
        return int(right[np.argmin(others[right, 0])])
    later = np.flatnonzero(others[:, 1] >= y2)
    return int(later[0]) if len(later) else len(others)
