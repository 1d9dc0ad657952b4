"""Where the lines and places of a page under review stand on its image."""

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
        lines: one for each line of the text as it was read; None where it is unclear.
        places: by `place_id`, those whose place is clear.
    """

    lines: list[Shares | None]
    places: dict[str, Shares]


def whereabouts(page: PageReview, layout: PageLayout) -> Whereabouts:
    """The lines and places of `page` on the image that `layout` is for."""
    places = {place.place_id: _box_of(page, place, layout) for place in page.places}
    return Whereabouts(
        [box and _shares(box, layout) for box in layout.lines],
        {own_id: _shares(box, layout) for own_id, box in places.items() if box},
    )


def _box_of(page: PageReview, place: Place, layout: PageLayout) -> Box | None:
    """Around the tokens that spell the place, or that stand where it is empty."""
    line_start = sum(len(line) + 1 for line in page.original_lines[: place.line_index])
    start, end = line_start + place.start, line_start + place.end
    ends = np.cumsum([len(token.text) for token in page.result.tokens])
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(ends, max(end, start + 1), side="left"))
    tokens = page.result.tokens
    return layout.box_of(n for n in range(first, min(last + 1, len(tokens))) if tokens[n].text)


def _shares(box: Box, layout: PageLayout) -> Shares:
    width, height = layout.width_px, layout.height_px
    return box.left / width, box.top / height, box.right / width, box.bottom / height
