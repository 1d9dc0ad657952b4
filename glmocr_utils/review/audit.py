"""The review of an audit: a collection's drawn flags in the widget, and what was decided of them.

audit, population = open_audit("outputs/06_mass_infer", "outputs/certificate")
session = audit_session(audit, "outputs/06_mass_infer", "outputs/certificate/review.jsonl")
# … the review, in notebook 03 …
certificate = certify(audit, checked_units(session, audit), population)
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from glmocr_utils.confidence import Calibration
from glmocr_utils.evaluation.certificate import (
    Audit,
    AuditedUnit,
    Certificate,
    CheckedUnit,
    certify,
    load_audit,
    load_certificate,
    open_audit,
    results_of,
    save_certificate,
    verify,
)
from glmocr_utils.evaluation.certificate.certificate import FILE as CERTIFICATE
from glmocr_utils.evaluation.certificate.certificate import Verdict
from glmocr_utils.evaluation.certificate.units import edits_of, page_units, stretches
from glmocr_utils.records import OcrResult, PageImage, PageLayout, PageRef
from glmocr_utils.review.flags import Flag, flag_at
from glmocr_utils.review.page_review import PageReview
from glmocr_utils.review.session import ReviewSession

REVIEW_LOG = "review.jsonl"
UNDECIDABLE = ("not_usable", "read_again")  # of a page as a whole


def audit_flags(
    audit: Audit, results: Iterable[OcrResult], calibration: Calibration | None = None
) -> dict[PageRef, list[Flag]]:
    """The audit's flags on each of its pages, in reading order."""
    units = _by_page(audit)
    return {
        result.page: [
            flag_at(result, unit.start, unit.stop, calibration=calibration)
            for unit in units[result.page]
        ]
        for result in results
    }


def audit_session(
    audit: Audit,
    readings: str | Path,
    log_path: str | Path,
    calibration: Calibration | None = None,
    *,
    images: Mapping[PageRef, PageImage] | None = None,
    layouts: Mapping[PageRef, PageLayout] | None = None,
    reviewer: str = "",
) -> ReviewSession:
    """A session with the audit's pages and nothing but its flags.

    Args:
        readings: those that the audit was drawn from.
        images, layouts, reviewer: as in `ReviewSession`.
    """
    results = list(results_of(readings, audit.pages))
    flags = audit_flags(audit, results, calibration)
    return ReviewSession(
        results,
        log_path,
        flags=flags,
        calibration=calibration,
        images=images,
        layouts=layouts,
        reviewer=reviewer,
    )


def open_certificate(
    path: str | Path, readings: str | Path | None = None, calibration: Calibration | None = None
) -> Certificate:
    """A certificate from its file, or from the folder of an audit that was reviewed.

    Args:
        path: `certificate.json`, or the folder with `audit.json` and `review.jsonl`.
        readings: those that the audit was drawn from, where there is no certificate yet.

    Raises:
        ValueError: the file does not hold when it is recomputed, or flags are not decided yet.
    """
    path = Path(path)
    if path.is_dir() and not (path / CERTIFICATE).exists():
        if readings is None:
            raise ValueError(f"{path} has no {CERTIFICATE} yet; give the readings as well")
        audit = load_audit(path)
        audit, population = open_audit(readings, path, audit.count, audit.seed, calibration)
        session = audit_session(audit, readings, path / REVIEW_LOG, calibration)
        certificate = certify(audit, checked_units(session, audit), population)
        save_certificate(certificate, path)
        return certificate
    wrong = verify(path)
    if wrong:
        raise ValueError(f"{path} does not hold: {'; '.join(wrong)}")
    return load_certificate(path)


def undecided(session: ReviewSession, audit: Audit) -> int:
    """How many of the audit's flags a person has not decided yet."""
    flags = _flag_of(session, audit).values()
    return sum(_verdict(session.pages[number], flag) is None for number, flag in flags)


def checked_units(session: ReviewSession, audit: Audit) -> list[CheckedUnit]:
    """What was decided about each unit of the audit's sample, in its order.

    What a unit should say follows from the page's text as it now is, so a correction of the whole
    line, or a typed page, counts as one of the flag.

    Raises:
        ValueError: flags are not decided yet.
    """
    left = undecided(session, audit)
    if left:
        raise ValueError(
            f"{left} of {len(audit.sample)} flags are not decided yet; resume the review in "
            "notebook 03"
        )
    texts = [_texts_at(page) for page in session.pages]
    checked = []
    for unit, (number, flag) in _flag_of(session, audit).items():
        read, true = texts[number][unit.start]
        is_unsure = _verdict(session.pages[number], flag) == "unsure"
        decisions = session.decisions(number)
        by = next((each for each in decisions if each.flag_id == flag.flag_id), decisions[-1])
        verdict: Verdict = "unsure" if is_unsure else "right" if read == true else "wrong"
        checked.append(CheckedUnit(verdict, read, true, edits_of(read, true), by.reviewer, by.time))
    return checked


def _flag_of(session: ReviewSession, audit: Audit) -> dict[AuditedUnit, tuple[int, Flag]]:
    """For each unit of the sample, in its order, its page's number and its flag."""
    units, found = _by_page(audit), {}
    for number, page in enumerate(session.pages):
        for unit, flag in zip(units[page.result.page], page.flags, strict=True):
            found[unit] = number, flag
    return {unit: found[unit] for unit in audit.sample}


def _texts_at(page: PageReview) -> dict[int, tuple[str, str]]:
    """What each unit of a page says and should say, by where it starts in the page's text."""
    spans = page_units(page.result).spans
    texts = stretches(spans, page.result.text, page.text)
    return dict(zip(spans[:, 0].tolist(), texts, strict=True))


def _verdict(page: PageReview, flag: Flag) -> str | None:
    """`decided`, `unsure`, or None where there is no decision."""
    if page.coverage in UNDECIDABLE:
        return "unsure"
    if page.typed is not None or page.coverage == "fully_read":
        return "decided"
    action = page.decided.get(flag.flag_id)
    return action and ("unsure" if action == "unsure" else "decided")


def _by_page(audit: Audit) -> Mapping[PageRef, list[AuditedUnit]]:
    units: dict[PageRef, list[AuditedUnit]] = defaultdict(list)
    for unit in audit.sample:
        units[unit.page].append(unit)
    return units
