"""Copies of the labelled images, for self-contained exports."""

import io
import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from glmocr_utils.files import replacing
from glmocr_utils.records import Label
from glmocr_utils.records.pages import TURNS
from glmocr_utils.render import decode_image, safe_stem


def copy_images(labels: Sequence[Label], directory: Path) -> list[str]:
    """Copy each label's image into `directory`, under its own name where that is free.

    The image of a page that was turned to be read is turned likewise.

    Returns:
        The file names, one for each label; no two labels share one.

    Raises:
        FileNotFoundError: an image is no longer where it was labelled; nothing is copied then.
    """
    for label in labels:
        path = label.file.image_file
        if not path.is_file():
            raise FileNotFoundError(
                f"{str(path)!r} is not there any more; put the page image back, or render "
                "it again with notebook 01"
            )
    directory.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    names = []
    for label in labels:
        # file systems that ignore case take `A.png` and `a.png` for one
        name = next(name for name in _names(label) if name.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
        with replacing(directory / name, durable=False) as partial:
            write_turned(label, partial)
    return names


def write_turned(label: Label, file: Path) -> None:
    """Write a label's image as it was read: a copy of the file, or the turned image as PNG."""
    if label.angle == 0:
        shutil.copyfile(label.file.image_file, file)
    else:
        file.write_bytes(turned_png(label))


def turned_png(label: Label) -> bytes:
    """A label's image, turned by its angle, as a PNG file."""
    turned = decode_image(label.file.image_file).transpose(TURNS[label.angle])
    buffer = io.BytesIO()
    turned.save(buffer, "PNG")
    return buffer.getvalue()


def _names(label: Label) -> Iterator[str]:
    path = label.file.image_file
    stem, suffix = safe_stem(path.name), path.suffix.lower() if label.angle == 0 else ".png"
    yield stem + suffix
    yield f"{stem}_{label.file.image_sha256[:16]}{suffix}"
    yield from (f"{stem}_{label.file.image_sha256[:16]}_{n}{suffix}" for n in itertools.count(2))
