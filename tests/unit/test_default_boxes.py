"""Boxes are shown without being asked for where the model and its heads are at hand."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from make_results import page_of

from glmocr_utils.confidence import ProbabilitySummary
from glmocr_utils.display import errors_found_table, in_percent
from glmocr_utils.grounding import choose_boxes


@pytest.fixture
def page(bundled_folder):
    return replace(page_of(("a", 0.9)), model_id=str(bundled_folder), adapter=None)


def test_the_model_that_read_is_here_with_its_heads(bundled_folder, page, monkeypatch):
    assert choose_boxes("auto", [page], str(bundled_folder)).shown
    assert choose_boxes("auto", [], str(bundled_folder)).shown  # pages are read now
    monkeypatch.chdir(Path(bundled_folder).parent)
    assert choose_boxes("auto", [page], Path(bundled_folder).name).shown


def test_what_a_person_sets_is_what_is_done(bundled_folder, page):
    assert not choose_boxes(False, [page], str(bundled_folder)).shown
    assert choose_boxes(True, [page] * 51, "no/model").shown


def test_why_there_are_none_is_said(bundled_folder, page, tmp_path):
    folder = str(bundled_folder)
    many = choose_boxes("auto", [page] * 51, folder)
    assert not many.shown and "set boxes=True" in many.why
    assert "not on this machine" in choose_boxes("auto", [page], "no/such-model").why
    other = choose_boxes("auto", [replace(page, model_id="another")], folder)
    assert not other.shown and "read by another; set model_id" in other.why
    copied = shutil.copytree(folder, tmp_path / "copy")
    (copied / "grounding.json").unlink()
    none = choose_boxes("auto", [], str(copied))
    assert not none.shown and "glmocr ground" in none.why


def test_numbers_are_for_people():
    assert str(ProbabilitySummary(1204, 0.8333333, 0.03123)) == (
        "1,204 tokens: probability 0.833 on average, 0.0312 at the least"
    )
    assert "None" not in str(ProbabilitySummary(0, None, None))
    assert in_percent(errors_found_table([])).empty
