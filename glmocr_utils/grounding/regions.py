"""Where tokens are in the crops of regions → where they are on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from glmocr_utils.layout import Crop
from glmocr_utils.records import Box, OcrResult, PageImage, PageLayout, Region, TokenBox


def on_page(layout: PageLayout, crop: Crop, factor: float) -> PageLayout:
    """The boxes of a crop as boxes of its page.

    Args:
        factor: by which the crop was resized to be read.
    """
    return replace(
        layout,
        tokens=tuple(
            each and replace(each, box=crop.to_page(each.box, factor)) for each in layout.tokens
        ),
        lines=tuple(each and crop.to_page(each, factor) for each in layout.lines),
        found=tuple(
            each and replace(each, box=crop.to_page(each.box, factor)) for each in layout.found
        ),
    )


def joined_layouts(
    result: OcrResult,
    page: PageImage,
    regions: Sequence[Region],
    placed: Mapping[int, PageLayout],
) -> PageLayout:
    """One layout of a page; the mark of a region that was not read has the region's box.

    Args:
        regions: those that have tokens.
        placed: the layouts of regions, by index, in pixels of the page.
    """
    tokens: list[TokenBox | None] = []
    found: list[TokenBox | None] = []
    lines: list[Box | None] = []
    for region in sorted(regions, key=lambda each: each.token_start):
        layout = placed.get(region.index)
        if layout is None:
            mark = TokenBox(region.box, 1.0, len(lines))
            tokens += [mark] * (region.token_stop - region.token_start)
            found += [mark] * (region.token_stop - region.token_start)
            lines.append(region.box)
            continue
        for ours, theirs in ((tokens, layout.tokens), (found, layout.found or layout.tokens)):
            ours += [
                each and replace(each, line_index=each.line_index + len(lines)) for each in theirs
            ]
        lines += layout.lines
    size = page.width_px, page.height_px
    return PageLayout(result.page, *size, tuple(tokens), tuple(lines), tuple(found))
