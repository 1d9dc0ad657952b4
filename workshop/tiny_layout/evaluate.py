"""How well a layout model finds regions: `python -m workshop.tiny_layout.evaluate [folder]`.

Pages of texts and fonts that training never saw, at reading resolution. A true region is found if a
region of the model overlaps it by an IoU of at least 0.5, one to one. Class and order are measured
on what was found; the order of a page is right if all of it is.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

from glmocr_utils.layout import LayoutModel, load_layout
from glmocr_utils.layout.detecting import Detections, detect
from glmocr_utils.layout.overlaps import resolve_overlaps
from glmocr_utils.synth import Sheet
from workshop.tiny_layout.pages import Kind, draw_random_sheet, trained_kind, unseen_kind

FOLDER = "data/models/doclayout-tiny"
HEAD = (
    "| pages | number | recall | precision | class | order of the page | ms a page |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)


@dataclass
class Tally:
    """Counts over pages; `missed` by class."""

    pages: int = 0
    true: int = 0
    matched: int = 0
    found: int = 0
    right_class: int = 0
    right_order: int = 0
    seconds: float = 0.0
    missed: Counter = field(default_factory=Counter)
    confused: Counter = field(default_factory=Counter)

    def row(self, name: str) -> str:
        return (
            f"| {name} | {self.pages} | {self.matched / max(1, self.true):.3f} "
            f"| {self.matched / max(1, self.found):.3f} "
            f"| {self.right_class / max(1, self.matched):.3f} "
            f"| {self.right_order / max(1, self.pages):.1%} "
            f"| {1000 * self.seconds / max(1, self.pages):.0f} |"
        )


def find(layout: LayoutModel, image: Image.Image) -> Detections:
    """The regions of a page in reading order, doubles left out, as the package resolves them."""
    [found] = detect(layout, [image])
    names = [layout.labels[int(number)] for number in found.class_ids]
    kept = resolve_overlaps(
        found.boxes.numpy().astype(np.float64), found.scores.numpy(), names, image.size
    )
    return Detections(found.boxes[kept], found.scores[kept], found.class_ids[kept])


def ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n, m) for boxes (n, 4) and (m, 4)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    both = (high - low).clip(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (one, other)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-9)


def count(tally: Tally, sheet: Sheet, found: Detections, names: dict[int, str]) -> None:
    """Add a page to the tally."""
    true = np.array([region.box for region in sheet.regions], np.float32).reshape(-1, 4)
    overlap = ious(true, found.boxes.numpy().reshape(-1, 4))
    rows, columns = linear_sum_assignment(-np.where(overlap >= 0.5, overlap, 0))
    pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if overlap[r, c] >= 0.5]
    tally.pages += 1
    tally.true += len(true)
    tally.found += len(found)
    tally.matched += len(pairs)
    for row, column in pairs:
        label, name = sheet.regions[row].label, names[int(found.class_ids[column])]
        tally.right_class += name == label
        if name != label:
            tally.confused[label, name] += 1
    hit = {row for row, _ in pairs}
    tally.missed.update(r.label for n, r in enumerate(sheet.regions) if n not in hit)
    places = [column for _, column in sorted(pairs)]
    tally.right_order += places == sorted(places)


def measure(layout: LayoutModel, sheets: Iterable[Sheet]) -> Tally:
    """Find the regions of each page and compare. Seconds are of the processor, not of the clock."""
    tally = Tally()
    for sheet in sheets:
        start = time.process_time()
        found = find(layout, sheet.image)
        tally.seconds += time.process_time() - start
        count(tally, sheet, found, layout.labels)
    return tally


def sets(scale: float = 2.0) -> dict[str, Kind]:
    """The kinds of pages in the table, by name."""
    return {
        "clean, trained fonts": trained_kind(scale=scale),
        "clean, other fonts": unseen_kind(scale=scale),
        "one column, other fonts": unseen_kind(scale=scale, num_columns=1),
        "two columns, other fonts": unseen_kind(scale=scale, num_columns=2),
        "three columns, other fonts": unseen_kind(scale=scale, num_columns=3),
        "scanned at 0.5, other fonts": unseen_kind(scale=scale, scanned=1.0, strength=0.5),
        "scanned at 0.5, trained fonts": trained_kind(scale=scale, scanned=1.0, strength=0.5),
    }


def draw(kind: Kind, number: int, name: str) -> Sequence[Sheet]:
    """The pages of a set; training never draws these."""
    return [draw_random_sheet(kind, ("evaluation", name, n)) for n in range(number)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=FOLDER)
    parser.add_argument("--pages", type=int, default=60, help="in each set")
    parser.add_argument("--sets", type=int, default=9, help="how many of the sets, from the first")
    parser.add_argument("--misses", action="store_true", help="print what was missed or confused")
    options = parser.parse_args()
    layout = load_layout(options.folder)
    print(HEAD)
    for name, kind in list(sets().items())[: options.sets]:
        tally = measure(layout, draw(kind, options.pages, name))
        print(tally.row(name), flush=True)
        if options.misses:
            print("missed", tally.missed.most_common(12), "confused", tally.confused.most_common(8))


if __name__ == "__main__":
    main()
