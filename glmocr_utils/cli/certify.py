"""`python -m glmocr_utils certify`: how many errors a whole collection has, from 200 flags."""

import argparse
from pathlib import Path

from glmocr_utils.cli.command import Command, Option
from glmocr_utils.confidence import load_calibration
from glmocr_utils.evaluation.certificate import (
    certify,
    load_certificate,
    open_audit,
    population_of,
    save_certificate,
    verify,
)
from glmocr_utils.review.audit import REVIEW_LOG, audit_session, checked_units, undecided

OPTIONS = (
    Option("num_flags", 200, "flags that a person checks; 200 take about an hour"),
    Option("calibration", None, "calibration.json of notebook 03, for the expected errors"),
    Option("collection", None, "with a certificate: its readings, to draw its sample again"),
    Option("seed", 0, "random seed of the sample"),
    Option("output_dir", "outputs/certificate", "gets audit.json, then certificate.json"),
)


def _certify(options: argparse.Namespace) -> int:
    if options.readings is None:
        raise ValueError("certify needs a run of notebook 06, or a certificate.json to verify")
    calibration = load_calibration(options.calibration) if options.calibration else None
    if Path(options.readings).suffix == ".json":
        return _verify(options, calibration)
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
    print(f"written to {save_certificate(certificate, folder)}")
    return 0


def _verify(options: argparse.Namespace, calibration: object) -> int:
    collection = options.collection and population_of(options.collection, calibration)
    wrong = verify(options.readings, collection)
    print(load_certificate(options.readings))
    if wrong:
        print(*wrong, sep="\n")
        return 1
    print(
        "verified: recomputed from its decisions"
        + (", and its sample drawn again" if collection else "")
    )
    return 0


COMMAND = Command(
    "certify",
    OPTIONS,
    _certify,
    input_name="readings",
    input_help="a run of notebook 06, results of 02, or a certificate.json to verify",
)
main = COMMAND.main
