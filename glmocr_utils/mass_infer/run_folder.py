"""The folder of a run: its settings, its ledger in parquet parts, a text file per document.

`run.json` says with what the pages are read; nothing else is ever mixed in. Rows wait in memory
until a part is full or old enough, so a kill costs the pages of one part, which are read again.
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from glmocr_utils.files import PARTIAL_SUFFIX, write_file
from glmocr_utils.markdown.pictures import Picture
from glmocr_utils.mass_infer.document_files import DocumentFiles, picture_folder
from glmocr_utils.mass_infer.ledger import Document, Key, PagesDone, stretches
from glmocr_utils.mass_infer.run_lock import LOCK, NOTE, RunLock
from glmocr_utils.records.page_row import (
    PART,
    PARTS,
    STATUS_OF,
    PageRow,
    parts_of,
    read_part,
    row_for_text,
    row_from_record,
    write_part,
)
from glmocr_utils.render import encode_png

SETTINGS = "run.json"
LIMITS = ("max_tokens", "retry_max_tokens")  # each attempt of a row names its own
NO_PAGES_YET = {"results.json", LOCK, NOTE, SETTINGS + PARTIAL_SUFFIX}
ROWS_A_PART = 64
SECONDS_A_PART = 20.0
KEY = ("document_path", "document_sha256", "page_index")
IN_A_TEXT_FILE = (*KEY, "num_pages", "status", "text", "token_lengths", "regions")
PICTURES = "pictures"


class RunFolder:
    """One run's folder, open for writing. Use it as a context manager.

    Args:
        path: the folder; made where it is missing.
        settings: what all its pages are read with; a JSON object.
        new_run: put a run with other settings aside instead of refusing.
        retry: statuses whose pages are to be read again; the limits in `settings` may then be
            others. Such a row stays until there is a new one, which takes its place in its part.
        root: the input's folder; text files keep the folders of documents below it.

    Attributes:
        done: the pages that need not be read.
        statuses: how many pages have which status.
        unopened: documents that did not open, and the part that has the row which says so.

    Raises:
        ValueError: it holds a run with other settings, or other files.
        BlockingIOError: another process writes there, on this machine or on another one.
        OSError: there can be no folder.
    """

    statuses: Counter[str]
    _documents: DocumentFiles
    _last_texts: tuple[Path | None, list[dict[str, Any]]]
    _last_rows: tuple[Path | None, dict[Key, PageRow]]

    def __init__(
        self,
        path: str | Path,
        settings: Mapping[str, object],
        new_run: bool = False,
        retry: Collection[str] = (),
        root: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self._settings = json.loads(json.dumps(settings))
        self._root = root
        self._refuse_other_files()
        self._lock = RunLock(self.path)
        try:
            self._claim(new_run, LIMITS if retry else ())
            self._open(retry)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self.flush()
        finally:
            self._lock.release()

    @property
    def documents(self) -> Collection[Document]:
        """Name and sha256 of the documents that had rows when the folder was opened."""
        return self._parts_of.keys()

    def forget_unopened(self, opened: Collection[str]) -> None:
        """Take out the rows of documents that did not open and now do: their pages get rows.

        Args:
            opened: paths of documents.
        """
        paths = [path for path in opened if path in self.unopened]
        forgotten = {path: self.unopened.pop(path) for path in paths}
        for part in set(forgotten.values()):
            kept = []
            for row in map(row_from_record, read_part(part)):
                if row.page_index is not None or row.document_path not in forgotten:
                    kept.append(row)
                else:
                    self.statuses[row.status] -= 1
                    self.done.discard(row.key)
            if kept:
                write_part(kept, part)
            else:
                part.unlink()
        self.statuses = +self.statuses

    def expect(self, documents: Mapping[tuple[str, str], int]) -> None:
        """Say how many pages each document (path, sha256) has: its text file is written then.

        Pages of these that were read before are looked up, so that a file is whole.
        """
        self._documents.expect(documents)
        # one by one: a run calls this for each of its documents, and may have very many
        wanted = {
            each
            for each in documents
            if each in self._parts_of
            and (each in self._outdated_documents or not self._documents.has(each))
        }
        for part in sorted({part for document in wanted for part in self._parts_of[document]}):
            for record in self._texts_of(part):
                key = _key(record)
                if key[:2] in wanted and key not in self._outdated:
                    self._documents.add(row_for_text(record))

    def _texts_of(self, part: Path) -> list[dict[str, Any]]:
        """The rows of a part that was finished before, for text files; the last part is kept."""
        if self._last_texts[0] != part:
            self._last_texts = part, list(read_part(part, IN_A_TEXT_FILE))
        return self._last_texts[1]

    def add(self, row: PageRow) -> None:
        """Take in what became of a page; it is on the disk with the next part.

        Raises:
            ValueError: the page has a row already.
            OSError: the disk is full or cannot be written to.
        """
        if row.key in self.done:
            raise ValueError(f"page {row.key} has a row already")
        self.done.add(row.key)
        part = self._next_part
        status: str = row.status
        if row.key in self._outdated:
            part, before = self._outdated.pop(row.key)
            self.statuses[before] -= 1
            status = before if _keeps_its_text(before, row) else status
        self.statuses[status] += 1
        self.statuses = +self.statuses
        self._waiting.setdefault(part, []).append(row)
        is_old = time.monotonic() - self._waiting_since > SECONDS_A_PART
        if sum(map(len, self._waiting.values())) >= ROWS_A_PART or is_old:
            self.flush()

    def before(self, key: Key) -> PageRow | None:
        """The row of a page that is to be read again."""
        if key not in self._outdated:
            return None
        part, _ = self._outdated[key]
        if self._last_rows[0] != part:  # the pages of a part come one after the other
            rows = map(row_from_record, read_part(part))
            self._last_rows = part, {row.key: row for row in rows if row.key in self._outdated}
        return self._last_rows[1].get(key)

    def keep_pictures(self, row: PageRow, pictures: Iterable[Picture]) -> None:
        """Write the pictures of a page, before its row says that they are there.

        Raises:
            OSError: the disk is full or cannot be written to.
        """
        for picture in pictures:
            folder = self.path / PICTURES / picture_folder(row.document_sha256)
            write_file(folder / picture.name, encode_png(picture.image), durable=False)

    def flush(self) -> None:
        """Write the waiting rows as a part, then the text files of documents that are complete.

        Rows of pages that were read again take the place of the old ones: each part is replaced as
        a whole, so a page has the one or the other.

        Raises:
            OSError: the disk is full or cannot be written to.
        """
        self._waiting_since = time.monotonic()
        if self._waiting:
            self._lock.check()
        try:
            for part in list(self._waiting):
                rows = self._write(part, self._waiting[part])
                del self._waiting[part]
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

    def _write(self, part: Path, rows: list[PageRow]) -> list[PageRow]:
        """Write rows to a part. Returns the rows that then stand for their pages."""
        if part == self._next_part:
            write_part(rows, part)
            self._number += 1
            return rows
        whole = {row.key: row for row in map(row_from_record, read_part(part))}
        for row in rows:
            # before the row: a text file never says what the ledger does not
            self._documents.remove((row.document_path, row.document_sha256))
            whole[row.key] = _read_again(whole[row.key], row)
        write_part(whole.values(), part)
        return [whole[row.key] for row in rows]

    def _refuse_other_files(self) -> None:
        if not self.path.is_dir() or (self.path / SETTINGS).exists():
            return
        if {file.name for file in self.path.iterdir()} - NO_PAGES_YET:
            raise ValueError(
                f"{self.path} contains files that aren't part of a run; choose an empty output_dir"
            )

    def _claim(self, new_run: bool, may_differ: Collection[str]) -> None:
        """Make sure that the folder holds this run; its lock is held."""
        path = self.path / SETTINGS
        if path.exists():
            other = json.loads(path.read_text(encoding="utf-8"))
            differing = _differing(other, self._settings) - set(may_differ)
            if not differing:
                return
            if not new_run:
                raise ValueError(
                    f"{self.path} holds a run with other {', '.join(sorted(differing))}, and "
                    "one run does not mix them; choose another output_dir, or set new_run=True to "
                    "put that run aside"
                )
            self._lock.sign_off()
            self.path.rename(_free_name(self.path))
            aside, self._lock = self._lock, RunLock(self.path)
            aside.release()
        write_file(path, json.dumps(self._settings, indent=1))

    def _open(self, retry: Collection[str]) -> None:
        pages = self.path / "pages"
        pages.mkdir(exist_ok=True)
        for left in pages.glob(f"*{PARTIAL_SUFFIX}"):
            left.unlink()
        self.statuses = Counter()
        self.done = PagesDone()
        self._outdated: dict[Key, tuple[Path, str]] = {}  # part and status of rows to replace
        self.unopened: dict[str, Path] = {}
        self._parts_of: dict[Document, list[Path]] = {}
        for rows in stretches(parts_of(self.path)):
            self.statuses[rows.status] += len(rows.pages)
            if rows.status in retry:
                keys = ((*rows.document, page_index) for page_index in rows.pages)
                self._outdated |= dict.fromkeys(keys, (rows.part, rows.status))
            else:
                self.done.update(rows.document, rows.pages)
            self._parts_of.setdefault(rows.document, []).append(rows.part)
            if None in rows.pages:
                self.unopened[rows.document[0]] = rows.part
        self._outdated_documents = {key[:2] for key in self._outdated}
        self._last_texts = (None, [])
        self._last_rows = (None, {})
        self._documents = DocumentFiles(
            self.path / "documents", self._root, self._settings.get("furniture") or "apart"
        )
        self._waiting: dict[Path, list[PageRow]] = {}  # by the part that they belong to
        self._waiting_since = time.monotonic()
        digits = PARTS.index("*")
        self._number = max((int(part.stem[digits:]) for part in parts_of(self.path)), default=0)

    @property
    def _next_part(self) -> Path:
        return self.path / "pages" / PART.format(self._number + 1)


def _key(record: Mapping[str, Any]) -> Key:
    path, sha256, page_index = (record[name] for name in KEY)
    return path, sha256, page_index


def _keeps_its_text(status: str, again: PageRow) -> bool:
    """Whether a page of this status has a text, and reading it again gave none."""
    return again.status == "failed" and status in (*STATUS_OF.values(), "incomplete")


def _read_again(before: PageRow, again: PageRow) -> PageRow:
    """The row of a page that was read again."""
    has_lost_regions = again.status == "failed" and before.regions and not again.regions
    if not (has_lost_regions or _keeps_its_text(before.status, again)):
        return again
    return replace(before, reason=f"{before.reason} Read again, it failed: {again.reason}")


def _differing(one: Mapping[str, object], other: Mapping[str, object]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    return aside
