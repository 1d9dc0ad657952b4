"""Labels from text files beside the images: `page.gt.txt` or `page.txt` for `page.png`."""

from collections.abc import Iterator, Sequence

from glmocr_utils.labels.pages import LeftOut, make_label
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import Label, LabelStatus, PageFile

SOURCE = "sidecar"
SUFFIXES = (".gt.txt", ".txt")  # the first that is there counts


def label_from_sidecars(
    store: LabelStore,
    pages: Sequence[PageFile],
    *,
    status: LabelStatus = "gold",
    progress: bool = True,
) -> LabelRun:
    """Label pages with the UTF-8 text files beside their images; an empty file is a blank page."""

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        for page in missing:
            try:
                yield make_label(page, _read_sidecar(page), status, SOURCE)
            except ValueError as why:
                yield LeftOut(page.page, str(page.image_file), SOURCE, str(why))

    return store.record(SOURCE, pages, label_pages, progress=progress)


def _read_sidecar(page: PageFile) -> str:
    names = [page.image_file.stem + suffix for suffix in SUFFIXES]
    for path in map(page.image_file.with_name, names):
        if path.is_file():
            try:
                # without translating line ends: the raw text is kept as it came
                return path.read_bytes().decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path.name} is not UTF-8 text ({error}); convert it") from error
    raise ValueError(f"there is no {' or '.join(names)} beside the image")
