"""The flags that a person checks for a certificate: drawn once, kept in `audit.json`."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from glmocr_utils.confidence import Calibration
from glmocr_utils.evaluation.certificate.population import (
    Population,
    population_of,
    readings,
)
from glmocr_utils.evaluation.certificate.sampling import draw_sample
from glmocr_utils.evaluation.certificate.units import page_units
from glmocr_utils.files import write_file
from glmocr_utils.records import OcrResult, PageRef

FILE = "audit.json"
FORMAT = "glmocr audit 1"


@dataclass(frozen=True, slots=True)
class Stratum:
    """Units of like risk.

    Attributes:
        units, sampled: how many there are, and how many of them are checked.
        predicted: errors that the model expects in all of them.
    """

    units: int
    sampled: int
    predicted: float

    @property
    def inclusion_probability(self) -> float:
        """The chance of each of its units to be checked."""
        return self.sampled / self.units


@dataclass(frozen=True, slots=True)
class AuditedUnit:
    """A unit that a person checks.

    Attributes:
        page: which page; text_sha256: of the page's text as it was read.
        start, stop: of its words in that text.
        text: these words.
        stratum: from 0, the surest first.
        characters, predicted: as in `PageUnits`.
    """

    page: PageRef
    text_sha256: str
    start: int
    stop: int
    text: str
    stratum: int
    characters: int
    predicted: float


@dataclass(frozen=True, slots=True)
class Audit:
    """A drawn sample, before and while it is reviewed.

    Attributes:
        collection: name of the readings; collection_sha256: what they say.
        seed, count: of the sample, as asked for.
        calibrated: whether a calibration was applied to the probabilities.
        units, characters: of the whole collection.
        strata: the surest first.
        sample: page by page.
    """

    collection: str
    collection_sha256: str
    seed: int
    count: int
    calibrated: bool
    units: int
    characters: int
    strata: tuple[Stratum, ...]
    sample: tuple[AuditedUnit, ...]

    @property
    def pages(self) -> list[PageRef]:
        """The pages that a person looks at."""
        return list(dict.fromkeys(unit.page for unit in self.sample))


def draw_audit(
    path: str | Path, population: Population, count: int = 200, seed: int = 0,
    calibrated: bool = False,
) -> Audit:  # fmt: skip
    """Draw the flags to check from a collection.

    Args:
        path: of the readings that `population` is made of; the chosen pages are read again.
        count: flags; 200 take a person about an hour.

    Raises:
        ValueError: the count is too small.
    """
    sample = draw_sample(population.risk, count, seed)
    strata = tuple(
        Stratum(int(size), len(chosen), float(population.predicted[sample.strata == number].sum()))
        for number, (size, chosen) in enumerate(zip(sample.sizes, sample.chosen, strict=True))
    )
    by_page: dict[PageRef, list[int]] = {}
    for unit in np.sort(np.concatenate(sample.chosen)).tolist():
        by_page.setdefault(population.pages[population.page[unit]], []).append(unit)
    audited = []
    for result in results_of(path, by_page):
        spans = page_units(result).spans
        stop_of = dict(spans.tolist())
        for unit in by_page[result.page]:
            start = int(population.start[unit])
            audited.append(
                AuditedUnit(
                    result.page, text_sha256(result.text), start, stop_of[start],
                    result.text[start : stop_of[start]], int(sample.strata[unit]),
                    int(population.characters[unit]), float(population.predicted[unit]),
                )
            )  # fmt: skip
    return Audit(
        population.name, population.sha256, seed, count, calibrated, len(population.risk),
        int(population.characters.sum()), strata, tuple(audited),
    )  # fmt: skip


def open_audit(
    path: str | Path | None,
    folder: str | Path,
    count: int = 200,
    seed: int | None = None,
    calibration: Calibration | None = None,
) -> tuple[Audit, Population]:
    """The audit that `folder` has, or a new one, which is written there.

    Args:
        path: of the readings: a run of notebook 06 or results of 02.
        seed: of a new sample; None takes any that the folder has, or 0.
        calibration: of the model that read them.

    Raises:
        ValueError: there are no readings, or the folder has an audit of others or of another size.
    """
    if path is None:
        raise ValueError("an audit needs readings: set results to a run of notebook 06")
    population = population_of(path, calibration)
    if not (Path(folder) / FILE).exists():
        audit = draw_audit(path, population, count, seed or 0, calibrated=calibration is not None)
        save_audit(audit, folder)
        return audit, population
    audit = load_audit(folder)
    check_fits(audit, population)
    if audit.count != count or seed not in (None, audit.seed):
        raise ValueError(
            f"{folder} has an audit of {audit.count} flags, seed {audit.seed}; set these, or "
            "choose another output_dir for a new one"
        )
    return audit, population


def check_fits(audit: Audit, population: Population) -> None:
    """Raises ValueError when an audit was not drawn from these units."""
    if population.sha256 != audit.collection_sha256:
        raise ValueError(
            f"{population.name} isn't what the audit was drawn from, or its readings have changed; "
            "draw a new audit in another output_dir"
        )
    predicted = sum(stratum.predicted for stratum in audit.strata)
    if not np.isclose(population.predicted.sum(), predicted):
        with_or_without = "with a" if audit.calibrated else "without"
        raise ValueError(
            f"the audit was drawn {with_or_without} calibration, and these predictions are others; "
            "set calibration as it was then"
        )


def results_of(path: str | Path, pages: Iterable[PageRef]) -> Iterator[OcrResult]:
    """The readings of some pages, each once, in the order of the run."""
    left = set(pages)
    keys = {(page.document_path, page.document_sha256, page.page_index) for page in left}
    for *_, result in readings(path, keys):
        if result and result.page in left:
            left.remove(result.page)
            yield result


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def save_audit(audit: Audit, folder: str | Path) -> Path:
    """Write `audit.json`; returns its path."""
    record = {"format": FORMAT, **asdict(audit)}
    return write_file(Path(folder) / FILE, json.dumps(record, ensure_ascii=False, indent=1) + "\n")


def load_audit(path: str | Path) -> Audit:
    """Inverse of `save_audit`; takes the file or its folder.

    Raises:
        ValueError: the file isn't an audit.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.pop("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        return audit_from(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} isn't an audit ({error}); draw one again") from error


def audit_from(record: dict) -> Audit:
    """An audit from its JSON record, without the format."""
    sample = tuple(
        AuditedUnit(**{**unit, "page": PageRef(**unit["page"])}) for unit in record["sample"]
    )
    strata = tuple(Stratum(**stratum) for stratum in record["strata"])
    return Audit(**{**record, "sample": sample, "strata": strata})
