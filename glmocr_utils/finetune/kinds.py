"""Before against after, kind of page by kind of page: `black letter 27 → 7 %, print as before`.

What a kind is comes from the data set: a column `kind`, otherwise the first of task, script,
folder, label source and document that separates some kinds, but not too many to be read.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets

from glmocr_utils.evaluation.bootstrap import Comparison
from glmocr_utils.evaluation.breakdown import script_of
from glmocr_utils.finetune.comparison import compare
from glmocr_utils.finetune.evaluation import PageReading

KIND = "kind"
SOURCE = "source"
MOST_KINDS = 12
SAME = 0.005  # a CER that changed by no more than this is as it was
HELD_OUT, RETAINED = "held-out pages", "pages not to be forgotten"
NOT_LETTERS = ("digits", "signs")


@dataclass(frozen=True, slots=True)
class KindChange:
    """The pages of a kind, before and after."""

    kind: str
    num_pages: int
    comparison: Comparison

    @property
    def verdict(self) -> str:
        """`better`, `worse`, `as before`, or `no sure difference`: these pages are too few."""
        change = self.comparison.change
        if change.low >= -SAME and change.high <= SAME:
            return "as before"
        return self.comparison.verdict

    def __str__(self) -> str:
        """`black letter 27 → 7 %`, with what is not certain."""
        if self.verdict == "as before":
            return f"{self.kind} as before ({_percent(self.comparison.after.value)} %)"
        before, after = (
            _percent(each.value) for each in (self.comparison.before, self.comparison.after)
        )
        unsure = ", no sure difference" if self.verdict == "no sure difference" else ""
        return f"{self.kind} {before} → {after} %{unsure}"


def kinds_verdict(changes: Sequence[KindChange]) -> str:
    """All kinds in a sentence, the largest gain first."""
    return "CER by kind of page: " + "; ".join(map(str, changes)) if changes else ""


def compare_kinds(
    pages: datasets.Dataset | None,
    before: Sequence[PageReading],
    after: Sequence[PageReading],
    seed: int = 0,
    all_alike: str = HELD_OUT,
) -> list[KindChange]:
    """Each kind of page before and after, the largest gain first; empty without pages.

    Args:
        pages: the rows that were read, in the form of `load_pages`.
        all_alike: the name for pages that are all of one kind.
    """
    if pages is None or not before:
        return []
    kinds = page_kinds(pages, all_alike)
    changes = []
    for kind in dict.fromkeys(kinds):
        of_kind = [number for number, each in enumerate(kinds) if each == kind]
        first, second = ([each[number] for number in of_kind] for each in (before, after))
        changes.append(KindChange(kind, len(of_kind), compare(first, second, seed)))
    return sorted(changes, key=lambda each: each.comparison.change.value)


def page_kinds(pages: datasets.Dataset, all_alike: str = HELD_OUT) -> list[str]:
    """The kind of each row."""
    for group in GROUPINGS:
        kinds = group(pages)
        if 1 < len(set(kinds)) <= MOST_KINDS:
            return kinds
    return [all_alike] * len(pages)


def _own(pages: datasets.Dataset) -> list[str]:
    return _column(pages, KIND)


def _tasks(pages: datasets.Dataset) -> list[str]:
    return [prompt.strip().rstrip(":") for prompt in pages["prompt"]]


def _scripts(pages: datasets.Dataset) -> list[str]:
    """The script of most letters of each page; a page without letters has that of most pages."""
    scripts = [_script(text) for text in pages["text"]]
    usual = Counter(filter(None, scripts)).most_common(1)
    return [script or (usual[0][0] if usual else "") for script in scripts]


def _script(text: str) -> str | None:
    letters = Counter(script for script in map(script_of, text) if script not in NOT_LETTERS)
    return letters.most_common(1)[0][0] if letters else None


def _folders(pages: datasets.Dataset) -> list[str]:
    return [Path(document).parent.name for document in pages["document"]]


def _sources(pages: datasets.Dataset) -> list[str]:
    return _column(pages, SOURCE)


def _documents(pages: datasets.Dataset) -> list[str]:
    return [Path(document).name for document in pages["document"]]


GROUPINGS: tuple[Callable[[datasets.Dataset], list[str]], ...] = (
    _own,
    _tasks,
    _scripts,
    _folders,
    _sources,
    _documents,
)


def _column(pages: datasets.Dataset, name: str) -> list[str]:
    if name not in pages.column_names:
        return []
    return ["other" if each is None else str(each) for each in pages[name]]


def _percent(rate: float) -> str:
    """Of a rate, without its sign: `27`, and `0.4` where a whole number says too little."""
    return f"{100 * rate:.0f}" if rate >= 0.095 else f"{100 * rate:.1f}"
