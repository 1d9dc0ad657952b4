"""Pages whose regions are wanted → their layouts, several pages together.

It knows nothing of what is read in the regions.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

from glmocr_utils.layout import LAYOUT_BATCH, LayoutModel, find_regions
from glmocr_utils.mass_infer.request import Failure, Layout
from glmocr_utils.ocr import FAILURES_OF_A_PAGE


def layouts_of(
    model: LayoutModel,
    images: Sequence[Image.Image],
    failure_of: Callable[[Exception], Failure],
) -> list[Layout | Failure]:
    """Find the regions of pages; where that fails for several, it is tried page by page.

    Args:
        failure_of: what becomes of a page that fails; also called for a batch that fails, whose
            pages are tried again.
    """
    try:
        found = find_regions(model, images)
    except FAILURES_OF_A_PAGE as error:
        failure = failure_of(error)
        if len(images) == 1:
            return [failure]
        return [each for image in images for each in layouts_of(model, [image], failure_of)]
    return [Layout(tuple(regions)) for regions in found]


@dataclass(slots=True, eq=False)
class _Page:
    image: Image.Image
    answer: Layout | Failure | None = None


class SharedLayout:
    """A layout model that many threads ask for a page each; what waits is looked at together."""

    def __init__(self, model: LayoutModel, failure_of: Callable[[Exception], Failure]) -> None:
        self._model = model
        self._failure_of = failure_of
        self._lock = threading.Lock()  # of the model
        self._waiting: deque[_Page] = deque()

    def look(self, image: Image.Image) -> Layout | Failure:
        """The regions of one page; other threads' pages that wait are looked at with it."""
        own = _Page(image)
        self._waiting.append(own)
        with self._lock:
            while own.answer is None:  # otherwise another thread took it along
                number = min(LAYOUT_BATCH, len(self._waiting))
                together = [self._waiting.popleft() for _ in range(number)]
                images = [page.image for page in together]
                found = layouts_of(self._model, images, self._failure_of)
                for page, answer in zip(together, found, strict=True):
                    page.answer = answer
        return own.answer
