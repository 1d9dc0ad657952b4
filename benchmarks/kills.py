"""kill -9 at ten moments of a run by regions: `python -m benchmarks.kills [--moments N]`.

Each run is killed at another moment, from before its first page to after its last, and resumed.
Afterwards its pages, regions and texts are compared with those of a run that was never killed.
"""

import argparse
import io
import os
import random
import shutil
import signal
import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TextIO

from glmocr_utils.mass_infer import InferOptions, infer, run_folder
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.notebook_run import project_root
from glmocr_utils.records.page_row import read_rows
from workshop.tiny_layout.pages import draw_random_sheet, unseen_kind

PAGES = 4
MOST_REGIONS = 5  # of a page, so that a run takes seconds


def make_pages(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seeds = count()
    for number in range(PAGES):
        kind = unseen_kind(scale=1.0, num_columns=1 + number % 2)
        sheets = (draw_random_sheet(kind, ("kills", seed)) for seed in seeds)
        sheet = next(sheet for sheet in sheets if len(sheet.regions) <= MOST_REGIONS)
        sheet.image.save(folder / f"{number}.png")


def what_was_read(folder: Path) -> dict[tuple, tuple]:
    """Without times, and without the last digits of boxes and scores, which depend on the batch."""
    rows = list(read_rows(folder))
    found = {
        row.key: (
            row.text,
            row.status,
            [
                (each.label, each.status, each.token_start, each.token_stop, *map(round, each.box))
                for each in row.regions
            ],
        )
        for row in rows
    }
    if len(found) != len(rows):
        raise SystemExit(f"{folder} has {len(rows) - len(found)} pages twice")
    return found


def read(options: InferOptions, model: LoadedModel, reports: TextIO) -> None:
    """Read to the end; a line for each report, also while a page is under way."""
    run_folder.ROWS_A_PART = 2
    infer(
        options, model=model, watch=lambda progress: print(progress.done, file=reports, flush=True)
    )


def kill(options: InferOptions, model: LoadedModel, reports: int, delay_s: float) -> None:
    """Start a run in a process of its own and kill it so long after so many reports."""
    out, into = os.pipe()
    process = os.fork()  # so that the model isn't loaded again
    if not process:
        with open(into, "w") as writing:
            read(options, model, writing)
        os._exit(0)
    os.close(into)
    with open(out) as reading:
        for _ in range(reports):
            reading.readline()
        time.sleep(delay_s)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def resumed(options: InferOptions, model: LoadedModel) -> dict[tuple, tuple]:
    infer(options, model=model)
    return what_was_read(Path(options.output_dir))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=10)
    moments = parser.parse_args().moments
    root = project_root()
    folder = root / "outputs/bench/kills"
    shutil.rmtree(folder, ignore_errors=True)
    make_pages(folder / "pages")
    options = InferOptions(
        folder / "pages",
        model_id=str(root / "data/models/glm-ocr-tiny"),
        layout=str(root / "data/models/doclayout-tiny"),
        max_tokens=4,
        batch_size=4,
        output_dir=folder / "undisturbed",
    )
    model = load_model(options.model_id, device_map="cpu")
    reports = io.StringIO()
    read(options, model, reports)
    printed = reports.getvalue().count("\n")
    expected = what_was_read(folder / "undisturbed")
    regions = sum(len(each[2]) for each in expected.values())
    print(f"undisturbed: {len(expected)} pages, {regions} regions, {printed} reports", flush=True)
    delays = random.Random(0)
    differing = 0
    for number in range(moments):
        killed = replace(options, output_dir=folder / f"killed_{number}")
        lines = round(number * printed / max(1, moments - 1))
        kill(killed, model, lines, delays.random() * 0.05)
        kept = (
            len(list(read_rows(killed.output_dir))) if (folder / f"killed_{number}").exists() else 0
        )
        same = resumed(killed, model) == expected
        differing += not same
        print(
            f"killed after {lines} of {printed} reports, {kept} pages kept: "
            f"{'the same' if same else 'DIFFERENT'}",
            flush=True,
        )
    if differing:
        raise SystemExit(f"{differing} of {moments} runs differ")


if __name__ == "__main__":
    main()
