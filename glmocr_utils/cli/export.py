"""`python -m glmocr_utils export`: adapter or checkpoint → a folder to serve, checked."""

import argparse

from glmocr_utils.cli.command import Command, Option
from glmocr_utils.model_export import export_model
from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import find_documents, render_documents

OPTIONS = (
    Option("base", None, "hub id or folder it was trained from, where the folder does not say"),
    Option("output_dir", "outputs/export", "a new folder; gets the model"),
    Option("check_pages", None, "document that both models must read alike; default: a drawn page"),
    Option("max_tokens", 256, "new tokens on each of its pages, at most"),
    Option("device_map", "auto", "auto, cpu, cuda:0, …"),
    Option("push_to_hub", None, "repository such as user/name; the token comes from HF_TOKEN"),
)


def _export(options: argparse.Namespace) -> int:
    if options.trained_model is None:
        raise ValueError("name the folder of the adapter or checkpoint that training wrote")
    result = export_model(
        options.trained_model,
        options.output_dir,
        base=options.base,
        pages=[] if options.check_pages is None else _pages(options.check_pages),
        max_tokens=options.max_tokens,
        device_map=options.device_map,
        push_to_hub=options.push_to_hub,
    )
    print(result)
    return 0


def _pages(path: str) -> list[PageImage]:
    """The pages of a document.

    Raises:
        ValueError: one of them cannot be rendered.
    """
    pages = list(render_documents(find_documents(path)))
    for page in pages:
        if isinstance(page, FailedPage):
            raise ValueError(f"check_pages: {page.reason}")
    return pages


COMMAND = Command(
    "export",
    OPTIONS,
    _export,
    input_help="folder of a LoRA adapter or a full checkpoint",
    input_name="trained_model",
)
main = COMMAND.main
