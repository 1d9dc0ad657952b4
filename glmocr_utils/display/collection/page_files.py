"""A file for each of some pages: the image beside the text, doubtful words tinted."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.display.collection.heights import InkHeights, ink_heights
from glmocr_utils.display.collection.images import images_of
from glmocr_utils.display.document import page_shell
from glmocr_utils.display.page import page_html, page_name
from glmocr_utils.files import same_name, write_file
from glmocr_utils.ocr.progress import counting
from glmocr_utils.records import OcrResult, PageImage, PageRef, read_results
from glmocr_utils.records.page_row import parts_of, read_rows, to_result
from glmocr_utils.render import safe_stem

FOLDER = "page_files"
IMAGE_WIDTH_PX = 1000
IMAGE_QUALITY = 60
Key = tuple[str, int]  # path of the document, and page index


@dataclass(frozen=True, slots=True)
class PageFile:
    """A page's own file, and its image beside it, from which the index cuts what is searched for.

    Attributes:
        name: of the HTML file, in the folder.
        image: name of the JPEG; None where the page has no image.
        ink: where the page's ink begins and ends.
        shape: width of the page by its height.
    """

    name: str
    image: str | None = None
    ink: InkHeights | None = None
    shape: float = 1.0


def write_page_files(
    path: Path,
    pages: Sequence[PageRef],
    folder: Path,
    password: str | None = None,
    numbers: Mapping[Key, int] | None = None,
) -> dict[Key, PageFile]:
    """Write them into `folder/page_files`.

    Args:
        path: the run, or the saved results, that the pages are of.
        numbers: of the pages in the index, to which each leads back.
    """
    results = results_of(path, pages)
    files: dict[Key, PageFile] = {}
    taken: set[str] = set()
    images = images_of(results, password)
    for result, image in zip(counting(results, "page files"), images, strict=True):
        name = _free_name(result.page, taken)
        number = (numbers or {}).get(_key(result))
        anchor = "" if number is None else f"#page-{number}"
        back = f'<p><a href="../index.html{anchor}">All pages</a></p>'
        html = page_shell(page_name(result.page), back + page_html(result, image))
        write_file(folder / FOLDER / name, html, durable=False)
        files[_key(result)] = _with_image(name, folder / FOLDER, image)
    return files


def _with_image(name: str, folder: Path, image: PageImage | None) -> PageFile:
    if image is None:
        return PageFile(name)
    own = f"{name.removesuffix('.html')}.jpg"
    write_file(folder / own, image.jpeg(IMAGE_WIDTH_PX, IMAGE_QUALITY), durable=False)
    return PageFile(name, own, ink_heights(image), image.width_px / image.height_px)


def results_of(path: Path, pages: Iterable[PageRef]) -> list[OcrResult]:
    """The readings of some pages, in the order of their documents."""
    wanted = {(page.document_path, page.page_index) for page in pages}
    if not wanted:
        return []
    return sorted((result for result in _results(path) if _key(result) in wanted), key=_key)


def _key(result: OcrResult) -> Key:
    return result.page.document_path, result.page.page_index


def _results(path: Path) -> Iterator[OcrResult]:
    if parts_of(path):
        run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        yield from filter(None, (to_result(row, run) for row in read_rows(path)))
        return
    for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]:
        yield from read_results(file)


def _free_name(page: PageRef, taken: set[str]) -> str:
    stem = f"{safe_stem(page.document_path)}_p{page.page_number:04d}"
    name, number = f"{stem}.html", 1
    while same_name(name) in taken:
        number += 1
        name = f"{stem}_{number}.html"
    taken.add(same_name(name))
    return name
