"""Error rates at their limits, and the rules by which texts are compared."""

import pytest

from glmocr_utils.metrics import cer, character_edits, corpus_cer, mean_page_cer, normalize, wer


@pytest.mark.parametrize("rate", [cer, wer])
@pytest.mark.parametrize("text", ["", "a", "Grüße an alle,\n12,50 €"])
def test_identical_texts_have_no_errors(rate: object, text: str) -> None:
    assert rate(text, text) == 0


@pytest.mark.parametrize("rate", [cer, wer])
def test_an_empty_prediction_misses_everything(rate: object) -> None:
    assert rate("two words", "") == 1


def test_an_empty_reference_counts_every_character_or_word() -> None:
    assert cer("", "abc") == 3
    assert wer("", "two words") == 2


def test_cer_may_exceed_1() -> None:
    assert cer("ab", "abcdef") == 2


def test_cer_divides_by_the_reference() -> None:
    assert cer("abcd", "abcx") == 0.25
    assert cer("abcd", "ab") == 0.5
    assert cer("ab", "abcd") == 1.0


def test_edits_are_insertions_deletions_and_replacements() -> None:
    assert character_edits("kitten", "sitting") == 3
    assert character_edits("abcdef", "bcdef") == 1
    assert character_edits("ab", "ba") == 2  # no transpositions


def test_wer_counts_words_however_they_are_parted() -> None:
    assert wer("one two\nthree  four", "one two three four") == 0
    assert wer("one two three four", "one three four five") == 0.5


def test_corpus_cer_weighs_by_length_and_mean_page_cer_by_page() -> None:
    pairs = [("a" * 90, "a" * 90), ("b" * 10, "")]
    assert corpus_cer(pairs) == pytest.approx(0.1)
    assert mean_page_cer(pairs) == pytest.approx(0.5)


def test_rates_over_pages_take_an_iterator_and_no_pages() -> None:
    assert corpus_cer(iter([("ab", "ax")])) == mean_page_cer(iter([("ab", "ax")])) == 0.5
    assert corpus_cer([]) == mean_page_cer([]) == 0


def test_text_on_a_blank_page_counts() -> None:
    pairs = [("abcd", "abcd"), ("", "ab")]
    assert corpus_cer(pairs) == 0.5
    assert mean_page_cer(pairs) == 1.0


def test_normalize_composes_what_looks_alike() -> None:
    assert normalize("u\u0308ber") == "\u00fcber"
    assert normalize("\u212b") == "\u00c5"  # the Ångström sign


def test_normalize_keeps_what_looks_different() -> None:
    assert normalize("ﬁne ½ ſ") == "ﬁne ½ ſ"  # NFC, not NFKC


def test_normalize_tidies_spaces_and_keeps_lines() -> None:
    assert normalize("  a \t b\u00a0c  \r\n  d \n\n e\n\n") == "a b c\nd\n\ne"


def test_normalize_is_idempotent() -> None:
    text = " a  b \r\n\r\n u\u0308 \n"
    assert normalize(normalize(text)) == normalize(text)
