"""A collection's certificate as tables."""

import pandas as pd

from glmocr_utils.evaluation.certificate import Certificate

COLUMNS = ["flags", "checked", "chance of each", "errors predicted", "found", "errors estimated"]


def strata_table(certificate: Certificate | None) -> pd.DataFrame:
    """One row a stratum, the surest first: its size, what was checked, and what was found.

    It is empty without a certificate.
    """
    if certificate is None:
        return pd.DataFrame(columns=COLUMNS)
    audit = certificate.audit
    found = [0] * len(audit.strata)
    for unit, decision in zip(audit.sample, certificate.decisions, strict=True):
        found[unit.stratum] += decision.edits
    rows = [
        (
            f"{stratum.units:,}", stratum.sampled, f"{stratum.inclusion_probability:.2%}",
            f"{stratum.predicted:,.0f}", errors_found, f"{errors:,.0f}",
        )
        for stratum, errors_found, errors in zip(
            audit.strata, found, certificate.errors_of_strata, strict=True
        )
    ]  # fmt: skip
    numbers = ["surest", *range(2, len(rows)), "least sure"][: len(rows)]
    return pd.DataFrame(rows, columns=COLUMNS, index=pd.Index(numbers, name="stratum"))


def pages_above_table(certificate: Certificate) -> pd.DataFrame:
    """The pages whose expected CER is above 5 %, the worst first; `page` counts from 1."""
    rows = [
        (each.page.document_name, each.page.page_number, f"{each.cer:.1%}")
        for each in certificate.pages_above
    ]
    return pd.DataFrame(rows, columns=["document", "page", "expected CER"])
