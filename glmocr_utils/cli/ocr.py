"""`glmocr ocr`: documents → text with token probabilities."""

import os
from time import perf_counter

from glmocr_utils.cli.command import as_typed, counted, inputs_of, report_failures
from glmocr_utils.confidence import verdict_of_results
from glmocr_utils.display.plain_text import (
    numbered_text,
    probability_lines,
    timing_lines,
    token_lines,
)
from glmocr_utils.grounding import Locator
from glmocr_utils.model import load_model
from glmocr_utils.ocr import (
    PageImages,
    default_input,
    read_by_region,
    read_documents,
    show_reading,
)
from glmocr_utils.ocr_formats import check_formats, export_layouts
from glmocr_utils.options import OcrOptions
from glmocr_utils.records import FailedPage, OcrResult
from glmocr_utils.render import RenderOptions, find_documents, root_of


def run(options: OcrOptions) -> int:
    formats = check_formats(options.formats)
    render_options = RenderOptions(options.scale, options.pages, options.password)
    given = [default_input(path) for path in inputs_of(options.input_path)]
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
    by_region = read_by_region(
        model, options.layout, options.tasks, options.furniture, options.prompt
    )
    line = show_reading()
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
        by_region=by_region,
        watch=line,
    )
    try:
        for page in pages:
            if isinstance(page, FailedPage):
                failed.append(page)
                continue
            results.append(page)
            line.clear()
            _print("", *numbered_text(page))
    except KeyboardInterrupt:
        line.clear()
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
            locator,
            results,
            images,
            options.output_dir,
            formats,
            password=options.password,
            batch_size=options.batch_size,
        ):
            _print(f"written: {path}")
    verdict = verdict_of_results(
        results,
        notebook="02",
        output_dir=str(options.output_dir),
        max_tokens=options.max_tokens,
        num_failed=len(failed),
    )
    _print("", verdict.for_terminal(as_typed(options.input_path)))
    print(f"\nfiles are in {options.output_dir}")
    incomplete = any(result.missing for result in results)
    return report_failures(failed) or int(incomplete)


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)
