"""Where the files of a document go in an output folder: below the folders it came from."""

from collections.abc import Iterable
from pathlib import Path

from glmocr_utils.render.documents import DEFAULT_INPUT
from glmocr_utils.render.imagefolder import safe_stem


def root_of(input_path: str | Path | None) -> Path:
    """The folder whose subfolders an output keeps: the input folder, or that of a file or list."""
    path = DEFAULT_INPUT if input_path is None else Path(input_path)
    return path if path.is_dir() else path.parent


def folder_below(document_path: str | Path, roots: Iterable[Path]) -> Path:
    """The folders between the nearest root and a document, each under a name that any system takes.

    `Path(".")` for a document right in a root, or outside all of them.
    """
    parent = Path(document_path).parent
    above = [root for root in roots if parent.is_relative_to(root)]
    if not above:
        return Path()
    parts = parent.relative_to(max(above, key=lambda root: len(root.parts))).parts
    # the suffix is for `safe_stem` to take off: a folder's own dots stay
    return Path(*(safe_stem(f"{part}.x") for part in parts if part != ".."))
