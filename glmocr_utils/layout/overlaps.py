"""Detections that overlap → one box for each thing on the page, as the official SDK decides."""

import numpy as np

IOU_SAME_CLASS = 0.6
IOU_OTHER_CLASS = 0.98
CONTAINED_SHARE = 0.8  # of its area that lies in the other box
# an image that covers more of the page is the page itself; by landscape and portrait
WHOLE_PAGE_SHARES = (0.82, 0.93)
NEVER_MERGED = ("image", "seal", "chart")  # stay, also within another region
MERGED_INTO_PARTS = ("reference",)  # gives way to what it contains


def resolve_overlaps(
    boxes: np.ndarray, scores: np.ndarray, labels: list[str], page_size: tuple[int, int]
) -> list[int]:
    """Which detections stay.

    Args:
        boxes: (num, 4), x1, y1, x2, y2 in pixels.
        scores: (num,).
        labels: (num,) class names.
        page_size: width and height in pixels.

    Returns:
        Their indices, ascending.
    """
    names = np.array(labels, dtype=object)
    kept = _suppress(boxes, scores, names)
    kept = _without_whole_page_images(kept, boxes, names, page_size)
    return sorted(_without_contained(kept, boxes, scores, names).tolist())


def _suppress(boxes: np.ndarray, scores: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Non-maximum suppression with one threshold within a class, and a higher one across."""
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        limits = np.where(names[waiting] == names[best], IOU_SAME_CLASS, IOU_OTHER_CLASS)
        waiting = waiting[_iou(boxes[best], boxes[waiting]) < limits]
    return np.array(kept, int)


def _without_whole_page_images(
    kept: np.ndarray, boxes: np.ndarray, names: np.ndarray, page_size: tuple[int, int]
) -> np.ndarray:
    width, height = page_size
    limit = WHOLE_PAGE_SHARES[0] if width > height else WHOLE_PAGE_SHARES[1]
    inside = boxes[kept].clip(0, [width, height, width, height])
    areas = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    others = kept[(names[kept] != "image") | (areas <= limit * width * height)]
    return others if len(others) else kept


def _without_contained(
    kept: np.ndarray, boxes: np.ndarray, scores: np.ndarray, names: np.ndarray
) -> np.ndarray:
    """Without boxes that lie in others; of two that lie in each other, the surer one stays."""
    stays = np.ones(len(kept), bool)
    is_list = np.isin(names[kept], MERGED_INTO_PARTS)
    for place, index in enumerate(kept):
        is_other = np.arange(len(kept)) != place
        holds = _shares_of(boxes[kept], boxes[index]) >= CONTAINED_SHARE
        if is_list[place] and (is_other & ~is_list & holds).any():
            stays[place] = False
        elif names[index] not in NEVER_MERGED:
            is_surer = (scores[kept] > scores[index]) | (
                (scores[kept] == scores[index]) & (kept < index)
            )
            within = _shares_within(boxes[index], boxes[kept]) >= CONTAINED_SHARE
            stays[place] = not (is_other & ~is_list & within & (~holds | is_surer)).any()
    return kept[stays]


def _intersections(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    return (high - low).clip(0).prod(axis=1)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(axis=-1)


def _iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    both = _intersections(box, others)
    return both / np.maximum(_areas(box) + _areas(others) - both, 1e-6)


def _shares_within(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much of `box` lies in each of the others, 0 to 1."""
    return _intersections(box, others) / max(_areas(box), 1e-6)


def _shares_of(others: np.ndarray, box: np.ndarray) -> np.ndarray:
    """How much of each of the others lies in `box`, 0 to 1."""
    return _intersections(box, others) / np.maximum(_areas(others), 1e-6)
