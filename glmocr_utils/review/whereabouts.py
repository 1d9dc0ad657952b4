"""Where the lines and places of a page under review stand on its image."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glmocr_utils.records import Box, PageLayout
from glmocr_utils.review.page_review import PageReview
from glmocr_utils.review.places import Place

Shares = tuple[float, float, float, float]  # left, top, right, bottom, of the image's sides


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What can be marked on a page's image.

    Attributes:
        lines: one for each line of the text as it was read, around all printed lines that it is on;
            None where it is unclear.
        places: by `place_id`, those whose place is clear.
        strips: by `place_id`, the printed lines that those places are on.
    """

    lines: list[Shares | None]
    places: dict[str, Shares]
    strips: dict[str, Shares]


def whereabouts(page: PageReview, layout: PageLayout) -> Whereabouts:
    """The lines and places of `page` on the image that `layout` is for."""
    places: dict[str, Shares] = {}
    strips: dict[str, Shares] = {}
    for place in page.places:
        tokens = _tokens_of(page, place)
        if box := layout.box_of(tokens):
            places[place.place_id] = _shares(box, layout)
        if strip := layout.strip_of(tokens):
            strips[place.place_id] = _shares(strip, layout)
    lines = [layout.strip_of(tokens) for tokens in _tokens_of_lines(page)]
    return Whereabouts([box and _shares(box, layout) for box in lines], places, strips)


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


def _tokens_of(page: PageReview, place: Place) -> list[int]:
    """The tokens that spell the place, or that are where it is empty."""
    line_start = sum(len(line) + 1 for line in page.original_lines[: place.line_index])
    start, end = line_start + place.start, line_start + place.end
    ends = np.cumsum([len(token.text) for token in page.result.tokens])
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(ends, max(end, start + 1), side="left"))
    tokens = page.result.tokens
    own = [n for n in range(first, min(last + 1, len(tokens))) if tokens[n].text]
    return [n for n in own if not tokens[n].text.isspace()] or own


def _shares(box: Box, layout: PageLayout) -> Shares:
    width, height = layout.width_px, layout.height_px
    return box.left / width, box.top / height, box.right / width, box.bottom / height
