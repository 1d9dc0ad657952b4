"""One Markdown file a document, written when its last page is in."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

from glmocr_utils.files import same_name, write_file
from glmocr_utils.markdown import page_markdown, picture_name, regions_of_row
from glmocr_utils.records import Furniture, storable_path
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import folder_below, safe_stem

HEAD = "<!-- document: {}, sha256 {} -->\n"


class DocumentFiles:
    """Collects the pages of documents and writes `{name}.md` for each that is complete.

    A page begins with a comment that says its number, and its status where that is not `ok`. Two
    documents of one name get two files: the first line of a file says whose it is.

    Folders below the input are kept. Pages that were read by regions are laid out as Markdown, with
    links to their pictures in the folder `pictures` beside `folder`.

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
        self._files = {_first_line(path): path for path in folder.rglob("*.md")}
        self._taken = set(map(self._name, self._files.values()))
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
            self._taken.discard(self._name(path))

    def add(self, row: PageRow) -> None:
        """Take in a page; with the last one of its document the file is written."""
        document = (row.document_path, row.document_sha256)
        if document not in self._num_pages or row.page_index is None:
            return
        pages = self._pages.setdefault(document, {})
        pages[row.page_index] = self._page_text(row)
        if len(pages) == self._num_pages[document]:
            del self._pages[document]
            self._write(document, [pages[index] for index in sorted(pages)])

    def _write(self, document: tuple[str, str], pages: list[str]) -> None:
        head = _head(document)
        path = self._files.get(head) or self._free_path(document[0])
        write_file(path, head + "\n" + "\n".join(pages), durable=False)
        self._files[head] = path

    def _page_text(self, row: PageRow) -> str:
        marks = [f"page {row.page_index + 1}"]
        if row.status != "ok":
            marks.append(row.status)
        return f"<!-- {': '.join(marks)} -->\n\n{self._markdown(row)}\n"

    def _markdown(self, row: PageRow) -> str:
        if not row.regions:
            return row.text or ""
        below = folder_below(row.document_path, self._roots)
        pictures = (
            "../" * (len(below.parts) + 1) + f"pictures/{picture_folder(row.document_sha256)}"
        )
        return page_markdown(
            regions_of_row(row),
            furniture=self._furniture,
            link=lambda region: quote(f"{pictures}/{picture_name(row.page_index, region)}"),
        )

    def _free_path(self, document_path: str) -> Path:
        """A path that no other document has, on a disk that takes `X.md` and `x.md` for one too."""
        stem = self._folder / folder_below(document_path, self._roots) / safe_stem(document_path)
        name = self._name(stem)
        while True:
            self._last_numbers[name] += 1
            number = self._last_numbers[name]
            path = stem.with_name(f"{stem.name}.md" if number == 1 else f"{stem.name}_{number}.md")
            if self._name(path) not in self._taken:
                self._taken.add(self._name(path))
                return path

    def _name(self, path: Path) -> str:
        return same_name(path.relative_to(self._folder).as_posix())


def _head(document: tuple[str, str]) -> str:
    """The first line; a path may hold anything, also line ends and the end of a comment."""
    path, sha256 = document
    return HEAD.format(json.dumps(path, ensure_ascii=False).replace(">", "\\u003e"), sha256)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:  # it may be the user's own
        return file.readline()


def picture_folder(document_sha256: str) -> str:
    """The name of the folder with a document's pictures; copies of a document share it."""
    return document_sha256[:16]
