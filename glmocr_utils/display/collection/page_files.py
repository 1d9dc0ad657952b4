"""A file for each of some pages: the image beside the text, doubtful words tinted."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from glmocr_utils.display.document import page_shell
from glmocr_utils.display.page import page_html, page_name
from glmocr_utils.files import same_name, write_file
from glmocr_utils.ocr import PageImages
from glmocr_utils.ocr.progress import counting
from glmocr_utils.records import OcrResult, PageRef, read_results
from glmocr_utils.records.page_row import parts_of, read_rows, to_result
from glmocr_utils.render import safe_stem

FOLDER = "page_files"
Key = tuple[str, int]  # path of the document, and page index


def write_page_files(
    path: Path, pages: Sequence[PageRef], folder: Path, password: str | None = None
) -> dict[Key, str]:
    """Write them into `folder/page_files`.

    Args:
        path: the run, or the saved results, that the pages are of.

    Returns:
        The names of the files.
    """
    wanted = {(page.document_path, page.page_index) for page in pages}
    results = sorted(
        (result for result in _results(path) if _key(result) in wanted), key=_key
    ) if wanted else []  # fmt: skip
    images = PageImages(results, password)
    names: dict[Key, str] = {}
    taken: set[str] = set()
    for result in counting(results, "page files"):
        name = _free_name(result.page, taken)
        back = '<p><a href="../index.html">All pages</a></p>'
        html = page_html(result, images.get(result.page))
        write_file(
            folder / FOLDER / name, page_shell(page_name(result.page), back + html), durable=False
        )
        names[_key(result)] = name
    return names


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
