"""All units of a collection's readings, page by page, as arrays that fit into memory."""

import hashlib
import json
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmocr_utils.confidence import Calibration
from glmocr_utils.evaluation.certificate.units import page_units
from glmocr_utils.records import OcrResult, PageCoverage, PageRef, read_results
from glmocr_utils.records.page_row import parts_of, read_rows, to_result

# Pages whose end the model did not come to: what it was sure of there may be made up.
UNFINISHED = ("looped", "truncated")
PageKey = tuple[str, str | None, int | None]  # document, its hash, page_index
RISK_OF_UNFINISHED = 1.0  # errors of a unit, at least


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Ink without text, as far as the readings have coverage.

    Attributes:
        num_pages: whose text could be located, so that coverage has a number for them.
        num_unclear: whose text could not.
        num_lacking: of `num_pages`, those with such ink.
        characters: about how many it would be on them.
    """

    num_pages: int = 0
    num_unclear: int = 0
    num_lacking: int = 0
    characters: float = 0.0

    def __add__(self, coverage: PageCoverage) -> "LeftOut":
        """With one more page."""
        lacking = coverage.unread_characters
        if lacking is None:
            return replace(self, num_unclear=self.num_unclear + 1)
        return LeftOut(
            self.num_pages + 1,
            self.num_unclear,
            self.num_lacking + (lacking > 0),
            self.characters + lacking,
        )

    def __str__(self) -> str:
        if not self.num_pages + self.num_unclear:
            return (
                "passages that were left out: they have no word to draw, and no coverage was read"
            )
        said = (
            "passages that were left out, which have no word to draw: coverage finds about "
            f"{self.characters:,.0f} characters of ink without text, on {self.num_lacking:,} of "
            f"{self.num_pages:,} pages"
        )
        if self.num_unclear:
            said += f", and can say nothing of {self.num_unclear:,} more"
        return said


@dataclass(frozen=True, slots=True)
class Population:
    """The units of a collection, in the order of its pages.

    Attributes:
        name: of the run's folder or file.
        sha256: of all pages, their status and their text; 64 hex digits.
        pages: those with units.
        statuses: of all pages.
        left_out: what coverage found on them.
        page: (num_units,) index into `pages`; start: of the unit in its page's text.
        characters, predicted: (num_units,) as in `PageUnits`.
        risk: (num_units,) what strata are made by: `predicted`, and at least 1 on pages that looped
            or were cut.
    """

    name: str
    sha256: str
    pages: tuple[PageRef, ...]
    statuses: Counter[str]
    left_out: LeftOut
    page: np.ndarray
    start: np.ndarray
    characters: np.ndarray
    predicted: np.ndarray
    risk: np.ndarray

    @property
    def out_of_reach(self) -> list[str]:
        """What no unit answers for, in sentences."""
        without = {
            status: count
            for status, count in self.statuses.most_common()
            if status not in ("ok", "blank", *UNFINISHED)
        }
        sentences = [
            f"{count:,} {'page has' if count == 1 else 'pages have'} status {status}: "
            "what is missing there is not counted"
            for status, count in without.items()
        ]
        return [*sentences, str(self.left_out)]


def population_of(path: str | Path, calibration: Calibration | None = None) -> Population:
    """Read a run of notebook 06, or results of 02, once from end to end.

    A page takes some ten milliseconds, and a unit some forty bytes.

    Raises:
        FileNotFoundError: there is nothing there.
        ValueError: no page has text with probabilities.
    """
    digest, statuses, left_out = hashlib.sha256(), Counter[str](), LeftOut()
    pages: list[PageRef] = []
    seen: set[PageRef] = set()
    columns: list[tuple[np.ndarray, ...]] = []
    for ref, status, text, result in readings(path):
        statuses[status] += 1
        digest.update(_identity(ref, status, text))
        if result is None or result.page in seen:
            continue
        if result.coverage:
            left_out += result.coverage
        units = page_units(result, calibration)
        if not len(units):
            continue
        least = RISK_OF_UNFINISHED if status in UNFINISHED else 0.0
        columns.append(
            (
                np.full(len(units), len(pages), np.int32),
                units.spans[:, 0].astype(np.int32),
                units.characters.astype(np.int32),
                units.predicted,
                np.maximum(units.predicted, least),
            )
        )
        pages.append(result.page)
        seen.add(result.page)
    if not columns:
        raise ValueError(
            f"no page of {path} has text with token probabilities; read the collection with an "
            "engine that returns them, such as engine='local'"
        )
    joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
    return Population(
        Path(path).stem, digest.hexdigest(), tuple(pages), statuses, left_out, *joined
    )


def readings(
    path: str | Path, wanted: Container[PageKey] | None = None
) -> Iterator[tuple[PageKey, str, str, OcrResult | None]]:
    """Each page as (document, hash and index), status, text, and its reading with tokens, if any.

    Args:
        wanted: only these pages; None is all.

    Raises:
        FileNotFoundError: there is no run and no `.jsonl` at the path.
    """
    path = Path(path)
    if parts_of(path):
        run = json.loads((path / "run.json").read_text(encoding="utf-8"))
        for row in read_rows(path):
            if wanted is None or row.key in wanted:
                yield row.key, row.status, row.text or "", to_result(row, run)
        return
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise FileNotFoundError(
            f"no readings at {path}; give a run of notebook 06 or the .jsonl files of 02"
        )
    for file in files:
        for result in read_results(file):
            page = result.page
            key = page.document_path, page.document_sha256, page.page_index
            if wanted is None or key in wanted:
                yield key, result.status, result.text, result


def _identity(ref: PageKey, status: str, text: str) -> bytes:
    """A page by content and not by path, so that a moved collection keeps its hash."""
    _, document_sha256, page_index = ref
    of_text = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{document_sha256} {page_index} {status} {of_text}\n".encode()
