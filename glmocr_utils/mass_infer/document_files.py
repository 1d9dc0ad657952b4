"""One Markdown file a document, written when its last page is in."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from glmocr_utils.records.page_row import PARTIAL_SUFFIX, PageRow
from glmocr_utils.render import safe_stem

HEAD = "<!-- document: {}, sha256 {} -->\n"


class DocumentFiles:
    """Collects the pages of documents and writes `{name}.md` for each that is complete.

    A page begins with a comment that says its number, and its status where that is not `ok`. Two
    documents of one name get two files: the first line of a file says whose it is.

    Args:
        folder: gets the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._num_pages: dict[tuple[str, str], int] = {}
        self._pages: dict[tuple[str, str], dict[int, str]] = {}
        self._files = {_first_line(path): path for path in folder.glob("*.md")}
        self._last_numbers: Counter[str] = Counter()  # of the files of one name

    def expect(self, documents: Mapping[tuple[str, str], int]) -> None:
        """Say how many pages each document (path, sha256) has."""
        self._num_pages |= documents

    def unfinished(self, documents: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the documents that have no file yet."""
        return {document for document in documents if _head(document) not in self._files}

    def remove(self, *document: str) -> None:
        """Delete the file of a document (path, sha256), if there is one: a page was read anew."""
        path = self._files.pop(_head(document), None)
        if path is not None:
            path.unlink(missing_ok=True)

    def add(self, row: PageRow) -> None:
        """Take in a page; with the last one of its document the file is written."""
        document = (row.document_path, row.document_sha256)
        if document not in self._num_pages or row.page_index is None:
            return
        pages = self._pages.setdefault(document, {})
        pages[row.page_index] = _page_text(row)
        if len(pages) == self._num_pages[document]:
            del self._pages[document]
            self._write(document, [pages[index] for index in sorted(pages)])

    def _write(self, document: tuple[str, str], pages: list[str]) -> None:
        self._folder.mkdir(exist_ok=True)
        head = _head(document)
        path = self._files.get(head) or self._free_path(safe_stem(document[0]))
        partial = path.with_name(path.name + PARTIAL_SUFFIX)
        partial.write_text(head + "\n" + "\n".join(pages), encoding="utf-8")
        os.replace(partial, path)
        self._files[head] = path

    def _free_path(self, stem: str) -> Path:
        while True:
            self._last_numbers[stem] += 1
            number = self._last_numbers[stem]
            path = self._folder / (f"{stem}.md" if number == 1 else f"{stem}_{number}.md")
            if not path.exists():
                return path


def _head(document: tuple[str, str]) -> str:
    """The first line; a path may hold anything, also line ends and the end of a comment."""
    path, sha256 = document
    return HEAD.format(json.dumps(path, ensure_ascii=False).replace(">", "\\u003e"), sha256)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:  # it may be the user's own
        return file.readline()


def _page_text(row: PageRow) -> str:
    marks = [f"page {row.page_index + 1}"]
    if row.status != "ok":
        marks.append(row.status)
    return f"<!-- {': '.join(marks)} -->\n\n{row.text or ''}\n"
