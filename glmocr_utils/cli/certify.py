"""`glmocr certify`: how many errors a whole collection has, from 200 flags."""

from pathlib import Path

from glmocr_utils.confidence import Calibration, load_calibration
from glmocr_utils.display import pages_above_table
from glmocr_utils.evaluation.certificate import (
    certify,
    load_certificate,
    open_audit,
    population_of,
    save_certificate,
    verify,
)
from glmocr_utils.options import CertifyOptions
from glmocr_utils.review.audit import REVIEW_LOG, audit_session, checked_units, undecided

PAGES_ABOVE = "pages_above.csv"


def run(options: CertifyOptions) -> int:
    if options.readings is None:
        raise ValueError("certify needs a run of notebook 06, or a certificate.json to verify")
    calibration = load_calibration(options.calibration) if options.calibration else None
    if Path(options.readings).suffix == ".json":
        return _verify(options, options.readings, calibration)
    folder = Path(options.output_dir)
    audit, population = open_audit(
        options.readings, folder, options.num_flags, options.seed, calibration
    )
    session = audit_session(audit, options.readings, folder / REVIEW_LOG, calibration)
    left = undecided(session, audit)
    if left:
        print(
            f"{left} of {len(audit.sample)} flags on {len(session.pages)} pages are to be checked: "
            f"open notebook 03 with results={options.readings!r}, audit={audit.count} and "
            f"output_dir={str(folder)!r}, then give this command again"
        )
        return 0
    certificate = certify(audit, checked_units(session, audit), population)
    print(certificate)
    pages_above_table(certificate).to_csv(folder / PAGES_ABOVE, index=False)
    print(f"written to {save_certificate(certificate, folder)}, {folder / PAGES_ABOVE}")
    return 0


def _verify(options: CertifyOptions, path: str, calibration: Calibration | None) -> int:
    collection = population_of(options.collection, calibration) if options.collection else None
    wrong = verify(path, collection)
    print(load_certificate(path))
    if wrong:
        print(*wrong, sep="\n")
        return 1
    print(
        "verified: recomputed from its decisions"
        + (", and its sample drawn again" if collection else "")
    )
    return 0
