"""The certificate: how many errors a collection has, with all that is needed to check it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from glmocr_utils.evaluation.bootstrap import Estimate
from glmocr_utils.evaluation.certificate.audit import FORMAT as AUDIT_FORMAT
from glmocr_utils.evaluation.certificate.audit import Audit, audit_from, check_fits
from glmocr_utils.evaluation.certificate.estimate import StratumSample, Total, estimate_total
from glmocr_utils.evaluation.certificate.population import Population
from glmocr_utils.evaluation.certificate.sampling import LEAST_RISK, MOST_RISK, draw_sample
from glmocr_utils.evaluation.certificate.units import LONGEST_OMISSION, LONGEST_UNIT, edits_of
from glmocr_utils.files import write_file
from glmocr_utils.records import PageRef

FILE = "certificate.json"
FORMAT = "glmocr certificate 1"
LIMIT = 0.05  # a page's CER above which it is named
METHOD = {
    "estimator": "difference estimator in strata, predictions weighed as in PPI++",
    "interval": "95 %, weighted bootstrap with half a wrong unit more in each stratum",
    "longest_unit": LONGEST_UNIT,
    "longest_omission": LONGEST_OMISSION,
    "least_risk": LEAST_RISK,
    "most_risk": MOST_RISK,
}
Verdict = Literal["right", "wrong", "unsure"]


@dataclass(frozen=True, slots=True)
class CheckedUnit:
    """What a person decided about a unit of the audit.

    Attributes:
        verdict: `right`, `wrong`, or `unsure` if the person could not decide.
        read, true: what it says and what it should say, layout aside.
        edits: errors in it.
        reviewer, time: who decided, and when (ISO 8601 with time zone).
    """

    verdict: Verdict
    read: str
    true: str
    edits: int
    reviewer: str = ""
    time: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"a verdict is right, wrong or unsure, got {self.verdict!r}")


@dataclass(frozen=True, slots=True)
class PageEstimate:
    """A page with the CER that is expected of it."""

    page: PageRef
    cer: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """The errors of a collection, estimated from an audit.

    Attributes:
        audit: what was drawn.
        decisions: one for each unit of the audit's sample.
        cer: headline CER of what was read, with its 95 % interval.
        errors: the same as a number of characters.
        errors_of_strata: the parts that the strata have in them.
        tuning: how much the model's predictions counted, 0 to 1.
        pages_above: pages whose expected CER is above 5 %, the worst first.
        num_pages: with text.
        out_of_reach: what is not counted, in sentences.
        made_at: ISO 8601 with time zone.
    """

    audit: Audit
    decisions: tuple[CheckedUnit, ...]
    cer: Estimate
    errors: Estimate
    errors_of_strata: tuple[float, ...]
    tuning: float
    pages_above: tuple[PageEstimate, ...]
    num_pages: int
    out_of_reach: tuple[str, ...]
    made_at: str

    @property
    def sentence(self) -> str:
        """For people."""
        found = sum(decision.edits for decision in self.decisions)
        digits = 2 if self.cer.value < 0.01 else 1
        cer, low, high = (
            f"{rate:.{digits}%}" for rate in (self.cer.value, self.cer.low, self.cer.high)
        )
        return (
            f"Headline CER of {self.audit.collection}: {cer} "
            f"({low} to {high}, 95 % interval); expected errors "
            f"{self.errors.value:,.0f} ({self.errors.low:,.0f} to {self.errors.high:,.0f}) in "
            f"{self.audit.characters:,} characters of {self.num_pages:,} pages; "
            f"{len(self.pages_above):,} pages are expected to be above {LIMIT:.0%}. "
            f"{len(self.decisions)} flags were checked, with {found} errors in them."
        )

    def __str__(self) -> str:
        unsure = sum(decision.verdict == "unsure" for decision in self.decisions)
        lines = [self.sentence]
        if unsure:
            lines.append(f"{unsure} flags could not be decided; the interval allows for either.")
        return "\n".join([*lines, *(f"Not counted: {each}." for each in self.out_of_reach)])


def certify(audit: Audit, decisions: Sequence[CheckedUnit], population: Population) -> Certificate:
    """Estimate the errors of a collection from the reviewed sample.

    Args:
        decisions: one for each unit of `audit.sample`, in its order.
        population: of the same readings.

    Raises:
        ValueError: the readings are not those that the audit was drawn from.
    """
    check_fits(audit, population)
    total, low, high = _totals(audit, decisions)
    pages = ranked_pages(population, audit, total)
    return Certificate(
        audit=audit,
        decisions=tuple(decisions),
        cer=Estimate(*(each / audit.characters for each in (total.value, low, high))),
        errors=Estimate(total.value, low, high),
        errors_of_strata=tuple(total.of_strata.tolist()),
        tuning=total.tuning,
        pages_above=tuple(page for page in pages if page.cer > LIMIT),
        num_pages=len(population.pages),
        out_of_reach=tuple(population.out_of_reach),
        made_at=datetime.now().astimezone().isoformat(timespec="seconds"),
    )


def ranked_pages(population: Population, audit: Audit, total: Total) -> list[PageEstimate]:
    """All pages by expected CER, the worst first.

    The audit corrects what the model predicts: the predicted errors of a stratum are scaled to
    those that were found in it.
    """
    strata = draw_sample(population.risk, audit.count, audit.seed).strata
    risk = population.risk
    scale = total.of_strata.clip(0) / np.bincount(strata, risk).clip(1e-9)
    errors = np.bincount(population.page, risk * scale[strata])
    characters = np.bincount(population.page, population.characters).clip(1)
    rates = errors / characters
    return [
        PageEstimate(population.pages[number], float(rates[number]))
        for number in np.argsort(-rates, kind="stable")
    ]


def certificate_record(certificate: Certificate) -> dict[str, object]:
    """All of it as JSON, with the hash of its content."""
    record = asdict(certificate)
    record["audit"] = {"format": AUDIT_FORMAT, **record["audit"]}
    record = {"format": FORMAT, "statement": str(certificate), "method": METHOD, **record}
    return {**record, "sha256": _content_sha256(record)}


def save_certificate(certificate: Certificate, folder: str | Path) -> Path:
    """Write `certificate.json`; returns its path."""
    text = json.dumps(certificate_record(certificate), ensure_ascii=False, indent=1)
    return write_file(Path(folder) / FILE, text + "\n")


def load_certificate(path: str | Path) -> Certificate:
    """Inverse of `save_certificate`; takes the file or its folder. `verify` checks it.

    Raises:
        ValueError: the file isn't a certificate.
    """
    path, record = _record(path)
    try:
        return Certificate(
            audit=audit_from({k: v for k, v in record["audit"].items() if k != "format"}),
            decisions=tuple(CheckedUnit(**each) for each in record["decisions"]),
            cer=Estimate(**record["cer"]),
            errors=Estimate(**record["errors"]),
            errors_of_strata=tuple(record["errors_of_strata"]),
            tuning=record["tuning"],
            pages_above=tuple(
                PageEstimate(PageRef(**each["page"]), each["cer"]) for each in record["pages_above"]
            ),
            num_pages=record["num_pages"],
            out_of_reach=tuple(record["out_of_reach"]),
            made_at=record["made_at"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} isn't a certificate ({error})") from error


def verify(path: str | Path, population: Population | None = None) -> list[str]:
    """Recompute a certificate from its file. Returns what is wrong with it, in sentences.

    Args:
        population: of the readings that it certifies; then the sample is drawn again as well.

    Raises:
        ValueError: the file isn't a certificate.
    """
    path, record = _record(path)
    certificate = load_certificate(path)
    audit = certificate.audit
    wrong = []
    if record.get("sha256") != _content_sha256({k: v for k, v in record.items() if k != "sha256"}):
        wrong.append("the file was changed after it was written")
    if record.get("method") != METHOD:
        wrong.append("it was made by another method than the one installed here")
    sampled = [0] * len(audit.strata)
    for unit in audit.sample:
        sampled[unit.stratum] += 1
    if sampled != [stratum.sampled for stratum in audit.strata]:
        wrong.append("the sample has other sizes than its strata state")
    if len(certificate.decisions) != len(audit.sample):
        return [*wrong, "not every flag of the sample has a decision"]
    for unit, decision in zip(audit.sample, certificate.decisions, strict=True):
        if decision.edits != edits_of(decision.read, decision.true):
            wrong.append(f"{unit.text!r}: its edits are not those between its two texts")
    total, low, high = _totals(audit, certificate.decisions)
    if not np.allclose((total.value, low, high), tuple(asdict(certificate.errors).values())):
        wrong.append(f"its errors are {total.value:.1f} ({low:.1f} to {high:.1f}) when recomputed")
    rates = np.array((total.value, low, high)) / audit.characters
    if not np.allclose(rates, tuple(asdict(certificate.cer).values())):
        wrong.append("its CER is not its errors over its characters")
    return wrong + (_wrong_sample(audit, population) if population else [])


def _wrong_sample(audit: Audit, population: Population) -> list[str]:
    """What is wrong with a sample, where its collection is at hand."""
    if population.sha256 != audit.collection_sha256:
        return [f"{population.name} is not the collection that it certifies, or was changed"]
    wrong = []
    if len(population.risk) != audit.units or population.characters.sum() != audit.characters:
        wrong.append("the collection has other numbers of units or characters")
    drawn = draw_sample(population.risk, audit.count, audit.seed)
    expected = {
        (population.pages[population.page[unit]], int(population.start[unit]), number)
        for number, chosen in enumerate(drawn.chosen)
        for unit in chosen.tolist()
    }
    if expected != {(unit.page, unit.start, unit.stratum) for unit in audit.sample}:
        wrong.append(f"seed {audit.seed} draws another sample from the collection")
    return wrong


def _totals(audit: Audit, decisions: Sequence[CheckedUnit]) -> tuple[Total, float, float]:
    """The estimate and its interval; for what a person could not decide, either end allows."""
    predicted = [min(unit.predicted, unit.characters) for unit in audit.sample]
    worst = [unit.characters for unit in audit.sample]
    total, least, most = (
        estimate_total(_strata(audit, decisions, instead), audit.seed)
        for instead in (predicted, [0] * len(predicted), worst)
    )
    return total, min(total.low, least.low), max(total.high, most.high)


def _strata(
    audit: Audit, decisions: Sequence[CheckedUnit], of_unsure: Sequence[float]
) -> list[StratumSample]:
    rows: list[list[tuple[float, float]]] = [[] for _ in audit.strata]
    for unit, decision, instead in zip(audit.sample, decisions, of_unsure, strict=True):
        edits = instead if decision.verdict == "unsure" else decision.edits
        rows[unit.stratum].append((unit.predicted, edits))
    return [
        StratumSample(stratum.units, stratum.predicted, *np.array(of_stratum, float).T)
        for stratum, of_stratum in zip(audit.strata, rows, strict=True)
    ]


def _record(path: str | Path) -> tuple[Path, Mapping]:
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            raise ValueError(f"its format is {record['format']!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} isn't a certificate ({error})") from error
    return path, record


def _content_sha256(record: Mapping) -> str:
    text = json.dumps(record, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
