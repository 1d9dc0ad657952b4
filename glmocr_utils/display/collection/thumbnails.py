"""Small pictures of pages, for a list of very many."""

import io
from collections.abc import Sequence
from contextlib import closing

from PIL import Image

from glmocr_utils.display.collection.entries import PageEntry
from glmocr_utils.ocr.progress import counting
from glmocr_utils.render import CheckedPage, RenderOptions, render_and_check

WIDTH_PX = 150
SCALE = 0.35  # pixels per point: a page of A4 is 208 px wide
QUALITY = 45
OPENED = frozenset({"unreadable", "encrypted", "too_large"})


def thumbnails(entries: Sequence[PageEntry], password: str | None = None) -> dict[int, bytes]:
    """A JPEG of each page that can be rendered, by its number among the entries."""
    numbers = [
        number
        for number, entry in enumerate(entries)
        if entry.page is not None and entry.status not in OPENED
    ]
    pages = [page for number in numbers if (page := entries[number].page)]
    found: dict[int, bytes] = {}
    if not pages:
        return found
    with closing(render_and_check(pages, RenderOptions(SCALE, None, password))) as rendered:
        for number in counting(numbers, "thumbnails"):
            checked = next(rendered)
            if isinstance(checked, CheckedPage):
                found[number] = _jpeg(checked.image.turned(entries[number].angle).image)
    return found


def _jpeg(image: Image.Image) -> bytes:
    small = image.convert("RGB")
    small.thumbnail((WIDTH_PX, 2 * WIDTH_PX))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
