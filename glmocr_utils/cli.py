"""The terminal's door: `python -m glmocr_utils render|ocr|demo`.

Each command takes the names and defaults of its notebook's parameters, with dashes or underscores.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from glmocr_utils.model import DEFAULT_MODEL, ModelLoadError, load_model
from glmocr_utils.notebook_run import run_demo
from glmocr_utils.ocr import check_at_least_one
from glmocr_utils.reading import default_input, read_documents
from glmocr_utils.records import FailedPage, OcrResult
from glmocr_utils.render import RenderOptions, find_documents, render_to_imagefolder
from glmocr_utils.terminal import numbered_text, probability_lines, timing_lines, token_lines


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command, and parameter of its notebook.

    Attributes:
        name: with underscores, as in the notebook.
        default: None or False also say how it is parsed: as text, or as a switch.
        help: what it means, with its unit.
        type: of its value.
        aliases: other spellings.
    """

    name: str
    default: object
    help: str
    type: Callable[[str], object] = str
    aliases: tuple[str, ...] = ()


INPUT_PATH = "a PDF, an image, a folder of them, or a .txt list of paths"
SCALE = Option("scale", 2.0, "pixels per PDF point (2.0 is 144 DPI)", float)
PAGES = Option("pages", None, 'page numbers from 1, such as "1-3,7"; default: all')
PASSWORD = Option("password", None, "opens encrypted PDFs")

RENDER_OPTIONS = (
    SCALE,
    PAGES,
    Option("num_pages", None, "pages in output_dir in all; a random sample reaches it", int),
    Option("seed", 42, "of that sample", int),
    PASSWORD,
    Option("output_dir", "outputs/01_render", "gets the PNG files and metadata.jsonl"),
)
OCR_OPTIONS = (
    Option("model_id", DEFAULT_MODEL, "hub id or folder", aliases=("--model",)),
    Option("adapter", None, "hub id or folder of a LoRA adapter"),
    Option("prompt", "Text Recognition:", "what the model is asked to do"),
    SCALE,
    PAGES,
    PASSWORD,
    Option("max_tokens", 2048, "new tokens per page, at most", int),
    Option("batch_size", 1, "pages in one pass", int),
    Option("show_tokens", False, "print the number of generated tokens"),
    Option("show_probs", False, "print token probabilities and the 50 lowest"),
    Option("attn", "auto", "auto, sdpa, flash_attention_2, kernels-community/flash-attn2, …"),
    Option("device_map", "auto", "auto, cpu, cuda:0, …"),
    Option("output_dir", "outputs/02_ocr_explore", "gets a .jsonl and a .txt file per document"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 1 if a page failed, 2 if nothing could be done."""
    parser = argparse.ArgumentParser(prog="python -m glmocr_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, options, about in (
        ("render", _render, RENDER_OPTIONS, "documents → PNG files and metadata.jsonl"),
        ("ocr", _ocr, OCR_OPTIONS, "documents → text with token probabilities"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.set_defaults(run=run)
        command.add_argument("input_path", nargs="?", default=None, help=INPUT_PATH)
        for option in options:
            _add(command, option)
        if name == "ocr":
            _add_no_flash_attn(command)
    demo = commands.add_parser("demo", help="run the notebooks on data/samples, offline")
    demo.set_defaults(run=lambda _: run_demo())
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (FileNotFoundError, ValueError, ModelLoadError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; documents that were read to their end are kept", file=sys.stderr)
        return 130


def _render(options: argparse.Namespace) -> int:
    summary = render_to_imagefolder(
        find_documents(options.input_path or "data"),
        options.output_dir,
        RenderOptions(options.scale, options.pages, options.password),
        num_pages=options.num_pages,
        seed=options.seed,
        progress=_count,
    )
    print(
        f"\n{summary.written} pages written, {summary.already_there} were there, "
        f"{summary.total} in {options.output_dir}"
    )
    if summary.shortfall:
        print(f"{summary.shortfall} fewer than asked for: there are no more pages")
    return _report_failures(summary.failed)


def _count(done: int, total: int) -> None:
    print(f"\rrendered {done} of {total}", end="", flush=True)


def _ocr(options: argparse.Namespace) -> int:
    check_at_least_one(max_tokens=options.max_tokens, batch_size=options.batch_size)
    render_options = RenderOptions(options.scale, options.pages, options.password)
    paths = find_documents(default_input(options.input_path))
    start = perf_counter()
    model = load_model(
        options.model_id, options.adapter, attn=options.attn, device_map=options.device_map
    )
    print(f"{model.describe()}, loaded in {perf_counter() - start:.1f} s")
    results: list[OcrResult] = []
    failed: list[FailedPage] = []
    for page in read_documents(
        model,
        paths,
        options.output_dir,
        options=render_options,
        prompt=options.prompt,
        max_tokens=options.max_tokens,
        batch_size=options.batch_size,
    ):
        if isinstance(page, FailedPage):
            failed.append(page)
            continue
        results.append(page)
        _print("", *numbered_text(page))
    _print("", *timing_lines(results, options.batch_size))
    if options.show_tokens:
        _print("", *token_lines(results, options.batch_size))
    if options.show_probs:
        color = "NO_COLOR" not in os.environ
        _print("", *probability_lines(results, options.batch_size, color=color))
    print(f"\nfiles are in {options.output_dir}")
    return _report_failures(failed)


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)


def _report_failures(failed: Sequence[FailedPage]) -> int:
    for page in failed:
        print(f"{page.status}: {page.reason}", file=sys.stderr)
    return 1 if failed else 0


def _add(parser: argparse.ArgumentParser, option: Option) -> None:
    dashed = "--" + option.name.replace("_", "-")
    names = dict.fromkeys((dashed, "--" + option.name, *option.aliases))
    if option.default is False:
        parser.add_argument(
            *names, dest=option.name, nargs="?", const=True, default=False, type=_boolean,
            metavar="True|False", help=option.help,
        )  # fmt: skip
    else:
        shown = "" if option.default is None else f" (default: {option.default})"
        parser.add_argument(
            *names, dest=option.name, default=option.default, type=option.type,
            help=option.help + shown.replace("%", "%%"),
        )  # fmt: skip


def _add_no_flash_attn(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-flash-attn", "--no_flash_attn", dest="attn", action="store_const", const="sdpa",
        help="the same as --attn sdpa",
    )  # fmt: skip


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise argparse.ArgumentTypeError(f"expected True or False, got {text!r}")
