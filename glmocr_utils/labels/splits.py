"""Training and test split: by document, never by page, and the same when documents are added."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from glmocr_utils.records import Label

FILE_NAME = "split.json"

SplitName = Literal["train", "test"]


def document_of(label: Label) -> str:
    """The group of a label when nothing else is said: its document."""
    return label.page.document_key


@dataclass(frozen=True, slots=True)
class Split:
    """Which group of pages is for training and which for testing.

    Attributes:
        of_group: `train` or `test` for each group.
        group: the group of a label; pages of a group are never separated.
    """

    of_group: Mapping[str, SplitName]
    group: Callable[[Any], str] = field(default=document_of, compare=False)

    def of(self, label: Label) -> SplitName:
        """The split that a label is in.

        Raises:
            KeyError: its group was not there when the split was made.
        """
        return self.of_group[self.group(label)]


def split_by_document(
    labels: Iterable[Any],
    test_size: float | int = 0.1,
    seed: int = 42,
    *,
    group: Callable[[Any], str] = document_of,
    before: Mapping[str, SplitName] | None = None,
) -> Split:
    """Part the documents at random.

    Args:
        test_size: a share of the documents, above 0 and below 1, which each document meets by
            itself with a number drawn from seed and hash, so that adding documents moves none; or
            a number of pages, which is reached with whole documents and may be exceeded by the
            last one.
        seed: another one gives another split.
        group: the unit that is kept together instead of documents, such as a case or a volume.
        before: the `of_group` of an earlier split, which is kept: with a number of pages, and
            with few documents, new ones could move old ones otherwise.

    Raises:
        ValueError: a size out of range, or one that leaves nothing to train on.
    """
    is_share = isinstance(test_size, float)
    if test_size <= 0 or (is_share and test_size >= 1):
        raise ValueError(
            f"test_size is a share above 0 and below 1 or a number of pages, got {test_size}"
        )
    num_pages = Counter(group(label) for label in labels)
    of_group = {name: split for name, split in (before or {}).items() if name in num_pages}
    drawn = sorted((_number(seed, name), name) for name in num_pages if name not in of_group)
    tested = sum(num_pages[name] for name, split in of_group.items() if split == "test")
    for number, name in drawn:
        if is_share:
            # one document at least, or there is nothing to test on
            in_test = number < test_size or (not tested and len(num_pages) > 1)
        else:
            in_test = tested < test_size
        of_group[name] = "test" if in_test else "train"
        tested += num_pages[name] if in_test else 0
    if is_share and drawn and "train" not in of_group.values():
        of_group[drawn[-1][1]] = "train"  # and one at least to train on
    if num_pages and "train" not in of_group.values():
        raise ValueError(
            f"with test_size={test_size} all {len(num_pages)} documents are for testing and none "
            "is left to train on; add documents or lower test_size"
        )
    return Split(of_group, group)


def write_split(
    split: Split,
    labels: Sequence[Label],
    directory: str | Path,
    settings: Mapping[str, object] | None = None,
) -> None:
    """Write `train.txt` and `test.txt`, the image files a line each, and `split.json`.

    Args:
        settings: how it was made, for `read_split`.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("train", "test"):
        own = (label.file.image_file for label in labels if split.of(label) == name)
        text = "".join(f"{file}\n" for file in dict.fromkeys(own))
        (directory / f"{name}.txt").write_text(text, encoding="utf-8")
    record = {"settings": dict(settings or {}), "of_group": dict(split.of_group)}
    (directory / FILE_NAME).write_text(json.dumps(record, indent=1), encoding="utf-8")


def read_split(
    directory: str | Path, settings: Mapping[str, object] | None = None
) -> dict[str, SplitName]:
    """The `of_group` that `write_split` wrote with the same settings; else empty."""
    path = Path(directory) / FILE_NAME
    record = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return record["of_group"] if record.get("settings") == dict(settings or {}) else {}


def _number(seed: int, name: str) -> float:
    """At random from 0 to 1, always the same for the same seed and name."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
