"""How well a model reads the samples: `python -m glmocr_utils.tiny_model.evaluate [folder]`."""

import json
import sys
from collections import defaultdict
from pathlib import Path

from glmocr_utils.metrics import cer, corpus_cer, normalize
from glmocr_utils.model import load_model
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.reading import read_documents
from glmocr_utils.records import OcrResult

MAX_TOKENS = 1200  # the longest sample page has about 900 characters, some of two bytes


def load_truth(samples: Path) -> dict[tuple[str, int], str]:
    """(file name, page_index) → the text that stands on that page of `data/samples`."""
    rows = map(json.loads, (samples / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    return {(row["file_name"], row["page_index"]): row["text"] for row in rows}


def evaluate(model_id: str, samples: Path) -> dict[str, list[tuple[OcrResult, str]]]:
    """Read all samples. Returns for each file its pages as (result, reference)."""
    truth = load_truth(samples)
    files = sorted({samples / file_name for file_name, _ in truth})
    pages = defaultdict(list)
    for result in read_documents(load_model(model_id), files, batch_size=8, max_tokens=MAX_TOKENS):
        name = Path(result.page.document_path).name
        pages[name].append((result, truth[name, result.page.page_index]))
    return pages


def main() -> None:
    root = project_root()
    model_id = sys.argv[1] if len(sys.argv) > 1 else str(root / BUNDLED_MODEL)
    pages = evaluate(model_id, root / "data/samples")
    print("| document | pages | CER | worst page | stopped by itself |\n|---|---:|---:|---:|---:|")
    for name, read in pages.items():
        texts = [(normalize(reference), normalize(result.text)) for result, reference in read]
        worst = max(cer(*pair) for pair in texts)
        stopped = sum(result.finish_reason == "stop" for result, _ in read)
        print(f"| {name} | {len(read)} | {corpus_cer(texts):.1%} | {worst:.1%} | {stopped} |")


if __name__ == "__main__":
    main()
