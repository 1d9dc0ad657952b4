"""Pages to read, of the lengths that a collection has."""

import random
from dataclasses import replace
from pathlib import Path

import pypdfium2
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from glmocr_utils.confidence import load_references
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

MEDIAN_CHARACTERS = 220  # of a page; many are short: titles, ends of chapters, receipts, letters
SPREAD = 0.9  # standard deviation of the logarithm
MOST_CHARACTERS = 640  # a full page
FONT = "DejaVu Sans"  # comes with matplotlib


def bundled_model() -> LoadedModel:
    return load_model(str(project_root() / BUNDLED_MODEL), device_map="cpu")


def plain_model() -> LoadedModel:
    """The same as Transformers loads it, for the baselines."""
    loaded = bundled_model()
    network = AutoModelForImageTextToText.from_pretrained(loaded.model_id, dtype=torch.float32)
    network.generation_config = loaded.model.generation_config
    return replace(loaded, model=network.eval())


def mixed_pages(count: int, seed: int = 5) -> list[PageImage]:
    """Pages of one size with sample texts of mixed length, in no order."""
    samples = project_root() / "data/samples"
    texts = [text for text in load_references(samples / "truth.jsonl").values() if len(text) > 300]
    rng = random.Random(seed)
    pages = []
    for number in range(count):
        length = min(MOST_CHARACTERS, round(MEDIAN_CHARACTERS * rng.lognormvariate(0, SPREAD)))
        text = rng.choice(texts)[:length].rsplit(maxsplit=1)[0]
        style = PageStyle(find_font(FONT), find_font(FONT))
        page = draw_page([Block(part) for part in text.split("\n\n")], style)
        pages.append(PageImage(PageRef("mixed", None, number), page.image, scale=2.0))
    return pages


def paragraphs(count: int) -> list[PageImage]:
    """The first lines of pages, 63 image tokens each, as if a layout model had found them."""
    return [
        replace(page, image=page.image.crop((0, 40, page.image.width, 124)))
        for page in mixed_pages(count)
    ]


def small_pages(count: int) -> list[PageImage]:
    """Small pages, each with a sentence: a thousand are read in about a minute."""
    style = PageStyle(find_font(FONT), find_font(FONT), width_px=336, height_px=252, margin_px=14)
    texts = [
        f"Page {number} of the file has few lines, and each of them is short."
        for number in range(10)
    ]
    drawn = [draw_page([Block(text)], style).image for text in texts]
    return [
        PageImage(PageRef("small", None, number), drawn[number % 10], scale=2.0)
        for number in range(count)
    ]


def write_large_pdf(path: Path, pages: int, sample: str = "long.pdf") -> Path:
    """A sample over and over: a document that takes a while to render."""
    source = pypdfium2.PdfDocument(project_root() / "data/samples" / sample)
    document = pypdfium2.PdfDocument.new()
    while len(document) < pages:
        document.import_pages(source)
    document.save(path)
    return path


def images_of(pages: list[PageImage]) -> list[Image.Image]:
    return [page.image for page in pages]
