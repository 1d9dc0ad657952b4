"""`glmocr export`: adapter or checkpoint → a folder to serve, checked."""

from glmocr_utils.model_export import export_model
from glmocr_utils.options import ExportOptions
from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import find_documents, render_documents


def run(options: ExportOptions) -> int:
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
    pages: list[PageImage] = []
    for page in render_documents(find_documents(path)):
        if isinstance(page, FailedPage):
            raise ValueError(f"check_pages: {page.reason}")
        pages.append(page)
    return pages
