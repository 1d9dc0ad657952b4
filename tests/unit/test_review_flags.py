"""What is flagged on a page: short, in words, letters before layout."""

import math
from dataclasses import replace

import pytest
from bpe_readings import CHINESE, TABLE, bpe_reading
from make_results import page_of

from glmocr_utils.confidence import PageTokens
from glmocr_utils.markup import ink
from glmocr_utils.records import Disagreement, OcrResult, SecondReading, TokenProb
from glmocr_utils.review import ReviewSession, find_flags
from glmocr_utils.review.other_readings import other_readings
from glmocr_utils.review.page_review import window_around
from glmocr_utils.review.static import review_html

ROWS = "".join(
    f"<tr><td>Position {n}</td><td>{17 * n},50</td><td>Kommentar</td></tr>" for n in range(60)
)
LONG_TABLE = f"<table>{ROWS}</table>"


def doubted(result: OcrResult, *positions: int) -> OcrResult:
    """A sure reading with doubt at the tokens that spell these characters of its text."""
    tokens: list[TokenProb] = []
    start = 0
    for token in result.tokens:
        stop = start + len(token.text)
        is_doubtful = any(start <= position < stop for position in positions)
        logprob = math.log(0.5) if is_doubtful else -0.001
        tokens.append(TokenProb(token.token_id, token.text, logprob))
        start = stop
    return replace(result, tokens=tuple(tokens))


def letters(text: str) -> OcrResult:
    return page_of(*((character, 0.999) for character in text))


@pytest.fixture(params=[letters, bpe_reading], ids=["bytes", "BPE"])
def read(request):
    return request.param


def texts_of(result: OcrResult, **options: object) -> list[str]:
    return [flag.text for flag in find_flags(result, num_audits=0, **options)]


def test_one_doubt_in_a_long_table_is_one_word(read):
    position = LONG_TABLE.index("Position 31") + 3
    assert texts_of(doubted(read(LONG_TABLE), position)) == ["Position"]


def test_a_doubtful_line_of_chinese_is_in_words(read):
    position = CHINESE.index("通")
    [text] = texts_of(doubted(read(CHINESE), position))
    assert "通" in text and len(text) <= 12
    everything = texts_of(doubted(read(CHINESE), *range(len(CHINESE))))
    assert all(0 < len(text) <= 40 and "\n" not in text for text in everything)


def test_a_word_of_any_length_is_cut_around_the_doubt(read):
    address = "https://example.org/" + "a" * 50 + "x" + "b" * 90
    [text] = texts_of(doubted(read(address), address.index("x" + "b")))
    assert len(text) <= 40 and "x" in text


def test_doubt_about_line_ends_is_not_a_flag():
    token = ("\n", 0.5, {" ": 0.3, "\n\n": 0.19})
    lines = [piece for n in range(15) for piece in ((f"line {n}", 0.999), token)]
    assert texts_of(page_of(*lines)) == []
    assert texts_of(page_of(*lines, ("wrang", 0.6, {"wrong": 0.3}))) == ["wrang"]
    stop = (".\n\n", 0.5, {".": 0.3, ".\n": 0.1})
    for following in (" New", "New"):
        assert texts_of(page_of(("end", 0.999), stop, (following, 0.999))) == []


def test_doubt_about_a_space_within_a_word_is_a_flag():
    [flag] = find_flags(
        page_of(("the", 1.0), ("re", 0.5, {" re": 0.4}), (" is", 1.0)), num_audits=0
    )
    assert (flag.text, flag.choices[0][0]) == ("there", "the re")
    space = page_of(("in", 1.0), (" ", 0.5, {"t": 0.4}), ("o", 1.0), ("\n", 1.0))
    [flag] = find_flags(space, num_audits=0)
    assert (flag.text, flag.choices[0][0]) == ("in o", "into")


def test_layout_does_not_make_a_letter_less_doubtful():
    token = (" bx", 0.4, {"\nbx": 0.3, " by": 0.25})
    [flag] = find_flags(page_of(("Served", 1.0), token, (" K.", 1.0)), num_audits=0)
    assert flag.prob == pytest.approx(0.7) and [text for text, _ in flag.choices] == ["by"]
    sure = (" bx", 0.4, {"\nbx": 0.5, " by": 0.05})
    assert find_flags(page_of(("Served", 1.0), sure, (" K.", 1.0)), num_audits=0) == []


def test_doubt_about_tags_comes_last_and_is_apart_from_words(read):
    tag, word = TABLE.index("</td><td>"), TABLE.index("Bread 3")
    result = doubted(read(TABLE), tag + 3, word, TABLE.index("prices"))
    texts = texts_of(result)
    assert texts[0].startswith("</td") and texts[1:] == ["Bread", "prices"]
    assert texts_of(result, max_flags=2) == ["Bread", "prices"]


def test_no_flag_has_tags_and_words():
    texts = texts_of(bpe_reading(TABLE, doubt=1), max_flags=100)
    assert any("<" in text for text in texts) and "Bread 7" in texts
    assert not any("<" in text and any(ink(text)) for text in texts)


def test_words_in_a_row_are_one_flag_up_to_40_characters():
    text = "several doubtful words of one line, which is longer than a flag may be"
    texts = texts_of(doubted(letters(text), *range(len(text))))
    assert " ".join(texts) == text and all(20 < len(part) <= 40 for part in texts)


def test_audits_are_words_and_no_tags():
    audits = find_flags(bpe_reading(TABLE, doubt=0), num_audits=30)
    assert len(audits) == 30 and all(flag.kind == "audit" for flag in audits)
    assert not any("<" in flag.text or ">" in flag.text for flag in audits)


def shown(line: str, word: str) -> str:
    start = line.index(word)
    first, last = window_around(line, start, start + len(word))
    return line[first:last]


def test_what_is_shown_of_a_line_is_its_row_or_the_words_around():
    assert shown("A short line.", "short") == "A short line."
    assert shown(LONG_TABLE, "527,50") == "Position 31</td><td>527,50</td><td>Kommentar"
    row = "<tr>" + "".join(f"<td>{'word ' * 20}{n}</td>" for n in range(9)) + "</tr>"
    assert shown(f"<table>{row * 3}</table>", "word 4<"[:-1]) == "word " * 20 + "4"
    prose = "some words of a paragraph " * 40 + "here " + "and what follows it " * 40
    assert "paragraph here and" in shown(prose, "here") and len(shown(prose, "here")) < 160
    assert 60 < len(shown(CHINESE.replace("\n", "") * 20, "印发")) < 160


def test_the_right_reading_is_offered_where_several_tokens_are_wrong():
    page = page_of(
        ("A", 0.99),
        ("P", 0.6, {"R": 0.3, "<|user|>": 0.05, "\ufffd": 0.02}),
        ("F", 0.4, {"P": 0.35}),
        ("L", 0.5, {"E": 0.44, "I": 0.004}),
        ("AL", 0.99),
        (".", 0.7, {",": 0.2, "_": 0.1}),
    )
    [flag] = find_flags(page, num_audits=0)
    offered = [text for text, _ in flag.choices]
    assert offered[:3] == ["APFEAL.", "APPLAL.", "APPEAL."]
    probs = [prob for _, prob in flag.choices]
    assert probs == sorted(probs, reverse=True) and probs[-1] >= 0.005


def test_a_token_that_is_not_flagged_is_corrected_with_the_one_that_is():
    """As where a calibration finds the first good enough."""
    page = page_of(("L", 0.5, {"E": 0.44}), ("AL", 0.99), (".", 0.7, {",": 0.2}))
    [other, *_] = other_readings(PageTokens(page), 0, 4, [2])
    assert other.text == "EAL."


def test_a_token_that_says_the_whole_word_takes_the_place_of_its_tokens():
    page = page_of(
        ("The APP", 0.5, {"The APPEAL": 0.3}), ("LAL", 0.5, {"LIES": 0.2}), (" now", 0.9)
    )
    flag, *_ = find_flags(page, num_audits=0)
    assert [text for text, _ in flag.choices] == ["The APPEAL", "The APPLIES"]


def test_the_same_word_in_other_tokens_causes_no_doubt():
    page = page_of(("in", 0.6, {"into": 0.39}), ("to", 0.99), (" it", 0.99))
    assert find_flags(page, num_audits=0) == []


def with_seconds(result: OcrResult, *readings: tuple[str, str, str]) -> OcrResult:
    """Second readings: (reader, word of the text, what it reads there)."""
    seconds = []
    for reader, word, text in readings:
        start = result.text.index(word)
        other = Disagreement("other", start, start + len(word), text)
        seconds.append(SecondReading(reader, (other,)))
    return replace(result, second_readings=tuple(seconds))


def test_what_second_readers_read_is_among_the_choices_and_leads(tmp_path):
    page = page_of(("a ", 1.0), ("brovvn", 0.4, {"brawn": 0.3, "brown": 0.1}), (" fox", 1.0))
    page = with_seconds(
        page, ("tesseract", "brovvn", "brewn"), ("rapidocr", "brovvn", "brown"), ("x", "fox", "f")
    )
    [flag] = find_flags(page, num_audits=0)
    assert flag.choices == (("brewn", 0.0), ("brown", pytest.approx(0.1)), ("brawn", 0.3))
    assert flag.readers == ("tesseract", "rapidocr", "")
    session = ReviewSession([page], tmp_path / "review.jsonl", num_audits=0)
    assert "brewn (tesseract)" in review_html(session)
    session.choose(0, flag, "brewn")
    assert session.pages[0].text == "a brewn fox"
    again = ReviewSession([page], tmp_path / "review.jsonl", num_audits=0)
    assert again.pages[0].text == "a brewn fox"


def test_two_second_readers_that_agree_are_one_choice():
    page = with_seconds(letters("a brovvn fox"), ("tesseract", "brovvn", "brown"))
    page = replace(
        doubted(page, 4),
        second_readings=(
            *page.second_readings,
            replace(page.second_readings[0], reader="rapidocr"),
        ),
    )
    [flag] = find_flags(page, num_audits=0)
    assert (flag.choices, flag.readers) == ((("brown", 0.0),), ("tesseract, rapidocr",))


def test_a_second_reading_with_words_beside_it_is_not_a_choice():
    page = with_seconds(doubted(letters("a of b"), 2), ("tesseract", "of", "of the town"))
    [flag] = find_flags(page, num_audits=0)
    assert flag.choices == ()
