"""PDF and image files → page images: streaming, in worker processes, with every page accounted for.

for page in render_documents(find_documents("scans/"), RenderOptions(scale=2.0)):
    ...  # PageImage, or FailedPage that says why
"""

from glmocr_utils.options import RenderOptions, parse_pages
from glmocr_utils.render.documents import (
    SAMPLES,
    count_pages,
    find_documents,
    first_page,
    input_documents,
    render_document,
)
from glmocr_utils.render.errors import DocumentError
from glmocr_utils.render.image_file import decode_image
from glmocr_utils.render.imagefolder import RenderSummary, safe_stem, write_imagefolder
from glmocr_utils.render.names import folder_below, root_of
from glmocr_utils.render.pool import (
    CheckedPage,
    inspect_documents,
    render_and_check,
    render_documents,
)
from glmocr_utils.render.sampling import render_to_imagefolder
from glmocr_utils.render.worker import Inspected, encode_png

__all__ = [
    "SAMPLES",
    "CheckedPage",
    "DocumentError",
    "Inspected",
    "RenderOptions",
    "RenderSummary",
    "count_pages",
    "decode_image",
    "encode_png",
    "find_documents",
    "first_page",
    "folder_below",
    "input_documents",
    "inspect_documents",
    "parse_pages",
    "render_and_check",
    "render_document",
    "render_documents",
    "render_to_imagefolder",
    "root_of",
    "safe_stem",
    "write_imagefolder",
]
