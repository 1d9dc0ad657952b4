"""The label set: a file that only grows, so that no label and no disagreement is ever lost.

`labels.jsonl` has one label a line; each line is on the disk before the next page is begun. What
counts now is worked out from all lines, see `LabelStore.current`. `left_out.jsonl` says which page
got no label from which source, and why.

A crash can leave half a line at the end of either file. It is passed over, the next who writes cuts
it off, and the page that it was about is labelled again.

One process writes at a time and holds a lock meanwhile, which ends with the process, however that
ends. Who gets the lock first takes in what others have written. Reading needs none.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from glmocr_utils.files import append_lines
from glmocr_utils.labels.pages import LeftOut, why_no_single_page
from glmocr_utils.records import (
    Label,
    LabelKey,
    PageFile,
    PageKey,
    PageRef,
    label_from_json,
    label_to_json,
)

LABELS = "labels.jsonl"
LEFT_OUT = "left_out.jsonl"
LOCK = ".lock"

PRECEDENCE = {"draft": 0, "silver": 1, "gold": 2}

Item = TypeVar("Item")  # what a source is given: a page, as a rule


@dataclass(frozen=True, slots=True)
class LabelRun:
    """The outcome of one run of a source.

    Attributes:
        source: which.
        labelled: pages that got a label.
        already_there: pages that had one from this source before.
        left_out: pages that got none, and why.
    """

    source: str
    labelled: int
    already_there: int
    left_out: tuple[LeftOut, ...]


class LabelStore:
    """The label set in a folder, which is made if it isn't there.

        store = LabelStore("outputs/04_labels")
        trusted = store.current_labels(["gold", "silver"])  # one label per page or region

    Raises:
        ValueError: a line, other than a half-written last one, is not a label.
        BlockingIOError: on writing, while another process writes to the folder.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        # one for all stores of this process in the folder, free again when the process ends
        self._lock = FileLock(
            self.directory.resolve() / LOCK, timeout=0, is_singleton=True, thread_local=False
        )
        self._history: dict[LabelKey, list[Label]] = defaultdict(list)
        self._left_out: dict[tuple[str, PageKey], LeftOut] = {}
        self._labels_file = _GrowingFile(self.directory / LABELS)
        self._left_out_file = _GrowingFile(self.directory / LEFT_OUT)
        self._take_in()

    def labels(self) -> list[Label]:
        """Every label ever added, page by page, each page's in the order they came."""
        return [label for history in self._history.values() for label in history]

    def history(self, key: LabelKey) -> list[Label]:
        """A page's labels in the order they came; empty for a page without any."""
        return list(self._history.get(key, ()))

    def standing(self, key: LabelKey) -> list[Label]:
        """A page's labels that are not rejected, in the order they came."""
        standing: list[Label] = []
        for label in self._history.get(key, ()):
            if label.status == "rejected":
                standing = [earlier for earlier in standing if earlier.text != label.text]
            else:
                standing.append(label)
        return standing

    def current(self, key: LabelKey) -> Label | None:
        """The label of a page that counts, or None.

        Gold before silver before draft; among equals one that a person checked, and then the one
        that came last. A rejection takes away all labels of the page that came before it with the
        same text, from whatever source.
        """
        standing = self.standing(key)
        ranked = [
            (PRECEDENCE[label.status], label.reviewer is not None, number)
            for number, label in enumerate(standing)
        ]
        return standing[max(ranked)[-1]] if ranked else None

    def current_labels(self, statuses: Iterable[str] = tuple(PRECEDENCE)) -> list[Label]:
        """The label of each page that counts, where it has one of these statuses."""
        current = [self.current(key) for key in self._history]
        return [label for label in current if label and label.status in set(statuses)]

    def left_out(self) -> list[LeftOut]:
        """Pages that a source gave no label, with the last reason, if it gave none since."""
        labelled = {(label.source, label.page.key) for label in self.labels()}
        return [entry for key, entry in self._left_out.items() if key not in labelled]

    def has(self, page: PageFile, source: str, prompt: str | None = None) -> bool:
        """Whether `source` (an llm: asked `prompt`) has labelled the page before."""
        history = self._history.get(page.key, ())
        return any(label.source == source and label.prompt == prompt for label in history)

    def add(self, label: Label) -> None:
        """Append a label; it is on the disk when this returns."""
        with self._writing():
            self._labels_file.append(label_to_json(label))
            self._take_in()

    def reject(self, label: Label, reviewer: str) -> Label:
        """Append that a person found this label's text wrong."""
        rejected = replace(
            label,
            status="rejected",
            source="review",
            reviewer=reviewer,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        self.add(rejected)
        return rejected

    def record(
        self,
        source: str,
        items: Iterable[Item],
        label_items: Callable[[Iterator[Item]], Iterable[Label | LeftOut]],
        is_there: Callable[[Any], bool] | None = None,
        *,
        progress: bool = True,
    ) -> LabelRun:
        """Run a source over the pages that it has not labelled yet, and keep its labels.

        Args:
            source: its name in the labels.
            items: the pages, or whatever the source makes its labels of.
            label_items: takes the missing ones and gives a `Label` or a `LeftOut` for each.
            is_there: whether one is labelled already; None asks `has`.
            progress: show a bar.
        """
        is_there = is_there or (lambda page: self.has(page, source))
        bar = tqdm(items, desc=source, unit="page", disable=not progress)
        already_there = labelled = 0
        left_out: list[LeftOut] = []

        def missing() -> Iterator[Item]:
            nonlocal already_there
            for item in bar:
                if is_there(item):
                    already_there += 1
                elif isinstance(item, PageFile) and (why := why_no_single_page(item)):
                    self._add_left_out(LeftOut(item.page, str(item.image_file), source, why))
                    left_out.append(LeftOut(item.page, str(item.image_file), source, why))
                else:
                    yield item

        with self._writing(), bar:
            for outcome in label_items(missing()):
                if isinstance(outcome, Label):
                    self.add(outcome)
                    labelled += 1
                else:
                    self._add_left_out(outcome)
                    left_out.append(outcome)
        return LabelRun(source, labelled, already_there, tuple(left_out))

    def _add_left_out(self, left_out: LeftOut) -> None:
        if self._left_out.get(_left_out_key(left_out)) != left_out:  # a rerun says the same again
            self._left_out_file.append(_left_out_to_json(left_out))
            self._take_in()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock, and know what others have written until now."""
        try:
            self._lock.acquire()
        except Timeout:
            raise BlockingIOError(
                f"another process writes to the label set {str(self.directory)!r}; wait until it "
                "is done or end it, then try again"
            ) from None
        try:
            self._labels_file.cut_torn_line()
            self._left_out_file.cut_torn_line()
            self._take_in()
            yield
        finally:
            self._lock.release()

    def _take_in(self) -> None:
        """Read what the files hold beyond what was read before."""
        for label in self._labels_file.new_lines(label_from_json):
            self._history[label.key].append(label)
        for left_out in self._left_out_file.new_lines(_left_out_from_json):
            self._left_out[_left_out_key(left_out)] = left_out


class _GrowingFile:
    """A file of lines that only grows, and how far it has been read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._bytes_read = 0
        self._lines_read = 0

    def append(self, line: str) -> None:
        # half a surrogate pair in a path has no UTF-8 form
        append_lines(self.path, line.encode("utf-8", "replace").decode())

    def cut_torn_line(self) -> None:
        """Take away the half of a line that a crash left; only who holds the lock may do this."""
        rest = self._unread()
        torn = len(rest) - (rest.rfind(b"\n") + 1)
        if torn:
            os.truncate(self.path, self._bytes_read + len(rest) - torn)

    def new_lines(self, parse: Callable[[str], object]) -> Iterator:
        """What the whole lines say that were not read before.

        Raises:
            ValueError: `parse` refuses one.
        """
        content = self._unread()
        for line in content.split(b"\n")[:-1]:
            try:
                parsed = parse(line.decode())
            except ValueError as error:
                raise ValueError(
                    f"{str(self.path)!r}, line {self._lines_read + 1}, is damaged: {error}; repair "
                    "or delete that line, or choose another output_dir"
                ) from error
            self._bytes_read += len(line) + 1
            self._lines_read += 1
            yield parsed

    def _unread(self) -> bytes:
        if not self.path.exists() or self.path.stat().st_size == self._bytes_read:
            return b""
        with self.path.open("rb") as file:
            file.seek(self._bytes_read)
            return file.read()


def _left_out_key(left_out: LeftOut) -> tuple[str, PageKey]:
    return left_out.source, left_out.page.key


def _left_out_to_json(left_out: LeftOut) -> str:
    record = asdict(left_out)
    return json.dumps({**record.pop("page"), **record}, ensure_ascii=False)


def _left_out_from_json(line: str) -> LeftOut:
    try:
        record = json.loads(line)
        return LeftOut(page=PageRef.pop_from(record), **record)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a page that was left out ({error})") from error
