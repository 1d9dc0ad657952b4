"""The text of each finished page as a file, for people and programs that read no log."""

from collections.abc import Iterable
from pathlib import Path

from glmocr_utils.files import write_file
from glmocr_utils.records import PageRef
from glmocr_utils.render import safe_stem


def text_files(pages: Iterable[PageRef], folder: Path) -> dict[PageRef, Path]:
    """Where each page's text goes: `folder/scan_p0001.txt`, named like the page's image.

    Of two documents with one name the second gets a part of its hash as well.
    """
    stems: dict[str, str] = {}  # by document_key
    taken: set[str] = set()
    files = {}
    for page in pages:
        if page.document_key not in stems:
            stem = safe_stem(page.document_path)
            if stem.casefold() in taken:
                stem = f"{stem}_{page.document_key[:8]}"
            taken.add(stem.casefold())
            stems[page.document_key] = stem
        name = f"{stems[page.document_key]}_p{page.page_number:04d}.txt"
        files[page] = folder / name
    return files


def write_text(path: Path, text: str) -> None:
    """The file appears whole or not at all, and ends with a line end."""
    write_file(path, text + "\n")
