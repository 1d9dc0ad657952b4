"""Pages to measure coverage with. None of them was used to choose its thresholds."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from PIL import Image

from glmocr_utils.grounding.evaluation import draw_pages, pages_with_text_layer, scanned
from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.notebook_run import project_root
from glmocr_utils.synth import Block, PageStyle, draw_page, families_found, find_font

SEED = 4242
SCAN_STRENGTH = 0.5  # of drawn pages: a moderate office scan
LONG_STRENGTH = 0.6
FIRST_PAGES = 12  # of long.pdf; thresholds were chosen with these
COLUMN_PX = 297, 842
COLUMN_FONT_PX = 18
COLUMN_BREAK = "\n\n"

# A page, and the (start, stop) of each column in its text
ColumnPage = tuple[KnownPage, tuple[tuple[int, int], ...]]


def page_sets(num_pages: int) -> dict[str, list[KnownPage]]:
    """Pages by name: drawn and of `long.pdf`, clean and scanned."""
    drawn = draw_pages(num_pages, SEED)
    long = project_root() / "data/samples/long.pdf"
    last = list(islice(pages_with_text_layer([long]), FIRST_PAGES, FIRST_PAGES + num_pages))
    return {
        "drawn, clean": drawn,
        "drawn, scanned": _scanned(drawn, SCAN_STRENGTH),
        "long.pdf, clean": last,
        "long.pdf, scanned": _scanned(last, LONG_STRENGTH),
    }


def column_pages(num_pages: int) -> dict[str, list[ColumnPage]]:
    """Pages of two and of three columns, clean and scanned."""
    texts = iter([page.text for page in draw_pages(5 * num_pages, SEED + 1)])
    sets = {}
    for name, num_columns in (("two", 2), ("three", 3)):
        pages = [_columns(list(islice(texts, num_columns)), seed=n) for n in range(num_pages)]
        scans = _scanned([page for page, _ in pages], SCAN_STRENGTH)
        spans = [spans for _, spans in pages]
        sets[f"{name} columns, clean"] = pages
        sets[f"{name} columns, scanned"] = list(zip(scans, spans, strict=True))
    return sets


def _scanned(pages: list[KnownPage], strength: float) -> list[KnownPage]:
    return [scanned(page, strength, seed=SEED + n) for n, page in enumerate(pages)]


def _columns(texts: Sequence[str], seed: int) -> ColumnPage:
    families = families_found(trained=True) or families_found()
    font = find_font(families[seed % len(families)].name)
    width, height = COLUMN_PX
    style = PageStyle(font, font, COLUMN_FONT_PX, width_px=width, height_px=height, margin_px=24)
    image = Image.new("RGB", (width * len(texts), height), "white")
    text = ""
    boxes: list[np.ndarray] = []
    spans = []
    for number, own in enumerate(texts):
        drawn = draw_page([Block(" ".join(part.split())) for part in own.split("\n\n")], style)
        image.paste(drawn.image, (number * width, 0))
        if text:
            text += COLUMN_BREAK
            boxes += [boxes[-1][-1:]] * len(COLUMN_BREAK)
        spans.append((len(text), len(text) + len(drawn.text)))
        text += drawn.text
        boxes.append(drawn.boxes + np.array([number * width, 0] * 2, np.float32))
    return KnownPage(f"columns {seed}", image, text, np.concatenate(boxes)), tuple(spans)
