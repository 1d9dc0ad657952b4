"""One set of readings against references: page by page, and all together."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from glmocr_utils.decoding.repetition import has_repeating_tail
from glmocr_utils.evaluation.bootstrap import Estimate, bootstrap, estimate
from glmocr_utils.evaluation.order import order_free
from glmocr_utils.evaluation.page_text import NO_LAYER, PageText, TextSet
from glmocr_utils.evaluation.tables import teds
from glmocr_utils.metrics import character_edits, headline_pair

UNREAD = ("blank", "unreadable", "encrypted", "too_large", "failed")


@dataclass(frozen=True, slots=True)
class PageScore:
    """One page's reading against its reference.

    Attributes:
        reading, reference: the two texts.
        characters: of the reference, layout aside.
        edits: of the headline CER; `misread` of them remain when the order of lines is left aside,
            and the others are `misplaced`.
        raw_characters, raw_edits: of the texts as written.
        words, word_edits: of the texts, layout aside.
        order: how far the order of lines is from the right one, 0 to 1.
        teds, teds_structure: of the page's tables, 0 to 1; None without a table.
    """

    reading: PageText
    reference: PageText
    characters: int
    edits: int
    misread: int
    raw_characters: int
    raw_edits: int
    words: int
    word_edits: int
    order: float
    teds: float | None
    teds_structure: float | None

    @property
    def misplaced(self) -> int:
        return self.edits - self.misread

    @property
    def cer(self) -> float:
        """Headline CER of the page."""
        return self.edits / max(1, self.characters)


@dataclass(frozen=True, slots=True)
class SetScore:
    """All pages of a set that have a reference.

    Attributes:
        name: of the readings.
        pages: scores, in the order of the references.
        headline: CER, layout aside, with its interval over `resampled` (documents or pages).
        raw_cer, wer: over all pages; edits / length of the reference.
        misread, misplaced: the two parts of the headline CER, as rates of the same length.
        order: mean over pages, 0 (right) to 1.
        teds, teds_structure: mean over pages with tables; None where there are none.
        statuses: of the readings' pages.
        problems: what was not compared, in sentences.
    """

    name: str
    pages: tuple[PageScore, ...]
    headline: Estimate
    resampled: str
    raw_cer: float
    wer: float
    misread: float
    misplaced: float
    order: float
    teds: float | None
    teds_structure: float | None
    statuses: Counter[str]
    problems: tuple[str, ...]

    @property
    def drawn(self) -> str:
        """What the interval is over: `24 documents`, `3 pages`; a single page has none."""
        if len(self.pages) == 1:
            return "no interval: one page"
        if self.resampled == "pages":
            return f"{len(self.pages)} pages"
        return f"{len({page.reference.key[0] for page in self.pages})} documents"


def score(readings: TextSet, references: TextSet, seed: int = 0) -> SetScore:
    """Compare readings with references, page by page.

    A page that was not read, or has no reading at all though its document has some, counts with all
    its characters missing. A page whose document was not read, or that has no reference, is named.

    Args:
        seed: of the bootstrap.

    Raises:
        ValueError: no page has both.
    """
    pairs, problems = match(readings, references)
    if not pairs:
        raise ValueError(
            f"no page of {readings.name} has a reference in {references.name}: pages are matched "
            "by the name of their document, without its suffix, and by their number. "
            + "; ".join(problems[:3])
        )
    pages = tuple(_score_page(reading, reference) for reading, reference in pairs)
    rates, drawn, resampled = bootstrap(
        [page.reference.key[0] for page in pages],
        [page.characters for page in pages],
        [[page.edits for page in pages]],
        seed,
    )
    characters = max(1, sum(page.characters for page in pages))
    return SetScore(
        name=readings.name,
        pages=pages,
        headline=estimate(rates[0], drawn[0]),
        resampled=resampled,
        raw_cer=_rate(pages, lambda page: (page.raw_edits, page.raw_characters)),
        wer=_rate(pages, lambda page: (page.word_edits, page.words)),
        misread=sum(page.misread for page in pages) / characters,
        misplaced=sum(page.misplaced for page in pages) / characters,
        order=float(np.mean([page.order for page in pages])),
        teds=_mean([page.teds for page in pages]),
        teds_structure=_mean([page.teds_structure for page in pages]),
        statuses=Counter(status_of(page) for page in readings.pages.values()),
        problems=tuple(problems),
    )


def match(
    readings: TextSet, references: TextSet
) -> tuple[list[tuple[PageText, PageText]], list[str]]:
    """(reading, reference) of each page that has both, and what has not, in sentences."""
    read_documents = {document for document, _ in readings.pages}
    pairs, unread, without, untold = [], [], [], []
    for key, reference in references.pages.items():
        reading = readings.pages.get(key)
        if reference.text is None:
            untold.append(reference)
        elif reading is not None:
            pairs.append((reading, reference))
        elif key[0] in read_documents:  # the document was read, this page was left out
            missing = PageText(reference.document, reference.page_index, None, "missing")
            pairs.append((missing, reference))
            without.append(reference)
        else:
            unread.append(reference)
    unknown = [page for key, page in readings.pages.items() if key not in references.pages]
    problems = [*readings.problems, *references.problems]
    empty = [reference for _, reference in pairs if not (reference.text or "").strip()]
    nothing = [
        reading
        for reading, reference in pairs
        if reading.status == "ok" and not (reading.text or "").strip() and reference not in empty
    ]
    no_layer = [reading for reading, _ in pairs if reading.status == NO_LAYER]
    problems += _named(no_layer, f"without a text layer in {readings.name}: counted as empty")
    problems += _named(untold, f"without text in {references.name}: not compared")
    problems += _named(empty, f"with an empty text in {references.name}: all that is read is wrong")
    problems += _named(nothing, f"read as nothing in {readings.name}: counted as empty")
    problems += _named(without, f"without a reading in {readings.name}: counted as empty")
    problems += _named(unread, f"of documents that {readings.name} does not have: not compared")
    problems += _named(unknown, f"without a reference in {references.name}: not compared")
    return pairs, problems


def status_of(page: PageText) -> str:
    """The page's status; of a text of unknown origin, whether it repeats itself at its end."""
    if page.status == "ok" and page.result is None and page.text:
        characters = np.array([ord(character) for character in page.text])
        if has_repeating_tail(characters, lambda codes: "".join(map(chr, codes))):
            return "looped"
    return page.status


def by_group(
    pages: Sequence[PageScore], group_of: Callable[[PageScore], str]
) -> dict[str, tuple[int, int, float]]:
    """group → pages, characters and headline CER, the worst group first."""
    groups: dict[str, list[PageScore]] = defaultdict(list)
    for page in pages:
        groups[group_of(page)].append(page)
    rows = {
        name: (
            len(members),
            sum(page.characters for page in members),
            _rate(members, lambda page: (page.edits, page.characters)),
        )
        for name, members in groups.items()
    }
    return dict(sorted(rows.items(), key=lambda row: -row[1][2]))


def _score_page(reading: PageText, reference: PageText) -> PageScore:
    written, true = reading.text or "", reference.text or ""
    pair = headline_pair(true, written)
    free = order_free(true, written)
    words = [text.split() for text in pair]
    return PageScore(
        reading=reading,
        reference=reference,
        characters=len(pair[0]),
        edits=character_edits(*pair),
        misread=free.misread,
        raw_characters=len(true),
        raw_edits=character_edits(true, written),
        words=len(words[0]),
        word_edits=Levenshtein.distance(*words),
        order=free.order,
        teds=teds(true, written),
        teds_structure=teds(true, written, structure_only=True),
    )


def _rate(pages: Sequence[PageScore], counts_of: Callable[[PageScore], tuple[int, int]]) -> float:
    counts = np.array([counts_of(page) for page in pages])
    return float(counts[:, 0].sum() / max(1, counts[:, 1].sum()))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _named(pages: Sequence[PageText], what: str) -> list[str]:
    if not pages:
        return []
    count = "1 page" if len(pages) == 1 else f"{len(pages)} pages"
    names = "; ".join(page.name for page in pages[:5])
    return [f"{count} {what} ({names}{'; …' if len(pages) > 5 else ''})"]
