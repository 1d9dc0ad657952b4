"""The ledger for people: numbers and names in a notebook, a CSV file for a spreadsheet."""

import csv

import pandas as pd

from glmocr_utils.mass_infer.ledger_table import ledger_for_people, write_ledger_csv
from glmocr_utils.records.page_row import PageRow, write_part

READ = PageRow(
    "=in/a.pdf", "0" * 64, 0, 2, "ok", text="Grüße", mean_prob=0.8333333, min_prob=0.5, angle=0
)
CUT = PageRow("=in/a.pdf", "0" * 64, 1, 2, "truncated", text="x", reason="cut at 8 tokens")
CLOSED = PageRow("b.pdf", None, None, None, "encrypted", reason="b.pdf needs a password")


def run_of(folder, *rows):
    (folder / "pages").mkdir()
    for number, row in enumerate(rows):
        write_part([row], folder / "pages" / f"part-{number:06d}.parquet")
    return folder


def test_pages_count_from_one_and_nothing_is_none(tmp_path):
    run = run_of(tmp_path, READ, CUT, CLOSED)
    table = ledger_for_people(pd.read_parquet(run / "pages"))
    assert table["page"].tolist() == [1, 2, ""]
    assert table["characters"].tolist() == [5, 1, ""]
    assert table["mean probability"].tolist() == [0.833, "", ""]
    assert table["reason"].tolist() == ["", "cut at 8 tokens", "b.pdf needs a password"]
    assert "expected errors" not in table  # nothing is known of it
    assert "None" not in table.to_string() and "nan" not in table.to_string().lower()


def test_a_spreadsheet_gets_every_row_and_no_formula(tmp_path):
    path = write_ledger_csv(run_of(tmp_path, READ, CUT, CLOSED))
    assert path.read_bytes().startswith(
        b"\xef\xbb\xbf"
    )  # without it Excel guesses another encoding
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["document"], row["page"], row["status"]) for row in rows] == [
        ("'=in/a.pdf", "1", "ok"),
        ("'=in/a.pdf", "2", "truncated"),
        ("b.pdf", "", "encrypted"),
    ]
    assert rows[0]["mean probability"] == "0.833" and rows[2]["reason"] == CLOSED.reason
