"""What a probability is worth: right and wrong tokens, words, curves, calibration."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from make_results import page_of

from glmocr_utils.confidence import (
    Calibration,
    MarkedPage,
    can_calibrate,
    errors_caught,
    expected_errors,
    fit_calibration,
    load_calibration,
    load_references,
    mark_pages,
    mark_tokens,
    precision_recall,
    rank_pages,
    reliability,
    risk_coverage,
    save_calibration,
    step_of,
    suspicions,
    unseen_errors,
)


def letters(text: str, prob: float = 0.9):
    return page_of(*((character, prob) for character in text))


@pytest.mark.parametrize(
    ("prob", "step"),
    [(1.0, 0), (0.99, 0), (0.98, 1), (0.95, 1), (0.8, 2), (0.79, 3), (0.5, 3), (0.49, 4), (0, 4)],
)
def test_probabilities_fall_into_five_steps(prob, step):
    assert step_of(prob) == step


class TestRightAndWrong:
    def test_a_page_read_well_has_no_wrong_token(self):
        page = mark_tokens(letters("one two"), "one two")
        assert (page.num_wrong, page.omissions) == (0, 0)

    def test_a_replaced_and_an_invented_character_are_wrong(self):
        page = mark_tokens(letters("onx twoo"), "one two")
        assert [page.result.tokens[i].text for i, w in enumerate(page.is_wrong) if w] == ["x", "o"]
        assert page.omissions == 0

    def test_what_is_left_out_is_counted_apart(self):
        page = mark_tokens(letters("one"), "one two")
        assert (page.num_wrong, page.omissions) == (0, 4)

    @pytest.mark.parametrize(
        "reading",
        [
            ("one  two \n three\n",),
            ("one", " two", " three"),
            ("<td>", "one", "</td>", "<td>", "two", " three"),
            ("**", "one", "**", " two", " th", "-\n", "ree"),
        ],
    )
    def test_layout_makes_no_token_wrong(self, reading):
        page = mark_tokens(page_of(*((text, 0.9) for text in reading)), "one two\nthree")
        assert (page.num_wrong, page.omissions) == (0, 0)

    @pytest.mark.parametrize(
        ("reading", "reference", "wrong", "omissions"),
        [
            (("Das", " Gerich", " hat"), "Das Gericht hat", [1], 0),
            (("Das", " ericht", " hat"), "Das Gericht hat", [1], 0),
            (("Ver", "tung"), "Verwaltung", [0], 0),
            (("of", "the", " end"), "of the end", [1], 0),
            ("Gerich", "Gericht", [], 1),  # a token of one letter lacks none
            (("a", " b"), "a c b", [], 2),  # a word is left out
            (("the", " then"), "the quick then", [], 6),
            (("the", " then"), "the thing then", [], 6),
            (("12", ".", "0"), "12.50", [], 1),
        ],
    )
    def test_a_token_that_lacks_a_character_is_wrong(self, reading, reference, wrong, omissions):
        page = mark_tokens(page_of(*((text, 0.9) for text in reading)), reference)
        assert [i for i, is_wrong in enumerate(page.is_wrong) if is_wrong] == wrong
        assert page.omissions == omissions

    def test_all_bytes_of_a_wrong_character_are_wrong(self):
        page = mark_tokens(page_of(("t", 0.9), ("", 0.9), ("ü", 0.4), ("r", 0.9)), "tör")
        assert page.is_wrong == (False, True, True, False)

    def test_a_token_of_several_characters_is_wrong_with_one_of_them(self):
        page = mark_tokens(page_of(("hel", 0.9), ("lo", 0.9)), "hallo")
        assert page.is_wrong == (True, False)

    def test_an_empty_page(self):
        assert mark_tokens(letters(""), "").is_wrong == ()
        assert mark_tokens(letters(""), "gone").omissions == 4


class TestReferences:
    """True texts, by document and page."""

    def write(self, folder, *rows):
        path = folder / "metadata.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return path

    def test_a_page_is_found_by_name_and_index(self, tmp_path):
        path = self.write(tmp_path, {"file_name": "a.pdf", "page_index": 0, "text": "o\u2028e"})
        assert load_references(path) == {("a.pdf", 0): "o\u2028e"}
        [marked] = mark_pages([letters("one"), page_of(("x", 0.9), index=1)], load_references(path))
        assert marked.result.text == "one"

    def test_of_exported_labels_the_gold_ones_count_for_their_documents(self, tmp_path):
        row = {"document": "scans/a.pdf", "page_index": 0, "text": "one"}
        gold = {"file_name": "a_p0001.png", **row, "status": "gold"}
        silver = {"file_name": "a_p0002.png", **row, "page_index": 1, "status": "silver"}
        self.write(tmp_path, gold, silver)
        assert load_references(tmp_path) == {("a.pdf", 0): "one"}

    def test_two_texts_for_a_page_are_named(self, tmp_path):
        row = {"file_name": "a.pdf", "page_index": 2, "text": "one"}
        path = self.write(tmp_path, row, row, row | {"text": "two"})
        with pytest.raises(ValueError, match=r"line 3 has a second text for a.pdf, page_index 2"):
            load_references(path)

    def test_a_line_that_is_none_is_named(self, tmp_path):
        with pytest.raises(ValueError, match="line 1 has no file_name, page_index and text"):
            load_references(self.write(tmp_path, {"file_name": "a.pdf", "text": "one"}))


class TestCurves:
    def test_looking_at_the_worst_first_finds_the_errors_first(self):
        page = mark_tokens(page_of(("a", 0.9), ("x", 0.1), ("c", 0.8), ("y", 0.2)), "abcd")
        caught = errors_caught([page])
        assert caught.auroc == 1 and caught.average_precision == pytest.approx(1)
        assert caught.caught_at(0.5) == 1 and caught.caught_at(0.25) == 0.5
        assert caught.reviewed[0] == caught.caught[0] == 0 and caught.caught[-1] == 1

    def test_doubt_that_is_the_wrong_way_round_is_worse_than_chance(self):
        page = mark_tokens(page_of(("a", 0.1), ("x", 0.9), ("c", 0.2), ("y", 0.8)), "abcd")
        assert errors_caught([page]).auroc == 0

    def test_nothing_can_be_ranked_without_an_error(self):
        with pytest.raises(ValueError, match="all 3 tokens are right"):
            errors_caught([mark_tokens(letters("abc"), "abc")])

    def test_precision_falls_and_recall_rises_the_more_is_looked_at(self):
        page = mark_tokens(page_of(("a", 0.9), ("x", 0.1), ("c", 0.3), ("y", 0.4)), "abcd")
        precision, recall = precision_recall([page])
        assert list(recall) == [1, 1, 0.5, 0.5, 0]
        assert list(precision) == pytest.approx([1 / 2, 2 / 3, 1 / 2, 1, 1])

    def test_risk_falls_when_less_is_trusted(self):
        page = mark_tokens(page_of(("a", 0.9), ("x", 0.1), ("c", 0.8), ("y", 0.2)), "abcd")
        coverage, risk, area = risk_coverage([page])
        assert list(coverage) == [0.25, 0.5, 0.75, 1.0]
        assert list(risk) == [0, 0, pytest.approx(1 / 3), 0.5]
        assert 0 < area < 0.5

    def test_margin_and_entropy_see_the_alternatives(self):
        scores = suspicions(page_of(("a", 0.5, {"o": 0.49}), ("b", 0.5, {"d": 0.1, "p": 0.1})))
        assert scores["margin"][0] == pytest.approx(0.99)
        assert scores["margin"][1] == pytest.approx(0.6)
        assert scores["entropy"][1] > scores["entropy"][0]

    def test_a_word_is_as_doubtful_as_its_worst_token(self):
        scores = suspicions(page_of(("a", 0.9), ("b", 0.3), (" ", 0.8), ("c", 0.7)))
        assert scores["word"] == pytest.approx([0.7, 0.7, 0.2, 0.3])

    def test_reliability_has_bins_of_equal_size(self):
        probs = np.linspace(0.01, 0.99, 100)
        stated, right = reliability(probs, [False] * 50 + [True] * 50, bins=4)
        assert len(stated) == 4 and list(right) == [1, 1, 0, 0]


def marked_pages(num_pages: int, overconfident: float = 0.5):
    """Pages of 100 tokens whose share of right ones is `overconfident` of what they state."""
    rng = np.random.default_rng(4)
    pages = []
    for index in range(num_pages):
        probs = rng.uniform(0.05, 0.999, 100)
        right = rng.random(100) < overconfident * probs
        result = page_of(*(("a", prob) for prob in probs), index=index)
        pages.append(MarkedPage(result, tuple(map(bool, ~right)), omissions=0))
    return pages


class TestCalibration:
    @pytest.mark.parametrize(("num_pages", "method"), [(1, "platt"), (40, "isotonic")])
    def test_it_gives_the_share_of_right_tokens(self, num_pages, method):
        calibration = fit_calibration(marked_pages(num_pages))
        assert calibration.method == method
        tolerance = 0.2 if method == "platt" else 0.08
        assert calibration([0.3, 0.6, 0.9]) == pytest.approx([0.15, 0.3, 0.45], abs=tolerance)
        curve = calibration(np.linspace(0, 1, 50))
        assert (np.diff(curve) >= 0).all() and curve.min() > 0 and curve.max() < 1

    def test_expected_errors_come_near_the_true_ones(self):
        calibration = fit_calibration(marked_pages(40))
        pages = marked_pages(20)
        expected = [expected_errors(page.result, calibration) for page in pages]
        assert all(e.is_calibrated for e in expected)
        true = sum(page.num_wrong for page in pages)
        assert sum(e.mean for e in expected) == pytest.approx(true, rel=0.05)
        uncalibrated = sum(expected_errors(page.result).mean for page in pages)
        assert uncalibrated < 0.8 * true

    def test_an_estimate_says_whether_it_is_calibrated(self):
        page = letters("abcd", 0.5)
        assert str(expected_errors(page)) == "uncalibrated sum of doubt: 2 ± 1"
        calibration = fit_calibration(marked_pages(40))
        assert str(expected_errors(page, calibration)).startswith(
            "estimated errors on this page: 3 ± 1"
        )

    def test_an_estimate_by_a_calibration_that_did_not_see_the_page(self):
        pages = marked_pages(10)
        estimates = unseen_errors(pages)
        other_half = fit_calibration(pages[1::2])
        assert estimates[0] == expected_errors(pages[0].result, other_half)
        true = sum(page.num_wrong for page in pages)
        assert sum(e.mean for e in estimates) == pytest.approx(true, rel=0.1)

    def test_a_page_alone_has_none(self):
        [estimate] = unseen_errors(marked_pages(1))
        assert not estimate.is_calibrated and unseen_errors([]) == []

    def test_it_needs_errors_and_right_tokens(self):
        pages = marked_pages(1)
        assert can_calibrate(pages) and not can_calibrate([])
        assert not can_calibrate([mark_tokens(letters("abcdefgh"), "abcd")])
        assert not can_calibrate([mark_tokens(letters("abcdefgh"), "")])

    def test_it_is_saved_and_loaded(self, tmp_path):
        calibration = fit_calibration(marked_pages(2))
        path = save_calibration(calibration, tmp_path)
        assert load_calibration(path) == load_calibration(tmp_path) == calibration

    def test_a_file_that_is_none_says_so(self, tmp_path):
        (tmp_path / "calibration.json").write_text('{"method": "isotonic"}')
        with pytest.raises(ValueError, match="isn't a calibration"):
            load_calibration(tmp_path)

    def test_it_holds_for_its_own_model_only(self):
        calibration = fit_calibration(marked_pages(2))
        other = page_of(("a", 0.5), adapter="outputs/run/adapter")
        with pytest.raises(ValueError, match="fitted on some/model, and the page was read by"):
            expected_errors(other, calibration)

    def test_pages_of_two_models_have_no_common_calibration(self):
        pages = [*marked_pages(1), mark_tokens(page_of(("a", 0.5), model_id="other"), "b")]
        with pytest.raises(ValueError, match="belongs to one model"):
            fit_calibration(pages)

    def test_too_few_errors_are_said(self):
        with pytest.raises(ValueError, match="0 of 3 tokens are wrong"):
            fit_calibration([mark_tokens(letters("abc"), "abc")])


def test_pages_are_ranked_by_expected_errors_and_warnings_come_first():
    sure, unsure = letters("abc", 0.99), letters("abc", 0.5)
    looped = page_of(("a", 0.99), finish_reason="loop")
    empty, blank = page_of((" \n", 0.99)), page_of(is_blank=True)
    ranked = rank_pages([blank, sure, unsure, looped, empty])
    assert [result for result, _ in ranked] == [empty, looped, unsure, sure, blank]
    assert [errors.is_known for _, errors in ranked] == [False, True, True, True, True]
    assert "not known" in str(ranked[0][1]) and ranked[-1][1].mean == 0


@pytest.mark.parametrize("name", ["dtype", "attention"])
def test_a_calibration_made_with_other_numbers_is_warned_about(name):
    page = page_of(("a", 0.9))
    made = Calibration(
        "platt", (0.0, 1.0), (0.1, 0.9), page.model_id, page.revision, page.adapter, 100, 9
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.check_fits(replace(page, **{name: "one"}))  # an old file does not know
        replace(made, **{name: "one"}).check_fits(page)
        replace(made, **{name: "one"}).check_fits(replace(page, **{name: "one"}))
    with pytest.warns(UserWarning, match=f"{name} one, and these were read with other"):
        replace(made, **{name: "one"}).check_fits(replace(page, **{name: "other"}))


def test_a_calibration_knows_dtype_and_attention_of_its_pages_and_old_files_load(tmp_path):
    page = replace(page_of(*[("a", 0.9)] * 40), dtype="bfloat16", attention="sdpa")
    wrong = [True] * 6 + [False] * 34
    fitted = fit_calibration([MarkedPage(page, tuple(wrong), 0)])
    assert (fitted.dtype, fitted.attention) == ("bfloat16", "sdpa")
    mixed = [MarkedPage(replace(page, dtype=d), tuple(wrong), 0) for d in ("float32", "float16")]
    assert fit_calibration(mixed).dtype is None
    path = save_calibration(fitted, tmp_path)
    assert load_calibration(path) == fitted
    old = json.loads(path.read_text())
    del old["dtype"], old["attention"]
    path.write_text(json.dumps(old))
    assert load_calibration(path) == replace(fitted, dtype=None, attention=None)
