"""Labels from a Hugging Face dataset with an image and a text column."""

import hashlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from glmocr_utils.files import write_file
from glmocr_utils.labels.pages import LeftOut, make_label
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import Label, LabelStatus, PageFile, PageRef

if TYPE_CHECKING:
    import datasets

SUFFIX_OF_FORMAT = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif"}

logger = logging.getLogger(__name__)


def label_from_dataset(
    store: LabelStore,
    dataset: "datasets.Dataset | str | Path",
    *,
    split: str = "train",
    name: str | None = None,
    status: LabelStatus = "gold",
    progress: bool = True,
) -> LabelRun:
    """Take over the rows of a dataset; their images are written to `images/` in the store.

    Of rows with the same image the first counts; one with another text is named in the log.

    Args:
        dataset: a dataset; or the id, folder or file of one, see `load_splits`. It has a column of
            images, and one of texts named label, text or ground_truth.
        split: which split of a hub id or folder; the only one where there is one alone.
        name: of the source, which will be `hub:{name}`; None takes the id or folder.

    Raises:
        ValueError: the dataset lacks such columns, or a row has no image.
    """
    import datasets  # it takes a second

    from glmocr_utils.labels.sources.loading import find_columns

    if not isinstance(dataset, datasets.Dataset):
        name = name or str(dataset)
        dataset = _split_of(str(dataset), split)
    source = f"hub:{name or 'dataset'}"
    image_column, text_column = find_columns(dataset)
    images = dataset.select_columns([image_column])
    images = images.cast_column(image_column, datasets.Image(decode=False))
    texts = dataset.select_columns([text_column])
    folder = store.directory / "images"
    folder.mkdir(exist_ok=True)
    row_of: dict[str, int] = {}  # by image_sha256

    def pages() -> Iterator[PageFile]:
        for number, row in enumerate(images):
            content = _content(row[image_column], number)
            sha256 = hashlib.sha256(content).hexdigest()
            first = row_of.setdefault(sha256, number)
            if texts[first] != texts[number]:
                logger.warning("row %d has the image of row %d and another text", number, first)
            image_file = _write(content, folder / sha256)
            yield PageFile(PageRef(source, sha256, 0), image_file, sha256)

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        for page in missing:
            number = row_of[page.image_sha256]
            text = texts[number][text_column]
            if text is None or not page.image_file.suffix:
                reason = f"row {number} " + (
                    "has no text" if text is None else "has an image that cannot be read"
                )
                yield LeftOut(page.page, str(page.image_file), source, reason)
            else:
                yield make_label(page, text, status, source)

    return store.record(source, pages(), label_pages, progress=progress)


def _split_of(name: str, split: str) -> "datasets.Dataset":
    """The split of a data set, or its only one.

    Raises:
        ValueError: it has several, and none of this name.
    """
    from glmocr_utils.labels.sources.loading import load_splits

    splits = load_splits(name)
    if split in splits:
        return splits[split]
    if len(splits) == 1:
        return next(iter(splits.values()))
    raise ValueError(
        f"{name} has no split {split!r}; it has {', '.join(splits)}. Give the files of one of them"
    )


def _content(image: dict | None, number: int) -> bytes:
    """The bytes of the image file."""
    if image and image["bytes"]:
        return image["bytes"]
    if image and image["path"]:
        return Path(image["path"]).read_bytes()
    raise ValueError(f"row {number} of the dataset has no image; filter such rows out before")


def _write(content: bytes, stem: Path) -> Path:
    """Write an image file whole or not at all, with the suffix of its format.

    Returns:
        Its path; without a suffix, and nothing written, when it isn't an image.
    """
    try:
        with Image.open(io.BytesIO(content), formats=list(SUFFIX_OF_FORMAT)) as image:
            image.verify()
            path = stem.with_suffix(SUFFIX_OF_FORMAT[image.format or ""])
    except (OSError, SyntaxError, Image.DecompressionBombError):  # PNG errors are SyntaxErrors
        return stem
    if not path.exists():
        write_file(path, content)
    return path
