"""Which pages of a run come first for review."""

import pandas as pd

from glmocr_utils.mass_infer.ranking import region_counts, review_first


def pages(*rows: tuple[str, str, float | None, float | None]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["status", "text", "mean_prob", "expected_errors"])


def test_empty_pages_lead_and_pages_that_were_not_read_are_left_out():
    ledger = pages(
        ("ok", "sure" * 9, 0.99, None),
        ("blank", "", None, None),
        ("truncated", "unsure" * 9, 0.4, None),
        ("empty", "", None, None),
        ("failed", None, None, None),
        ("empty", " \n", 0.999, None),
    )
    assert set(review_first(ledger).index[:2]) == {3, 5}
    assert list(review_first(ledger).index[2:]) == [2, 0]


def test_expected_errors_count_more_than_doubt():
    ledger = pages(("ok", "a" * 99, 0.5, 1.0), ("ok", "a", 0.99, 7.0), ("empty", "", None, None))
    assert list(review_first(ledger).index) == [2, 1, 0]


def test_wrong_words_that_a_risk_expects_count_where_they_are_known():
    ledger = pages(("ok", "a", 0.9, 9.0), ("ok", "a", 0.9, 1.0), ("ok", "a", 0.9, 4.0))
    ledger["expected_wrong_words"] = [2.0, 5.0, None]
    assert list(review_first(ledger).index) == [1, 2, 0]


def test_regions_are_counted_by_kind_and_status():
    def regions(*pairs: tuple[str, str]) -> list[dict[str, str]]:
        return [{"label": label, "status": status} for label, status in pairs]

    first = regions(("text", "ok"), ("table", "failed"), ("text", "ok"))
    counts = region_counts(pd.DataFrame({"regions": [first, None, [], regions(("text", "empty"))]}))
    assert counts.index.tolist() == ["text", "table"]
    assert counts.loc["text"].to_dict() == {"empty": 1, "failed": 0, "ok": 2}
    assert region_counts(pd.DataFrame({"regions": [None, []]})).empty
