"""Is the certificate of a collection right? Simulated reviews of collections with known text.

    python -m benchmarks.audit            # 200 collections a row; a few minutes
    python -m benchmarks.audit 20         # fewer

Collections are drawn, page by page, from the readings of `benchmarks.audit_readings`: the bundled
model's own probabilities and errors. `over` and `under` multiply the log-odds of all tokens by 2
and by ½. Each review is of 200 flags. Beside it, as many words drawn at random, and as many as take
a reviewer the same time: 10 seconds a flag and 1.5 for each word more in it, as the review widget
estimates it.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.audit_readings import TABLE
from glmocr_utils.evaluation.certificate.estimate import StratumSample, Total, estimate_total
from glmocr_utils.evaluation.certificate.sampling import draw_sample
from glmocr_utils.notebook_run import project_root

CALIBRATIONS = {"fair": "predicted", "over": "overconfident", "under": "underconfident"}
BAD_PAGES = (0.03, 0.08, 0.15)  # share of a collection's pages above 5 % CER
LIMIT = 0.05
NUM_PAGES = 1500
NUM_FLAGS = 200
SECONDS_A_FLAG, SECONDS_A_WORD_MORE = 10, 1.5
Columns = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Pages:
    """The table's pages, each with its words and its units."""

    words: Sequence[Columns]
    units: Sequence[Columns]
    rates: np.ndarray

    def collection(self, rng: np.random.Generator, share_bad: float) -> np.ndarray:
        """Page numbers, drawn with replacement."""
        is_bad = rng.random(NUM_PAGES) < share_bad
        bad, good = (np.flatnonzero((self.rates > LIMIT) == each) for each in (True, False))
        return np.where(is_bad, rng.choice(bad, NUM_PAGES), rng.choice(good, NUM_PAGES))


def load_pages(path: Path) -> Pages:
    table = {name: column.to_numpy() for name, column in _columns(path)}
    words, units = [], []
    for page in np.unique(table["page"]):
        rows = table["page"] == page
        of_page = {name: values[rows] for name, values in table.items()}
        words.append(of_page)
        units.append(_units(of_page))
    rates = np.array([each["page_edits"][0] / each["page_characters"][0] for each in words])
    return Pages(words, units, rates)


def _columns(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    table = pq.read_table(path)
    return zip(table.column_names, table.columns, strict=True)


def _units(words: Columns) -> Columns:
    number = words["unit"] - words["unit"].min()
    summed = ("characters", "edits", *CALIBRATIONS.values())
    units = {name: np.bincount(number, words[name].astype(float)) for name in summed}
    return units | {"words": np.bincount(number)}


def review(risk: np.ndarray, edits: np.ndarray, count: int, seed: int, **options: int) -> tuple:
    """A simulated review. Returns the estimate and the indices of what was checked."""
    sample = draw_sample(risk, count, seed, **options)
    strata = [
        StratumSample(
            int(size), float(risk[sample.strata == number].sum()), risk[chosen], edits[chosen]
        )
        for number, (size, chosen) in enumerate(zip(sample.sizes, sample.chosen, strict=True))
    ]
    return estimate_total(strata, seed), np.concatenate(sample.chosen)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One interval against the truth; rates are CERs."""

    value: float
    low: float
    high: float
    true: float

    @classmethod
    def of(cls, total: Total, characters: float, true: float) -> "Outcome":
        return cls(total.value / characters, total.low / characters, total.high / characters, true)


def simulate(pages: Pages, calibration: str, share_bad: float, seed: int) -> dict[str, Outcome]:
    """One collection, reviewed by the certificate's sample and by words drawn at random."""
    rng = np.random.default_rng((seed, int(1000 * share_bad)))
    chosen = pages.collection(rng, share_bad)
    column = CALIBRATIONS[calibration]

    def joined(of_pages: Sequence[Columns], name: str) -> np.ndarray:
        return np.concatenate([of_pages[page][name] for page in chosen]).astype(float)

    edits, characters = joined(pages.units, "edits"), joined(pages.units, "characters").sum()
    true = edits.sum() / characters
    certified, checked = review(joined(pages.units, column), edits, NUM_FLAGS, seed)
    more_words = joined(pages.units, "words")[checked].sum() - len(checked)
    seconds = SECONDS_A_FLAG * len(checked) + SECONDS_A_WORD_MORE * more_words
    word_edits = joined(pages.words, "edits")
    outcomes = {"certificate": Outcome.of(certified, characters, true)}
    for name, count in (
        ("as many words", NUM_FLAGS), ("words in the same time", int(seconds / SECONDS_A_FLAG)),
    ):  # fmt: skip
        # without predictions: one stratum, and nothing that they could add
        total, _ = review(np.zeros(len(word_edits)), word_edits, count, seed, num_strata=1)
        outcomes[name] = Outcome.of(total, characters, true)
    return outcomes


def main(repetitions: int) -> None:
    pages = load_pages(project_root() / TABLE)
    records = []
    print("| pages above 5 % | probabilities | review | held | CER | interval | width | miss |")
    for share_bad in BAD_PAGES:
        for calibration in CALIBRATIONS:
            runs = [simulate(pages, calibration, share_bad, seed) for seed in range(repetitions)]
            widths = {}
            for name in runs[0]:
                of = np.array(
                    [[o.value, o.low, o.high, o.true] for o in (run[name] for run in runs)]
                )
                value, low, high, true = of.T
                held = (low <= true) & (true <= high)
                widths[name] = float((high - low).mean())
                record = {
                    "share_bad": share_bad, "calibration": calibration, "review": name,
                    "held": float(held.mean()), "too_high": float((low > true).mean()),
                    "too_low": float((high < true).mean()), "cer": float(true.mean()),
                    "bias": float((value / true).mean() - 1), "width": widths[name],
                    "of_words": widths["certificate"] / widths[name],
                }  # fmt: skip
                records.append(record)
                print(
                    {k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()},
                    flush=True,
                )
    path = project_root() / "outputs/bench/audit.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
