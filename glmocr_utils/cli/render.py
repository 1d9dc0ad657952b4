"""`glmocr render`: documents → PNG files and metadata.jsonl."""

from glmocr_utils.cli.command import counted, inputs_of, report_failures
from glmocr_utils.options import ImagefolderOptions, RenderOptions
from glmocr_utils.render import input_documents, render_to_imagefolder


def run(options: ImagefolderOptions) -> int:
    """Render into an imagefolder. Returns the exit code."""
    summary = render_to_imagefolder(
        [path for given in inputs_of(options.input_path) for path in input_documents(given)],
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
