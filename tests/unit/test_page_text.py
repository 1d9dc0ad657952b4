"""A page's text under review: tokens replaced, lines typed, and where characters are then."""

import pytest

from glmocr_utils.review.page_text import PageText

TOKENS = ["The", " end", ".\n\n", "Next", " line", "\n", "last"]
READ = "".join(TOKENS)


@pytest.fixture
def text() -> PageText:
    return PageText(READ)


def choose(text: PageText, index: int, other: str) -> None:
    start = len("".join(TOKENS[:index]))
    text.replace_token(start, start + len(TOKENS[index]), other)


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
    choose(text, index, other)
    assert text.lines == lines
    assert str(text) == "".join([*TOKENS[:index], other, *TOKENS[index + 1 :]])


def test_the_last_choice_for_a_token_counts(text):
    for other in (" and", ", end", " End"):
        choose(text, 1, other)
    assert str(text) == "The End.\n\nNext line\nlast"


def test_a_choice_of_other_tokens_of_the_same_text_takes_the_place_of_older_ones(text):
    choose(text, 0, "A")
    text.replace_token(2, 5, "is")  # `e e`, as another tokenizer divides it
    assert str(text) == READ.replace("The end", "Thisnd")


def test_a_typed_line_stays_typed_and_takes_choices_that_come_later(text):
    choose(text, 3, "next")
    text.type_line(2, "so: the next line, then")
    choose(text, 4, " lane")
    choose(text, 2, ": ")
    assert text.lines == ["The end: ", "", "so: the next lane, then", "last"]
    assert str(text) == "The end: so: the next lane, then\nlast"


def test_a_line_typed_to_nothing_goes_with_its_line_end(text):
    text.type_line(0, "")
    assert str(text) == "\nNext line\nlast"
    text.type_line(3, "")
    assert str(text) == "\nNext line"


def test_a_line_emptied_by_a_choice_stays_as_the_tokens_have_it():
    text = PageText("a\nb\nc")
    text.replace_token(2, 4, "\n")
    assert str(text) == "a\n\nc"


def test_characters_are_found_after_choices_before_in_and_behind_them(text):
    end, line = (0, 4, 7), (2, 5, 9)
    choose(text, 0, "This is the")
    assert text.locate(*end) == (12, 15)
    choose(text, 1, " very end")
    assert text.lines[0] == "This is the very end." and text.locate(*end) == (12, 20)
    choose(text, 2, ".")
    assert text.locate(*line) == (5, 9)
    choose(text, 4, "line")
    assert text.lines[2] == "Nextline" and text.locate(*line) == (4, 8)
    text.type_line(2, "the Next line")
    assert text.locate(*line) == (9, 13)


def test_a_copy_changes_alone(text):
    other = text.copy()
    choose(other, 0, "An")
    other.type_line(3, "")
    assert str(text) == READ
