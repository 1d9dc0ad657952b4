"""One risk per word: fitted where the truth is known, kept in a file, for one model."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from glmocr_utils.confidence import (
    MarkedPage,
    PageTokens,
    can_fit_risk,
    errors_to_rank_by,
    fit_risk,
    load_risk,
    mark_tokens,
    rank_pages,
    risk_beside,
    save_risk,
    worst_tokens,
    wrong_words,
)
from glmocr_utils.confidence.risk import EITHER_WAY, feature_names, word_features
from glmocr_utils.display import ranking_html, worst_tokens_html
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


def with_disagreements(result: OcrResult, *found: tuple[str, int, str]) -> OcrResult:
    """One second reader more for each call, with (kind, number of the word, text)."""
    spans = PageTokens(result).words
    second = SecondReading(
        f"reader {len(result.second_readings)}",
        tuple(Disagreement(kind, *spans[n], text) for kind, n, text in found),
    )
    return replace(result, second_readings=(*result.second_readings, second))


def test_a_word_that_both_readers_dispute_is_at_least_as_risky_as_one_that_one_does():
    """They nearly always agree, so that a plain regression gives one of them a weight below 0."""
    twice = []
    for seed in range(12):
        page = a_page(seed)
        [first] = page.result.second_readings
        rarely = first.disagreements[:: 1 if seed % 2 else 2]
        second = replace(first, reader="rapidocr", disagreements=rarely)
        result = replace(page.result, second_readings=(first, second))
        twice.append(replace(page, result=result))
    risk = fit_risk(twice)
    assert len(risk.readers) == 2
    names = feature_names(risk.readers)
    weights = dict(zip(names, risk.weights, strict=True))
    assert all(weights[name] >= 0 for name in names if name not in EITHER_WAY)
    assert weights["disputed by one"] + weights["other, tesseract"] > 0


def test_how_far_a_second_reading_is_from_the_word(pages):
    result = replace(pages[0].result, second_readings=())
    result = with_disagreements(result, ("other", 3, "w0rd3"), ("other", 5, "word5"))
    features = word_features(result, ["reader 0"])
    distance = features[:, feature_names(["reader 0"]).index("distance, reader 0")]
    assert distance[3] == pytest.approx(0.2) and distance[5] == 0  # but for white space, alike


def test_a_stretch_that_the_second_reader_skipped_is_not_made_up(pages):
    result = replace(pages[0].result, second_readings=())
    unseen = [("made_up", n, "") for n in (2, 10, 11, 12, 13)]
    features = word_features(with_disagreements(result, *unseen), ["reader 0"])
    names = feature_names(["reader 0"])
    assert features[:, names.index("made_up, reader 0")].nonzero()[0].tolist() == [2]
    assert features[:, names.index("unseen, reader 0")].nonzero()[0].tolist() == [10, 11, 12, 13]


def test_two_readers_that_read_the_same_other_word(pages):
    result = replace(pages[0].result, second_readings=())
    result = with_disagreements(result, ("other", 3, "x's"), ("other", 4, "a"), ("other", 9, "z"))
    result = with_disagreements(result, ("other", 3, "x’s"), ("other", 4, "b"))
    readers = ["reader 0", "reader 1"]
    features = word_features(result, readers)[:, -3:]
    assert feature_names(readers)[-1] == "read alike by two"
    assert [features[n].tolist() for n in (3, 4, 9, 5)] == [
        [1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "reference", "wrong"),
    [
        ("in the Lesesal today", "in the Lesesaal today", ["Lesesal"]),
        ("the ahresbericht", "the Jahresbericht", ["ahresbericht"]),
        ("the tow hall", "the town hall", ["tow"]),
        ("ofit was", "of it was", ["ofit"]),
        ("the hall", "the old town hall", []),  # whole words left out count against no word
    ],
)
def test_a_word_that_lacks_a_character_is_wrong(read, reference, wrong):
    letters = tuple(TokenProb(1, letter, -0.1) for letter in read)  # no token of its own lacks it
    ref = PageRef("a.pdf", "0" * 64, 0)
    result = OcrResult(ref, read, letters, "stop", "p", "m", None, None, 2.0, 1.0)
    marks = wrong_words(mark_tokens(result, reference))
    words = [read[slice(*word)] for word in PageTokens(result).words]
    assert [word for word, mark in zip(words, marks, strict=True) if mark] == wrong


def test_pages_that_a_second_reader_skipped_do_not_cost_the_others_its_help(pages):
    alone = [MarkedPage(replace(p.result, second_readings=()), p.is_wrong, 0) for p in pages[:3]]
    risk = fit_risk([*alone, *pages[3:]])
    assert risk.readers == (READER,)
    assert risk.knows(pages[3].result) and not risk.knows(alone[0].result)
    assert risk.wrong_words(alone[0].result) is None


def test_pages_and_words_are_ranked_by_risk(pages):
    risk = fit_risk(pages[:8], [READER])
    few = pages[8]
    tokens = tuple(replace(token, logprob=0.9 * token.logprob) for token in few.result.tokens)
    words = PageTokens(few.result).words[::2]
    disputed = tuple(Disagreement("other", *word, "other") for word in words)
    seconds = (SecondReading(READER, disputed),)
    surer = replace(few.result, tokens=tokens, second_readings=seconds)
    assert rank_pages([few.result, surer])[0][0] is few.result
    assert rank_pages([few.result, surer], risk=risk)[0][0] is surer
    assert errors_to_rank_by(surer, risk=risk) == pytest.approx(risk(surer).sum())
    worst = worst_tokens([few.result, surer], 10, risk=risk)
    assert all(each.risk is not None for each in worst)
    assert [each.risk for each in worst] == sorted((each.risk for each in worst), reverse=True)
    assert "risk" in worst_tokens_html([surer], risk=risk)
    assert "wrong words to expect" in ranking_html([few.result, surer], risk=risk)


def test_it_is_found_beside_its_calibration(pages, tmp_path):
    assert risk_beside(tmp_path / "calibration.json") is None
    risk = fit_risk(pages, [READER])
    save_risk(risk, tmp_path)
    assert risk_beside(tmp_path / "calibration.json") == risk_beside(tmp_path) == risk


def test_a_risk_of_an_earlier_version_is_refused(pages, tmp_path):
    path = save_risk(fit_risk(pages, [READER]), tmp_path)
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"weights": record["weights"][:-1]}))
    with pytest.raises(ValueError, match="earlier version"):
        load_risk(tmp_path)


def test_a_page_without_words(pages):
    empty = replace(pages[0].result, text="", tokens=())
    assert fit_risk(pages, ())(empty).shape == (0,)
