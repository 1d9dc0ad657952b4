"""Where the lines and flags of a page under review are on its image."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glmocr_utils.records import Box, PageLayout
from glmocr_utils.review.flags import Flag
from glmocr_utils.review.page_review import PageReview

Shares = tuple[float, float, float, float]  # left, top, right, bottom, of the image's sides


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What can be marked on a page's image.

    Attributes:
        lines: one for each line of the text as it was read, around all printed lines that it is on;
            None where it is unclear.
        boxes: by `flag_id`, of the flags whose position is clear.
        strips: by `flag_id`, the printed lines that the flags are on.
    """

    lines: list[Shares | None]
    boxes: dict[str, Shares]
    strips: dict[str, Shares]


def whereabouts(
    page: PageReview, layout: PageLayout | None, size_px: tuple[int, int] | None = None
) -> Whereabouts:
    """The lines and flags of `page` on its image; without a layout, unread ink alone.

    Args:
        size_px: width and height of the image, where there is no layout.
    """
    boxes: dict[str, Shares] = {}
    strips: dict[str, Shares] = {}
    size = (layout.width_px, layout.height_px) if layout else size_px
    unread = {flag.flag_id: flag.box for flag in page.flags if flag.box}
    if size:
        boxes = {flag_id: _shares(box, size) for flag_id, box in unread.items()}
    if layout is None or size is None:
        return Whereabouts([None] * len(page.original_lines), boxes, dict(boxes))
    strips |= boxes
    for flag in page.flags:
        if flag.box:
            continue
        tokens = _tokens_of(page, flag)
        if box := layout.box_of(tokens):
            boxes[flag.flag_id] = _shares(box, size)
        if strip := layout.strip_of(tokens):
            strips[flag.flag_id] = _shares(strip, size)
    lines = [layout.strip_of(tokens) for tokens in _tokens_of_lines(page)]
    shares = [_shares(box, size) if box else None for box in lines]
    return Whereabouts(shares, boxes, strips)


def _tokens_of_lines(page: PageReview) -> Iterator[list[int]]:
    """The tokens that write each line of the text; line ends belong to none."""
    tokens = page.result.tokens
    starts = np.cumsum([0] + [len(token.text) for token in tokens])
    position = 0
    for line in page.original_lines:
        first = int(np.searchsorted(starts[1:], position, side="right"))
        stop = int(np.searchsorted(starts[:-1], position + len(line), side="left"))
        yield [n for n in range(first, stop) if tokens[n].text.strip()]
        position += len(line) + 1


def _tokens_of(page: PageReview, flag: Flag) -> list[int]:
    """The tokens that spell the flagged text; of an empty one, those around it."""
    line_start = sum(len(line) + 1 for line in page.original_lines[: flag.line_index])
    start, end = line_start + flag.start, line_start + flag.end
    ends = np.cumsum([len(token.text) for token in page.result.tokens])
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(ends, max(end, start + 1), side="left"))
    tokens = page.result.tokens
    own = [n for n in range(first, min(last + 1, len(tokens))) if tokens[n].text]
    return [n for n in own if not tokens[n].text.isspace()] or own


def _shares(box: Box, size: tuple[int, int]) -> Shares:
    width, height = size
    return box.left / width, box.top / height, box.right / width, box.bottom / height
