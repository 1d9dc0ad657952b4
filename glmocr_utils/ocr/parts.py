"""Pages → the parts that the model reads: the whole page, or its regions one by one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Generic, Protocol, TypeVar

from glmocr_utils.layout import LAYOUT_BATCH, crop_region, find_regions
from glmocr_utils.ocr.by_region import ByRegion, assemble
from glmocr_utils.ocr.failures import FAILURES_OF_A_PAGE
from glmocr_utils.records import OcrResult, PageImage
from glmocr_utils.records.region import Region
from glmocr_utils.render.page_checks import is_blank

WHOLE = None  # instead of a region's index
Ready = TypeVar("Ready")
Made = TypeVar("Made", covariant=True)


class Preparer(Protocol[Made]):
    """Makes the model's inputs."""

    def prepare(self, page: PageImage, prompt: str | None = None) -> Made: ...


@dataclass(slots=True, eq=False)
class PageInParts:
    """A page while it is read.

    Attributes:
        number: 0-based, among the pages of one call.
        regions: None for a page that is read as a whole.
        wanted: indices of the regions to read, or `WHOLE`.
        readings: of the parts so far. error: why it cannot be read at all.
    """

    number: int
    image: PageImage
    by_region: ByRegion | None = None
    regions: list[Region] | None = None
    wanted: set[int | None] = field(default_factory=set)
    readings: dict[int | None, OcrResult | Exception] = field(default_factory=dict)
    error: Exception | None = None

    @property
    def has_ended(self) -> bool:
        return self.wanted <= self.readings.keys()

    def outcome(self, blank: Callable[[], OcrResult]) -> OcrResult | Exception:
        """What came of the page.

        Args:
            blank: gives what becomes of it where there is no ink.
        """
        if self.error is not None:
            return self.error
        if self.regions and self.by_region:
            size = self.image.image.size
            return assemble(blank(), self.regions, self.readings, self.by_region.furniture, size)
        return self.readings[WHOLE] if WHOLE in self.readings else blank()


@dataclass(frozen=True, slots=True)
class Part(Generic[Ready]):
    """A page, or a region of it, ready for the model.

    Attributes:
        region: its index, or `WHOLE`.
        ready: the model's inputs, or why there are none; None where nothing is to be read.
    """

    page: PageInParts
    region: int | None = WHOLE
    ready: Ready | Exception | None = None


def prepared_parts(
    reader: Preparer[Ready],
    pages: Iterable[PageImage],
    by_region: ByRegion | None,
    batch_size: int,
) -> Iterator[Part[Ready]]:
    """The parts of all pages, page by page; at least one for each.

    Args:
        batch_size: the layout model looks at no more pages together, so that none waits long.
    """
    numbered = enumerate(pages)
    if by_region is None:
        for number, image in numbered:
            page = PageInParts(number, image)
            if is_blank(image.image):
                yield Part(page)
            else:
                page.wanted = {WHOLE}
                yield Part(page, WHOLE, _attempt(partial(reader.prepare, image)))
        return
    while together := list(islice(numbered, min(LAYOUT_BATCH, batch_size))):
        for page in _with_regions(together, by_region):
            yield from _parts(reader, page)


def _with_regions(
    together: list[tuple[int, PageImage]], by_region: ByRegion
) -> Iterator[PageInParts]:
    blank = {number for number, image in together if is_blank(image.image)}
    looked_at = [(number, image) for number, image in together if number not in blank]
    find = partial(find_regions, by_region.layout)
    together_found = _attempt(partial(find, [image.image for _, image in looked_at]))
    found: list[list[Region] | Exception]
    if isinstance(together_found, Exception):  # of one page, perhaps
        alone = [_attempt(partial(find, [image.image])) for _, image in looked_at]
        found = [each if isinstance(each, Exception) else each[0] for each in alone]
    else:
        found = list(together_found)
    regions_of = {number: each for (number, _), each in zip(looked_at, found, strict=True)}
    for number, image in together:
        page = PageInParts(number, image, by_region)
        regions = regions_of.get(number, [])
        if isinstance(regions, Exception):
            page.error = ValueError(f"its regions cannot be found: {regions}")
        else:
            page.regions = [
                replace(region, task=by_region.tasks.of(region.label)) for region in regions
            ]
            page.wanted = {region.index for region in page.regions if region.task}
        yield page


def _parts(reader: Preparer[Ready], page: PageInParts) -> Iterator[Part[Ready]]:
    if not page.wanted:
        yield Part(page)
        return
    for region in page.regions or ():
        if region.task:
            crop = crop_region(page.image, region.box).page
            yield Part(page, region.index, _attempt(partial(reader.prepare, crop, region.task)))


def _attempt(make: Callable[[], Ready]) -> Ready | Exception:
    try:
        return make()
    except FAILURES_OF_A_PAGE as error:
        return error
