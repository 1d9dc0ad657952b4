"""Pages on which two sources disagree: both texts stay, and are shown side by side."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from rapidfuzz.distance import Levenshtein

from glmocr_utils.labels.store import LabelStore, key_of
from glmocr_utils.metrics import cer, normalize
from glmocr_utils.records import Label

DiffKind = Literal["equal", "replace", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class DiffSegment:
    """A stretch that two texts share, or in which they differ.

    Attributes:
        kind: `equal`; `replace`; `delete` (only in the first text); `insert` (only in the second).
        first, second: its characters in either text.
    """

    kind: DiffKind
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two labels of one page whose texts differ.

    Attributes:
        first, second: the labels; `first` is the older one.
        cer: edits per character of `first`'s text, white space and NFC made alike.
    """

    first: Label
    second: Label
    cer: float

    def segments(self) -> list[DiffSegment]:
        """The two texts character by character."""
        return diff_segments(self.first.text, self.second.text)


def diff_segments(first: str, second: str) -> list[DiffSegment]:
    """A shortest way from one text to the other; joined, the segments give both."""
    return [
        DiffSegment(
            edit.tag,
            first[edit.src_start : edit.src_end],
            second[edit.dest_start : edit.dest_end],
        )
        for edit in Levenshtein.opcodes(first, second)
    ]


def source_pairs(store: LabelStore) -> Iterator[tuple[Label, Label]]:
    """For each page, each two of its sources: the last label of either that is not rejected."""
    for key in dict.fromkeys(map(key_of, store.labels())):
        last = {label.source: label for label in store.standing(key)}
        yield from combinations(last.values(), 2)


def find_disagreements(store: LabelStore, min_cer: float = 0.0) -> list[Disagreement]:
    """The pairs whose texts differ by more than `min_cer`, the furthest apart first."""
    found = []
    for first, second in source_pairs(store):
        rate = cer(normalize(first.text), normalize(second.text))
        if rate > min_cer:
            found.append(Disagreement(first, second, rate))
    return sorted(found, key=lambda disagreement: -disagreement.cer)


def disagreements_html(disagreements: list[Disagreement]) -> str:
    """An HTML table: page, then either text with what the other has not marked."""
    rows = "".join(_row(disagreement) for disagreement in disagreements)
    return (
        '<table class="disagreements"><thead><tr><th>page</th><th>CER</th><th>first</th>'
        f"<th>second</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(disagreement: Disagreement) -> str:
    page = disagreement.first.page
    segments = disagreement.segments()
    place = f"{page.document_path}, page {page.page_number}"
    first = _cell(disagreement.first, [(part.kind, part.first) for part in segments], "del")
    second = _cell(disagreement.second, [(part.kind, part.second) for part in segments], "ins")
    return (
        f"<tr><td>{html.escape(place)}</td><td>{disagreement.cer:.1%}</td>"
        f"<td>{first}</td><td>{second}</td></tr>"
    )


def _cell(label: Label, parts: list[tuple[DiffKind, str]], mark: str) -> str:
    marked = "".join(
        html.escape(text) if kind == "equal" or not text else f"<{mark}>{_shown(text)}</{mark}>"
        for kind, text in parts
    )
    origin = html.escape(f"{label.source} ({label.status})")
    return f'<b>{origin}</b><div style="white-space: pre-wrap">{marked}</div>'


def _shown(text: str) -> str:
    """Escaped, with a sign for line ends, which are not seen else."""
    return html.escape(text).replace("\n", "⏎\n")
