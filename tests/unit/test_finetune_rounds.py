"""The curve of labelling rounds, and whether another one pays."""

import json

from glmocr_utils.figures.training import labels_curve
from glmocr_utils.finetune.rounds import next_round, rounds_beside


def report(folder, pages, cer, spread=0.002, held_out="a" * 64):
    estimate = {"value": cer, "low": cer - spread, "high": cer + spread}
    before = {"value": 0.5, "low": 0.4, "high": 0.6}
    folder.mkdir(parents=True)
    content = {
        "train_pages": pages,
        "held_out_sha256": held_out,
        "comparison": {"before": before, "after": estimate, "change": before, "resampled": "pages"},
    }
    (folder / "training_report.json").write_text(json.dumps(content))
    return folder


def test_runs_on_the_same_held_out_pages_are_the_curve(tmp_path):
    report(tmp_path / "second", 20, 0.10)
    first = report(tmp_path / "first", 10, 0.20)
    report(tmp_path / "worse", 20, 0.15)
    report(tmp_path / "other", 40, 0.01, held_out="b" * 64)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/training_report.json").write_text("{")
    rounds = rounds_beside(first)
    assert [(each.name, each.pages) for each in rounds] == [("first", 10), ("second", 20)]
    assert rounds_beside(tmp_path / "unfinished") == []
    [line] = [each for each in labels_curve(rounds).axes[0].lines if len(each.get_xdata()) == 2][:1]
    assert list(line.get_xdata()) == [10, 20]


def test_a_curve_that_still_falls_pays(tmp_path):
    report(tmp_path / "a", 10, 0.20)
    last = report(tmp_path / "b", 20, 0.10)
    assert next_round(rounds_beside(last)) == (
        "another round pays: 40 pages instead of 20 are expected to bring the CER from 10.00% to "
        "5.00%"
    )


def test_a_gain_below_what_the_held_out_pages_can_show_does_not_pay(tmp_path):
    report(tmp_path / "a", 10, 0.20, spread=0.08)
    last = report(tmp_path / "b", 20, 0.10, spread=0.08)
    assert next_round(rounds_beside(last)).startswith("another round no longer pays: 40 pages")


def test_a_curve_that_has_stopped_falling_does_not_pay(tmp_path):
    report(tmp_path / "a", 10, 0.10)
    last = report(tmp_path / "b", 20, 0.11)
    assert "stopped falling" in next_round(rounds_beside(last))


def test_one_round_or_none_says_what_to_do(tmp_path):
    only = report(tmp_path / "a", 10, 0.2)
    assert "one round so far, 10 pages" in next_round(rounds_beside(only))
    assert next_round([]) == "no round with held-out pages so far"
    assert "no round" in labels_curve([]).axes[0].texts[0].get_text()
