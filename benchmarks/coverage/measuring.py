"""Edit complete readings, find out what coverage says of each, and count."""

import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks.coverage.edits import Edited, column_edits, edits, is_faithful, own_omissions
from benchmarks.coverage.pages import ColumnPage
from glmocr_utils.coverage import page_coverage
from glmocr_utils.grounding import attend, lay_out, load_choice
from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import Box, OcrResult, PageCoverage, PageImage, PageRef, TokenProb
from glmocr_utils.token_text import encode_text, token_texts

COMPLETE = "complete reading"
OWN_OMISSIONS = "own omissions of 15 characters or more"


@dataclass
class Row:
    """Readings of one kind.

    Attributes:
        found: of each, whether what is wrong with it was found: for complete ones, whether there
            was a false alarm.
        on_the_spot: of each, whether where it was found is where it is.
        unclear: of each, whether coverage cannot tell what was left out.
        unread, unsupported: characters.
    """

    found: list[bool] = field(default_factory=list)
    on_the_spot: list[bool] = field(default_factory=list)
    unclear: list[bool] = field(default_factory=list)
    unread: list[float] = field(default_factory=list)
    unsupported: list[int] = field(default_factory=list)

    def add(self, edited: Edited, coverage: PageCoverage, starts: np.ndarray) -> None:
        self.unclear.append(not coverage.is_clear)
        self.unread.append(coverage.unread_characters or 0.0)
        self.unsupported.append(coverage.unsupported_characters)
        if edited.made_up:
            self.found.append(bool(coverage.unsupported))
            self.on_the_spot.append(_share_found(edited.made_up, coverage, starts) >= 0.5)
        elif edited.left_out:
            self.found.append(coverage.is_clear and bool(coverage.unread))
            self.on_the_spot.append(any(map(_Near(edited.left_out), coverage.unread)))
        else:
            self.found.append(not coverage.is_complete)

    def __str__(self) -> str:
        spot = f"{np.mean(self.on_the_spot):.0%}" if self.on_the_spot else ""
        unclear = f"{np.mean(self.unclear):.0%}"
        return (
            f"{len(self.found)} | {np.mean(self.found):.0%} | {spot} | {unclear} | "
            f"{median(self.unread):.1f} | {median(self.unsupported):.0f}"
        )


HEAD = (
    "| pages | reading | number | flagged | at its place | cannot tell "
    "| unread characters, median | unsupported characters, median |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|"
)


class Measuring:
    """One model; counts the seconds that it takes, of one thread.

    Attributes:
        seconds: of processor time, by what for.
    """

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._choice = load_choice(model)
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def of_pages(self, name: str, pages: Sequence[KnownPage]) -> Iterator[str]:
        """Lines of the table: what the model reads itself, and that with something wrong."""
        rows: dict[str, Row] = defaultdict(Row)
        for number, (page, reading) in enumerate(zip(pages, self._read(pages), strict=True)):
            if omitted := own_omissions(reading, page):
                self._add(rows, page, Edited(OWN_OMISSIONS, reading, tuple(omitted)))
            if not is_faithful(reading, page):
                continue
            self._add(rows, page, Edited(COMPLETE, reading))
            rng = random.Random(number)
            for edited in edits(reading, page, pages[number - 1].text, rng):
                self._add(rows, page, edited)
        yield from (f"| {name} | {kind} | {row} |" for kind, row in rows.items())

    def of_columns(self, name: str, pages: Sequence[ColumnPage]) -> Iterator[str]:
        """The same for columns that were skipped; the text is the true one."""
        rows: dict[str, Row] = defaultdict(Row)
        for page, spans in pages:
            self._add(rows, page, Edited(COMPLETE, page.text))
            for edited in column_edits(page, spans):
                self._add(rows, page, edited)
        yield from (f"| {name} | {kind} | {row} |" for kind, row in rows.items())

    def _add(self, rows: dict[str, Row], page: KnownPage, edited: Edited) -> None:
        tokenizer = self._model.processor.tokenizer
        ids = encode_text(tokenizer, edited.text)
        texts = token_texts(tokenizer, ids)
        start = time.process_time()
        [attention] = attend(self._model, [page.image], [ids], self._choice.heads)
        attended = time.process_time()
        result = _result(edited.text, ids, texts)
        layout = lay_out(result.page, page.image, texts, attention, self._choice.usual_share)
        found = time.process_time()
        coverage = page_coverage(page.image, result, layout)
        covered = time.process_time()
        self.seconds["pass that places tokens"].append(attended - start)
        self.seconds["boxes of tokens"].append(found - attended)
        self.seconds["coverage"].append(covered - found)
        starts = np.cumsum([0] + [len(text) for text in texts])
        rows[edited.kind].add(edited, coverage, starts)

    def _read(self, pages: Sequence[KnownPage]) -> list[str]:
        images = [
            PageImage(PageRef(page.name, "0" * 64, number), page.image, scale=2.0)
            for number, page in enumerate(pages)
        ]
        start = time.process_time()
        texts = [result.text for result in read_pages(self._model, images)]
        self.seconds["reading"] += [(time.process_time() - start) / len(pages)] * len(pages)
        return texts


def _result(text: str, ids: Sequence[int], texts: Sequence[str]) -> OcrResult:
    tokens = tuple(TokenProb(*each, 0.0) for each in zip(ids, texts, strict=True))
    page = PageRef("edited", "0" * 64, 0)
    return OcrResult(page, text, tokens, "stop", TEXT_RECOGNITION, "", None, None, 2.0, 0.0)


class _Near:
    """Whether unread ink is at one of the boxes, or a line from it."""

    def __init__(self, boxes: Sequence[Box]) -> None:
        self._boxes = boxes

    def __call__(self, unread: object) -> bool:
        own = unread.box
        return any(
            own.left < box.right
            and box.left < own.right
            and own.top < box.bottom + (box.bottom - box.top)
            and box.top - (box.bottom - box.top) < own.bottom
            for box in self._boxes
        )


def _share_found(made_up: tuple[int, int], coverage: PageCoverage, starts: np.ndarray) -> float:
    """How much of made-up characters the unsupported runs contain."""
    first, stop = made_up
    runs = [(starts[each.token_start], starts[each.token_stop]) for each in coverage.unsupported]
    shared = sum(max(0, min(stop, right) - max(first, left)) for left, right in runs)
    return float(shared / (stop - first))
