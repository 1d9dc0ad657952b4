"""The time and size of the index of a large run: `python -m benchmarks.collection_index`.

Numbers after it are those of the pages, and of the pages with a file of their own. The run is made
of copies of the sample documents, each a file of its own, with readings of 2,000 characters;
probabilities are drawn. Nothing is read by a model.
"""

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psutil

from benchmarks.__main__ import machine
from benchmarks.measure import MEGABYTE
from glmocr_utils.display.collection import write_index
from glmocr_utils.notebook_run import project_root
from glmocr_utils.records.page_row import PageRow, write_part
from glmocr_utils.render import count_pages
from glmocr_utils.render.documents import file_sha256

PAGES = 2000
CHARACTERS = 2000
TOKEN = 4  # characters
WORST = 50  # pages with a file of their own
ROWS_A_PART = 500
RUN = {"prompt": "Text Recognition:", "model_id": "m", "revision": None, "adapter": None}


def main() -> None:
    wanted = int(sys.argv[1]) if sys.argv[1:] else PAGES
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        run = Path(temporary) / "run"
        rows = list(make_run(run, wanted))
        print(f"{len(rows):,} pages of {len({row.document_path for row in rows}):,} documents")
        measure(run, int(sys.argv[2]) if sys.argv[2:] else WORST)


def measure(run: Path, worst_n: int) -> None:
    """Write the index, and print how long that takes and how large it is."""
    start, start_cpu = time.perf_counter(), cpu_seconds()
    index = write_index(run, worst_n=worst_n)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - start_cpu
    files = sum(path.stat().st_size for path in (run / "page_files").iterdir())
    memory = psutil.Process().memory_info().rss
    print(
        f"worst_n={worst_n}: {seconds:.0f} s, {cpu:.0f} s of CPU time; "
        f"index.html {index.stat().st_size / MEGABYTE:.1f} MB, "
        f"page_files/ {files / MEGABYTE:.1f} MB; memory at the end {memory / MEGABYTE:,.0f} MB"
    )


def cpu_seconds() -> float:
    """Of this process and of its workers that have ended."""
    times = psutil.Process().cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def make_run(run: Path, wanted: int) -> Iterator[PageRow]:
    """A finished run of so many pages, as notebook 06 leaves it."""
    (run / "pages").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps(RUN))
    rows: list[PageRow] = []
    for number in count():
        if len(rows) >= wanted:
            break
        source = SOURCES[number % len(SOURCES)]
        path = run.parent / "documents" / f"{number:05d}_{source.name}"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, path)
        pages = count_pages(path)
        rows += [row_of(path, index, pages) for index in range(min(pages, wanted - len(rows)))]
    for part, start in enumerate(range(0, len(rows), ROWS_A_PART)):
        write_part(rows[start : start + ROWS_A_PART], run / f"pages/part-{part:06d}.parquet")
    yield from rows


def row_of(path: Path, index: int, num_pages: int) -> PageRow:
    """A reading of a page in drawn words, some pages surer than others."""
    draw = random.Random(f"{path.name} {index}")
    words: list[str] = []
    while sum(map(len, words)) + len(words) < CHARACTERS:
        words.append("".join(draw.choices("aeinorst", k=draw.randint(2, 9))))
    text = "".join(f"{word}\n" if n % 9 == 8 else f"{word} " for n, word in enumerate(words))
    text = text[: len(text) // TOKEN * TOKEN]
    doubt = draw.random() * 0.2
    logprobs = [-draw.expovariate(1 / doubt) for _ in range(len(text) // TOKEN)]
    return PageRow(
        str(path),
        file_sha256(path),
        index,
        num_pages,
        "ok",
        text,
        token_ids=[1] * len(logprobs),
        logprobs=logprobs,
        token_lengths=[TOKEN] * len(logprobs),
        mean_prob=1 - doubt,
        scale=2.0,
    )


SOURCES = sorted((project_root() / "data/samples/ordinances").glob("*.pdf"))

if __name__ == "__main__":
    main()
