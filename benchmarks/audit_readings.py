"""Readings with known text for the simulated audits: drawn scans, read by the bundled model.

    python -m benchmarks.audit_readings

It reads 320 pages in about ten minutes, resumes where it was stopped, and writes
`benchmarks/data/audit_words.parquet`: one row a word with its page, its characters, the model's
doubt and its edits. `benchmarks.audit` draws whole collections from that table.
"""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.inputs import bundled_model
from glmocr_utils.evaluation.certificate.units import edits_of, page_units, stretches
from glmocr_utils.metrics import character_edits, headline_pair
from glmocr_utils.notebook_run import project_root
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import OcrResult, PageImage, PageRef
from glmocr_utils.records.ocr_result import from_json, to_json
from workshop.tiny_model.pages import Stage, draw_batch

TABLE = Path("benchmarks/data/audit_words.parquet")
READINGS = Path("outputs/bench/audit_readings.jsonl")
NUM_PAGES = 320
BATCH = 8


def strength_of(number: int) -> float:
    """How badly page `number` was scanned: two of three mildly, one of three badly."""
    rng = random.Random(number)
    return rng.uniform(0.4, 0.9) if number % 3 == 2 else rng.uniform(0.0, 0.25)


def draw(number: int) -> tuple[PageImage, str]:
    """Page `number` and its text."""
    strength = strength_of(number)
    stage = Stage(
        0, 20, sheets=1.0, random_text=0.02, degraded=1.0, max_strength=strength, font_px=(19, 24)
    )
    page = draw_batch(stage, (20, number))[0]
    return PageImage(PageRef("drawn", None, number), page.image, scale=2.0), page.text


def read_missing(path: Path) -> Iterator[tuple[OcrResult, str]]:
    """All pages as (reading, text); those that are not in the file yet are read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        result = from_json(record["result"])
        known[result.page.page_index] = (result, record["text"])
    yield from known.values()
    left = [number for number in range(NUM_PAGES) if number not in known]
    model = bundled_model() if left else None
    for first in range(0, len(left), BATCH):
        drawn = [draw(number) for number in left[first : first + BATCH]]
        texts = {image.page.page_index: text for image, text in drawn}
        images = [image for image, _ in drawn]
        with path.open("a", encoding="utf-8") as file:
            for result in read_pages(model, images, batch_size=BATCH, max_tokens=1500, top_k=1):
                text = texts[result.page.page_index]
                file.write(json.dumps({"result": to_json(result), "text": text}) + "\n")
                yield result, text


def words_of(result: OcrResult, text: str) -> dict[str, np.ndarray]:
    """The page's rows of the table: its words, with the number of the unit that each is in."""
    words = page_units(result, longest=0)
    units = page_units(result).spans[:, 0]
    edits = [edits_of(*pair) for pair in stretches(words.spans, result.text, text)]
    reference, reading = headline_pair(text, result.text)
    whole = {
        "page": result.page.page_index,
        "page_characters": len(reference),
        "page_edits": character_edits(reference, reading),
    }
    return {
        **{name: np.full(len(words), value) for name, value in whole.items()},
        "unit": np.searchsorted(units, words.spans[:, 0], side="right"),
        "characters": words.characters,
        "edits": np.array(edits, np.int64),
        "predicted": words.predicted,
        "overconfident": page_units(sharpened(result, 2.0), longest=0).predicted,
        "underconfident": page_units(sharpened(result, 0.5), longest=0).predicted,
    }


def sharpened(result: OcrResult, factor: float) -> OcrResult:
    """The reading with its log-odds multiplied: above 1 it is surer than it should be."""
    tokens = []
    for token in result.tokens:
        prob = min(token.prob, 1 - 1e-7)
        odds = factor * math.log(prob / (1 - prob))
        tokens.append(replace(token, logprob=-math.log1p(math.exp(-odds)), alternatives=()))
    return replace(result, tokens=tuple(tokens))


def main() -> None:
    rows = [words_of(*read) for read in read_missing(project_root() / READINGS)]
    rows.sort(key=lambda row: row["page"][0] if len(row["page"]) else -1)
    columns = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    path = project_root() / TABLE
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: _narrow(values) for name, values in columns.items()})
    pq.write_table(table, path, compression="zstd")
    rate = columns["edits"].sum() / columns["characters"].sum()
    print(f"{len(columns['page']):,} words of {len(rows)} pages, CER {rate:.1%}, in {path}")


def _narrow(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16 if values.dtype.kind == "f" else np.int16)


if __name__ == "__main__":
    main()
