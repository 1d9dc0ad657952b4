"""Two sets of readings of the same pages: which is better, how surely, and where."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from glmocr_utils.evaluation.bootstrap import Comparison, paired_bootstrap
from glmocr_utils.evaluation.scores import PageScore, SetScore
from glmocr_utils.metrics import headline_pair

NOTHING = "∅"  # in a confusion: no character on this side

# (expected, read as, times in the first set, times in the second)
ChangedConfusion = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class SetComparison:
    """The pages that both sets have.

    Attributes:
        first, second: names of the sets.
        cer: headline CER of both and of the difference, second minus first.
        pairs: each page's two scores, the most improved first.
        num_better, num_worse: pages whose headline CER fell and rose.
        confusions: what changed most first.
        problems: what was not compared, in sentences.
    """

    first: str
    second: str
    cer: Comparison
    pairs: tuple[tuple[PageScore, PageScore], ...]
    num_better: int
    num_worse: int
    confusions: tuple[ChangedConfusion, ...]
    problems: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        change = self.cer.change
        span = f"{change.value:+.2%} ({change.low:+.2%} to {change.high:+.2%})"
        if self.cer.drawn < 2:
            span = f"{change.value:+.2%} on one page, which shows nothing of others"
        if self.cer.verdict == "no sure difference":
            return f"no sure difference between {self.first} and {self.second}: {span}"
        return f"{self.second} is {self.cer.verdict} than {self.first}: {span}"


def compare(first: SetScore, second: SetScore, seed: int = 0) -> SetComparison:
    """Paired comparison over the pages that both sets have a score of.

    Raises:
        ValueError: they share no page.
    """
    second_of = {page.reference.key: page for page in second.pages}
    pairs = [
        (page, second_of[page.reference.key])
        for page in first.pages
        if page.reference.key in second_of
    ]
    if not pairs:
        raise ValueError(f"{first.name} and {second.name} have no page in common")
    cer = paired_bootstrap(
        [page.reference.key[0] for page, _ in pairs],
        [page.characters for page, _ in pairs],
        [page.edits for page, _ in pairs],
        [page.edits for _, page in pairs],
        seed,
    )
    changes = [after.cer - before.cer for before, after in pairs]
    alone = len(first.pages) + len(second.pages) - 2 * len(pairs)
    count = "1 page is" if alone == 1 else f"{alone} pages are"
    problems = [f"{count} in one of the two sets only"] if alone else []
    return SetComparison(
        first=first.name,
        second=second.name,
        cer=cer,
        pairs=tuple(sorted(pairs, key=lambda pair: pair[1].cer - pair[0].cer)),
        num_better=sum(change < 0 for change in changes),
        num_worse=sum(change > 0 for change in changes),
        confusions=tuple(
            confusion_changes(
                confusions(_texts(page) for page, _ in pairs),
                confusions(_texts(page) for _, page in pairs),
            )
        ),
        problems=tuple(problems),
    )


def confusions(pairs: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How often a character of the reference was read as another one.

    A character that was missed is read as `∅`; one that was made up has `∅` as expected.

    Args:
        pairs: (reference, prediction), as `headline_pair` gives them.
    """
    found: Counter[tuple[str, str]] = Counter()
    for reference, prediction in pairs:
        for edit in Levenshtein.editops(reference, prediction):
            expected = NOTHING if edit.tag == "insert" else reference[edit.src_pos]
            got = NOTHING if edit.tag == "delete" else prediction[edit.dest_pos]
            found[expected, got] += 1
    return found


def confusion_changes(
    first: Counter[tuple[str, str]], second: Counter[tuple[str, str]]
) -> list[ChangedConfusion]:
    """(expected, read as, times in the first, in the second), what changed most first."""
    rows = [(*pair, first[pair], second[pair]) for pair in first.keys() | second.keys()]
    return sorted(rows, key=lambda row: (-abs(row[3] - row[2]), row[:2]))


def _texts(page: PageScore) -> tuple[str, str]:
    return headline_pair(page.reference.text or "", page.reading.text or "")


def worst_differences(
    comparison: SetComparison, count: int = 5
) -> Sequence[tuple[PageScore, PageScore]]:
    """The pages that changed most, better or worse, the largest change first."""
    changed = [pair for pair in comparison.pairs if pair[0].edits != pair[1].edits]
    return sorted(changed, key=lambda pair: -abs(pair[1].edits - pair[0].edits))[:count]
