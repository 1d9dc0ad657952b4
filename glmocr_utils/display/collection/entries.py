"""The pages of a run or of saved results, as light as a list of thousands of them needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.confidence import PageTokens
from glmocr_utils.confidence.ranking import lacking
from glmocr_utils.records import OcrResult, PageRef, read_results
from glmocr_utils.records.page_row import parts_of, read_part

LEAST_PROB = 0.05  # of an alternative, to be found by a search
COLUMNS = [
    "document_path",
    "document_sha256",
    "page_index",
    "status",
    "text",
    "mean_prob",
    "angle",
    "reason",
    "expected_wrong_words",
    "unread_characters",
    "unsupported_characters",
]


@dataclass(frozen=True, slots=True)
class OtherWord:
    """A word that the page would have with another token.

    Attributes:
        read: what was read instead; start: where that begins in the page's text.
        prob: of the alternative, 0 to 1.
    """

    word: str
    read: str
    start: int
    prob: float


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page of a collection.

    Attributes:
        page: None for a document that did not open.
        status: as in the ledger.
        mean_prob: of its tokens, 0 to 1; None where it isn't known.
        angle: degrees clockwise by which it was turned to be read.
        reason: of everything but a plain `ok`.
        others: words among the alternatives; a run does not keep them.
        wrong_words: to expect, by a risk; None where that is not known.
        lacking: characters that were left out or made up.
    """

    document_path: str
    page: PageRef | None
    status: str
    text: str
    mean_prob: float | None
    angle: int = 0
    reason: str | None = None
    others: tuple[OtherWord, ...] = ()
    wrong_words: float | None = None
    lacking: float = 0.0

    @property
    def doubt(self) -> float:
        """(1 − mean probability) × text length, or the wrong words that a risk expects, and
        characters that were left out or made up; infinite for a page with ink and no text."""
        if self.status == "empty":
            return float("inf")
        if self.wrong_words is not None:
            return self.wrong_words + self.lacking
        doubt = (1 - self.mean_prob) * len(self.text) if self.mean_prob is not None else 0.0
        return doubt + self.lacking

    @property
    def share_in_doubt(self) -> float:
        """How much of the page is thought to be wrong or to be missing, 0 to 1, for its colour."""
        if self.mean_prob is None:
            return 0.0 if self.status in ("ok", "blank") else 1.0
        wrong = 1 - self.mean_prob
        if self.wrong_words is not None:
            wrong = self.wrong_words / max(1, len(self.text.split()))
        return min(1.0, wrong + self.lacking / (len(self.text) + self.lacking + 1))


def entries_of(path: str | Path) -> Iterator[PageEntry]:
    """The pages of a run of notebook 06, or of what notebook 02 wrote, in the order of the files.

    Raises:
        FileNotFoundError: there is neither.
    """
    path = Path(path)
    parts = parts_of(path)
    for part in parts:
        for row in read_part(part, COLUMNS):
            page = None
            if row["page_index"] is not None:
                page = PageRef(row["document_path"], row["document_sha256"], row["page_index"])
            yield PageEntry(
                row["document_path"],
                page,
                row["status"],
                row["text"] or "",
                row["mean_prob"],
                row["angle"] or 0,
                row["reason"],
                wrong_words=row.get("expected_wrong_words"),
                lacking=(row.get("unread_characters") or 0.0)
                + (row.get("unsupported_characters") or 0),
            )
    if parts:
        return
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise FileNotFoundError(
            f"no run and no results at {path}; notebook 06 writes a run's folder, notebook 02 "
            ".jsonl files"
        )
    for file in files:
        yield from map(entry_of, read_results(file))


def entry_of(result: OcrResult) -> PageEntry:
    """With the words among its alternatives."""
    probs = [token.prob for token in result.tokens]
    return PageEntry(
        result.page.document_path,
        result.page,
        result.status,
        result.text,
        sum(probs) / len(probs) if probs else None,
        result.angle,
        result.warning,
        tuple(_other_words(result)),
        lacking=lacking(result),
    )


def _other_words(result: OcrResult) -> Iterator[OtherWord]:
    tokens = PageTokens(result)
    for index, token in enumerate(result.tokens):
        if token.prob > 1 - LEAST_PROB:
            continue
        for choice in tokens.choices(index):
            if choice.other.prob >= LEAST_PROB and choice.after.strip():
                yield OtherWord(choice.after, choice.before, choice.start, choice.other.prob)
