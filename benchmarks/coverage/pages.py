"""Pages to measure coverage with. None of them was used to choose its thresholds."""

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
PAGE_PX = 594, 842
COLUMN_FONT_PX = 18


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


def column_pages(num_pages: int) -> dict[str, list[tuple[KnownPage, int]]]:
    """Pages of two columns, and the length of the first one's text."""
    texts = [page.text for page in draw_pages(2 * num_pages, SEED + 1)]
    pages = [_columns(*texts[n : n + 2], seed=n) for n in range(0, len(texts), 2)]
    scans = _scanned([page for page, _ in pages], SCAN_STRENGTH)
    lengths = [length for _, length in pages]
    return {
        "two columns, clean": pages,
        "two columns, scanned": list(zip(scans, lengths, strict=True)),
    }


def _scanned(pages: list[KnownPage], strength: float) -> list[KnownPage]:
    return [scanned(page, strength, seed=SEED + n) for n, page in enumerate(pages)]


def _columns(left: str, right: str, seed: int) -> tuple[KnownPage, int]:
    """A page of two columns, and the length of the left one's text."""
    families = families_found(trained=True) or families_found()
    font = find_font(families[seed // 2 % len(families)].name)
    width, height = PAGE_PX[0] // 2, PAGE_PX[1]
    style = PageStyle(font, font, COLUMN_FONT_PX, width_px=width, height_px=height, margin_px=24)
    image = Image.new("RGB", PAGE_PX, "white")
    drawn = []
    for number, text in enumerate((left, right)):
        blocks = [Block(" ".join(part.split())) for part in text.split("\n\n")]
        drawn.append(draw_page(blocks, style))
        image.paste(drawn[-1].image, (number * width, 0))
    between = drawn[0].boxes[-1:]
    moved = drawn[1].boxes + np.array([width, 0] * 2, np.float32)
    boxes = np.concatenate([drawn[0].boxes, between, between, moved])
    text = f"{drawn[0].text}\n\n{drawn[1].text}"
    return KnownPage(f"columns {seed}", image, text, boxes), len(drawn[0].text)
