"""`search.html`: hits of a search beside the parts of their pages that show them."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw

from glmocr_utils.confidence import PageTokens
from glmocr_utils.display.collection.heights import InkHeights, height_of, ink_heights, strip_at
from glmocr_utils.display.collection.images import images_of
from glmocr_utils.display.collection.page_files import results_of
from glmocr_utils.display.collection.search import Hit
from glmocr_utils.display.document import page_shell
from glmocr_utils.display.escape import escape
from glmocr_utils.display.page import page_name
from glmocr_utils.files import write_file
from glmocr_utils.grounding import Locator
from glmocr_utils.ocr.progress import counting
from glmocr_utils.records import Box, OcrResult, PageImage, PageLayout

NAME = "search.html"
HERE = Path(__file__).parent
MAX_WIDTH_PX = 900
QUALITY = 70
AROUND_PX = 12  # around a located line
MARK = (176, 0, 32)


def write_hits(
    hits: Sequence[Hit],
    words: str,
    path: str | Path,
    output_dir: str | Path,
    *,
    locator: Locator | None = None,
    password: str | None = None,
) -> Path:
    """Write `search.html`: each hit, and the part of its page around it.

    With a locator it is the printed line, with the words marked. Otherwise it is the part of the
    page where the words should be, by their region or by how much text is before them.

    Args:
        path: the run, or the saved results, that the hits are of.
        locator: of the model that read the pages.
        password: opens encrypted PDFs.
    """
    by_page = {key: list(own) for key, own in groupby(sorted(hits, key=_place), key=_place)}
    results = results_of(Path(path), [hit.entry.page for hit in hits if hit.entry.page])
    found = {(result.page.document_path, result.page.page_index) for result in results}
    style = (HERE / "hits.css").read_text("utf-8")
    parts = [f"<h1>{escape(words)}</h1><style>{style}</style>"]
    images = images_of(results, password)
    for result, image in zip(counting(results, "pages with hits"), images, strict=True):
        layout = None
        if locator and image and result.tokens:
            layout = locator.locate(result, image.image)
        own = by_page[result.page.document_path, result.page.page_index]
        pictures = [_picture(hit, result, image, layout) if image else "" for hit in own]
        parts.append(_page_html(own, pictures))
    parts += [_page_html(own, [""] * len(own)) for key, own in by_page.items() if key not in found]
    html = page_shell(f"Search: {words}", "".join(parts))
    return write_file(Path(output_dir) / NAME, html, durable=False)


def _place(hit: Hit) -> tuple[str, int]:
    return hit.entry.document_path, hit.entry.page.page_index if hit.entry.page else -1


def _page_html(hits: Sequence[Hit], pictures: Sequence[str]) -> str:
    entry = hits[0].entry
    name = page_name(entry.page) if entry.page else Path(entry.document_path).name
    shown = "".join(
        f'<div class="hit">{_words_html(hit)}{picture}</div>'
        for hit, picture in zip(hits, pictures, strict=True)
    )
    return f"<h2>{escape(name)}</h2>{shown}"


def _words_html(hit: Hit) -> str:
    also = "" if hit.instead is None else f" <small>could be {escape(hit.instead)}, {hit.prob:.2f}"
    return (
        f"<p><small>line {hit.line_number}</small> {escape(hit.before)}<mark>{escape(hit.found)}"
        f"</mark>{escape(hit.after)}{also + '</small>' if also else ''}</p>"
    )


def _picture(hit: Hit, result: OcrResult, image: PageImage, layout: PageLayout | None) -> str:
    tokens = PageTokens(result).tokens_of(hit.start, hit.stop)
    line = layout.strip_of(tokens) if layout else None
    if line is None:
        part = _region_part(hit, result, image, tokens) or strip_at(
            height_of(result.text, hit.start, ink_heights(image)), image
        )
        found = None
        note = "<small>about here</small>"
    else:
        part = line
        inked = [index for index in tokens if result.tokens[index].text.strip()]
        found = layout.box_of(inked) if layout else None
        note = ""
    data = base64.b64encode(_cut(image, part, found)).decode("ascii")
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{data}">{note}'


def _region_part(
    hit: Hit, result: OcrResult, image: PageImage, tokens: Sequence[int]
) -> Box | None:
    """The region of the words; of a tall one, the part around their height."""
    region = result.region_of(tokens[0]) if tokens else None
    if region is None or result.size_px is None:
        return None
    across, down = image.width_px / result.size_px[0], image.height_px / result.size_px[1]
    left, top, right, bottom = region.box
    box = Box(left * across, top * down, right * across, bottom * down)
    ink = InkHeights(box.top / image.height_px, box.bottom / image.height_px)
    start = sum(len(token.text) for token in result.tokens[: region.token_start])
    strip = strip_at(height_of(result.region_text(region), hit.start - start, ink), image)
    top, bottom = max(box.top, strip.top), min(box.bottom, strip.bottom)
    return replace(box, top=top, bottom=max(top, bottom))


def _cut(image: PageImage, part: Box, found: Box | None) -> bytes:
    """A part of the page as JPEG, the words in a frame."""
    whole = image.image
    box = (
        max(0, round(part.left) - AROUND_PX),
        max(0, round(part.top) - AROUND_PX),
        min(whole.width, round(part.right) + AROUND_PX),
        min(whole.height, round(part.bottom) + AROUND_PX),
    )
    cut = whole.crop(box)
    if found:
        frame = [found.left - box[0] - 2, found.top - box[1] - 2]
        frame += [found.right - box[0] + 2, found.bottom - box[1] + 2]
        ImageDraw.Draw(cut).rectangle(frame, outline=MARK, width=2)
    if cut.width > MAX_WIDTH_PX:
        height = max(1, round(cut.height * MAX_WIDTH_PX / cut.width))
        cut = cut.resize((MAX_WIDTH_PX, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    cut.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
