"""`make bench`, or `python -m benchmarks [part …]`.

Each part runs in a process of its own, so that none meets what another left in memory. What a GPU
does is measured by `python -m benchmarks.on_gpu`.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import torch

from benchmarks.measure import Row
from glmocr_utils.notebook_run import project_root

PARTS = (
    "reading.against_the_batch_script",
    "reading.regions_against_the_batch_script",
    "reading.probabilities_on_against_off",
    "reading.first_page",
    "reading.as_work_grows",
    "vllm_cpu.against_vllm",
    "rendering.against_a_pdfium_loop",
    "rendering.against_pdftoppm",
    "training.against_full_logits",
)
PARTS_SAID = ", ".join(PARTS)
ONE_PART = "--part"
DESCRIPTION = "Measure this project against the scripts that a user would otherwise run."


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=DESCRIPTION)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"all, or some of {PARTS_SAID}")
    parser.add_argument(ONE_PART, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps([row.record() for row in _rows(options.part)]))
        return
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"no part is named {', '.join(unknown)}; they are {PARTS_SAID}")
    chosen = [part for part in PARTS if part in (options.parts or PARTS)]
    records = []
    print(machine())
    print("| | ours | baseline | ratio | target | met |")
    print("|---|---:|---:|---:|---|---|")
    for part in chosen:
        command = [sys.executable, "-m", "benchmarks", ONE_PART, part]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=project_root())
        for record in json.loads(output.stdout.splitlines()[-1]):
            print(table_line(record), flush=True)
            records.append(record)
    path = project_root() / "outputs/bench/results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "rows": records}, indent=1))
    print(
        f"\nwritten to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"
    )


def table_line(record: dict[str, object]) -> str:
    """A line of the table, as Markdown."""
    name = f"{record['name']} ({record['note']})" if record["note"] else record["name"]
    target = record["target"].replace("<=", "≤").replace(">=", "≥") + "×"
    if record["ours"] is None:
        return f"| {name} | | | | {target} | |"
    numbers = (f"{_short(record[key])} {record['unit']}" for key in ("ours", "baseline"))
    met = "yes" if record["met"] else "no"
    return f"| {name} | {' | '.join(numbers)} | {record['ratio']:.3g} | {target} | {met} |"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def machine() -> str:
    """The machine, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{platform.machine()}, {cores} cores, {memory:.0f} GiB, {gpu}; Python "
        f"{platform.python_version()}, PyTorch {torch.__version__}"
    )


def _rows(part: str) -> list[Row]:
    module, function = part.split(".")
    return list(getattr(importlib.import_module(f"benchmarks.{module}"), function)())


if __name__ == "__main__":
    main()
