"""A run's tables for people: rates in per cent, documents by their names."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from glmocr_utils.finetune.comparison import DocumentChange
from glmocr_utils.finetune.evaluation import PageReading, scores
from glmocr_utils.finetune.summary import SCORES


def scores_table(sets: Mapping[str, Sequence[PageReading]]) -> pd.DataFrame:
    """One row a set of readings, one column a score; sets without pages are left out."""
    rows = {
        name: {"pages": str(len(pages))}
        | {title: f"{scores(pages)[score]:.2%}" for score, title in SCORES.items()}
        for name, pages in sets.items()
        if pages
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def documents_table(changes: Sequence[DocumentChange]) -> pd.DataFrame:
    """One row a document with its CER before and after, the most improved one first."""
    columns = ["document", "pages", "characters", "CER before", "CER after"]
    rows = [
        (
            Path(change.document).name,
            change.num_pages,
            change.num_characters,
            f"{change.cer_before:.2%}",
            f"{change.cer_after:.2%}",
        )
        for change in changes
    ]
    return pd.DataFrame(rows, columns=columns)
