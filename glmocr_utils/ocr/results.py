"""Readings of an earlier run, and the images of their pages."""

import atexit
import json
import weakref
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from glmocr_utils.records import (
    FailedPage,
    OcrResult,
    PageImage,
    PageRef,
    read_results,
)
from glmocr_utils.records.page_row import parts_of, read_rows, to_result
from glmocr_utils.render import (
    RenderOptions,
    render_document,
)


def load_results(path: str | Path) -> list[OcrResult]:
    """Load saved readings: one `.jsonl` file, all below a folder, or a run of notebook 06.

    From a run, pages that have text with probabilities, in the order of their documents.

        for result in load_results("outputs/02_ocr_explore"):
            print(result.page.page_number, result.text)

    Raises:
        FileNotFoundError: there is no such file, or none in the folder.
    """
    path = Path(path)
    if parts_of(path):
        run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        results = [to_result(row, run) for row in read_rows(path)]
        return sorted(
            filter(None, results),
            key=lambda result: (result.page.document_path, result.page.page_index),
        )
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise FileNotFoundError(
            f"no results at {path}; notebook 02 writes .jsonl files, and notebook 06 a run's folder"
        )
    return [result for file in files for result in read_results(file)]


class PageImages(Mapping[PageRef, PageImage]):
    """The images of pages as they were read, rendered (and turned) again when asked for.

    One image is kept. Pages asked for in order are rendered in one go, which ends with the last
    page of their document; a page whose document is gone has no image (`get` gives None).

    Args:
        results: the pages; each is rendered at the scale at which it was read.
        password: opens encrypted PDFs.
    """

    def __init__(self, results: Sequence[OcrResult], password: str | None = None) -> None:
        self._scales = {result.page: result.scale for result in results}
        self._angles = {result.page: result.angle for result in results}
        self._last_index: dict[str, int] = {}
        for page in self._scales:
            so_far = self._last_index.get(page.document_path, 0)
            self._last_index[page.document_path] = max(so_far, page.page_index)
        self._password = password
        self._coming: Generator[PageImage | FailedPage, None, None] | None = None
        self._last: PageImage | None = None
        self._ends_in_time = False

    def __getitem__(self, page: PageRef) -> PageImage:
        scale = self._scales[page]
        if self._last is None or self._last.page != page:
            last = self._last
            follows = last is not None and (page.document_path, page.page_index - 1, scale) == (
                last.page.document_path,
                last.page.page_index,
                last.scale,
            )
            if not follows:
                self.close()
                options = RenderOptions(scale, f"{page.page_number}-", self._password)
                self._coming = render_document(page.document_path, options)
            self._last = None
            assert self._coming is not None  # the first page follows no other
            image = next(self._coming, None)
            if not self._ends_in_time:  # after pdfium is imported, whose own end is then the later
                atexit.register(_close, weakref.ref(self))
                self._ends_in_time = True
            if not isinstance(image, PageImage) or image.page != page:
                raise KeyError(page)
            self._last = image.turned(self._angles[page])
            if page.page_index == self._last_index[page.document_path]:
                self.close()
        return self._last

    def close(self) -> None:
        """Close the document that is open; a page that is asked for opens it again."""
        if self._coming is not None:
            self._coming.close()

    def __iter__(self) -> Iterator[PageRef]:
        return iter(self._scales)

    def __len__(self) -> int:
        return len(self._scales)


def _close(reference: "weakref.ref[PageImages]") -> None:
    images = reference()
    if images is not None:
        images.close()
