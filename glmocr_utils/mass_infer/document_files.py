"""One Markdown file a document, written when its last page is in."""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from glmocr_utils.files import cut_half_line, same_name, whole_lines, write_file
from glmocr_utils.markdown import (
    page_head,
    page_markdown,
    picture_name,
    regions_of_row,
    text_markdown,
)
from glmocr_utils.records import Furniture, storable_path
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import folder_below, safe_stem

INDEX = "document_files.jsonl"
HEAD = "<!-- document: {}, sha256 {} -->\n"


class DocumentFiles:
    """Collects the pages of documents and writes `{name}.md` for each that is complete.

    A page begins with its number, and its status where that is not `ok`: in a comment, and to be
    seen. Signs that Markdown would take for markup are escaped, lines end as they were read. Two
    documents of one name get two files: the first line of a file says whose it is.

    Folders below the input are kept. `document_files.jsonl` beside the folder says which file is
    whose, so that a restart opens none; of a file that it does not know, the first line says it.
    Pages that were read by regions are laid out as Markdown, with links to their pictures in the
    folder `pictures` beside `folder`.

    Args:
        folder: gets the files.
        root: the input's folder; None keeps no folders.
        furniture: what becomes of headers, footers and notes.
    """

    def __init__(
        self, folder: Path, root: Path | None = None, furniture: Furniture = "apart"
    ) -> None:
        self._folder = folder
        self._furniture = furniture
        self._roots = () if root is None else (Path(storable_path(root)),)
        self._num_pages: dict[tuple[str, str], int] = {}
        self._pages: dict[tuple[str, str], dict[int, str]] = {}
        self._index = folder.with_name(INDEX)
        heads = self._indexed()
        names = {
            os.path.relpath(os.path.join(below, name), folder)
            for below, _, names in os.walk(folder)
            for name in names
            if name.endswith(".md")
        }
        unknown = {name: _first_line(folder / name) for name in names if not heads.get(name)}
        if unknown:
            self._note(unknown)
        heads |= unknown
        self._files = {heads[name]: name for name in names}
        self._taken = set(map(_taken_name, names))
        self._last_numbers: Counter[str] = Counter()  # of the files of one name

    def expect(self, documents: Mapping[tuple[str, str], int]) -> None:
        """Say how many pages each document (path, sha256) has."""
        self._num_pages |= documents

    def has(self, document: tuple[str, str]) -> bool:
        """Whether a document has its file."""
        return _head(document) in self._files

    def remove(self, document: tuple[str, str | None]) -> None:
        """Delete the file of a document (path, sha256), if there is one: a page was read again."""
        name = self._files.pop(_head(document), None)
        if name is not None:
            self._note({name: None})
            (self._folder / name).unlink(missing_ok=True)
            self._taken.discard(_taken_name(name))

    def add(self, row: PageRow) -> None:
        """Take in a page; with the last one of its document the file is written."""
        document = (row.document_path, row.document_sha256)
        if document not in self._num_pages or row.page_index is None:
            return
        pages = self._pages.setdefault(document, {})
        pages[row.page_index] = self._page_text(row.page_index, row)
        if len(pages) == self._num_pages[document]:
            del self._pages[document]
            self._write(document, [pages[index] for index in sorted(pages)])

    def _write(self, document: tuple[str, str], pages: list[str]) -> None:
        head = _head(document)
        name = self._files.get(head) or self._free_name(document[0])
        write_file(self._folder / name, head + "\n" + "\n".join(pages), durable=False)
        self._note({name: head})
        self._files[head] = name

    def _page_text(self, page_index: int, row: PageRow) -> str:
        return f"{page_head(page_index + 1, row.status)}\n\n{self._markdown(page_index, row)}\n"

    def _markdown(self, page_index: int, row: PageRow) -> str:
        if not row.regions:
            return text_markdown(row.text or "")
        below = folder_below(row.document_path, self._roots)
        pictures = (
            "../" * (len(below.parts) + 1) + f"pictures/{picture_folder(row.document_sha256)}"
        )
        return page_markdown(
            regions_of_row(row),
            furniture=self._furniture,
            link=lambda region: quote(f"{pictures}/{picture_name(page_index, region)}"),
        )

    def _note(self, heads: Mapping[str, str | None]) -> None:
        """Write down the first lines of files, once these are there; None before they go."""
        with self._index.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(note) + "\n" for note in heads.items())

    def _indexed(self) -> dict[str, str | None]:
        """The first line of each file that is known; of two notes, the later one holds."""
        if not self._index.exists():
            return {}
        cut_half_line(self._index)
        return dict(map(json.loads, whole_lines(self._index)))

    def _free_name(self, document_path: str) -> str:
        """A name that no other document has, also where `X.md` and `x.md` are one file."""
        stem = str(folder_below(document_path, self._roots) / safe_stem(document_path))
        key = _taken_name(stem)
        while True:
            self._last_numbers[key] += 1
            number = self._last_numbers[key]
            name = f"{stem}.md" if number == 1 else f"{stem}_{number}.md"
            if _taken_name(name) not in self._taken:
                self._taken.add(_taken_name(name))
                return name


def _taken_name(name: str) -> str:
    return same_name(name.replace(os.sep, "/"))


def _head(document: tuple[str, str | None]) -> str:
    """The first line; a path may hold anything, also line ends and the end of a comment."""
    path, sha256 = document
    return HEAD.format(json.dumps(path, ensure_ascii=False).replace(">", "\\u003e"), sha256)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:  # it may be the user's own
        return file.readline()


def picture_folder(document_sha256: str | None) -> str:
    """The name of the folder with a document's pictures; copies of a document share it."""
    return (document_sha256 or "unknown")[:16]
