"""`python -m glmocr_utils ocr`: documents → text with token probabilities."""

import argparse
import os
from time import perf_counter

from glmocr_utils.cli.command import Command, Option, Shorthand, counted, report_failures
from glmocr_utils.cli.render import PAGES, PASSWORD, SCALE
from glmocr_utils.confidence import verdict_of_results
from glmocr_utils.display.plain_text import (
    numbered_text,
    probability_lines,
    timing_lines,
    token_lines,
)
from glmocr_utils.grounding import Locator
from glmocr_utils.model import DEFAULT_MODEL, DTYPES, load_model
from glmocr_utils.ocr import PageImages, check_at_least_one, default_input, read_documents
from glmocr_utils.ocr_formats import FORMATS, check_formats, export_layouts
from glmocr_utils.records import FailedPage, OcrResult
from glmocr_utils.render import RenderOptions, find_documents, root_of

DTYPE = Option("dtype", "auto", ", ".join(DTYPES))
OPTIONS = (
    Option("model_id", DEFAULT_MODEL, "hub id or folder", aliases=("--model",)),
    Option("adapter", None, "hub id or folder of a LoRA adapter"),
    Option("prompt", "Text Recognition:", "what the model is asked to do"),
    SCALE,
    PAGES,
    PASSWORD,
    Option("max_tokens", 2048, "new tokens per page, at most"),
    Option("batch_size", 1, "pages read together"),
    Option("show_tokens", False, "print the number of generated tokens"),
    Option("show_probs", False, "print token probabilities and the 50 lowest"),
    Option("formats", None, f"with the boxes of words: {', '.join(FORMATS)}; several with commas"),
    Option("attn", "auto", "auto, sdpa, flash_attention_2, kernels-community/flash-attn2, …"),
    Option("device_map", "auto", "auto, cpu, cuda:0, …"),
    DTYPE,
    Option("start_over", False, "read again what output_dir holds, and replace it"),
    Option("output_dir", "outputs/02_ocr_explore", "gets a .jsonl and a .txt file per document"),
)


def _ocr(options: argparse.Namespace) -> int:
    check_at_least_one(max_tokens=options.max_tokens, batch_size=options.batch_size)
    formats = check_formats(options.formats)
    render_options = RenderOptions(options.scale, options.pages, options.password)
    given = options.input_path or [default_input(None)]
    paths = [path for each in given for path in find_documents(each)]
    start = perf_counter()
    model = load_model(
        options.model_id,
        options.adapter,
        attn=options.attn,
        device_map=options.device_map,
        dtype=options.dtype,
    )
    print(f"{model.describe()}, loaded in {perf_counter() - start:.1f} s")
    locator = Locator(model) if formats else None
    results: list[OcrResult] = []
    failed: list[FailedPage] = []
    pages = read_documents(
        model,
        paths,
        options.output_dir,
        options=render_options,
        roots=[root_of(each) for each in given],
        start_over=options.start_over,
        prompt=options.prompt,
        max_tokens=options.max_tokens,
        batch_size=options.batch_size,
    )
    try:
        for page in pages:
            if isinstance(page, FailedPage):
                failed.append(page)
                continue
            results.append(page)
            _print("", *numbered_text(page))
    except KeyboardInterrupt:
        where = options.output_dir
        print(f"{counted(len(results), 'page')} kept in {where}; run it again to resume")
        raise
    _print("", *timing_lines(results, options.batch_size))
    if options.show_tokens:
        _print("", *token_lines(results, options.batch_size))
    if options.show_probs:
        color = "NO_COLOR" not in os.environ
        _print("", *probability_lines(results, options.batch_size, color=color))
    if locator:
        images = PageImages(results, options.password)
        for path in export_layouts(
            locator, results, images, options.output_dir, formats, batch_size=options.batch_size
        ):
            _print(f"written: {path}")
    verdict = verdict_of_results(
        results,
        notebook="02",
        output_dir=str(options.output_dir),
        max_tokens=options.max_tokens,
        num_failed=len(failed),
    )
    _print("", verdict.for_terminal())
    print(f"\nfiles are in {options.output_dir}")
    incomplete = any(result.status == "incomplete" for result in results)
    return report_failures(failed) or int(incomplete)


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)


COMMAND = Command(
    "ocr",
    OPTIONS,
    _ocr,
    takes_several=True,
    input_option="--image",
    shorthands=(Shorthand("no_flash_attn", sets="attn", to="sdpa"),),
)
main = COMMAND.main
