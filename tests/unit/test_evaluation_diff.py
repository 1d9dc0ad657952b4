"""Two sets of readings without a reference: disagreements, their probabilities, and the audit."""

import csv

import pytest
from make_results import page_of

from glmocr_utils.cli import main
from glmocr_utils.evaluation.disagreements import (
    audit_shares,
    draw_audit,
    find_differences,
    read_audit,
    write_audit,
)
from glmocr_utils.evaluation.page_text import PageText, text_set
from glmocr_utils.records import write_results


def page(*tokens: tuple[str, float], index: int = 0) -> PageText:
    result = page_of(*tokens, index=index)
    return PageText("a.pdf", index, result.text, "ok", result)


def differences(first, second):
    return find_differences(text_set("one", first), text_set("two", second))


def test_words_that_differ_come_with_both_probabilities_and_layout_is_not_a_difference():
    one = page(
        ("The", 0.9), (" Gericht", 0.4), (" hat", 0.9), ("\n", 0.9), ("ent", 0.8), ("schieden", 0.7)
    )
    two = page(
        ("The", 0.9), (" Gerich", 0.6), ("l", 0.3), (" hat", 0.9), (" ent", 0.8), ("schieden", 0.7)
    )
    [(found)], problems = differences([one], [two])
    [only] = found.disagreements
    assert (only.before, only.first, only.second, only.after) == (
        "The ", "Gericht", "Gerichl", " hat entschieden",
    )  # fmt: skip
    assert (only.first_prob, only.second_prob) == pytest.approx((0.4, 0.3))
    assert only.edits == 1 and only.page == 1
    assert problems == []


def test_a_missing_word_has_no_probability_and_counts():
    [found], _ = differences(
        [page(("a", 0.9), (" b", 0.5), (" c", 0.9))], [page(("a", 0.9), (" c", 0.9))]
    )
    [only] = found.disagreements
    assert (only.first, only.second, only.second_prob) == ("b", "", None)


def test_pages_come_furthest_apart_first_and_lone_ones_are_named():
    first = [page(("same", 0.9)), page(("abcd", 0.9), index=1), page(("x", 0.9), index=2)]
    second = [page(("same", 0.9)), page(("wxyz", 0.9), index=1)]
    pages, problems = differences(first, second)
    assert [found.rate for found in pages] == [1, 0]
    assert problems == ["only in one: 1 page, not compared (a.pdf, page 3)"]


def test_a_page_that_one_run_did_not_read_is_named_and_not_a_disagreement():
    first = [page(("same", 0.9)), PageText("a.pdf", 1, None, "failed")]
    second = [page(("same", 0.9)), page(("abcd", 0.9), index=1)]
    [only], problems = differences(first, second)
    assert only.first.page_index == 0
    assert problems == ["not read in one: 1 page, not compared (a.pdf, page 2)"]


def test_readings_without_probabilities_are_compared_too():
    [found], _ = differences([PageText("a.pdf", 0, "b")], [PageText("a.pdf", 0, "d")])
    assert found.disagreements[0].first_prob is None


def test_an_audit_is_drawn_once_and_read_back(tmp_path):
    pages, _ = differences(
        [page(*[(f" w{n}", 0.9) for n in range(40)])],
        [page(*[(f" v{n}x", 0.9) for n in range(40)])],
    )
    many, _ = differences(
        [page((f"w{n}", 0.9), index=n) for n in range(40)],
        [page((f"v{n}", 0.9), index=n) for n in range(40)],
    )
    assert len(draw_audit(pages, 10)) == 1  # words side by side are one disagreement
    drawn = draw_audit(many, 10, seed=3)
    assert len(drawn) == 10 and drawn == draw_audit(many, 10, seed=3)
    path = tmp_path / "audit.csv"
    write_audit(drawn, path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["right"] = ["First", "second", ""][number % 3]
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    verdicts = read_audit(path)
    assert sorted(verdicts) == ["first"] * 4 + ["second"] * 3
    shares = audit_shares(verdicts)
    assert shares["first"].low < 4 / 7 == shares["first"].value < shares["first"].high
    assert shares["neither"].value == 0 < shares["neither"].high < 0.5


@pytest.mark.parametrize(
    ("right", "says"),
    [("left", "line 2: right is first, second or neither"), ("", "fill its column")],
)
def test_a_verdict_that_is_none_is_named(tmp_path, right, says):
    (tmp_path / "audit.csv").write_text(f"first,second,right\na,b,{right}\n")
    with pytest.raises(ValueError, match=says):
        read_audit(tmp_path / "audit.csv")


def test_the_command_writes_the_differences_and_the_audit(tmp_path, capsys):
    for name, letter in (("one", "e"), ("two", "c")):
        text = f"The harbour mast{letter}r ke{letter}ps the <b>book</b>"
        write_results([page_of(*((char, 0.9) for char in text))], tmp_path / name / "a.jsonl")
    out = tmp_path / "out"
    code = main(
        ["diff", str(tmp_path / "one"), "--other-readings", str(tmp_path / "two"),
         "--output-dir", str(out)]
    )  # fmt: skip
    assert code == 0
    assert "1 page in both, 1 differ in 1 spot" in capsys.readouterr().out
    html = (out / "diff.html").read_text(encoding="utf-8")
    assert "master keeps" in html and "<b>book</b>" not in html
    assert (out / "audit.csv").is_file() and (out / "disagreements.csv").is_file()
