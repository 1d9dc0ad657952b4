"""A page of which a part could not be drawn is read, and is nowhere a plain `ok`."""

from dataclasses import replace
from pathlib import Path

import pytest
from paths import BYTE_MODEL
from test_undrawn import TEXT, in_unknown_font, pdf_bytes

from glmocr_utils.cli import main
from glmocr_utils.confidence.verdict import PageQuality
from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import PageImage
from glmocr_utils.records.ocr_result import from_json, to_json
from glmocr_utils.records.page_row import read_rows, to_result

MISSING = "4 characters in the font 'NoSuchEthiopic'"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "part.pdf"
    path.parent.mkdir()
    path.write_bytes(pdf_bytes(in_unknown_font("ሀለሐመ", TEXT % 100)))
    return path


@pytest.fixture(scope="module")
def reading(bundled_model: LoadedModel, page_images: list[PageImage]):
    page = replace(page_images[0], missing="Page 1 lacks a word.")
    [result] = read_pages(bundled_model, [page])
    return result


def test_a_reading_says_what_its_image_lacks(reading) -> None:
    assert (reading.status, reading.warning) == ("incomplete", "Page 1 lacks a word.")
    assert from_json(to_json(reading)).missing == reading.missing
    assert PageQuality.of(reading).quality == "doubtful"


def test_other_faults_of_a_reading_come_first(reading) -> None:
    assert replace(reading, finish_reason="length").status == "truncated"
    empty = replace(reading, text="", tokens=())
    assert empty.status == "empty"
    assert empty.warning.startswith("Page 1 lacks a word. There is ink")  # perhaps for that reason


@pytest.mark.slow
def test_the_ledger_says_what_a_page_lacks_and_reads_it_again(
    tmp_path: Path, document: Path, byte_model: LoadedModel
) -> None:
    options = InferOptions(
        input_path=str(document), output_dir=str(tmp_path / "run"), model_id=str(BYTE_MODEL)
    )
    infer(options, model=byte_model)
    [row] = read_rows(tmp_path / "run")
    assert row.status == "incomplete" and MISSING in row.reason and row.text
    assert MISSING in to_result(row, {**run_of(options)}).missing

    assert infer(options, model=byte_model).read_now == 0
    again = infer(replace(options, retry="incomplete"), model=byte_model)
    assert (again.read_now, again.statuses) == (1, {"incomplete": 1})


def run_of(options: InferOptions) -> dict[str, object]:
    names = ("prompt", "model_id", "adapter")
    return {name: getattr(options, name) for name in names} | {"revision": None}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["ocr", "infer"])
def test_a_command_ends_with_an_exit_code(
    tmp_path: Path, document: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(document), "--model", str(BYTE_MODEL), "--device-map", "cpu"]
    assert main([command, *arguments, "--output-dir", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert MISSING in said.out + said.err
    assert "1 not drawn in full" in said.out
