"""Pages → the model's inputs. Batch number n of a seed is always the same.

A page is drawn once and shown a few times, each time moved, scanned or clean: drawing costs half as
much as a training step.
"""

import random
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from glmocr_utils.synth import DrawnRegion, Scan, Sheet, scan_sheet
from workshop.tiny_layout.architecture import INPUT_PX, LABELS
from workshop.tiny_layout.pages import Kind, draw_random_sheet

NEW_PAGES, SEEN_PAGES = 1, 3  # in a batch
REMEMBERED = 240  # pages
LEAST_SIDE = 1.5 / INPUT_PX

Batch = tuple[torch.Tensor, list[dict[str, torch.Tensor]]]


class Batches:
    """`batch(n)` draws what it needs and remembers the last pages."""

    def __init__(self, kind: Kind, seed: int, scanned: float, max_strength: float) -> None:
        self.kind, self.seed = kind, seed
        self.scanned, self.max_strength = scanned, max_strength
        self._pages: OrderedDict[int, Sheet] = OrderedDict()

    def batch(self, number: int, side: int = INPUT_PX) -> Batch:
        """(pages, 3, side, side) and the labels of each page in reading order."""
        rng = random.Random(repr((self.seed, "batch", number)))
        new = [NEW_PAGES * number + n for n in range(NEW_PAGES)]
        first = max(0, new[0] - REMEMBERED)
        seen = [rng.randrange(first, new[0]) if new[0] else 0 for _ in range(SEEN_PAGES)]
        examples = [self._example(rng, page, side) for page in (*new, *seen)]
        pixels = torch.stack([pixels for pixels, _ in examples]).expand(-1, 3, -1, -1)
        return pixels.contiguous(memory_format=torch.channels_last), [y for _, y in examples]

    def _example(self, rng: random.Random, page: int, side: int) -> tuple[torch.Tensor, dict]:
        sheet = moved(rng, self._page(page))
        if rng.random() < self.scanned:
            generator = np.random.default_rng(rng.getrandbits(32))
            strength = rng.uniform(0, self.max_strength)
            sheet = scan_sheet(sheet, Scan.draw(generator, strength), generator)
        return squeezed(sheet.image, side), labels_of(sheet)

    def _page(self, number: int) -> Sheet:
        if number not in self._pages:
            sheet = draw_random_sheet(self.kind, (self.seed, "page", number))
            self._pages[number] = Sheet(sheet.image.convert("L"), sheet.regions)
            if len(self._pages) > REMEMBERED + NEW_PAGES:
                self._pages.popitem(last=False)
        return self._pages[number]


def moved(rng: random.Random, sheet: Sheet) -> Sheet:
    """The page with more paper on some sides, as on a scanner's glass, or some of it cut off."""
    if rng.random() < 0.5 or not sheet.regions:
        return sheet
    width, height = sheet.image.size
    left, right = (round(rng.uniform(-0.03, 0.07) * width) for _ in range(2))
    top, bottom = (round(rng.uniform(-0.02, 0.06) * height) for _ in range(2))
    paper = sheet.image.getpixel((0, 0))
    size = (width + left + right, height + top + bottom)
    image = Image.new(sheet.image.mode, size, paper)
    image.paste(sheet.image, (left, top))
    return Sheet(image, tuple(_shifted(region, left, top, size) for region in sheet.regions))


def _shifted(region: DrawnRegion, dx: int, dy: int, size: tuple[int, int]) -> DrawnRegion:
    left, top, right, bottom = region.box
    box = (
        min(max(0, left + dx), size[0]),
        min(max(0, top + dy), size[1]),
        min(size[0], max(0, right + dx)),
        min(size[1], max(0, bottom + dy)),
    )
    return replace(region, box=box)


def squeezed(image: Image.Image, side: int) -> torch.Tensor:
    """(1, side, side), as the image processor squeezes a grey page."""
    grey = torch.from_numpy(np.asarray(image.convert("L"), np.float32))[None, None]
    small = F.interpolate(grey, (side, side), mode="bicubic", antialias=False)
    return (small[0].clamp(0, 255) / 255 - 1.0) / 0.3


def labels_of(sheet: Sheet) -> dict[str, torch.Tensor]:
    """`class_labels` and `boxes` (centre and size as shares of the page), in reading order."""
    size = np.array(sheet.image.size * 2, np.float32)
    boxes = np.array([region.box for region in sheet.regions], np.float32).reshape(-1, 4) / size
    centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    kept = (extent > LEAST_SIDE).all(1)  # what was not cut off
    classes = np.array([LABELS.index(region.label) for region in sheet.regions], np.int64)
    return {
        "class_labels": torch.from_numpy(classes[kept]),
        "boxes": torch.from_numpy(np.concatenate([centre, extent], 1)[kept]),
    }
