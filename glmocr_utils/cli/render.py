"""`python -m glmocr_utils render`: documents → PNG files and metadata.jsonl."""

import argparse

from glmocr_utils.cli.command import Command, Option, counted, report_failures
from glmocr_utils.render import RenderOptions, input_documents, render_to_imagefolder

SCALE = Option("scale", 2.0, "pixels per PDF point (2.0 is 144 DPI)")
PAGES = Option("pages", None, 'page numbers from 1, such as "1-3,7"; default: all')
PASSWORD = Option("password", None, "opens encrypted PDFs")

OPTIONS = (
    SCALE,
    PAGES,
    Option("num_pages", None, "pages in output_dir in all; a random sample reaches it"),
    Option("seed", 42, "of that sample"),
    PASSWORD,
    Option("output_dir", "outputs/01_render", "gets the PNG files and metadata.jsonl"),
)


def _render(options: argparse.Namespace) -> int:
    summary = render_to_imagefolder(
        [path for given in options.input_path or [None] for path in input_documents(given)],
        options.output_dir,
        RenderOptions(options.scale, options.pages, options.password),
        num_pages=options.num_pages,
        seed=options.seed,
        progress=_count,
    )
    print(
        f"\n{counted(summary.written, 'page')} written, {summary.already_there} were there, "
        f"{summary.total} in {options.output_dir}"
    )
    if summary.shortfall:
        print(f"{summary.shortfall} fewer than asked for: there are no more pages")
    if summary.incomplete:
        print(f"{counted(len(summary.incomplete), 'page')} incomplete, for the reasons above")
    return max(report_failures(summary.failed), int(bool(summary.incomplete)))


def _count(done: int, total: int) -> None:
    print(f"\rrendered {done} of {total}", end="", flush=True)


COMMAND = Command("render", OPTIONS, _render, takes_several=True)
main = COMMAND.main
