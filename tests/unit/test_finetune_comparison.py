"""Before against after: CER with intervals, documents, confusions."""

import matplotlib.pyplot as plt
import pytest
from make_results import page_of

from glmocr_utils.evaluation.comparison import NOTHING
from glmocr_utils.figures.training import training_curve
from glmocr_utils.finetune.comparison import (
    calibration_error,
    changed_confusions,
    compare,
    compare_documents,
    most_changed,
)
from glmocr_utils.finetune.evaluation import PageReading, other_form, scores


def read(document: str, reference: str, text: str, prob: float = 0.99) -> PageReading:
    return PageReading(document, reference, page_of(*[(c, prob) for c in text]))


@pytest.fixture
def before():
    return [read(f"d{n}.pdf", "abcdefghij", "abcdefgh##") for n in range(6)]


def test_a_sure_gain(before):
    after = [read(f"d{n}.pdf", "abcdefghij", "abcdefghi#") for n in range(6)]
    comparison = compare(before, after)
    assert comparison.before.value == pytest.approx(0.2)
    assert comparison.after.value == pytest.approx(0.1)
    assert comparison.change.high < 0 and comparison.verdict == "better"
    assert comparison.resampled == "documents"


def test_luck_is_called_so(before):
    texts = ["abcdefghij", "abcde#####", "abcdefgh##", "abcdefghij", "abcd######", "abcdefghi#"]
    after = [read(f"d{n}.pdf", "abcdefghij", text) for n, text in enumerate(texts)]
    comparison = compare(before, after)
    assert comparison.change.low < 0 < comparison.change.high
    assert comparison.verdict == "no sure difference"
    assert compare(before, after) == comparison  # the same seed draws the same


def test_few_documents_are_drawn_by_page():
    pages = [read("one.pdf", "abcd", "abc#") for _ in range(3)]
    assert compare(pages, pages).resampled == "pages"


def test_without_pages_there_are_no_changes():
    assert compare_documents([], []) == most_changed([], []) == []
    with pytest.raises(ValueError, match="there are no pages to compare"):
        compare([], [])


def test_other_pages_cannot_be_compared(before):
    with pytest.raises(ValueError, match="only the same pages"):
        compare(before, before[:-1])


def test_documents_and_pages_by_change():
    before = [read("a.pdf", "aaaa", "a###"), read("b.pdf", "bbbb", "bbbb"), read("a.pdf", "a", "a")]
    after = [read("a.pdf", "aaaa", "aaaa"), read("b.pdf", "bbbb", "bb##"), read("a.pdf", "a", "a")]
    first, second = compare_documents(before, after)
    assert (first.document, first.num_pages, first.cer_before, first.cer_after) == (
        "a.pdf",
        2,
        0.6,
        0,
    )
    assert (second.document, second.cer_after) == ("b.pdf", 0.5)
    pairs = most_changed(before, after)
    assert pairs[0][0].reference == "aaaa" and pairs[-1][0].reference == "bbbb"


def test_confusions():
    before = [read("a", "lll", "111")]
    after = [read("a", "lll", "ll")]
    assert changed_confusions(before, after)[0] == ("l", "1", 3, 0)
    assert ("l", NOTHING, 0, 1) in changed_confusions(before, after)


def test_scores():
    pages = [read("a", "two words", "two words"), read("a", "abc  d", "abc #")]
    values = scores(pages)
    assert values["cer"] == pytest.approx(1 / 14)
    assert values["cer_raw"] == pytest.approx(2 / 15)
    assert values["wer"] == pytest.approx(1 / 4)
    assert values["stop_rate"] == 1 and values["loop_rate"] == 0


def test_nothing_read_is_not_read_without_error():
    assert set(scores(()).values()) == {None}
    assert scores(()).keys() == scores([read("a", "b", "b")]).keys()
    figure = training_curve([{"step": 1, "loss": 2.0}], cer_before=scores(())["cer"])
    losses, rates = figure.axes
    assert len(losses.lines) == 1 and not rates.lines
    plt.close(figure)


def test_sure_and_wrong_is_badly_calibrated():
    right = [read("a", "abcd" * 10, "abcd" * 10)]
    wrong = [read("a", "abcd" * 10, "####" * 10)]
    assert calibration_error(right) < 0.02 < 0.9 < calibration_error(wrong)


@pytest.mark.parametrize(
    ("label", "text", "said"),
    [
        ("one two\nthree four\nfive", "one two three four five", "paragraphs=True"),
        ("one two three four five", "one two\nthree four\nfive", "paragraphs=False"),
        ("one two\nthree four\nfive", "one two\nthree tour\nfive", None),
        ("one\n\ntwo", "one\ntwo", None),  # blank lines are no lines
        ("one two\nthree four\nfive", "öp lütz gnarf", None),  # it cannot read at all
        ("", "one\ntwo", None),
    ],
)
def test_labels_in_another_form_than_the_models_are_told(label, text, said):
    told = other_form([read("a.pdf", label, text)] * 2)
    assert told is None if said is None else said in told


def test_without_held_out_pages_nothing_is_told():
    assert other_form([]) is None
