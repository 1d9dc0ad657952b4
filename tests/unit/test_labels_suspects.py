"""Gold that the model finds improbable comes first."""

import math

import pytest
from label_inputs import a_label, a_page

from glmocr_utils.labels.suspects import find_suspects
from glmocr_utils.records import Label, TokenProb


def tokens(text: str, probs: dict[int, float] | None = None) -> tuple[TokenProb, ...]:
    """A token a character, all sure but those whose index is named."""
    probs = probs or {}
    return tuple(
        TokenProb(1, sign, math.log(probs.get(index, 0.99))) for index, sign in enumerate(text)
    )


def test_one_bad_word_on_a_long_page_leads_a_page_that_is_a_little_doubtful_all_over() -> None:
    text = "The appellant runs a grain store. " * 10
    doubtful, wrong = a_label(text), a_label(text, page=a_page("b"))
    scores = {
        id(doubtful): tuple(TokenProb(1, sign, math.log(0.8)) for sign in text),
        id(wrong): tokens(text, dict.fromkeys(range(40, 44), 0.01)),
    }
    suspects = find_suspects([doubtful, wrong], lambda label: scores[id(label)])
    assert [suspect.label for suspect in suspects] == [wrong, doubtful]
    assert suspects[0].mean_surprise < suspects[1].mean_surprise


def test_the_stretch_is_shown_in_its_context() -> None:
    text = "first line\nsecond liXX and more words behind it"
    start = text.index("XX")
    (suspect,) = find_suspects(
        [a_label(text)], lambda label: tokens(text, {start: 0.001, start + 1: 0.001})
    )
    assert "XX" in suspect.stretch and len(suspect.stretch) == 8
    assert suspect.line_number == 2
    assert suspect.before + suspect.stretch + suspect.after in text
    assert suspect.surprise == pytest.approx(-2 * math.log(0.001) - 6 * math.log(0.99))


def test_short_and_empty_labels() -> None:
    labels = [a_label(""), a_label("ab", page=a_page("b"))]
    (suspect,) = find_suspects(labels, lambda label: tokens(label.text, {1: 0.5}))
    assert (suspect.stretch, suspect.before, suspect.after) == ("ab", "", "")


def test_labels_are_scored_one_by_one_as_they_come() -> None:
    seen: list[Label] = []
    labels = [a_label("x", page=a_page(letter)) for letter in "abc"]
    find_suspects(iter(labels), lambda label: (seen.append(label), tokens("x"))[1])
    assert seen == labels
