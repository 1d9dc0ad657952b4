"""What the terminal shows of a result: nothing hostile, nothing hidden."""

from glmocr_utils.display.plain_text import (
    numbered_text,
    printable,
    probability_lines,
    timing_lines,
)
from glmocr_utils.records import OcrResult, PageRef, TokenProb


def result(*texts: str, finish_reason: str = "stop", seconds: float = 2.0) -> OcrResult:
    tokens = tuple(TokenProb(1, text, -0.1 * (n + 1)) for n, text in enumerate(texts))
    page = PageRef("scans/report.pdf", "0" * 64, 2)
    return OcrResult(
        page, "".join(texts), tokens, finish_reason, "p", "m", None, None, 2.0, seconds
    )


def test_lines_are_numbered_from_one():
    lines = list(numbered_text(result("first\nsec", "ond")))
    assert lines == ["── report.pdf page 3 ──", "   1 │ first", "   2 │ second"]


def test_a_blank_page_says_so():
    assert list(numbered_text(result()))[1] == "   (no text)"


def test_a_page_that_did_not_end_by_itself_says_so():
    assert "token limit" in list(numbered_text(result("a", finish_reason="length")))[-1]
    assert "repeated itself" in list(numbered_text(result("a", finish_reason="loop")))[-1]


def test_escape_sequences_in_the_text_do_not_reach_the_terminal():
    hostile = "\033[2J\033]0;title\a‮"
    shown = "\n".join(numbered_text(result(hostile)))
    shown += "\n".join(probability_lines([result(hostile)], batch_size=1, color=False))
    assert "\033" not in shown and "\a" not in shown and "‮" not in shown
    assert printable("a\nb\tc") == "a⏎b⇥c"


def test_the_worst_token_comes_first_with_context_of_its_page():
    lines = list(probability_lines([result("a", "b", "c")], 1, context_tokens=1, color=False))
    worst = lines[lines.index("the 3 tokens of lowest probability:") + 1]
    assert worst.endswith("report.pdf p3:1  b[c]")
    assert worst.split()[1] == "0.7408"  # exp(-0.3)


def test_timing_sums_the_pages_of_a_batch():
    lines = list(timing_lines([result("a")] * 3, batch_size=2))
    assert lines[0] == "batch 1, 2 pages: 4.00 s"
    assert lines[-1] == "3 pages in batches of 2: 6.00 s, 2.00 s/page, 0.50 pages/s"
