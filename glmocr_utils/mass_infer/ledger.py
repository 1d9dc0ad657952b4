"""Which pages a run's ledger has, without a Python object a row: there may be millions."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset

from glmocr_utils.records.page_row import SCHEMA

Document = tuple[str, str | None]  # path and sha256
Key = tuple[str, str | None, int | None]  # and the page's index; None of one that did not open

SAME_IN_A_STRETCH = ("document_path", "document_sha256", "status", "__filename")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring rows of one document and status.

    Attributes:
        part: the file that has them.
        document: path and sha256.
        pages: their page indices; None of a document that did not open.
    """

    part: Path
    document: Document
    status: str
    pages: list[int | None]


class PagesDone:
    """The pages that need not be read; holds keys of pages, as a set does."""

    def __init__(self) -> None:
        self._pages: defaultdict[Document, set[int | None]] = defaultdict(set)

    def __len__(self) -> int:
        return sum(map(len, self._pages.values()))

    def __contains__(self, key: Key) -> bool:
        return key[2] in self._pages.get(key[:2], ())

    def add(self, key: Key) -> None:
        self._pages[key[:2]].add(key[2])

    def update(self, document: Document, pages: list[int | None]) -> None:
        self._pages[document].update(pages)

    def discard(self, key: Key) -> None:
        self._pages.get(key[:2], set()).discard(key[2])

    def missing(self, document: Document, num_pages: int) -> list[int]:
        """Indices of a document's pages that are to be read."""
        done = self._pages.get(document, ())
        return [index for index in range(num_pages) if index not in done]


def stretches(parts: list[Path]) -> Iterator[Stretch]:
    """The rows of all parts, in their order."""
    if not parts:
        return
    ledger = pa.dataset.dataset([str(part) for part in parts], schema=SCHEMA)
    table = ledger.to_table(columns=[*SAME_IN_A_STRETCH, "page_index"])
    encoded = [table[name].dictionary_encode().combine_chunks() for name in SAME_IN_A_STRETCH]
    codes = np.stack([each.indices.fill_null(-1).to_numpy() for each in encoded])
    starts = np.flatnonzero((codes[:, 1:] != codes[:, :-1]).any(axis=0)) + 1
    bounds = [0, *starts.tolist(), table.num_rows] if table.num_rows else [0]
    paths, hashes, statuses, files = ([*each.dictionary.to_pylist(), None] for each in encoded)
    pages = table["page_index"].to_pylist()
    part_of = [Path(name) for name in files[:-1]]
    firsts = codes[:, bounds[:-1]].T.tolist()
    for (path, sha256, status, file), start, stop in zip(
        firsts, bounds[:-1], bounds[1:], strict=True
    ):
        document = paths[path], hashes[sha256]
        yield Stretch(part_of[file], document, statuses[status], pages[start:stop])
