"""`python -m glmocr_utils infer`: a whole collection → a ledger with a row a page."""

import argparse
import sys

from glmocr_utils.cli.command import Command, Option
from glmocr_utils.cli.render import PASSWORD, SCALE
from glmocr_utils.mass_infer import RETRYABLE, InferOptions, infer
from glmocr_utils.mass_infer.watching import watch_in_terminal
from glmocr_utils.model import DEFAULT_MODEL


def number_or_auto(text: str) -> int | str:
    """`8` or `auto`."""
    return int(text) if text.isdigit() else text


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
    Option("concurrency", 16, "server: requests under way at a time", int),
    Option("ray_address", None, "ray: of a cluster, or auto; default: this machine"),
    Option("num_actors", None, "ray: models at work; default: one a GPU", int),
    Option("prompt", "Text Recognition:", "what the model is asked to do"),
    Option("prompt_style", None, "default or nothink; default: as the model was trained"),
    SCALE,
    PASSWORD,
    Option("max_tokens", 2048, "new tokens per page, at most", int),
    Option("retry_max_tokens", None, "for one more try of a page that met max_tokens", int),
    Option("batch_size", "auto", "pages read together, or auto: what memory holds", number_or_auto),
    Option("retry", None, f"read pages with these statuses again: {','.join(RETRYABLE)}"),
    Option("calibration", None, "calibration.json of notebook 03, for expected errors"),
    Option("max_failure_rate", 0.5, "stop when more of the pages fail or loop", float),
    Option("new_run", False, "put a run with other settings in output_dir aside"),
    Option("attn", "auto", "as in ocr"),
    Option("device_map", "auto", "auto, cpu, cuda:0, …"),
    Option("output_dir", "outputs/06_mass_infer", "the run's folder"),
)


def _infer(options: argparse.Namespace) -> int:
    try:
        summary = infer(InferOptions(**vars(options)), watch=watch_in_terminal())
    except OSError as error:  # a full disk, or another process that writes there
        print(f"error: {error.strerror or error}", file=sys.stderr)
        return 2
    counts = ", ".join(f"{count} {status}" for status, count in summary.statuses.most_common())
    print(
        f"{summary.documents} documents, {summary.total} pages: {summary.read_now} read now in "
        f"{summary.seconds:.0f} s; all: {counts or 'none'}"
    )
    print(f"the ledger is in {summary.folder}")
    if summary.stopped:
        print(f"stopped: {summary.stopped}")
    unread = summary.statuses.keys() - {"ok", "blank"}
    return 1 if unread or summary.stopped else 0


COMMAND = Command("infer", OPTIONS, _infer)
main = COMMAND.main
