"""Two sets of readings without a reference: where they disagree, and which one is right how often.

Two models that read a collection rarely misread the same letter, so where they agree is hardly ever
wrong, and where they disagree one of them is. Who is right how often is estimated from a random
sample that a person decides (`draw_audit`, `audit_shares`).
"""

import csv
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from glmocr_utils.confidence import PageTokens
from glmocr_utils.evaluation.bootstrap import Estimate
from glmocr_utils.evaluation.page_text import PageText, TextSet
from glmocr_utils.metrics import Comparable, character_edits, comparable_pair

CONTEXT = 30  # characters shown on either side
VERDICTS = ("first", "second", "neither")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Words that two readings of a page spell differently.

    Attributes:
        document, page: which page; `page` counts from 1.
        before, after: what both print around them.
        first, second: the words, layout aside; empty where a reading has none.
        first_prob, second_prob: the least probable token of the words, 0 to 1; None where the
            reading has no probabilities, or no words there.
        edits: characters that differ.
        right: `first`, `second` or `neither`, once a person has decided.
    """

    document: str
    page: int
    before: str
    first: str
    second: str
    after: str
    first_prob: float | None
    second_prob: float | None
    edits: int
    right: str = ""


@dataclass(frozen=True, slots=True)
class PageDifference:
    """How far two readings of a page are apart.

    Attributes:
        rate: edits over the characters of the longer reading, 0 to 1.
    """

    first: PageText
    second: PageText
    rate: float
    disagreements: tuple[Disagreement, ...]


def find_differences(first: TextSet, second: TextSet) -> tuple[list[PageDifference], list[str]]:
    """The pages that both sets have, the furthest apart first, and what was not compared.

    Pages that print the same are among them, without disagreements.
    """
    shared = [key for key in first.pages if key in second.pages]
    unread = {
        each.name: [key for key in shared if each.pages[key].text is None]
        for each in (first, second)
    }
    pages = [
        _difference(first.pages[key], second.pages[key])
        for key in shared
        if key not in (*unread[first.name], *unread[second.name])
    ]
    problems = [*first.problems, *second.problems]
    for own, other in ((first, second), (second, first)):
        not_read = [own.pages[key].name for key in unread[own.name]]
        alone = [page.name for key, page in own.pages.items() if key not in other.pages]
        problems += _named(f"not read in {own.name}", not_read)
        problems += _named(f"only in {own.name}", alone)
    return sorted(pages, key=lambda page: -page.rate), problems


def _named(where: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    count = "1 page" if len(names) == 1 else f"{len(names)} pages"
    more = "; …" if len(names) > 5 else ""
    return [f"{where}: {count}, not compared ({'; '.join(names[:5])}{more})"]


def draw_audit(pages: Sequence[PageDifference], count: int, seed: int = 0) -> list[Disagreement]:
    """A simple random sample of all disagreements, for a person to decide."""
    everything = [each for page in pages for each in page.disagreements]
    return random.Random(seed).sample(everything, min(count, len(everything)))


def write_audit(disagreements: Sequence[Disagreement], path: Path) -> None:
    """A table for a spreadsheet; fill its column `right` with first, second or neither."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Disagreement)])
        table.writeheader()
        table.writerows(map(asdict, disagreements))


def read_audit(path: Path) -> list[str]:
    """The verdicts of a filled table; rows without one are left out.

    Raises:
        ValueError: a verdict is none of the three, or no row has one; the message names the line.
    """
    verdicts = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            verdict = (row.get("right") or "").strip().lower()
            if verdict and verdict not in VERDICTS:
                raise ValueError(
                    f"{path}, line {number}: right is first, second or neither, got {verdict!r}"
                )
            verdicts += [verdict] if verdict else []
    if not verdicts:
        raise ValueError(f"no row of {path} has a verdict: fill its column `right` and save it")
    return verdicts


def audit_shares(verdicts: Sequence[str]) -> dict[str, Estimate]:
    """How often each side is right, with the 95 % interval of Wilson (1927)."""
    from scipy.stats import binomtest  # it takes a second

    shares = {}
    for verdict in VERDICTS:
        test = binomtest(verdicts.count(verdict), len(verdicts))
        interval = test.proportion_ci(0.95, method="wilson")
        shares[verdict] = Estimate(test.statistic, interval.low, interval.high)
    return shares


def _difference(first: PageText, second: PageText) -> PageDifference:
    pair = comparable_pair(first.text or "", second.text or "")
    found = tuple(_disagreements(first, second, pair))
    longer = max(1, *(len(each.text) for each in pair))
    return PageDifference(first, second, sum(each.edits for each in found) / longer, found)


def _disagreements(
    first: PageText, second: PageText, pair: tuple[Comparable, Comparable]
) -> Iterator[Disagreement]:
    texts = [each.text for each in pair]
    tokens = [PageTokens(page.result) if page.result else None for page in (first, second)]
    for spans in _differing_words(texts[0], texts[1]):
        words, other_words = (
            text[start:stop] for text, (start, stop) in zip(texts, spans, strict=True)
        )
        prob, other_prob = (
            _least_probable(of_page, page, span)
            for of_page, page, span in zip(tokens, pair, spans, strict=True)
        )
        start, stop = spans[0]
        yield Disagreement(
            first.document,
            first.page_index + 1,
            texts[0][max(0, start - CONTEXT) : start],
            words,
            other_words,
            texts[0][stop : stop + CONTEXT],
            prob,
            other_prob,
            character_edits(words, other_words),
        )


def _differing_words(first: str, second: str) -> Iterator[tuple[tuple[int, int], ...]]:
    """(start, stop) in both texts of words that differ; an empty span where one has none."""
    words = [[match.span() for match in re.finditer(r"\S+", text)] for text in (first, second)]
    spelled = [
        [text[start:stop] for start, stop in spans]
        for text, spans in zip((first, second), words, strict=True)
    ]
    for block in Levenshtein.opcodes(*spelled):
        if block.tag != "equal":
            yield (
                _span_of(words[0], block.src_start, block.src_end),
                _span_of(words[1], block.dest_start, block.dest_end),
            )


def _span_of(words: Sequence[tuple[int, int]], first: int, stop: int) -> tuple[int, int]:
    if first < stop:
        return words[first][0], words[stop - 1][1]
    end = words[first - 1][1] if first else 0
    return end, end


def _least_probable(
    tokens: PageTokens | None, page: Comparable, span: tuple[int, int]
) -> float | None:
    spans = page.spans[slice(*span)]
    if not tokens or not spans:
        return None
    indices = tokens.tokens_of(spans[0][0], spans[-1][1])
    return min((tokens.result.tokens[index].prob for index in indices), default=None)
