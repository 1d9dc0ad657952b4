"""The folder of a run: its settings, its ledger in parquet parts, a text file per document.

`run.json` says with what the pages are read; nothing else is ever mixed in. Rows wait in memory
until a part is full or old enough, so a kill costs the pages of one part, which are read again.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from glmocr_utils.mass_infer.document_files import DocumentFiles
from glmocr_utils.records.page_row import (
    PART,
    PARTIAL_SUFFIX,
    PARTS,
    PageRow,
    parts_of,
    read_part,
    read_rows,
    row_from_record,
    write_part,
)

SETTINGS = "run.json"
LOCK = ".lock"
ROWS_A_PART = 64
SECONDS_A_PART = 20.0
KEY = ("document_path", "document_sha256", "page_index")


class RunFolder:
    """One run's folder, open for writing. Use it as a context manager.

    Args:
        path: the folder; made where it is missing.
        settings: what all its pages are read with; a JSON object.
        new_run: put a run with other settings aside instead of refusing.

    Raises:
        ValueError: it holds a run with other settings, or other files.
        BlockingIOError: another process writes there.
    """

    def __init__(
        self, path: str | Path, settings: Mapping[str, object], new_run: bool = False
    ) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(settings))
        self._claim(new_run)
        self._lock = FileLock(self.path / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise BlockingIOError(
                f"another process writes to the run {self.path}; wait for it, or choose another "
                "output_dir"
            ) from None
        for left in (self.path / "pages").glob(f"*{PARTIAL_SUFFIX}"):
            left.unlink()
        self.statuses: Counter[str] = Counter()
        self.done: set[tuple] = set()
        for path in parts_of(self.path):
            for row in read_part(path, (*KEY, "status")):
                self.done.add(tuple(row[name] for name in KEY))
                self.statuses[row["status"]] += 1
        self._documents = DocumentFiles(self.path / "documents")
        self._waiting: list[PageRow] = []
        self._waiting_since = time.monotonic()
        self._number = self._last_number()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.flush()
        finally:
            self._lock.release()

    def forget(self, is_outdated: Callable[[dict[str, object]], bool]) -> None:
        """Take rows out of the ledger, so that their pages are read again.

        Each part is replaced as a whole: a page has one row or, after a kill, none.

        Args:
            is_outdated: is given `document_path`, `document_sha256`, `page_index` and `status`.
        """
        for path in parts_of(self.path):
            marks = [is_outdated(row) for row in read_part(path, (*KEY, "status"))]
            if not any(marks):
                continue
            rows = [row_from_record(record) for record in read_part(path)]
            kept = [row for row, is_dropped in zip(rows, marks, strict=True) if not is_dropped]
            for row in (row for row, is_dropped in zip(rows, marks, strict=True) if is_dropped):
                self.done.discard(row.key)
                self.statuses[row.status] -= 1
                self._documents.remove(row.document_path, row.document_sha256)
            if kept:
                write_part(kept, path)
            else:
                path.unlink()
        self.statuses = +self.statuses

    def expect(self, documents: Mapping[tuple[str, str], int]) -> None:
        """Say how many pages each document (path, sha256) has: its text file is written then.

        Pages of these that were read before are looked up, so that a file is whole.
        """
        self._documents.expect(documents)
        unfinished = self._documents.unfinished()
        if unfinished and self.done:
            for row in read_rows(self.path):
                if (row.document_path, row.document_sha256) in unfinished:
                    self._documents.add(row)

    def add(self, row: PageRow) -> None:
        """Take in what became of a page; it is on the disk with the next part.

        Raises:
            ValueError: the page has a row already.
            OSError: the disk is full or cannot be written to.
        """
        if row.key in self.done:
            raise ValueError(f"page {row.key} has a row already")
        self.done.add(row.key)
        self.statuses[row.status] += 1
        self._waiting.append(row)
        is_old = time.monotonic() - self._waiting_since > SECONDS_A_PART
        if len(self._waiting) >= ROWS_A_PART or is_old:
            self.flush()

    def flush(self) -> None:
        """Write the waiting rows as a part, then the text files of documents that are complete.

        Raises:
            OSError: the disk is full or cannot be written to.
        """
        self._waiting_since = time.monotonic()
        if not self._waiting:
            return
        try:
            write_part(self._waiting, self.path / "pages" / PART.format(self._number + 1))
            self._number += 1
            rows, self._waiting = self._waiting, []
            for row in rows:
                self._documents.add(row)
        except OSError as error:
            for left in (self.path / "pages").glob(f"*{PARTIAL_SUFFIX}"):
                with suppress(OSError):
                    left.unlink()
            raise OSError(
                error.errno,
                f"nothing more can be written to {self.path} ({error.strerror}); what was read "
                "until the last part is kept: make room and start the run again",
            ) from error

    def _claim(self, new_run: bool) -> None:
        path = self.path / SETTINGS
        if path.exists():
            other = json.loads(path.read_text(encoding="utf-8"))
            if other == self._settings:
                return
            if not new_run:
                raise ValueError(
                    f"{self.path} holds a run with other {_differing(other, self._settings)}, and "
                    "one run does not mix them; choose another output_dir, or set new_run=True to "
                    "put that run aside"
                )
            self.path.rename(_free_name(self.path))
        elif self.path.exists() and {file.name for file in self.path.iterdir()} - {
            "results.json",
            LOCK,
        }:
            raise ValueError(f"{self.path} holds files that are no run; choose an empty output_dir")
        (self.path / "pages").mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + PARTIAL_SUFFIX)
        partial.write_text(json.dumps(self._settings, indent=1), encoding="utf-8")
        os.replace(partial, path)

    def _last_number(self) -> int:
        digits = PARTS.index("*")
        return max((int(path.stem[digits:]) for path in parts_of(self.path)), default=0)


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> str:
    names = sorted(one.keys() | other.keys())
    return ", ".join(name for name in names if one.get(name) != other.get(name))


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return aside
