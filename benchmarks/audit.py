"""Is the certificate of a collection right? Simulated reviews of collections with known text.

    python -m benchmarks.audit        # 200 collections a row: ten minutes on one core
    python -m benchmarks.audit 20

Collections are drawn, page by page, from the readings of `benchmarks.audit_readings`: the bundled
model's own probabilities and errors. `too sure` and `too unsure` multiply the log-odds of all
tokens by 2 and by ½. Each review is of 200 flags. Beside it, the same method with single words
drawn at random, without strata and predictions: as many, and as many as take a reviewer the same
time (10 seconds a flag and 1.5 for each word more in it, as the review widget estimates).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.audit_readings import TABLE
from glmocr_utils.evaluation.certificate.estimate import StratumSample, Total, estimate_total
from glmocr_utils.evaluation.certificate.sampling import Sample, draw_sample
from glmocr_utils.notebook_run import project_root

CALIBRATIONS = {"fair": "predicted", "too sure": "overconfident", "too unsure": "underconfident"}
LIMIT = 0.05  # CER
# (name, share of pages above 5 % CER, CER of the others at most)
COLLECTIONS = (
    ("clean", 0.0, 0.01),
    ("1 of 33 pages above 5 %", 0.03, LIMIT),
    ("1 of 10 pages above 5 %", 0.1, LIMIT),
)
NUM_PAGES = 1500
NUM_FLAGS = 200
SECONDS_A_FLAG, SECONDS_A_WORD_MORE = 10, 1.5
FIRST = 0.2  # of the ranked pages
Columns = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages that were read.

    Attributes:
        words, units: for each page its words and its units, as columns.
        rates: CER of each page.
    """

    words: Sequence[Columns]
    units: Sequence[Columns]
    rates: np.ndarray

    def collection(self, rng: np.random.Generator, share_bad: float, best: float) -> np.ndarray:
        """Page numbers, drawn with replacement."""
        is_bad = rng.random(NUM_PAGES) < share_bad
        bad, good = np.flatnonzero(self.rates > LIMIT), np.flatnonzero(self.rates <= best)
        return np.where(is_bad, rng.choice(bad, NUM_PAGES), rng.choice(good, NUM_PAGES))


def load_pages(path: Path) -> Pages:
    table = {name: column.to_numpy() for name, column in _columns(path)}
    words = []
    for page in np.unique(table["page"]):
        rows = table["page"] == page
        words.append({name: values[rows] for name, values in table.items()})
    rates = np.array([each["page_edits"][0] / each["page_characters"][0] for each in words])
    return Pages(words, [_units(each) for each in words], rates)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One estimate beside the truth, all of them CERs."""

    value: float
    low: float
    high: float
    true: float

    @classmethod
    def of(cls, total: Total, characters: float, true: float) -> "Outcome":
        return cls(total.value / characters, total.low / characters, total.high / characters, true)


@dataclass(frozen=True, slots=True)
class Simulated:
    """One collection and its reviews.

    Attributes:
        outcomes: by name of the review.
        found: share of the pages above 5 % that are in the first 20 % of the ranking; None where
            there are none.
    """

    outcomes: dict[str, Outcome]
    found: float | None


def simulate(
    pages: Pages, calibration: str, share_bad: float, best: float, seed: int, beside: bool = True
) -> Simulated:
    """Draw a collection and review it.

    Args:
        beside: review words drawn at random as well.
    """
    rng = np.random.default_rng((seed, int(1000 * share_bad)))
    chosen = pages.collection(rng, share_bad, best)

    def joined(of_pages: Sequence[Columns], name: str) -> np.ndarray:
        return np.concatenate([of_pages[page][name] for page in chosen]).astype(float)

    risk = joined(pages.units, CALIBRATIONS[calibration])
    edits, characters = joined(pages.units, "edits"), joined(pages.units, "characters")
    true = edits.sum() / characters.sum()
    sample = draw_sample(risk, NUM_FLAGS, seed)
    total = _reviewed(sample, risk, edits, seed)
    outcomes = {"certificate": Outcome.of(total, characters.sum(), true)}
    checked = np.concatenate(sample.chosen)
    more_words = joined(pages.units, "words")[checked].sum() - len(checked)
    seconds = SECONDS_A_FLAG * len(checked) + SECONDS_A_WORD_MORE * more_words
    word_edits = joined(pages.words, "edits")
    counts = {"as many words": NUM_FLAGS, "words in the same time": int(seconds / SECONDS_A_FLAG)}
    for name, count in counts.items() if beside else ():
        nothing = np.zeros(len(word_edits))
        words = _reviewed(draw_sample(nothing, count, seed, 1), nothing, word_edits, seed)
        outcomes[name] = Outcome.of(words, characters.sum(), true)
    page = np.repeat(np.arange(NUM_PAGES), [len(pages.units[number]["edits"]) for number in chosen])
    return Simulated(outcomes, _found(pages.rates[chosen], page, risk, characters, sample, total))


def _reviewed(sample: Sample, risk: np.ndarray, edits: np.ndarray, seed: int) -> Total:
    strata = [
        StratumSample(
            int(size), float(risk[sample.strata == number].sum()), risk[chosen], edits[chosen]
        )
        for number, (size, chosen) in enumerate(zip(sample.sizes, sample.chosen, strict=True))
    ]
    return estimate_total(strata, seed)


def _found(
    rates: np.ndarray,
    page: np.ndarray,
    risk: np.ndarray,
    characters: np.ndarray,
    sample: Sample,
    total: Total,
) -> float | None:
    """The share of the pages above 5 % that the certificate's ranking has at its beginning."""
    scale = total.of_strata.clip(0) / np.bincount(sample.strata, risk).clip(1e-9)
    expected = np.bincount(page, risk * scale[sample.strata]) / np.bincount(page, characters)
    first = np.argsort(-expected, kind="stable")[: int(FIRST * len(rates))]
    bad = rates > LIMIT
    return float(bad[first].sum() / bad.sum()) if bad.any() else None


def _columns(path: Path) -> Iterator[tuple[str, object]]:
    table = pq.read_table(path)
    return zip(table.column_names, table.columns, strict=True)


def _units(words: Columns) -> Columns:
    number = words["unit"] - words["unit"].min()
    summed = ("characters", "edits", *CALIBRATIONS.values())
    units = {name: np.bincount(number, words[name].astype(float)) for name in summed}
    return units | {"words": np.bincount(number)}


def summary(runs: Sequence[Simulated], name: str) -> dict[str, float]:
    """How often a review's interval held the truth, and how wide it was.

    `honest_width` is the mean width with all intervals scaled alike, so that 95 % hold the truth:
    so reviews compare whose intervals hold it more or less often.
    """
    outcomes = np.array([list(asdict(run.outcomes[name]).values()) for run in runs])
    value, low, high, true = outcomes.T
    side = np.where(true > value, high - value, value - low).clip(1e-9)
    factor = np.quantile(np.abs(true - value) / side, 0.95)
    return {
        "held": float(((low <= true) & (true <= high)).mean()),
        "cer": float(true.mean()),
        "bias": float((value / true).mean() - 1),
        "error": float(np.sqrt(((value / true - 1) ** 2).mean())),
        "width": float((high - low).mean()),
        "honest_width": float(factor * (high - low).mean()),
    }


def main(repetitions: int) -> None:
    pages = load_pages(project_root() / TABLE)
    records = []
    print(
        "| collection | CER | reviewed | interval holds the truth | mean width "
        "| width if 95 % held | RMS error | bad pages in the first 20 % |\n"
        "|---|---:|---|---:|---:|---:|---:|---:|"
    )
    for collection, share_bad, best in COLLECTIONS:
        for calibration in CALIBRATIONS:
            beside = calibration == "fair"
            runs = [
                simulate(pages, calibration, share_bad, best, seed, beside)
                for seed in range(repetitions)
            ]
            found = np.mean([run.found for run in runs]) if share_bad else None
            for name in runs[0].outcomes:
                record = {
                    "collection": collection, "calibration": calibration, "review": name,
                    **summary(runs, name), "found": found if name == "certificate" else None,
                }  # fmt: skip
                records.append(record)
                print(_line(record), flush=True)
    path = project_root() / "outputs/bench/audit.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=1))


def _line(record: dict[str, object]) -> str:
    is_certificate = record["review"] == "certificate"
    reviewed = (
        f"200 flags, probabilities {record['calibration']}" if is_certificate else record["review"]
    )
    found = "" if record["found"] is None else f"{record['found']:.1%}"
    return (
        f"| {record['collection']} | {record['cer']:.2%} | {reviewed} | {record['held']:.1%} "
        f"| {record['width']:.2%} | {record['honest_width']:.2%} | {record['error']:.0%} "
        f"| {found} |"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
