"""One risk per word: how likely it is to be wrong, from all that is known of it.

A logistic regression over the model's probabilities, what second readers say, and coverage, fitted
on pages whose true text is known, as a `Calibration` is, and kept beside it. Without such pages
there is no risk: the probability stays, and disagreements are shown as they are.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from glmocr_utils.confidence.calibration import MIN_WRONG
from glmocr_utils.confidence.correctness import MarkedPage
from glmocr_utils.confidence.words import PageTokens
from glmocr_utils.files import write_file
from glmocr_utils.records import Disagreement, OcrResult, SecondReading

FILE_NAME = "risk.json"
# Margin and entropy add nothing to these, and a run keeps no alternatives to know them by.
OF_MODEL = ("doubt", "mean_doubt", "length", "has_digit", "has_sign")
OF_COVERAGE = ("unsupported", "beside_unread")
OF_READER = ("other", "sign", "made_up", "unseen", "left_out", "order", "distance")
OF_READERS = ("disputed by one", "disputed by all", "read alike by two")
SIGNS = frozenset("'\"’‘`´“”„«»-–—‐‑")  # that look like others: readers can't settle which it is
FEW = 2  # words in a row that a second reader doesn't see; of more, it skipped that stretch
EITHER_WAY = ("length", "has_digit", "has_sign")  # they may raise the risk or lower it
STRENGTH = 0.1  # of regularisation, inverse, on features of one scale
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class WordRisk:
    """The features of a word → the probability that it is wrong.

    Attributes:
        readers: the second readers whose disagreements it takes into account.
        means, scales, weights: one for each feature; intercept: of the regression.
        model_id, revision, adapter: of the model it was fitted on; it holds for no other.
        num_words, num_wrong: what it was fitted on.
    """

    readers: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    model_id: str
    revision: str | None
    adapter: str | None
    num_words: int
    num_wrong: int

    def knows(self, result: OcrResult) -> bool:
        """Whether its second readers read the page."""
        return set(self.readers) <= {each.reader for each in result.second_readings}

    def of_tokens(self, result: OcrResult) -> np.ndarray:
        """(num_tokens,) the highest risk of a token's words; NaN for a token in no word."""
        tokens = PageTokens(result)
        risks = np.full(len(result.tokens), np.nan)
        for word, wrong in zip(tokens.words, self(result).tolist(), strict=True):
            own = tokens.tokens_of(*word)
            risks[own.start : own.stop] = np.fmax(risks[own.start : own.stop], wrong)
        return risks

    def wrong_words(self, result: OcrResult) -> float | None:
        """How many words of a page to expect wrong; None where a second reader did not read it."""
        return float(self(result).sum()) if self.knows(result) else None

    def __call__(self, result: OcrResult) -> np.ndarray:
        """(num_words,) probabilities to be wrong, of the words of `PageTokens`.

        Raises:
            ValueError: the page was read by another model, or a second reader did not read it.
        """
        if (self.model_id, self.revision, self.adapter) != _model(result):
            raise ValueError(
                f"this risk was fitted on {self.model_id}, and the page was read by "
                f"{result.model_id}; fit one for it"
            )
        scaled = (word_features(result, self.readers) - self.means) / np.array(self.scales)
        return 1 / (1 + np.exp(-(scaled @ np.array(self.weights) + self.intercept)))


def feature_names(readers: Sequence[str]) -> list[str]:
    """Of the columns of `word_features`."""
    of_readers = [f"{name}, {reader}" for reader in readers for name in OF_READER]
    return [*OF_MODEL, *OF_COVERAGE, *of_readers, *(OF_READERS if len(readers) > 1 else ())]


def word_features(result: OcrResult, readers: Sequence[str] = ()) -> np.ndarray:
    """The features of each word, (num_words, num_features).

    Raises:
        ValueError: one of the second readers did not read the page.
    """
    page = PageTokens(result)
    doubts = np.array([1 - token.prob for token in result.tokens])
    by_reader = {second.reader: second for second in result.second_readings}
    if missing := [reader for reader in readers if reader not in by_reader]:
        raise ValueError(
            f"page {result.page.page_number} of {result.page.document_path} was not read by "
            f"{', '.join(missing)}; set second_reader"
        )
    logprobs = np.array([token.logprob for token in result.tokens])
    lacking, extra = _of_coverage(result)
    rows = []
    for start, stop in page.words:
        tokens = page.tokens_of(start, stop)
        own = slice(tokens.start, tokens.stop)
        rows.append(
            [
                _log_odds(doubts[own].max(initial=0.0)),
                float(np.log(LEAST - logprobs[own].mean() if len(tokens) else LEAST)),
                np.log(stop - start),
                float(any(map(str.isdigit, result.text[start:stop]))),
                float(not SIGNS.isdisjoint(result.text[start:stop])),
                float(extra[own].any()),
                float(lacking[tokens.start : tokens.stop + 1].any()),
            ]
        )
    of_words = np.array(rows).reshape(-1, len(OF_MODEL) + len(OF_COVERAGE))
    disputes = [_disputes(page, by_reader[reader]) for reader in readers]
    of_readers = [
        _of_reader(page, each, by_reader[reader])
        for each, reader in zip(disputes, readers, strict=True)
    ]
    together = [_of_readers(disputes)] if len(readers) > 1 else []
    return np.concatenate([of_words, *of_readers, *together], axis=1)


def _of_coverage(result: OcrResult) -> tuple[np.ndarray, np.ndarray]:
    """(num_tokens + 1,) unread ink is before the token; (num_tokens,) the token is unsupported."""
    lacking = np.zeros(len(result.tokens) + 1, bool)
    extra = np.zeros(len(result.tokens), bool)
    if result.coverage is not None:
        for unread in result.coverage.unread if result.coverage.is_clear else ():
            lacking[min(unread.token_stop, len(result.tokens))] = True
        for run in result.coverage.unsupported:
            extra[run.token_start : run.token_stop] = True
    return lacking, extra


def _disputes(page: PageTokens, second: SecondReading) -> list[Disagreement | None]:
    """(num_words,) what a second reader disagrees about; None where it confirms the word."""
    disputes: list[Disagreement | None] = [None] * len(page.words)
    starts = np.array([start for start, _ in page.words], int)
    for each in second.disagreements:
        first, stop = np.searchsorted(starts, [each.start, each.stop]).tolist()
        disputes[first:stop] = [each] * (stop - first)
    return disputes


def _of_reader(
    page: PageTokens, disputes: Sequence[Disagreement | None], second: SecondReading
) -> np.ndarray:
    """(num_words, 7) which kinds of disagreement it has with a word, and how far they are apart."""
    rows = np.zeros((len(disputes), len(OF_READER)))
    starts = np.array([start for start, _ in page.words], int)
    for each in second.disagreements:
        if each.kind == "left_out":
            beside = np.searchsorted(starts, each.start)
            rows[max(beside - 1, 0) : beside + 1, OF_READER.index("left_out")] = 1
    for number, dispute in enumerate(disputes):
        if dispute is None:
            continue
        kind = (
            dispute.kind if dispute.kind != "made_up" or _is_alone(disputes, number) else "unseen"
        )
        rows[number, OF_READER.index(kind)] = 1
        if kind == "other":
            word = page.text[slice(*page.words[number])]
            distance = Levenshtein.normalized_distance(_plain(word), _plain(dispute.text))
            rows[number, OF_READER.index("distance")] = distance
    return rows


def _is_alone(disputes: Sequence[Disagreement | None], number: int) -> bool:
    """Whether the second reader misses only this word, or a few in a row."""

    def is_unseen(at: int) -> bool:
        each = disputes[at] if 0 <= at < len(disputes) else None
        return each is not None and each.kind == "made_up"

    first = next(at for at in range(number, -2, -1) if not is_unseen(at)) + 1
    stop = next(at for at in range(number, len(disputes) + 1) if not is_unseen(at))
    return stop - first <= FEW


def _of_readers(disputes: Sequence[Sequence[Disagreement | None]]) -> np.ndarray:
    """(num_words, 3) whether one or all second readers dispute it, and whether two read alike."""
    rows = []
    for of_word in zip(*disputes, strict=True):
        known = [each for each in of_word if each is not None and each.kind != "sign"]
        texts = [_plain(each.text) for each in known if each.kind == "other"]
        rows.append([bool(known), len(known) == len(of_word), len(set(texts)) < len(texts)])
    return np.array(rows, float).reshape(-1, len(OF_READERS))


def _plain(text: str) -> str:
    """Without what second readers can't settle: white space, and which of the signs it is."""
    return "".join("'" if each in SIGNS else each for each in text if not each.isspace())


def can_fit_risk(pages: Sequence[MarkedPage]) -> bool:
    """Whether enough words of these pages are wrong, and not all, to fit a risk on them."""
    is_wrong = [wrong for page in pages for wrong in wrong_words(page).tolist()]
    return MIN_WRONG <= sum(is_wrong) < len(is_wrong)


def fit_risk(pages: Sequence[MarkedPage], readers: Sequence[str] | None = None) -> WordRisk:
    """Fit on pages whose true text is known, all read by one model.

    Args:
        readers: second readers that count; None takes those that read any of the pages. Pages that
            one of them did not read are left out; where the others are too few, no reader counts.

    Raises:
        ValueError: too few wrong words, pages of different models, or a reader that is missing.
    """
    if readers is None:
        readers, pages = _read_twice(pages)
    models = {_model(page.result) for page in pages}
    if len(models) != 1:
        raise ValueError(f"a risk belongs to one model, these pages have {len(models)}")
    features = np.concatenate([word_features(page.result, readers) for page in pages])
    is_wrong = np.concatenate([wrong_words(page) for page in pages])
    num_wrong = int(is_wrong.sum())
    if not can_fit_risk(pages):
        raise ValueError(
            f"{num_wrong} of {len(is_wrong)} words are wrong, which is too few of one kind to fit "
            f"a risk on; add checked pages until {MIN_WRONG} are"
        )
    means, scales = features.mean(axis=0), features.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    weights, intercept = _logistic((features - means) / scales, is_wrong, feature_names(readers))
    [model] = models
    return WordRisk(
        tuple(readers),
        tuple(map(float, means)),
        tuple(map(float, scales)),
        tuple(map(float, weights)),
        intercept,
        *model,
        num_words=len(is_wrong),
        num_wrong=num_wrong,
    )


def _logistic(
    features: np.ndarray, is_wrong: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, float]:
    """Weights and intercept of a logistic regression in which no sign of an error lowers the risk.

    Two second readers say much the same: without that, one of them gets a weight below 0, and a
    word that both dispute ranks behind one that a single reader disputes.
    """
    from scipy.optimize import minimize  # few runs fit anything

    signed = np.where(is_wrong, 1.0, -1.0)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercept = values[:-1], values[-1]
        margin = signed * (features @ weights + intercept)
        slope = -signed / (1 + np.exp(margin.clip(-30, 30)))
        penalty = weights @ weights / 2 / STRENGTH
        gradient = np.append(features.T @ slope + weights / STRENGTH, slope.sum())
        return float(np.logaddexp(0, -margin).sum() + penalty), gradient

    bounds = [(None if name in EITHER_WAY else 0.0, None) for name in names]
    found = minimize(
        loss,
        np.zeros(features.shape[1] + 1),
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (None, None)],
    )
    return found.x[:-1], float(found.x[-1])


def _read_twice(pages: Sequence[MarkedPage]) -> tuple[list[str], Sequence[MarkedPage]]:
    """The second readers of these pages, and the pages that all of them read."""
    readers = {each.reader for page in pages for each in page.result.second_readings}
    twice = [
        page for page in pages if readers <= {each.reader for each in page.result.second_readings}
    ]
    return (sorted(readers), twice) if can_fit_risk(twice) else ([], pages)


def wrong_words(page: MarkedPage) -> np.ndarray:
    """(num_words,) bool: a token of the word is wrong, or the word lacks a character."""
    tokens = PageTokens(page.result)
    return np.array(
        [
            any(page.is_wrong[n] for n in tokens.tokens_of(start, stop))
            or any(start <= position < stop for position in page.incomplete)
            for start, stop in tokens.words
        ],
        bool,
    )


def save_risk(risk: WordRisk, folder: str | Path) -> Path:
    """Write `risk.json` into `folder`, beside `calibration.json`; returns its path."""
    return write_file(Path(folder) / FILE_NAME, json.dumps(asdict(risk), indent=1) + "\n")


def risk_beside(calibration: str | Path) -> WordRisk | None:
    """The risk that was saved beside a calibration; None where there is none.

    Args:
        calibration: the file, or its folder.
    """
    path = Path(calibration)
    folder = path if path.is_dir() else path.parent
    return load_risk(folder) if (folder / FILE_NAME).exists() else None


def load_risk(path: str | Path) -> WordRisk:
    """Inverse of `save_risk`; takes the file or its folder.

    Raises:
        ValueError: the file isn't a risk.
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        lists = ("readers", "means", "scales", "weights")
        risk = WordRisk(**{**record, **{name: tuple(record[name]) for name in lists}})
        if len(risk.weights) != len(feature_names(risk.readers)):
            raise ValueError("an earlier version fitted it")
        return risk
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} isn't a risk ({error}); fit and save one again") from error


def _log_odds(doubt: float) -> float:
    doubt = min(max(doubt, LEAST), 1 - LEAST)
    return float(np.log(doubt / (1 - doubt)))


def _model(result: OcrResult) -> tuple[str, str | None, str | None]:
    return result.model_id, result.revision, result.adapter
