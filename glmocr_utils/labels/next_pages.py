"""What to label next: pages where errors are expected and that are unlike those labelled so far.

Among them are some drawn at random: a model that is trained on its hardest pages alone unlearns the
others (`benchmarks.what_to_label` measures it).
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glmocr_utils.records import PageRef

NGRAMS = (2, 4)  # characters: they separate scripts, fonts' typical misreadings and topics
DRAW_EVERY = 4
DRAWN = "drawn at random, so that training keeps what the model reads well"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A page without a trusted label.

    Attributes:
        page: which page.
        text: the model's reading.
        expected_errors: how many wrong tokens or words the model is thought to have written, ≥ 0;
            infinite where it wrote nothing on a page with ink.
    """

    page: PageRef
    text: str
    expected_errors: float

    def __post_init__(self) -> None:
        if not self.expected_errors >= 0:
            raise ValueError(f"expected_errors is a number ≥ 0, got {self.expected_errors}")


@dataclass(frozen=True, slots=True)
class NextPage:
    """A page that is worth labelling.

    Attributes:
        page: which page; expected_errors: as in `Candidate`.
        novelty: 0 (its text is like one that is labelled or chosen before it) to 1.
        score: expected errors × novelty, halved for each page of its document chosen before it; it
            doesn't count for a page that is drawn at random.
        why: one sentence for the person who labels.
    """

    page: PageRef
    expected_errors: float
    novelty: float
    score: float
    why: str


def choose_next_pages(
    candidates: Sequence[Candidate],
    budget: int = 10,
    labelled_texts: Sequence[str] = (),
    draw_every: int | None = DRAW_EVERY,
) -> list[NextPage]:
    """Choose pages one after the other, each the best in view of those before it.

    Args:
        budget: how many pages, at most.
        labelled_texts: texts of the pages that have a trusted label already.
        draw_every: each page of this number is drawn at random (by a hash, so that the same pages
            give the same choice), and shows what the model reads well; None draws none.
    """
    if draw_every is not None and draw_every < 1:
        raise ValueError(f"draw_every is a number of pages, at least 1, or None, got {draw_every}")
    if budget < 1:
        raise ValueError(f"budget is a number of pages, at least 1, got {budget}")
    if not candidates:
        return []
    similarity = _Similarity([candidate.text for candidate in candidates], labelled_texts)
    errors = np.array([candidate.expected_errors for candidate in candidates], dtype=float)
    documents = [candidate.page.document_key for candidate in candidates]
    draw_order = np.argsort([_draw(candidate.page) for candidate in candidates])
    chosen_of: Counter[str] = Counter()
    open_pages = np.ones(len(candidates), dtype=bool)
    chosen = []
    for number in range(1, min(budget, len(candidates)) + 1):
        novelty = 1 - similarity.to_known
        share = np.array([0.5 ** chosen_of[document] for document in documents])
        # pages of which nothing was read lead, whatever they are like
        weighed = np.where(np.isinf(errors), np.inf, _finite(errors) * novelty * share)
        score = np.where(open_pages, weighed, -1.0)
        # Of equal pages, such as those without expected errors, the one that is most unlike.
        best = int(np.lexsort((novelty * share * open_pages, score))[-1])
        is_drawn = draw_every is not None and number % draw_every == 0
        if is_drawn:
            best = int(draw_order[open_pages[draw_order]][0])
        candidate, before = candidates[best], chosen_of[documents[best]]
        chosen.append(
            NextPage(
                page=candidate.page,
                expected_errors=candidate.expected_errors,
                novelty=float(novelty[best]),
                score=float(score[best]),
                why=DRAWN if is_drawn else _why(candidate, float(novelty[best]), before),
            )
        )
        open_pages[best] = False
        chosen_of[documents[best]] += 1
        similarity.add(best)
    return chosen


class _Similarity:
    """How like each candidate is to the pages that are known: labelled or chosen.

    Attributes:
        to_known: (num_candidates,) the highest cosine to a known page, 0 to 1.
    """

    def __init__(self, texts: Sequence[str], labelled_texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer  # it takes seconds

        # A mark at the end, so that a blank page has a vector too: like other blank pages.
        marked = [text + "\n\x00\x00" for text in (*texts, *labelled_texts)]
        vectors = TfidfVectorizer(
            analyzer="char", ngram_range=NGRAMS, sublinear_tf=True, dtype=np.float32
        ).fit_transform(marked)
        self._vectors = vectors[: len(texts)]
        self.to_known = np.zeros(len(texts))
        if labelled_texts:
            cosines = self._vectors @ vectors[len(texts) :].T
            self.to_known = _as_share(cosines.max(axis=1).toarray().ravel())

    def add(self, index: int) -> None:
        cosines = (self._vectors @ self._vectors[index].T).toarray().ravel()
        self.to_known = np.maximum(self.to_known, _as_share(cosines))


def _draw(page: PageRef) -> str:
    """As good as random, and the same for the same page."""
    return hashlib.sha256(f"{page.document_key} {page.page_index}".encode()).hexdigest()


def _finite(errors: np.ndarray) -> np.ndarray:
    return np.where(np.isinf(errors), 0.0, errors)


def _as_share(cosines: np.ndarray) -> np.ndarray:
    """Cosines without what rounding put beyond 1."""
    return np.clip(cosines, 0.0, 1.0)


def _why(candidate: Candidate, novelty: float, chosen_of_document: int) -> str:
    errors = f"about {candidate.expected_errors:.1f} errors expected"
    if np.isinf(candidate.expected_errors):
        errors = "nothing was read of it, though there is ink"
    if novelty > 0.7:
        likeness = "unlike any page known so far"
    elif novelty > 0.3:
        likeness = "partly like a page known already"
    else:
        likeness = "much like a page known already"
    if not chosen_of_document:
        return f"{errors}; {likeness}; the first of its document here"
    return f"{errors}; {likeness}; {chosen_of_document} of its document before it"
