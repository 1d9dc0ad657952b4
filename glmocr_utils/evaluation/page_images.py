"""The images of a few pages, rendered from their documents, to see what was misread."""

from collections.abc import Sequence
from pathlib import Path

from glmocr_utils.evaluation.page_text import PageKey, PageText
from glmocr_utils.records import PageImage
from glmocr_utils.render import RenderOptions, find_documents, render_document


def images_of(
    pages: Sequence[PageText], documents: str | Path | None, scale: float = 1.5
) -> dict[PageKey, PageImage]:
    """Render the given pages; one whose document is not found, or fails, has no image.

    Args:
        documents: a PDF, an image or a folder of them; None looks where readings say that their
            document is.
        scale: pixels per PDF point.
    """
    if documents is None:
        paths = [Path(page.document) for page in pages if Path(page.document).is_file()]
    else:
        paths = [Path(path) for path in find_documents(documents)]
    path_of = {PageText(path.name, 0, None).key[0]: path for path in reversed(paths)}
    images: dict[PageKey, PageImage] = {}
    for page in pages:
        path = path_of.get(page.key[0])
        if path is None or page.key in images:
            continue
        options = RenderOptions(scale, str(page.page_index + 1))
        rendered = next(iter(render_document(path, options)), None)
        if isinstance(rendered, PageImage):
            images[page.key] = rendered
    return images
