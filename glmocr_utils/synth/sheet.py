"""A page in columns: its content, and the drawn page with its regions."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from glmocr_utils.synth.degrade import Scan, degrade
from glmocr_utils.synth.elements import Element, PrintedText, Slot

Group = tuple[Element, ...]  # stays in one column: a picture and its caption


@dataclass(frozen=True, slots=True)
class SheetContent:
    """The content of a page; elements that do not fit are left out.

    Attributes:
        columns: groups that flow from column to column; long paragraphs break.
        head, foot: elements in the margins above and below, each with its slot.
        top, bottom: groups as wide as the page, above and below the columns.
        footnotes: at the foot of the column `footnote_column`, -1 for the whole width.
        asides: in the left margin, beside the columns.
        stamp: printed upwards along the left edge.
    """

    columns: tuple[Group, ...]
    head: tuple[tuple[Slot, Element], ...] = ()
    foot: tuple[tuple[Slot, Element], ...] = ()
    top: tuple[Group, ...] = ()
    bottom: tuple[Group, ...] = ()
    footnotes: tuple[Element, ...] = ()
    footnote_column: int = -1
    asides: tuple[Element, ...] = ()
    stamp: Element | None = None


@dataclass(frozen=True, slots=True)
class DrawnRegion:
    """A region of a drawn page.

    Attributes:
        index: from 0 in reading order.
        label: class name of PP-DocLayoutV3.
        box: left, top, right, bottom in pixels of the page.
        text: Markdown; empty for a picture.
    """

    index: int
    label: str
    box: tuple[float, float, float, float]
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drawn page.

    Attributes:
        image: RGB.
        regions: in reading order.
        texts: where the pieces of text are, for a PDF; without those of formulas and pictures, and
            none for a scan.
    """

    image: Image.Image
    regions: tuple[DrawnRegion, ...]
    texts: tuple[PrintedText, ...] = ()

    @property
    def markdown(self) -> str:
        """The texts of all regions, in reading order, with blank lines between them."""
        return "\n\n".join(region.text for region in self.regions if region.text)


def scan_sheet(sheet: Sheet, scan: Scan, rng: np.random.Generator) -> Sheet:
    """The page as a scanner leaves it; boxes become those around the turned regions."""
    image = degrade(sheet.image, scan, rng)
    angle = np.deg2rad(scan.skew_degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    middle = np.array(image.size) / 2
    regions = []
    for region in sheet.regions:
        left, top, right, bottom = region.box
        corners = np.array([(left, top), (right, top), (left, bottom), (right, bottom)]) - middle
        x, y = corners.T
        turned = np.stack([x * cos + y * sin, y * cos - x * sin], axis=1) + middle
        low = np.clip(turned.min(0), 0, image.size)
        high = np.clip(turned.max(0), 0, image.size)
        box = float(low[0]), float(low[1]), float(high[0]), float(high[1])
        regions.append(replace(region, box=box))
    return Sheet(image, tuple(regions))
