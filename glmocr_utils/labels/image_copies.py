"""Copies of the labelled images, for exports that stand alone."""

import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from glmocr_utils.records import Label
from glmocr_utils.render import safe_stem


def copy_images(labels: Sequence[Label], directory: Path) -> list[str]:
    """Copy each label's image into `directory`, under its own name where that is free.

    Returns:
        The file names, one for each label; no two labels share one.

    Raises:
        FileNotFoundError: an image is no longer where it was labelled; nothing is copied then.
    """
    for label in labels:
        if not Path(label.image_file).is_file():
            raise FileNotFoundError(
                f"{label.image_file!r} is not there any more; put the page image back, or render "
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
        partial = directory / (name + ".partial")
        shutil.copyfile(label.image_file, partial)
        os.replace(partial, directory / name)
    return names


def _names(label: Label) -> Iterator[str]:
    path = Path(label.image_file)
    stem, suffix = safe_stem(path.name), path.suffix.lower()
    yield stem + suffix
    yield f"{stem}_{label.image_sha256[:16]}{suffix}"
    yield from (f"{stem}_{label.image_sha256[:16]}_{n}{suffix}" for n in itertools.count(2))
