"""Whole pages against regions: `python -m benchmarks.regions [--reader MODEL] [--pages N]`.

Pages of texts and fonts that neither bundled model was trained on, read as a whole and by regions:
by those that the layout model finds, and by the true ones, which shows how much of the difference
is the layout model's. CER is the headline CER of all pages of a kind together; TEDS is of pages
with a table; order is the share of pages whose regions come in the right order. Seconds are of one
process, without loading.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from glmocr_utils.evaluation.tables import teds
from glmocr_utils.layout import crop_region, load_layout
from glmocr_utils.metrics import character_edits, headline_pair
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.ocr import ByRegion, read_pages
from glmocr_utils.ocr.by_region import assemble
from glmocr_utils.options import Tasks
from glmocr_utils.records import OcrResult, PageImage, PageRef, Region
from glmocr_utils.records.region import PICTURE_LABELS
from glmocr_utils.synth.sheet import Sheet
from workshop.tiny_layout.pages import draw_random_sheet, unseen_kind

READER = "data/models/glm-ocr-tiny"
LAYOUT = "data/models/doclayout-tiny"
BATCH_SIZE = 8
MAX_TOKENS = 1500
KINDS = {
    "one column": {"num_columns": 1},
    "two columns": {"num_columns": 2},
    "three columns": {"num_columns": 3},
    "with tables": {},
}
WITH_TABLES = "with tables"
# What the bundled reader was never taught is left out of the CER of both ways alike.
UNREAD = frozenset({"display_formula", "formula_number", "algorithm", "seal", *PICTURE_LABELS})
HEAD = (
    "| pages | number | CER whole | CER regions | CER true regions | TEDS whole | TEDS regions | "
    "order | pages/s whole | pages/s regions |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def drawn(kind: str, number: int) -> list[Sheet]:
    """Pages without what the reader was never taught; tables are in the kind of that name alone."""
    sheets: list[Sheet] = []
    seed = 0
    while len(sheets) < number:
        sheet = draw_random_sheet(unseen_kind(scale=2.0, **KINDS[kind]), ("regions", kind, seed))
        seed += 1
        labels = {region.label for region in sheet.regions}
        if not labels & (UNREAD - PICTURE_LABELS) and ("table" in labels) == (kind == WITH_TABLES):
            sheets.append(sheet)
    return sheets


def page_images(sheets: Sequence[Sheet]) -> list[PageImage]:
    return [
        PageImage(PageRef("drawn.pdf", None, number), sheet.image, 2.0)
        for number, sheet in enumerate(sheets)
    ]


def by_true_regions(
    model: LoadedModel, sheets: Sequence[Sheet], pages: Sequence[PageImage]
) -> list[OcrResult]:
    """The pages read by the regions that they were drawn with."""
    tasks = Tasks()
    regions = [
        [
            Region(each.index, each.label, each.box, None, tasks.of(each.label))
            for each in sheet.regions
        ]
        for sheet in sheets
    ]
    wanted = [
        (number, region)
        for number, of_page in enumerate(regions)
        for region in of_page
        if region.task
    ]
    read: dict[int, dict[int | None, OcrResult | Exception]] = {n: {} for n in range(len(sheets))}
    for prompt in {region.task for _, region in wanted}:
        asked = [(number, region) for number, region in wanted if region.task == prompt]
        crops = [crop_region(pages[number], region.box).page for number, region in asked]
        results = read_pages(
            model, crops, prompt=prompt, batch_size=BATCH_SIZE, max_tokens=MAX_TOKENS
        )
        for (number, region), result in zip(asked, results, strict=True):
            read[number][region.index] = result
    blank = replace(next(iter(read[0].values())), text="", tokens=())
    return [
        assemble(replace(blank, page=page.page), of_page, read[number], "in", page.image.size)
        for number, (page, of_page) in enumerate(zip(pages, regions, strict=True))
    ]


def edits_and_length(sheets: Iterable[Sheet], texts: Iterable[str]) -> tuple[int, int]:
    edits = length = 0
    for sheet, text in zip(sheets, texts, strict=True):
        reference, prediction = headline_pair(sheet.markdown, text)
        edits += character_edits(reference, prediction)
        length += len(reference)
    return edits, length


def is_in_order(sheet: Sheet, result: OcrResult) -> bool:
    """Whether the regions that were found come as the true ones they lie on do."""
    ranks = []
    for region in result.regions:
        x, y = region.box.centre
        at = [
            each.index
            for each in sheet.regions
            if each.box[0] <= x <= each.box[2] and each.box[1] <= y <= each.box[3]
        ]
        ranks += at[:1]
    return ranks == sorted(ranks)


def rows(layout: Path, kinds: Sequence[str], number: int, reader: str) -> Iterator[str]:
    model = load_model(reader, device_map="cpu")
    by_region = ByRegion(load_layout(str(layout)), furniture="in") if layout.is_dir() else None
    options = {"batch_size": BATCH_SIZE, "max_tokens": MAX_TOKENS}
    for kind in kinds:
        sheets = drawn(kind, number)
        pages = page_images(sheets)
        begun = perf_counter()
        whole = list(read_pages(model, pages, **options))
        whole_seconds = perf_counter() - begun
        begun = perf_counter()
        regions = (
            list(read_pages(model, pages, by_region=by_region, **options)) if by_region else []
        )
        region_seconds = perf_counter() - begun
        true = by_true_regions(model, sheets, pages)
        cells = [kind, str(number)]
        for results in (whole, regions, true):
            edits, length = (
                edits_and_length(sheets, (each.text for each in results)) if results else (0, 0)
            )
            cells.append(f"{edits / length:.1%}" if results else "")
        for results in (whole, regions):
            found = [
                score
                for sheet, each in zip(sheets, results, strict=bool(results))
                if (score := teds(sheet.markdown, each.text)) is not None
                and any(region.label == "table" for region in sheet.regions)
            ]
            cells.append(f"{sum(found) / len(found):.2f}" if found else "")
        right = [is_in_order(*pair) for pair in zip(sheets, regions, strict=bool(regions))]
        cells.append(f"{sum(right) / len(right):.0%}" if right else "")
        cells.append(f"{number / whole_seconds:.2f}")
        cells.append(f"{number / region_seconds:.2f}" if regions else "")
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", default=READER, help="hub id or folder of a GLM-OCR model")
    parser.add_argument("--layout", type=Path, default=Path(LAYOUT))
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    options = parser.parse_args()
    print(HEAD)
    for row in rows(options.layout, options.kinds, options.pages, options.reader):
        print(row, flush=True)


if __name__ == "__main__":
    main()
