"""`glmocr ground`: choose the attention heads that show where tokens are."""

from glmocr_utils.cli.command import report_failures
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
from glmocr_utils.model import load_model
from glmocr_utils.options import GroundOptions
from glmocr_utils.records import FailedPage
from glmocr_utils.render import RenderOptions, find_documents


def run(options: GroundOptions) -> int:
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
    print(f"heads: {heads}; their strongest cell touches what is read in {choice.score:.1%}")
    print(f"usual share of their attention at the text: {choice.usual_share:.2f}\n")
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


def _known_pages(options: GroundOptions, failed: list[FailedPage]) -> list[KnownPage]:
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
