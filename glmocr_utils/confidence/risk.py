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

from glmocr_utils.confidence.calibration import MIN_WRONG
from glmocr_utils.confidence.correctness import MarkedPage
from glmocr_utils.confidence.curves import suspicions
from glmocr_utils.confidence.words import PageTokens
from glmocr_utils.files import write_file
from glmocr_utils.records import OcrResult, SecondReading

FILE_NAME = "risk.json"
OF_MODEL = ("doubt", "mean_doubt", "margin", "entropy", "length", "has_digit")
OF_COVERAGE = ("unsupported", "beside_unread")
OF_READER = ("other", "made_up", "left_out", "order", "distance")
STRENGTH = 1.0  # of regularisation, inverse, on features of one scale
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
    return [*OF_MODEL, *OF_COVERAGE, *(f"{name}, {r}" for r in readers for name in OF_READER)]


def word_features(result: OcrResult, readers: Sequence[str] = ()) -> np.ndarray:
    """The features of each word, (num_words, num_features).

    Raises:
        ValueError: one of the second readers did not read the page.
    """
    page = PageTokens(result)
    scores = suspicions(result)
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
                _log_odds(scores["probability"][own].max(initial=0.0)),
                float(np.log(LEAST - logprobs[own].mean() if len(tokens) else LEAST)),
                scores["margin"][own].max(initial=0.0),
                scores["entropy"][own].max(initial=0.0),
                np.log(stop - start),
                float(any(map(str.isdigit, result.text[start:stop]))),
                float(extra[own].any()),
                float(lacking[tokens.start : tokens.stop + 1].any()),
            ]
        )
    of_words = np.array(rows).reshape(-1, len(OF_MODEL) + len(OF_COVERAGE))
    of_readers = [_of_reader(page, by_reader[reader]) for reader in readers]
    return np.concatenate([of_words, *of_readers], axis=1)


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


def _of_reader(page: PageTokens, second: SecondReading) -> np.ndarray:
    """(num_words, 5) which kinds of disagreement it has with a word, and how far they are apart."""
    rows = np.zeros((len(page.words), len(OF_READER)))
    starts = np.array([start for start, _ in page.words], int)
    for each in second.disagreements:
        if each.kind == "left_out":
            beside = np.searchsorted(starts, each.start)
            rows[max(beside - 1, 0) : beside + 1, 2] = 1
            continue
        for number in range(
            int(np.searchsorted(starts, each.start)), int(np.searchsorted(starts, each.stop))
        ):
            word = page.text[slice(*page.words[number])]
            rows[number, ("other", "made_up", "", "order").index(each.kind)] = 1
            rows[number, 4] = abs(len(word) - len(each.text)) / max(len(word), 1)
    return rows


def can_fit_risk(pages: Sequence[MarkedPage]) -> bool:
    """Whether enough words of these pages are wrong, and not all, to fit a risk on them."""
    is_wrong = [wrong for page in pages for wrong in wrong_words(page).tolist()]
    return MIN_WRONG <= sum(is_wrong) < len(is_wrong)


def fit_risk(pages: Sequence[MarkedPage], readers: Sequence[str] | None = None) -> WordRisk:
    """Fit on pages whose true text is known, all read by one model.

    Args:
        readers: second readers that count; None takes those that read all of the pages.

    Raises:
        ValueError: too few wrong words, pages of different models, or a reader that is missing.
    """
    readers = _readers_of_all(pages) if readers is None else readers
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
    from sklearn.linear_model import LogisticRegression  # seconds, and few runs fit anything

    fitted = LogisticRegression(C=STRENGTH, max_iter=1000)
    fitted.fit((features - means) / scales, is_wrong)
    [model] = models
    return WordRisk(
        tuple(readers),
        tuple(map(float, means)),
        tuple(map(float, scales)),
        tuple(map(float, fitted.coef_[0])),
        float(fitted.intercept_[0]),
        *model,
        num_words=len(is_wrong),
        num_wrong=num_wrong,
    )


def _readers_of_all(pages: Sequence[MarkedPage]) -> list[str]:
    read_by = [{each.reader for each in page.result.second_readings} for page in pages]
    return sorted(set.intersection(*read_by)) if read_by else []


def wrong_words(page: MarkedPage) -> np.ndarray:
    """(num_words,) bool: a token of the word is wrong."""
    tokens = PageTokens(page.result)
    return np.array(
        [any(page.is_wrong[n] for n in tokens.tokens_of(*word)) for word in tokens.words], bool
    )


def save_risk(risk: WordRisk, folder: str | Path) -> Path:
    """Write `risk.json` into `folder`, beside `calibration.json`; returns its path."""
    return write_file(Path(folder) / FILE_NAME, json.dumps(asdict(risk), indent=1) + "\n")


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
        return WordRisk(**{**record, **{name: tuple(record[name]) for name in lists}})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} isn't a risk ({error}); fit and save one again") from error


def _log_odds(doubt: float) -> float:
    doubt = min(max(doubt, LEAST), 1 - LEAST)
    return float(np.log(doubt / (1 - doubt)))


def _model(result: OcrResult) -> tuple[str, str | None, str | None]:
    return result.model_id, result.revision, result.adapter
