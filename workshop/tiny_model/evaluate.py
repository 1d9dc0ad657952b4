"""How well a model reads: `python -m workshop.tiny_model.evaluate [folder]` prints the tables.

Everything is measured on texts that training never saw (those of `data/samples`): on the samples
themselves, and set again in each font family, scanned at several strengths; on blank pages; and on
drawn tables, which have a table of their own.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from glmocr_utils.confidence import errors_caught, load_references, mark_tokens
from glmocr_utils.evaluation.tables import teds
from glmocr_utils.metrics import cer, corpus_cer, headline_pair
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.ocr import read_documents, read_pages
from glmocr_utils.prompt import TABLE_RECOGNITION, TEXT_RECOGNITION
from glmocr_utils.records import OcrResult, PageImage, PageRef
from glmocr_utils.synth import (
    Block,
    PageStyle,
    Scan,
    SynthPage,
    degrade,
    draw_page,
    families_found,
    find_font,
)
from workshop.tiny_model.pages import Stage, draw_any_table, draw_blank_page
from workshop.tiny_model.train import FAMILIES

MAX_TOKENS = 1200  # the longest page has about 900 characters, some of two bytes
BATCH_SIZE = 8
TEXTS = ("decision.pdf", "letter.pdf", "german.pdf", "long.pdf")
PAGES_A_SET = 12
SIZES_PX = (18, 20, 22, 24)
STRENGTHS = (0.25, 0.5, 0.75)  # 0.5 is a moderate office scan
NUM_BLANK = 40
NUM_TABLES = 24

HEAD = (
    "| pages | number | CER | worst page | AUROC | stopped by itself | tokens a byte "
    "| seconds a page |\n|---|---:|---:|---:|---:|---:|---:|---:|"
)

TABLES_HEAD = (
    "| tables | number | TEDS | structure alone | equal | stopped by itself | seconds a table |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)

Read = list[tuple[OcrResult, str]]  # (result, reference)


def read_samples(model: LoadedModel, samples: Path) -> dict[str, Read]:
    """For each file of `data/samples`, its pages as (result, reference)."""
    truth = load_references(samples / "truth.jsonl")
    files = sorted({samples / file_name for file_name, _ in truth})
    pages: dict[str, Read] = {}
    for result in read_documents(model, files, batch_size=BATCH_SIZE, max_tokens=MAX_TOKENS):
        name = result.page.document_name
        pages.setdefault(name, []).append((result, truth[name, result.page.page_index]))
    return pages


def drawn_sets(
    samples: Path, pages_a_set: int = PAGES_A_SET
) -> Iterator[tuple[str, list[SynthPage]]]:
    """Pages by font family, by strength of the scan, and blank ones, each with a name."""
    truth = load_references(samples / "truth.jsonl")
    texts = [text for (name, _), text in truth.items() if name in TEXTS][:pages_a_set]
    for family in FAMILIES:
        yield f"clean, {family}", _set_in(family, texts)
    for family in families_found(trained=False):
        yield f"clean, {family.name} (never trained on)", _set_in(family.name, texts)
    for strength in STRENGTHS:
        yield f"scanned, strength {strength}", _scanned(texts, strength)
    rng = random.Random(11)
    stage = Stage(0, 0, families=FAMILIES, max_strength=0.5)
    [family, *_] = families_found(trained=True)
    sheet = (595, 842)
    num_blank = min(NUM_BLANK, 4 * pages_a_set)
    yield "blank", [draw_blank_page(rng, stage, family, sheet) for _ in range(num_blank)]


def table_sets(number: int = NUM_TABLES) -> Iterator[tuple[str, list[SynthPage]]]:
    """Tables in families that were trained on and in others, clean and scanned."""
    unseen = [family.name for family in families_found(trained=False)]
    for name, families, degraded in (
        ("clean", FAMILIES, 0.0),
        ("clean, fonts never trained on", unseen, 0.0),
        ("scanned, strength 0.5 at most", FAMILIES, 1.0),
    ):
        rng = random.Random(23)
        stage = Stage(0, 0, degraded=degraded, max_strength=0.5)
        chosen = [family for family in families_found() if family.name in families]
        if chosen:
            yield name, [draw_any_table(rng, stage, rng.choice(chosen)) for _ in range(number)]


def read_drawn(
    model: LoadedModel, pages: Sequence[SynthPage], prompt: str = TEXT_RECOGNITION
) -> Read:
    """Drawn pages as (result, reference)."""
    images = [
        PageImage(PageRef("drawn", None, number), page.image, scale=2.0)
        for number, page in enumerate(pages)
    ]
    results = read_pages(model, images, prompt=prompt, batch_size=BATCH_SIZE, max_tokens=MAX_TOKENS)
    return [(result, pages[result.page.page_index].text) for result in results]


def _set_in(family: str, texts: Sequence[str]) -> list[SynthPage]:
    pages = []
    for number, text in enumerate(texts):
        style = PageStyle(
            find_font(family), find_font(family), SIZES_PX[number % len(SIZES_PX)], justify=True
        )
        pages.append(draw_page([Block(part) for part in text.split("\n\n")], style))
    return pages


def _scanned(texts: Sequence[str], strength: float) -> list[SynthPage]:
    rng = np.random.default_rng(3)
    clean = [_set_in(FAMILIES[n % len(FAMILIES)], [text])[0] for n, text in enumerate(texts)]
    return [
        SynthPage(degrade(page.image, Scan.draw(rng, strength), rng), page.text, page.boxes)
        for page in clean
    ]


def row(name: str, read: Read) -> str:
    """One line of the table."""
    texts = [headline_pair(reference, result.text) for result, reference in read]
    stopped = sum(result.finish_reason == "stop" for result, _ in read)
    seconds = sum(result.seconds for result, _ in read) / len(read)
    if not any(reference for reference, _ in texts):
        empty = sum(not prediction for _, prediction in texts)
        return f"| {name} | {len(read)} | {empty} read as empty | | | {stopped} | | {seconds:.1f} |"
    marked = [mark_tokens(result, reference) for result, reference in read]
    wrong = sum(page.num_wrong for page in marked)
    tokens = sum(len(result.tokens) for result, _ in read)
    auroc = f"{errors_caught(marked).auroc:.3f}" if 0 < wrong < tokens else ""
    worst = max(cer(*pair) for pair in texts)
    return (
        f"| {name} | {len(read)} | {corpus_cer(texts):.1%} | {worst:.1%} | {auroc} | {stopped} "
        f"| {_tokens_a_byte(read)} | {seconds:.1f} |"
    )


def table_row(name: str, read: Read) -> str:
    """One line of the table of tables; a table that is not one scores 0."""
    scores = [teds(reference, result.text) or 0.0 for result, reference in read]
    structure = [
        teds(reference, result.text, structure_only=True) or 0.0 for result, reference in read
    ]
    equal = sum(score == 1 for score in scores)
    stopped = sum(result.finish_reason == "stop" for result, _ in read)
    seconds = sum(result.seconds for result, _ in read) / len(read)
    return (
        f"| {name} | {len(read)} | {np.mean(scores):.3f} | {np.mean(structure):.3f} | {equal} "
        f"| {stopped} | {seconds:.1f} |"
    )


def _tokens_a_byte(read: Read) -> str:
    num_bytes = sum(len(result.text.encode()) for result, _ in read)
    return f"{sum(len(result.tokens) for result, _ in read) / num_bytes:.2f}" if num_bytes else ""


def main() -> None:
    root = project_root()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=str(root / BUNDLED_MODEL))
    parser.add_argument("--pages", type=int, default=PAGES_A_SET, help="in a drawn set, at most")
    options = parser.parse_args()
    samples = root / "data/samples"
    model = load_model(options.folder)
    print(HEAD)
    for name, read in read_samples(model, samples).items():
        print(row(name, read), flush=True)
    for name, pages in drawn_sets(samples, options.pages):
        print(row(name, read_drawn(model, pages)), flush=True)
    print(f"\n{TABLES_HEAD}")
    for name, pages in table_sets(2 * options.pages):
        print(table_row(name, read_drawn(model, pages, TABLE_RECOGNITION)), flush=True)


if __name__ == "__main__":
    main()
