"""A page's text under review: tokens replaced, lines typed, and where characters are then."""

import pytest
from make_results import page_of

from glmocr_utils.confidence import PageTokens
from glmocr_utils.review.page_text import PageText

TOKENS = (("The", 0.9), (" end", 0.9), (".\n\n", 0.9), ("Next", 0.9), (" line", 0.9), ("\n", 0.9))


@pytest.fixture
def text() -> PageText:
    return PageText(PageTokens(page_of(*TOKENS, ("last", 0.9))))


@pytest.mark.parametrize(
    ("index", "other", "lines"),
    [
        (2, ".", ["The end.", "", "Next line", "last"]),
        (2, ". ", ["The end. ", "", "Next line", "last"]),
        (2, "!\n", ["The end!", "", "Next line", "last"]),
        (1, " end\nof", ["The end\nof.", "", "Next line", "last"]),
        (5, " ", ["The end.", "", "Next line ", "last"]),
        (5, "\n- ", ["The end.", "", "Next line", "- last"]),
        (0, "", [" end.", "", "Next line", "last"]),
    ],
)
def test_a_line_keeps_its_number_when_line_ends_come_or_go(text, index, other, lines):
    text.replace_token(index, other)
    assert text.lines == lines
    written = [token for token, _ in TOKENS] + ["last"]
    written[index] = other
    assert str(text) == "".join(written)


def test_the_last_choice_for_a_token_counts(text):
    for other in (" and", ", end", " End"):
        text.replace_token(1, other)
    assert str(text) == "The End.\n\nNext line\nlast"


def test_a_typed_line_stays_typed_and_takes_choices_that_come_later(text):
    text.replace_token(3, "next")
    text.type_line(2, "so: the next line, then")
    text.replace_token(4, " lane")
    text.replace_token(2, ": ")
    assert text.lines == ["The end: ", "", "so: the next lane, then", "last"]
    assert str(text) == "The end: so: the next lane, then\nlast"


def test_a_line_typed_to_nothing_goes_with_its_line_end(text):
    text.type_line(0, "")
    assert str(text) == "\nNext line\nlast"
    text.type_line(3, "")
    assert str(text) == "\nNext line"


def test_a_line_emptied_by_a_choice_stays_as_the_tokens_have_it():
    text = PageText(PageTokens(page_of(("a", 0.9), ("\n", 0.9), ("b\n", 0.9), ("c", 0.9))))
    text.replace_token(2, "\n")
    assert str(text) == "a\n\nc"


def test_characters_are_found_after_choices_before_in_and_behind_them(text):
    end, line = (0, 4, 7), (2, 5, 9)
    text.replace_token(0, "This is the")
    assert text.locate(*end) == (12, 15)
    text.replace_token(1, " very end")
    assert text.lines[0] == "This is the very end." and text.locate(*end) == (12, 20)
    text.replace_token(2, ".")
    assert text.locate(*line) == (5, 9)
    text.replace_token(4, "line")
    assert text.lines[2] == "Nextline" and text.locate(*line) == (4, 8)
    text.type_line(2, "the Next line")
    assert text.locate(*line) == (9, 13)


def test_a_copy_changes_alone(text):
    other = text.copy()
    other.replace_token(0, "An")
    other.type_line(3, "")
    assert str(text) == "".join(token for token, _ in TOKENS) + "last"
