"""Labels as HTML: safe, side by side, and readable without colours."""

from dataclasses import replace
from pathlib import Path

import pytest
from label_inputs import a_label, a_page, image_pages

from glmocr_utils.display import disagreements_html, label_html, suspects_html
from glmocr_utils.labels.disagreements import Disagreement
from glmocr_utils.labels.suspects import Suspect

HOSTILE = '<script>alert("1")</script><img src=x onerror=y>'


def difference(first: str, second: str, **changes: object) -> str:
    labels = a_label(first, source="text_layer"), a_label(second, "silver", "llm:m")
    return disagreements_html([Disagreement(*labels, cer=0.5)])


def test_what_differs_is_marked_on_either_side():
    table = difference("a grain store", "a green store")
    assert "<pre>a gr<del>ai</del>n store</pre>" in table
    assert "<pre>a gr<ins>ee</ins>n store</pre>" in table
    assert "a.pdf, page 1: CER 50.0%" in table
    assert "gold: text_layer, " in table and "silver: llm:m, " in table


def test_spaces_and_line_ends_that_differ_are_seen():
    table = difference("one two", "one  two\nthree")
    assert "<ins>␣<wbr></ins>" in table
    assert "<ins>⏎\nthree</ins>" in table


def test_a_paragraph_is_compared_in_the_printed_lines_of_the_other_text():
    lines = ("The keeper of the", "lamp was awake", "all night.")
    table = difference("\n".join(lines), " ".join(lines).replace("awake", "asleep"))
    assert "<td><pre>The keeper of the</pre></td><td><pre>The keeper of the</pre></td>" in table
    assert "⏎" not in table and "␣" not in table and table.count("<tr>") == 1 + 3


def test_lines_far_from_a_difference_are_left_out():
    lines = [f"line {number}" for number in range(20)]
    table = difference("\n".join(lines), "\n".join([*lines[:9], "lime 9", *lines[10:]]))
    assert "⋯ 8 lines alike" in table and "⋯ 9 lines alike" in table
    assert table.count("<td><pre>") == 2 * 3
    assert "line 8" in table and "line 7" not in table
    assert "li<del>n</del>e 9" in table


def test_nothing_to_show():
    assert "No two sources disagree" in disagreements_html([])


def test_a_suspect_is_marked_in_its_context():
    suspect = Suspect(a_label(reviewer="Ada"), 31.4, 0.125, "before\n", "bad one", " after", 7)
    table = suspects_html([suspect])
    assert "before⏎<b" in table and "<u>bad␣one</u></b> after" in table
    assert "31.4" in table and "<td>7</td>" in table and "gold: sidecar, Ada" in table


def test_a_label_is_shown_beside_its_page(tmp_path: Path):
    page = image_pages(tmp_path, 1)[0]
    shown = label_html(a_label("Grüße\nan <alle>", page=page))
    assert "data:image/jpeg;base64," in shown
    assert "Grüße\nan &lt;alle&gt;" in shown
    assert "<i>blank</i>" in label_html(a_label("", page=page))


@pytest.mark.parametrize("field", ["text", "source", "reviewer", "document"])
def test_nothing_that_a_label_says_becomes_markup(tmp_path: Path, field: str):
    page = image_pages(tmp_path, 1)[0]
    label = a_label("plain", page=page)
    if field == "document":
        label = replace(label, file=replace(page, page=replace(page.page, document_path=HOSTILE)))
    else:
        label = replace(label, **{field: HOSTILE + "\u202e"})
    other = a_label("plane " + HOSTILE, page=a_page("b"))
    suspect = Suspect(label, 1.0, 1.0, HOSTILE, HOSTILE, HOSTILE, 1)
    shown = [label_html(label), suspects_html([suspect])]
    shown.append(disagreements_html([Disagreement(label, other, 1.0)]))
    for html in shown:
        assert "<script" not in html and "<img src=x" not in html and "\u202e" not in html
