"""`python -m glmocr_utils infer`: a whole collection → a ledger with a row a page."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pyarrow.compute as pc
import pyarrow.parquet as pq

from glmocr_utils.cli.command import Command, Option, counted
from glmocr_utils.cli.ocr import DTYPE
from glmocr_utils.cli.render import PASSWORD, SCALE
from glmocr_utils.mass_infer import RETRYABLE, InferOptions, infer
from glmocr_utils.mass_infer.run_verdict import run_verdict
from glmocr_utils.mass_infer.watching import watch_in_terminal
from glmocr_utils.model import DEFAULT_MODEL
from glmocr_utils.parameters import kinds_of
from glmocr_utils.records import FailureStatus
from glmocr_utils.records.page_row import parts_of

REASONS_SHOWN = 10


OPTIONS = (
    Option("engine", "local", "local, server or ray"),
    Option(
        "model_id",
        DEFAULT_MODEL,
        "hub id or folder; for server its name there",
        aliases=("--model",),
    ),
    Option("adapter", None, "hub id or folder of a LoRA adapter"),
    Option("base_url", None, "server: such as http://localhost:8000/v1"),
    Option("concurrency", 16, "server: requests under way at a time"),
    Option("ray_address", None, "ray: of a cluster, or auto; default: this machine"),
    Option("num_actors", None, "ray: models at work; default: one a GPU"),
    Option("prompt", "Text Recognition:", "what the model is asked to do"),
    Option("prompt_style", None, "default or nothink; default: as the model was trained"),
    SCALE,
    PASSWORD,
    Option("max_tokens", 2048, "new tokens per page, at most"),
    Option("retry_max_tokens", None, "for one more try of a page that met max_tokens"),
    Option("batch_size", "auto", "pages read together, or auto: what memory holds"),
    Option("retry", None, f"statuses to read again, also at other limits: {','.join(RETRYABLE)}"),
    Option("calibration", None, "calibration.json of notebook 03, for expected errors"),
    Option("max_failure_rate", 0.5, "stop when more of the last 200 pages fail, loop or are empty"),
    Option("new_run", False, "put a run with other settings in output_dir aside"),
    Option("attn", "auto", "as in ocr"),
    Option("device_map", "auto", "auto, cpu, cuda:0, …"),
    DTYPE,
    Option("output_dir", "outputs/06_mass_infer", "the run's folder"),
)


def _infer(options: argparse.Namespace) -> int:
    asked = InferOptions(**vars(options))
    summary = infer(asked, watch=watch_in_terminal())
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.most_common())
    print(
        f"{counted(summary.documents, 'document')}, {counted(summary.total, 'page')}: "
        f"{summary.read_now} done now in {summary.seconds:.0f} s; all: {counts or 'none'}"
    )
    for line in _reasons(summary.folder):
        print(line, file=sys.stderr)
    print(run_verdict(asked).for_terminal())
    print(f"the ledger is in {summary.folder}")
    if summary.stopped:
        print(f"stopped: {summary.stopped}")
    unread = summary.statuses.keys() - {"ok", "blank"}
    return 1 if unread or summary.stopped else 0


def _reasons(folder: Path) -> Iterator[str]:
    """Why pages could not be read, or not in full: the first few of the ledger."""
    if not parts_of(folder):
        return
    unread = pc.field("status").isin([*get_args(FailureStatus), "incomplete"])
    table = pq.read_table(folder / "pages", columns=["status", "reason"], filters=unread)
    for row in table.slice(0, REASONS_SHOWN).to_pylist():
        yield f"{row['status']}: {row['reason']}"
    if table.num_rows > REASONS_SHOWN:
        yield f"and {table.num_rows - REASONS_SHOWN} more, in the ledger's column `reason`"


COMMAND = Command("infer", OPTIONS, _infer, kinds=kinds_of(InferOptions))
main = COMMAND.main
