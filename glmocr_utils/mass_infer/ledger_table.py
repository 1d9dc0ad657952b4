"""The ledger as people read it: a table of a run's pages, and a CSV file beside the parquet parts.

The texts are not in it: a spreadsheet cuts long cells, and `documents/` has them.
"""

import csv
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from glmocr_utils.files import replacing
from glmocr_utils.records.page_row import parts_of

CSV_NAME = "pages.csv"
NAMES = {
    "document_path": "document",
    "page": "page",
    "num_pages": "of",
    "status": "status",
    "characters": "characters",
    "mean_prob": "mean probability",
    "min_prob": "lowest probability",
    "expected_errors": "expected errors",
    "expected_wrong_words": "expected wrong words",
    "doubt": "doubt",
    "unread_characters": "unread characters",
    "unsupported_characters": "characters without ink",
    "disagreements": "second reader disagrees",
    "angle": "turned by",
    "seconds": "seconds",
    "reason": "reason",
}
DIGITS = {
    "mean_prob": 3,
    "min_prob": 3,
    "expected_errors": 1,
    "expected_wrong_words": 1,
    "doubt": 1,
    "unread_characters": 0,
    "unsupported_characters": 0,
    "seconds": 2,
}
WHOLE_NUMBERS = ("page", "num_pages", "characters", "disagreements", "angle")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute it


def ledger_table(pages: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ledger with names and numbers for people; what is not known is empty.

    Args:
        pages: rows with any of the ledger's columns, and `doubt`.

    Returns:
        `page` counts from 1; `characters` is the length of the text. Columns without a value are
        left out, but for document, page and status.
    """
    table = pages.copy()
    if "page_index" in table:
        table["page"] = table["page_index"] + 1
    if "text" in table:
        table["characters"] = table["text"].str.len()
    if "reason" in table:
        table["reason"] = table["reason"].fillna("")
    kept = ("document_path", "page", "status")
    columns = [
        name
        for name in NAMES
        if name in table and (name in kept or (table[name].notna() & (table[name] != "")).any())
    ]
    table = table[columns]
    for name in columns:
        if name in DIGITS:
            table[name] = table[name].astype("Float64").round(DIGITS[name])
        elif name in WHOLE_NUMBERS:
            table[name] = table[name].astype("Int64")
    return table.rename(columns=NAMES)


def ledger_for_people(pages: pd.DataFrame) -> pd.DataFrame:
    """`ledger_table` for a notebook: whole reasons, nothing where nothing is known."""
    pd.set_option("display.max_colwidth", None)
    table = ledger_table(pages)
    return table.astype(object).where(table.notna(), "")


def write_ledger_csv(run: Path) -> Path:
    """Write `pages.csv`, a row a page, which spreadsheets open; part by part."""
    columns = ["document_path", "page_index", "text"]
    columns += [key for key in NAMES if key not in ("document_path", "page", "characters", "doubt")]
    path = run / CSV_NAME
    names = [name for key, name in NAMES.items() if key != "doubt"]
    with (
        replacing(path) as partial,
        partial.open("w", encoding="utf-8-sig", newline="", errors="replace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(names)
        for part in sorted(parts_of(run)):
            known = [each for each in columns if each in pq.read_schema(part).names]
            table = ledger_table(pd.read_parquet(part, columns=known)).reindex(columns=names)
            for row in table.astype(object).where(table.notna(), "").itertuples(index=False):
                writer.writerow(map(_harmless, row))
    return path


def _harmless(value: object) -> object:
    is_formula = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    return f"'{value}" if is_formula else value
