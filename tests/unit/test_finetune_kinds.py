"""The verdict of a training, kind of page by kind of page."""

from pathlib import Path

import datasets
import pytest
from make_results import page_of

from glmocr_utils.display import changed_reading_html
from glmocr_utils.finetune.comparison import compare_documents, worst_after
from glmocr_utils.finetune.evaluation import PageReading
from glmocr_utils.finetune.kinds import RETAINED, compare_kinds, kinds_verdict, page_kinds
from glmocr_utils.finetune.tables import documents_table, scores_table

TEXT = "abcdefghijklmnopqrst"  # twenty characters


def pages(**columns: list[str]) -> datasets.Dataset:
    rows = len(next(iter(columns.values())))
    standard = {
        "prompt": ["Text Recognition:"] * rows,
        "text": [TEXT] * rows,
        "document": [f"in/{n}.pdf" for n in range(rows)],
    }
    return datasets.Dataset.from_dict(standard | columns)


@pytest.mark.parametrize(
    ("columns", "kinds"),
    [
        ({"kind": ["print", "black letter"], "source": ["a", "b"]}, ["print", "black letter"]),
        ({"kind": [None, "black letter"]}, ["other", "black letter"]),
        (
            {"prompt": ["Text Recognition:", "Table Recognition:"]},
            ["Text Recognition", "Table Recognition"],
        ),
        ({"text": ["Der Rat 12", "Совет 1"]}, ["Latin", "Cyrillic"]),
        ({"document": ["in/acts/a.pdf", "in/letters/b.pdf"]}, ["acts", "letters"]),
        ({"source": ["review", "text_layer"]}, ["review", "text_layer"]),
        ({"source": ["review"] * 2}, ["0.pdf", "1.pdf"]),
        ({"document": ["a.pdf"] * 2}, ["held-out pages"] * 2),
        ({"document": [f"{n}.pdf" for n in range(20)]}, ["held-out pages"] * 20),
    ],
)
def test_a_kind_is_what_the_data_set_says(columns: dict, kinds: list[str]) -> None:
    assert page_kinds(pages(**columns)) == kinds


def readings(texts: list[str]) -> list[PageReading]:
    return [
        PageReading(f"in/{n}.pdf", TEXT, page_of(*[(c, 0.9) for c in text]))
        for n, text in enumerate(texts)
    ]


def test_each_kind_has_its_verdict_and_what_stayed_is_said_to_have_stayed() -> None:
    held_out = pages(kind=["print"] * 6 + ["black letter"] * 6 + ["table"] * 2)
    bad, good = TEXT[:-5] + "#####", TEXT[:-1] + "#"
    before = readings([TEXT] * 6 + [bad] * 6 + [bad, TEXT])
    after = readings([TEXT] * 6 + [good] * 6 + [TEXT, bad])
    changes = compare_kinds(held_out, before, after)
    assert [(each.kind, each.num_pages, each.verdict) for each in changes] == [
        ("black letter", 6, "better"),
        ("print", 6, "as before"),
        ("table", 2, "no sure difference"),
    ]
    assert kinds_verdict(changes) == (
        "CER by kind of page: black letter 25 → 5.0 %; print as before (0.0 %); "
        "table 12 → 12 %, no sure difference"
    )
    [kept] = compare_kinds(pages(document=["a.pdf"] * 6), before[:6], after[:6], 0, RETAINED)
    assert str(kept) == "pages not to be forgotten as before (0.0 %)"
    assert compare_kinds(None, (), ()) == [] and kinds_verdict([]) == ""


def test_the_worst_pages_show_both_readings_beside_the_label() -> None:
    before, after = readings(["abc", TEXT, TEXT]), readings([TEXT, TEXT[1:], "#" + TEXT[2:]])
    worst = worst_after(before, after)
    assert [pair[1].document for pair in worst] == ["in/2.pdf", "in/1.pdf"]
    shown = changed_reading_html("a <page>", TEXT, "#" + TEXT[1:], TEXT)
    assert "a &lt;page&gt;" in shown
    first, second = shown.split("</table>")[:2]
    assert "<del>a</del>" in first and "<ins>#</ins>" in first
    assert "<del>" not in second and "<ins>" not in second


def test_tables_are_for_people() -> None:
    before, after = readings(["abc"]), readings([TEXT])
    scores = scores_table({"before": before, "after": after, "none": ()})
    assert list(scores.index) == ["before", "after"]
    assert scores.loc["before", "CER (layout aside)"] == "85.00%"
    [row] = documents_table(compare_documents(before, after)).to_dict("records")
    assert row["document"] == Path("in/0.pdf").name and row["CER after"] == "0.00%"
