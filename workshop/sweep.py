"""Any folder of PDFs through render, beside poppler: python -m workshop.sweep FOLDER

Prints each page on which poppler's pdftoppm draws ink and this project has none, without having
said that something is missing; each page of another size; each page that another renderer draws
and this one could not. Nothing printed, and exit code 0, means that nothing is wrong. Without
pdftoppm, it prints the pages that were not read, and why.
"""

import io
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import RenderOptions, find_documents, render_documents
from glmocr_utils.render.page_checks import is_blank

SCALE = 1.0  # pixels per point: enough to see ink
SECONDS = 60  # for poppler and a page
SIZE_TOLERANCE_PX = 2  # poppler rounds in its own way


def poppler_page(path: Path, page_number: int) -> Image.Image | None:
    """The page as poppler draws it; None where it cannot."""
    command = ["pdftoppm", "-r", str(72 * SCALE), "-cropbox", "-singlefile"]
    command += ["-f", str(page_number), "-l", str(page_number), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=True)
        return Image.open(io.BytesIO(done.stdout)).convert("RGB")
    except (OSError, subprocess.SubprocessError):
        return None


def wrong_with(page: PageImage | FailedPage, has_poppler: bool) -> str | None:
    """What a person should look at, in a line; None where nothing is wrong."""
    if isinstance(page, FailedPage):
        return _wrong_with_failed(page, has_poppler)
    if not has_poppler or not page.page.document_path.lower().endswith(".pdf"):
        return None
    where = f"{page.page.document_path}, page {page.page.page_number}"
    other = poppler_page(Path(page.page.document_path), page.page.page_number)
    if other is None:
        return None
    if not page.missing and is_blank(page.image) and not is_blank(other):
        return f"{where}: poppler draws ink, and there is none here"
    expected = [page.scale / SCALE * side for side in other.size]
    if any(
        not math.isclose(here, there, abs_tol=SIZE_TOLERANCE_PX)
        for here, there in zip(page.image.size, expected, strict=True)
    ):
        return f"{where}: {page.image.size} pixels here, {other.size} by poppler"
    return None


def _wrong_with_failed(page: FailedPage, has_poppler: bool) -> str | None:
    if not has_poppler:
        return f"{page.status}: {page.reason}"
    if page.status == "encrypted" or page.page_index is None:
        return None
    other = poppler_page(Path(page.document_path), page.page_index + 1)
    if other is None or is_blank(other):
        return None
    return f"poppler draws ink, and here it is {page.status}: {page.reason}"


def sweep(folder: Path) -> Iterator[str]:
    """What is wrong with the pages of a folder."""
    has_poppler = shutil.which("pdftoppm") is not None
    pages = render_documents(find_documents(folder), RenderOptions(scale=SCALE))
    read = 0
    for page in pages:
        read += 1
        if (problem := wrong_with(page, has_poppler)) is not None:
            yield problem
    beside = "beside poppler" if has_poppler else "without poppler, which is not installed"
    print(f"{read} pages, {beside}", file=sys.stderr)


def main() -> int:
    if len(sys.argv) != 2:
        print("name a folder: make sweep FOLDER=my-pdfs", file=sys.stderr)
        return 2
    problems = 0
    for problem in sweep(Path(sys.argv[1])):
        problems += 1
        print(problem, flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
