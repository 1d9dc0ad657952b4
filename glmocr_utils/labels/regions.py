"""The regions of pages that were read by regions, as images to be labelled one by one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from glmocr_utils.files import write_file
from glmocr_utils.layout import crop_region
from glmocr_utils.records import Box, OcrResult, PageFile, PageImage, PageKey, Region
from glmocr_utils.render import decode_image, encode_png, safe_stem
from glmocr_utils.render.documents import file_sha256


@dataclass(frozen=True, slots=True)
class RegionFile:
    """A region of a page, cut out as the model saw it, and its reading.

    Attributes:
        region: of the page's result.
        file: its image, with the prompt of its kind as the task.
        result: of the page.
    """

    region: Region
    file: PageFile
    result: OcrResult

    @property
    def reading(self) -> OcrResult:
        """Its reading, as if it were a page."""
        return self.result.of_region(self.region)


def cut_regions(
    pages: Sequence[PageFile], results: Iterable[OcrResult], folder: Path
) -> dict[PageKey, list[RegionFile]]:
    """Cut the regions that were read out of page images; pictures have no text and are left out.

    Args:
        pages: their images; where one has another resolution than the page that was read, boxes are
            scaled.
        results: readings; those of whole pages and of other pages are passed over.
        folder: gets a PNG file for each region.

    Returns:
        The regions of each page that was read by regions, in reading order.
    """
    page_of = {page.page.key: page for page in pages}
    return {
        result.page.key: list(_regions_of(page_of[result.page.key], result, folder))
        for result in results
        if result.regions and result.page.key in page_of
    }


def _regions_of(page: PageFile, result: OcrResult, folder: Path) -> Iterator[RegionFile]:
    image = decode_image(page.image_file).convert("RGB")
    whole = PageImage(page.page, image, page.scale or 1.0).turned((result.angle - page.angle) % 360)
    width, height = result.size_px or whole.image.size
    across, down = whole.width_px / width, whole.height_px / height
    for region in result.regions:
        if region.task is None or region.status == "failed":
            continue
        x1, y1, x2, y2 = region.box
        box = Box(x1 * across, y1 * down, x2 * across, y2 * down)
        name = (
            f"{safe_stem(page.image_file.name)}_{page.image_sha256[:8]}_{region.index + 1:03d}.png"
        )
        path = write_file(folder / name, encode_png(crop_region(whole, box).page.image))
        left, top, right, bottom = (round(side) for side in box)
        yield RegionFile(
            region,
            PageFile(
                page.page,
                path,
                file_sha256(path),
                region.task,
                page.scale,
                result.angle,
                page.missing,
                (left, top, right, bottom),
            ),
            result,
        )


def texts_of_regions(result: OcrResult, text: str) -> Mapping[int, str]:
    """The parts of a page's corrected text that belong to its regions, by region index.

    The corrected text is aligned with the reading, character by character, and cut at the regions'
    ends.
    """
    ends = [0]
    for token in result.tokens:
        ends.append(ends[-1] + len(token.text))
    cuts = dict(zip(ends, positions_after(result.text, text, ends), strict=True))
    return {
        region.index: text[cuts[ends[region.token_start]] : cuts[ends[region.token_stop]]].strip()
        for region in result.regions
        if region.token_stop > region.token_start
    }


def positions_after(before: str, after: str, positions: Sequence[int]) -> list[int]:
    """Where positions in one text are in another: right behind the character before them.

    What was inserted at the beginning of a region is its own so, and not that of the one before.
    """
    behind = [0] * (len(before) + 1)  # of each character, and of the text's start
    for edit in Levenshtein.opcodes(before, after):
        for number in range(edit.src_start, edit.src_end):
            is_kept = edit.tag == "equal"
            behind[number + 1] = (
                edit.dest_start + number - edit.src_start + 1 if is_kept else edit.dest_end
            )
    behind[0] = 0
    return [len(after) if at == len(before) else behind[at] for at in positions]
