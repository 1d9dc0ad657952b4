"""The label set: a file that only grows, so that no label and no disagreement is ever lost.

`labels.jsonl` has one label a line; each line is on the disk before the next page is begun. What
counts now is worked out from all lines, see `LabelStore.current`. `left_out.jsonl` says which page
got no label from which source, and why.

A crash can leave half a line at the end of either file. Opening the store cuts it off, and the
page that it was about is labelled again.
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tqdm.auto import tqdm

from glmocr_utils.labels.pages import LeftOut, PageFile
from glmocr_utils.records import Label, PageRef, label_from_json, label_to_json

LABELS = "labels.jsonl"
LEFT_OUT = "left_out.jsonl"

# What a page's label is known by: document_sha256, page_index, task.
PageKey = tuple[str, int, str]

PRECEDENCE = {"draft": 0, "silver": 1, "gold": 2}


@dataclass(frozen=True, slots=True)
class LabelRun:
    """What one run of a source did.

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


def key_of(page: Label | PageFile) -> PageKey:
    """What a page's label is known by: document_sha256, page_index, task."""
    return page.page.document_sha256, page.page.page_index, page.task


class LabelStore:
    """The label set in a folder. One process at a time may write to it.

    Raises:
        ValueError: a line, other than a half-written last one, is not a label.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._history: dict[PageKey, list[Label]] = defaultdict(list)
        self._left_out: dict[tuple[str, str, int], LeftOut] = {}
        for label in self._read(LABELS, label_from_json):
            self._history[key_of(label)].append(label)
        for left_out in self._read(LEFT_OUT, _left_out_from_json):
            self._left_out[_left_out_key(left_out)] = left_out

    def labels(self) -> list[Label]:
        """Every label ever added, page by page, each page's in the order they came."""
        return [label for history in self._history.values() for label in history]

    def history(self, key: PageKey) -> list[Label]:
        """A page's labels in the order they came; empty for a page without any."""
        return list(self._history.get(key, ()))

    def standing(self, key: PageKey) -> list[Label]:
        """A page's labels that are not rejected, in the order they came."""
        standing: list[Label] = []
        for label in self._history.get(key, ()):
            if label.status == "rejected":
                standing = [earlier for earlier in standing if earlier.text != label.text]
            else:
                standing.append(label)
        return standing

    def current(self, key: PageKey) -> Label | None:
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
        labelled = {
            (label.source, label.page.document_sha256, label.page.page_index)
            for label in self.labels()
        }
        return [entry for key, entry in self._left_out.items() if key not in labelled]

    def has(self, page: PageFile, source: str, prompt: str | None = None) -> bool:
        """Whether `source` (an llm: asked `prompt`) has labelled the page before."""
        history = self._history.get(key_of(page), ())
        return any(label.source == source and label.prompt == prompt for label in history)

    def add(self, label: Label) -> None:
        """Append a label; it is on the disk when this returns."""
        self._append(LABELS, label_to_json(label))
        self._history[key_of(label)].append(label)

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
        pages: Iterable[PageFile],
        label_pages: Callable[[Iterator[PageFile]], Iterable[Label | LeftOut]],
        *,
        prompt: str | None = None,
        progress: bool = True,
    ) -> LabelRun:
        """Run a source over the pages that it has not labelled yet, and keep what it gives.

        Args:
            source: its name in the labels.
            label_pages: takes the missing pages and gives a `Label` or a `LeftOut` for each.
            prompt: what an llm is asked; another prompt labels a page anew.
            progress: show a bar.
        """
        bar = tqdm(pages, desc=source, unit="page", disable=not progress)
        already_there = labelled = 0

        def missing() -> Iterator[PageFile]:
            nonlocal already_there
            for page in bar:
                if self.has(page, source, prompt):
                    already_there += 1
                else:
                    yield page

        left_out = []
        with bar:
            for outcome in label_pages(missing()):
                if isinstance(outcome, Label):
                    self.add(outcome)
                    labelled += 1
                else:
                    self._add_left_out(outcome)
                    left_out.append(outcome)
        return LabelRun(source, labelled, already_there, tuple(left_out))

    def _add_left_out(self, left_out: LeftOut) -> None:
        key = _left_out_key(left_out)
        if self._left_out.get(key) != left_out:  # a rerun gives the same reason again
            self._append(LEFT_OUT, _left_out_to_json(left_out))
            self._left_out[key] = left_out

    def _append(self, name: str, line: str) -> None:
        with (self.directory / name).open("ab") as file:
            # half a surrogate pair in a path has no UTF-8 form
            file.write(line.encode("utf-8", "replace") + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, name: str, parse: Callable[[str], object]) -> Iterator:
        path = self.directory / name
        if not path.exists():
            return
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
        for number, line in enumerate(content[:whole].split(b"\n")[:-1], start=1):
            try:
                yield parse(line.decode())
            except ValueError as error:
                raise ValueError(
                    f"{str(path)!r}, line {number}, is damaged: {error}; repair or delete that "
                    "line, or choose another output_dir"
                ) from error


def _left_out_key(left_out: LeftOut) -> tuple[str, str, int]:
    return left_out.source, left_out.page.document_sha256, left_out.page.page_index


def _left_out_to_json(left_out: LeftOut) -> str:
    record = asdict(left_out)
    return json.dumps({**record.pop("page"), **record}, ensure_ascii=False)


def _left_out_from_json(line: str) -> LeftOut:
    try:
        record = json.loads(line)
        names = ("document_path", "document_sha256", "page_index")
        return LeftOut(page=PageRef(*(record.pop(name) for name in names)), **record)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a page that was left out ({error})") from error
