"""Which pages of a run a person should look at first, and its regions, from the ledger as a data
frame."""

import pandas as pd

NAMES = ["kind", "status"]


def review_first(pages: pd.DataFrame) -> pd.DataFrame:
    """The pages that the model read, those that most need a person first.

    Pages with ink of which nothing was read lead: how wrong they are is not known. Then come those
    with the most expected errors or, where the run has no calibration, the most doubt; characters
    that were left out or made up count as errors. Where a risk was fitted, the wrong words that
    it expects count instead.

    Args:
        pages: rows of the ledger, with status, text, mean_prob and expected_errors, and perhaps
            unread_characters, unsupported_characters and expected_wrong_words.

    Returns:
        The rows with a column `doubt`: (1 − mean probability) × text length; NaN where the engine
        gave no probabilities, or there is no text.
    """
    is_empty = pages["status"] == "empty"
    doubt = (1 - pages["mean_prob"]) * pages["text"].str.len()
    read = pages.assign(is_empty=is_empty, doubt=doubt)[pages["mean_prob"].notna() | is_empty]
    has_estimates = read["expected_errors"].notna().any()
    errors = read["expected_errors" if has_estimates else "doubt"]
    if "expected_wrong_words" in read:
        errors = read["expected_wrong_words"].astype(float).fillna(errors)
    for name in ("unread_characters", "unsupported_characters"):
        if name in read:
            errors = errors + read[name].fillna(0)
    order = ["is_empty", "errors"]
    read = read.assign(errors=errors).sort_values(order, ascending=False)
    return read.drop(columns=order)


def region_counts(pages: pd.DataFrame) -> pd.DataFrame:
    """How many regions of each kind ended with which status.

    Args:
        pages: rows of the ledger, with `regions`.

    Returns:
        A row a kind, the most frequent first, a column a status; empty where pages were read as a
        whole.
    """
    regions = [region for of_page in pages["regions"] if of_page is not None for region in of_page]
    found = pd.DataFrame([(each["label"], each["status"]) for each in regions], columns=NAMES)
    counts = pd.crosstab(found["kind"], found["status"])
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
