"""How to render, and which pages."""

import re
from dataclasses import dataclass

from glmocr_utils.options.option import Described, option


@dataclass(frozen=True)
class RenderOptions(Described):
    """How documents become page images, such as `RenderOptions(scale=3.0, pages="1-3")`.

    Image files are pixels already and keep them. For one document, a page beyond its end is an
    error; for several, a range means as far as each has pages. A page above the budget is rendered
    at the largest scale that fits; a worker reserves 3 bytes of address space for each pixel.

    Raises:
        ValueError: an option is out of its range, or `pages` isn't a page range.
    """

    scale: float = option(2.0, "pixels per PDF point; 2.0 is 144 DPI")
    pages: str | None = option(None, 'page numbers from 1, such as "1-3,7" or "5-"; None: all')
    password: str | None = option(None, "opens encrypted PDFs", repr=False)
    max_pixels: int = option(50_000_000, "pixel budget of a page")
    timeout: float = option(120.0, "seconds that a worker may spend on one page")

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"scale (pixels per point) must be positive, got {self.scale}")
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels must be at least 1, got {self.max_pixels}")
        if not 0 < self.timeout < float("inf"):
            raise ValueError(f"timeout (seconds per page) must be positive, got {self.timeout}")
        if self.pages is not None:
            _parse_ranges(self.pages)


def parse_pages(
    spec: str | None, num_pages: int, *, as_far_as_there_are: bool = False
) -> list[int]:
    """Turn a page range such as `"1-3,7"` or `"5-"` into 0-based indices.

    The order of `spec` is kept and a page named twice comes once. None means all pages.

    Args:
        as_far_as_there_are: leave out pages beyond the end, as for one of many documents.

    Raises:
        ValueError: when `spec` is not a page range or names a page beyond the end.
    """
    if spec is None:
        return list(range(num_pages))
    page_numbers: dict[int, None] = {}
    for first, last in _parse_ranges(spec):
        beyond = max(first, last or 0)
        if as_far_as_there_are:
            last = min(last or num_pages, num_pages)
        elif beyond > num_pages:
            raise ValueError(
                f"page {beyond} is in pages={spec!r}, but the document has only "
                f"{num_pages} page{'s' if num_pages != 1 else ''}; ask for pages up to "
                f"{num_pages}, or leave the end open as in '1-'"
            )
        page_numbers.update(dict.fromkeys(range(first, (last or num_pages) + 1)))
    return [page_number - 1 for page_number in page_numbers]


def _parse_ranges(spec: str) -> list[tuple[int, int | None]]:
    """1-based (first, last) of each part; last is None for an open end."""
    ranges = []
    for part in spec.split(","):
        match = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:(-)\s*([0-9]{1,9})?\s*)?", part)
        if match is None:
            raise ValueError(
                f"{part!r} in pages={spec!r} is not a page range; write page numbers from 1 "
                "such as '1-3,7' or '5-'"
            )
        first = int(match[1])
        last = first if match[2] is None else (int(match[3]) if match[3] else None)
        if first < 1 or (last is not None and last < first):
            raise ValueError(
                f"{part!r} in pages={spec!r} is not a page range; pages count from 1 and a "
                "range goes upwards, such as '1-3'"
            )
        ranges.append((first, last))
    return ranges
