"""One risk per word: fitted where the truth is known, kept in a file, for one model."""

import math
from dataclasses import replace

import numpy as np
import pytest

from glmocr_utils.confidence import (
    MarkedPage,
    can_fit_risk,
    fit_risk,
    load_risk,
    save_risk,
    wrong_words,
)
from glmocr_utils.confidence.risk import feature_names, word_features
from glmocr_utils.records import (
    Box,
    Disagreement,
    OcrResult,
    PageCoverage,
    PageRef,
    SecondReading,
    TokenProb,
    UnreadInk,
    UnsupportedText,
)

READER = "tesseract"


def a_page(seed: int, heard: float = 0.9) -> MarkedPage:
    """Thirty words, a fifth wrong; doubt says little of it, the second reader nearly all."""
    rng = np.random.default_rng(seed)
    words = [f"word{number} " for number in range(30)]
    wrong = rng.random(30) < 0.2
    probs = np.where(wrong, rng.uniform(0.5, 0.99, 30), rng.uniform(0.7, 0.999, 30))
    pairs = zip(words, probs, strict=True)
    tokens = tuple(TokenProb(1, word, math.log(prob)) for word, prob in pairs)
    starts = np.cumsum([0] + [len(word) for word in words])
    disagreements = tuple(
        Disagreement("other", int(starts[n]), int(starts[n + 1]) - 1, "other")
        for n in range(30)
        if (rng.random() < heard if wrong[n] else rng.random() < 0.02)
    )
    result = OcrResult(
        PageRef("a.pdf", "0" * 64, seed), "".join(words), tokens, "stop", "p", "m", None, None,
        2.0, 1.0, second_readings=(SecondReading(READER, disagreements),),
    )  # fmt: skip
    return MarkedPage(result, tuple(map(bool, wrong)), 0)


@pytest.fixture(scope="module")
def pages() -> list[MarkedPage]:
    return [a_page(seed) for seed in range(12)]


def found_first(risk, pages: list[MarkedPage]) -> float:
    """The share of the wrong words among as many of the riskiest as there are wrong ones."""
    risks = np.concatenate([risk(page.result) for page in pages])
    wrong = np.concatenate([wrong_words(page) for page in pages])
    return wrong[np.argsort(-risks)[: wrong.sum()]].mean()


def test_a_second_reader_finds_what_doubt_does_not(pages):
    alone, with_reader = fit_risk(pages[:8], ()), fit_risk(pages[:8], [READER])
    assert found_first(with_reader, pages[8:]) > found_first(alone, pages[8:]) + 0.2
    risks = with_reader(pages[8].result)
    assert risks.shape == (30,) and ((risks > 0) & (risks < 1)).all()


def test_it_comes_back_from_its_file(pages, tmp_path):
    risk = fit_risk(pages, [READER])
    save_risk(risk, tmp_path)
    assert load_risk(tmp_path) == risk
    (tmp_path / "risk.json").write_text("{}")
    with pytest.raises(ValueError, match="isn't a risk"):
        load_risk(tmp_path)


def test_it_holds_for_its_model_and_its_readers(pages):
    risk = fit_risk(pages, [READER])
    with pytest.raises(ValueError, match="was not read by tesseract"):
        risk(replace(pages[0].result, second_readings=()))
    with pytest.raises(ValueError, match="fitted on m"):
        risk(replace(pages[0].result, model_id="another"))
    with pytest.raises(ValueError, match="too few"):
        fit_risk([MarkedPage(pages[0].result, (False,) * 30, 0)])


def test_a_few_wrong_tokens_of_one_word_are_too_few_wrong_words(pages):
    spelled = replace(pages[0].result, text="wrong", tokens=tuple(
        TokenProb(1, letter, -0.5) for letter in "wrong"
    ))  # fmt: skip
    right = MarkedPage(pages[0].result, (False,) * 30, 0)
    assert not can_fit_risk([right, MarkedPage(spelled, (True,) * 5, 0)])
    assert can_fit_risk(pages) and not can_fit_risk([])


def test_coverage_is_among_what_is_known(pages):
    coverage = PageCoverage(
        True, (UnreadInk(Box(0, 0, 9, 9), 12, 3),), (UnsupportedText(5, 7, 12, "nowhere"),)
    )
    features = word_features(replace(pages[0].result, coverage=coverage), [READER])
    names = feature_names([READER])
    assert features.shape == (30, len(names))
    assert features[:, names.index("unsupported")].nonzero()[0].tolist() == [5, 6]
    assert features[:, names.index("beside_unread")].nonzero()[0].tolist() == [2, 3]


def test_a_page_without_words(pages):
    empty = replace(pages[0].result, text="", tokens=())
    assert fit_risk(pages, ())(empty).shape == (0,)
