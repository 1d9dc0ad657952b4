"""The worst tokens over many pages, each in its surroundings."""

import pytest
from make_results import page_of

from glmocr_utils.confidence import lines_of_tokens, summarize, worst_tokens

PAGES = [
    page_of(("a", 0.9), ("b", 0.2), ("\n", 1.0), ("c", 0.5), ("d", 0.95), index=0),
    page_of(index=1),
    page_of(("x", 0.1), ("y\n\n", 0.6), ("z", 0.3), index=2),
]


def test_worst_tokens_come_worst_first_from_all_pages() -> None:
    worst = worst_tokens(PAGES, worst_n=4)
    assert [(w.page.page_index, w.index, w.token.text) for w in worst] == [
        (2, 0, "x"),
        (0, 1, "b"),
        (2, 2, "z"),
        (0, 3, "c"),
    ]


def test_context_stays_on_the_page() -> None:
    worst = worst_tokens(PAGES, worst_n=3, context_tokens=10)
    assert [(w.before, w.after) for w in worst] == [("", "y\n\nz"), ("a", "\ncd"), ("xy\n\n", "")]


def test_context_is_as_long_as_asked() -> None:
    [_, b, *_] = worst_tokens(PAGES, worst_n=2, context_tokens=1)
    assert (b.before, b.token.text, b.after) == ("a", "b", "\n")
    [_, b, *_] = worst_tokens(PAGES, worst_n=2, context_tokens=2)  # only one is before it
    assert (b.before, b.token.text, b.after) == ("a", "b", "\nc")
    [x, *_] = worst_tokens(PAGES, worst_n=1, context_tokens=0)
    assert (x.before, x.after) == ("", "")


def test_lines_count_from_1_on_each_page() -> None:
    lines = {w.token.text: w.line_number for w in worst_tokens(PAGES)}
    # a line end belongs to the line that it ends; "y" is followed by a blank line
    assert lines == {"a": 1, "b": 1, "\n": 1, "c": 2, "d": 2, "x": 1, "y\n\n": 1, "z": 3}


def test_asking_for_more_than_there_are_gives_all() -> None:
    assert len(worst_tokens(PAGES, worst_n=1000)) == 8
    assert worst_tokens(PAGES, worst_n=0) == []


def test_no_pages_and_empty_pages_have_no_worst_tokens() -> None:
    assert worst_tokens([]) == []
    assert worst_tokens([page_of(index=0)]) == []


def test_tokens_alike_come_in_reading_order() -> None:
    pages = [page_of(("a", 0.5), ("b", 0.5), index=index) for index in range(2)]
    worst = worst_tokens(pages)
    assert [(w.page.page_index, w.index) for w in worst] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_summary_averages_probabilities_not_logarithms() -> None:
    summary = summarize(page_of(("a", 0.5), ("b", 0.1), index=0).tokens)
    assert summary.num_tokens == 2
    assert summary.average == pytest.approx(0.3)
    assert summary.minimum == pytest.approx(0.1)


def test_a_summary_of_nothing_has_no_numbers() -> None:
    summary = summarize(iter(()))
    assert (summary.num_tokens, summary.average, summary.minimum) == (0, None, None)


def test_tokens_are_split_into_lines() -> None:
    assert [[token.text for token in line] for line in lines_of_tokens(PAGES[0])] == [
        ["a", "b", "\n"],
        ["c", "d"],
    ]
    assert list(lines_of_tokens(PAGES[1])) == []
