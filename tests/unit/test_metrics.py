"""Error rates at their limits, and the rules by which texts are compared."""

import pytest

from glmocr_utils.metrics import (
    cer,
    character_edits,
    comparable_pair,
    corpus_cer,
    headline_cer,
    headline_pair,
    headline_segments,
    layout_aside,
    mean_page_cer,
    wer,
)


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


def test_wer_counts_words_whatever_separates_them() -> None:
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


def test_the_headline_composes_what_looks_alike():
    assert layout_aside("u\u0308ber") == "\u00fcber"
    assert layout_aside("\u212b") == "\u00c5"  # the Ångström sign
    assert layout_aside("\u1112\u1161\u11ab") == "\ud55c"  # Hangul in its parts
    assert layout_aside("non\u2010breaking\u2011hyphen") == "non-breaking-hyphen"


def test_the_headline_keeps_what_looks_different():
    assert layout_aside("ﬁne ½ ſ") == "ﬁne ½ ſ"  # NFC, not NFKC


REFLOWED = [
    ("The Court of\nAppeal held", "The Court of Appeal held"),
    ("The Court of Ap-\npeal", "The Court of Appeal"),
    ("The Court of Ap-\npeal", "The Court of Ap- peal"),
    ("a well-\nknown fact", "a well-known fact"),
    ("Vor-\nund Nachteile", "Vor- und Nachteile"),
    ("die E-\nMail", "die E-Mail"),
    ("1990-\n1995", "1990-1995"),
    ("中华人民\n共和国。\n第一条", "中华人民共和国。第一条"),
    ("Title\n\nText", "# Title\nText"),
    ("Item  12,50\nBread 1,20", "<table><tr><td>Item</td><td>12,50</td></tr>"
     "<tr><td>Bread</td><td>1,20</td></tr></table>"),
    ("a\tb\n1\t2", "| a | b |\n|---|---|\n| 1 | 2 |"),
    ("Total 5 < 6 & x²", "**Total** 5 &lt; 6 &amp; x²"),
    ("  a \t b\u00a0c  \r\n  d \n\n e\n\n", "a b c d e"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), REFLOWED)
def test_layout_moves_no_headline_cer(one, other):
    assert headline_cer(one, other) == headline_cer(other, one) == 0
    assert cer(one, other) > 0


@pytest.mark.parametrize(("one", "other"), REFLOWED)
def test_an_error_counts_the_same_in_any_layout(one, other):
    misread = str.maketrans("9258M第uEn", "8769N弟vFr")  # no letter that tags have
    edits = [character_edits(*headline_pair(one, text.translate(misread))) for text in (one, other)]
    assert edits[0] == edits[1]


def test_the_headline_counts_what_is_not_layout():
    assert headline_cer("a well-known fact", "a wellknown fact") == 1 / 17
    assert headline_cer("of the", "ofthe") == 1 / 6
    assert headline_cer("ab", "<td>ax</td>") == 0.5


@pytest.mark.parametrize(("one", "other"), REFLOWED)
def test_each_compared_character_knows_where_it_is_written(one, other):
    for page, written in zip(comparable_pair(one, other), (one, other), strict=True):
        assert len(page.text) == len(page.spans)
        for character, (start, stop) in zip(page.text, page.spans, strict=True):
            assert start < stop
            if character.isalnum() and stop - start == 1:
                assert written[start] == character


def test_differences_are_shown_in_the_lines_of_the_reference_without_layout():
    segments = headline_segments(
        "The Court of Ap-\npeal held\nthat.", "**The** Court 0f Appeal held that!"
    )
    assert "".join(segment.first for segment in segments) == "The Court of Appeal held\nthat."
    assert [(s.first, s.second) for s in segments if s.kind != "equal"] == [("o", "0"), (".", "!")]
    assert [s.second for s in segments if "\n" in s.first] == [
        s.first for s in segments if "\n" in s.first
    ]
