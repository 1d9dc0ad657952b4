"""`glmocr infer`: a whole collection → a ledger with a row a page."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pyarrow.compute as pc
import pyarrow.parquet as pq

from glmocr_utils.cli.command import as_typed, counted
from glmocr_utils.mass_infer import InferOptions, estimate_run, infer
from glmocr_utils.mass_infer.run_verdict import run_verdict
from glmocr_utils.ocr import show_reading
from glmocr_utils.records import FailureStatus
from glmocr_utils.records.page_row import parts_of

REASONS_SHOWN = 10


def run(options: InferOptions) -> int:
    line = show_reading()
    try:
        if options.estimate:
            print(estimate_run(options, watch=line))
            return 0
        summary = infer(options, watch=line)
    finally:
        line.clear()
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.most_common())
    print(
        f"{counted(summary.documents, 'document')}, {counted(summary.total, 'page')}: "
        f"{summary.read_now} done now in {summary.seconds:.0f} s; all: {counts or 'none'}"
    )
    print(summary.speed_line(options.price_per_hour))
    for reason in _reasons(summary.folder):
        print(reason, file=sys.stderr)
    print(run_verdict(options).for_terminal(as_typed(options.input_path)))
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
