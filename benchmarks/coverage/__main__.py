"""`python -m benchmarks.coverage [MODEL]`: how well left-out and made-up text is found.

A model reads pages with known text. Complete readings are then edited: lines, runs of words and
columns deleted, the end cut, a line doubled, a sentence inserted. The model is given each of them
as its own text, which is one pass, and coverage says what is wrong. Nothing of these pages was used
to choose how it does so.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.__main__ import machine
from benchmarks.coverage.measuring import HEAD, Measuring
from benchmarks.coverage.pages import column_pages, page_sets
from glmocr_utils.model import load_model
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage")
    parser.add_argument("model", nargs="?", default=str(project_root() / BUNDLED_MODEL))
    parser.add_argument("--pages", type=int, default=12, help="of each kind (default: 12)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    measuring = Measuring(load_model(options.model, device_map="cpu"))
    print(f"{machine()}; {Path(options.model).name}\n\n{HEAD}", flush=True)
    for name, pages in page_sets(options.pages).items():
        for line in measuring.of_pages(name, pages):
            print(line, flush=True)
    for name, pages in column_pages(options.pages).items():
        for line in measuring.of_columns(name, pages):
            print(line, flush=True)
    print("\n| a page, one thread | seconds |\n|---|---:|")
    for name, seconds in measuring.seconds.items():
        print(f"| {name} | {sum(seconds) / len(seconds):.3f} |")


if __name__ == "__main__":
    main()
