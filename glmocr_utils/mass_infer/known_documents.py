"""What a run knows of its documents: each by its content and its path below the input.

`documents.jsonl` in the run's folder has a line for each document that was looked at: the name that
its rows have in the ledger, where it was, and size and time of its file. So another spelling of the
input, another working folder or a moved collection is recognised, and a restart need not open a
file whose path, size and time it knows. A line that a crash lost costs a look at one file.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any, Self

from glmocr_utils.files import cut_half_line, whole_lines
from glmocr_utils.records import FailedPage, storable_path
from glmocr_utils.render import Inspected
from glmocr_utils.render.documents import DEFAULT_INPUT

KNOWN = "documents.jsonl"


@dataclass(frozen=True, slots=True)
class Located:
    """A document and where it is.

    Attributes:
        path: as the user gave it.
        below: its path below the input.
        file: its path without links in its folders.
        size, mtime_ns: of the file, in bytes and nanoseconds; None where there is none.
    """

    path: Path
    below: str
    file: str
    size: int | None
    mtime_ns: int | None


def locate(input_path: str | Path | None, paths: Iterable[Path]) -> list[Located]:
    """Where the documents of an input are; one that is named twice comes once.

    Args:
        input_path: a file, a folder or a list; None is `data`.
        paths: its documents, as `input_documents` gives them.
    """
    given = Path(DEFAULT_INPUT if input_path is None else input_path)
    base = str(given if given.is_dir() else given.parent)
    real = os.path.realpath(base)
    located = (_located(path, base, real) for path in paths)
    return list({document.file: document for document in located}.values())


def _located(path: Path, base: str, real: str) -> Located:
    text = str(path)
    inside = text.startswith(base + os.sep)
    below = text[len(base) + 1 :] if inside else os.path.normpath(text)
    file = os.path.normpath(os.path.join(real, below)) if inside else os.path.realpath(text)
    if base == "." and not path.is_absolute():  # `Path` writes no dot
        below, file = text, os.path.normpath(os.path.join(real, text))
    try:
        stat = os.stat(text)
    except OSError:
        return Located(path, below, file, None, None)
    return Located(path, below, file, stat.st_size, stat.st_mtime_ns)


class KnownDocuments:
    """The documents of a run. Use it as a context manager.

    Args:
        folder: the run's.
        in_ledger: name and sha256 of the documents that have rows; of one that did not open, None.
    """

    def __init__(self, folder: Path, in_ledger: Iterable[tuple[str, str | None]]) -> None:
        self._by_file: dict[str, dict] = {}
        self._names: dict[tuple[str | None, str], str] = {}  # by sha256, and file or path below
        noted = set()
        self._path = folder / KNOWN
        for line in self._lines():
            self._by_file[line["file"]] = line
            for where in (line["below"], line["file"]):
                self._names[line["sha256"], where] = line["name"]
            noted.add((line["name"], line["sha256"]))
        # of runs that noted less
        self._older: dict[str | None, list[str]] = defaultdict(list)
        for name, sha256 in set(in_ledger) - noted:
            self._older[sha256].append(name)
        self._given: set[tuple[str, str | None]] = set()
        self._file: BufferedWriter  # from __enter__ on

    def __enter__(self) -> Self:
        if self._path.exists():
            cut_half_line(self._path)
        self._file = self._path.open("ab")
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def believed(self, document: Located) -> Inspected | None:
        """What is known of a document whose path, size and time are as they were."""
        known = self._by_file.get(document.file)
        if known is None or known["sha256"] is None or document.size is None:
            return None
        if (known["size"], known["mtime_ns"]) != (document.size, document.mtime_ns):
            return None
        return Inspected(document.path, known["sha256"], known["num_pages"])

    def name(self, document: Located, looked_at: Inspected | FailedPage) -> str:
        """The name of a document in the ledger: the one it has there, or its path as given."""
        sha256 = looked_at.sha256 if isinstance(looked_at, Inspected) else None
        name = self.name_in_ledger(document, sha256) or storable_path(document.path)
        if (name, sha256) in self._given:
            name = storable_path(document.file)
        self._given.add((name, sha256))
        return name

    def name_in_ledger(self, document: Located, sha256: str | None) -> str | None:
        """The name that a document of this content has there; None where it has none.

        Args:
            sha256: None where it did not open.
        """
        names = [self._names.get((sha256, where)) for where in (document.file, document.below)]
        names += self._older_names(document, self._older.get(sha256, ()))
        free = (name for name in names if name and (name, sha256) not in self._given)
        return next(free, None)

    def note(self, document: Located, looked_at: Inspected | FailedPage, name: str) -> None:
        """Write down what a look at a document found."""
        opened = looked_at if isinstance(looked_at, Inspected) else None
        line: dict[str, Any] = {
            "name": name,
            "below": storable_path(document.below),
            "file": storable_path(document.file),
            "sha256": opened.sha256 if opened else None,
            "num_pages": opened.num_pages if opened else None,
            "size": document.size,
            "mtime_ns": document.mtime_ns,
        }
        if self._by_file.get(line["file"]) == line:
            return
        self._by_file[line["file"]] = line
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    def flush(self) -> None:
        self._file.flush()

    def _older_names(self, document: Located, names: Iterable[str]) -> list[str]:
        """Names of rows that may be of this document, the surest first."""
        given = storable_path(document.path)
        exact = [name for name in names if name == given]
        same = [name for name in names if os.path.realpath(name) == document.file]
        ending = os.sep + document.below
        # the shortest first: `b.pdf` was `pdfs/b.pdf` rather than `pdfs/deeper/b.pdf`
        moved = sorted((name for name in names if (os.sep + name).endswith(ending)), key=len)
        return [*exact, *same, *moved]

    def _lines(self) -> Iterator[dict]:
        if self._path.exists():
            yield from map(json.loads, whole_lines(self._path))
