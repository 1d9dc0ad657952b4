"""`python -m glmocr_utils ground`: choose the heads that tell where tokens stand."""

import argparse

from glmocr_utils.cli.command import Command, Option, report_failures
from glmocr_utils.cli.ocr import DTYPE
from glmocr_utils.cli.render import PAGES, PASSWORD, SCALE
from glmocr_utils.grounding.choice import choice_path, load_choice, save_choice
from glmocr_utils.grounding.evaluation import (
    choose_for,
    draw_pages,
    evaluate_boxes,
    pages_with_text_layer,
)
from glmocr_utils.grounding.evaluation.choosing import split_pages
from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.grounding.evaluation.table import HEAD
from glmocr_utils.model import DEFAULT_MODEL, load_model
from glmocr_utils.ocr import check_at_least_one
from glmocr_utils.records import FailedPage
from glmocr_utils.render import RenderOptions, find_documents

OPTIONS = (
    Option("model_id", DEFAULT_MODEL, "hub id or folder", aliases=("--model",)),
    Option("adapter", None, "hub id or folder of a LoRA adapter"),
    SCALE,
    PAGES,
    PASSWORD,
    Option("choose", True, "False: judge the heads that are chosen already, on all pages"),
    Option("num_pages", 32, "drawn pages, where no PDF is given"),
    Option("seed", 42, "of the drawn pages, and of which pages are for what"),
    Option("with_reading", True, "also read the pages, and place what was read"),
    Option("max_tokens", 2048, "new tokens per page, at most"),
    Option("batch_size", 1, "pages in one pass"),
    Option("attn", "auto", "as in ocr"),
    Option("device_map", "auto", "auto, cpu, cuda:0, …"),
    DTYPE,
)


def _ground(options: argparse.Namespace) -> int:
    check_at_least_one(
        max_tokens=options.max_tokens, batch_size=options.batch_size, num_pages=options.num_pages
    )
    failed: list[FailedPage] = []
    pages = _known_pages(options, failed)
    model = load_model(
        options.model_id,
        options.adapter,
        attn=options.attn,
        device_map=options.device_map,
        dtype=options.dtype,
    )
    print(model.describe())
    if options.choose:
        chosen_on = options.input_path or "drawn pages"
        to_score, to_combine, pages = split_pages(pages, options.seed)
        if not options.input_path:  # other letters than those by which the heads are chosen
            pages = draw_pages(len(pages), options.seed, unusual_fonts=True)
        choice = choose_for(
            model, to_score, to_combine, chosen_on=chosen_on, batch_size=options.batch_size
        )
        save_choice(choice, choice_path(model))
        print(f"written to {choice_path(model)}")
    else:
        choice = load_choice(model)
    heads = ", ".join(f"layer {layer} head {head}" for layer, head in choice.heads)
    print(f"heads: {heads}; their strongest cell touches what is read in {choice.score:.1%}\n")
    print(HEAD)
    for row in evaluate_boxes(
        model,
        choice.heads,
        pages,
        max_tokens=options.max_tokens,
        batch_size=options.batch_size,
        with_reading=options.with_reading,
    ):
        print(row, flush=True)
    return report_failures(failed)


def _known_pages(options: argparse.Namespace, failed: list[FailedPage]) -> list[KnownPage]:
    if not options.input_path:
        return draw_pages(options.num_pages, options.seed)
    render_options = RenderOptions(options.scale, options.pages, options.password)
    pages = []
    for page in pages_with_text_layer(find_documents(options.input_path), render_options):
        if isinstance(page, FailedPage):
            failed.append(page)
        else:
            pages.append(page)
    if not pages:
        report_failures(failed)
        raise ValueError(
            f"no page of {options.input_path} has a text layer to judge by; give a PDF that a "
            "program made, not a scan"
        )
    return pages


COMMAND = Command(
    "ground",
    OPTIONS,
    _ground,
    input_help="born-digital PDFs: one, a folder, or a .txt list; default: drawn pages",
)
main = COMMAND.main
