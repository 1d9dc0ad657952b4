"""`python -m benchmarks.coverage [MODEL] [--docs]`: how well left-out and made-up text is found.

A model reads pages with known text. Complete readings are then edited: lines, runs of words and
columns deleted, the end cut, a line doubled, a sentence inserted. The model is given each of them
as its own text, which is one pass, and coverage says what is wrong. Nothing of these pages was used
to choose how it does so.
"""

import argparse
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import torch

from benchmarks.__main__ import machine
from benchmarks.coverage.measuring import HEAD, Measuring
from benchmarks.coverage.pages import column_pages, page_sets
from glmocr_utils.files import write_file
from glmocr_utils.model import load_model
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root

PAGE = "docs/coverage.md"
START, END = "<!-- python -m benchmarks.coverage --docs -->\n", "<!-- end of the table -->"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage")
    parser.add_argument("model", nargs="?", default=str(project_root() / BUNDLED_MODEL))
    parser.add_argument("--pages", type=int, default=12, help="of each kind (default: 12)")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for line in table(options.model, options.pages):
        print(line, flush=True)
        lines.append(line)
    if options.docs:
        page = project_root() / PAGE
        write_file(page, with_table(page.read_text(encoding="utf-8"), lines))


def table(model: str, num_pages: int) -> Iterator[str]:
    """The conditions, the table and the seconds a page, in lines of Markdown."""
    measuring = Measuring(load_model(model, device_map="cpu"))
    name = Path(model).name
    yield (
        f"`{name}`, at most {num_pages} pages a kind, {date.today():%d %B %Y}; one thread; "
        f"{machine()}:\n"
    )
    yield HEAD
    for kind, pages in page_sets(num_pages).items():
        yield from measuring.of_pages(kind, pages)
    for kind, columns in column_pages(num_pages).items():
        yield from measuring.of_columns(kind, columns)
    yield "\n| a page | seconds of CPU time |\n|---|---:|"
    for what, seconds in measuring.seconds.items():
        yield f"| {what} | {sum(seconds) / len(seconds):.3f} |"


def with_table(page: str, lines: list[str]) -> str:
    """A page of the documentation with another table between its two comments."""
    before, rest = page.split(START)
    _, after = rest.split(END)
    return "".join([before, START, "\n", "\n".join(lines), "\n\n", END, after])


if __name__ == "__main__":
    main()
