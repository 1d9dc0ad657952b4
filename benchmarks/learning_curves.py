"""Learning curves of several seeds: as a table, as a figure, and how many labels a choice saves.

It knows nothing of how the rows were measured (`benchmarks.what_to_label`).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student
from sklearn.isotonic import IsotonicRegression

from glmocr_utils.figures.style import without_frame

ROWS = Path("benchmarks/data/what_to_label.jsonl")
RESAMPLES = 2000
COLORS = {"chosen": "#e8853a", "random": "#5b6b77"}
MARKERS = {"chosen": "o", "random": "D"}
KINDS = {"all": "all held-out lines", "hard": "those in the hard font"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One font, form and part, measured with several seeds.

    Attributes:
        model: the first digits of the hash of its weights; font, form, part: as in `Setting`.
        seeds: (S,) those of which all points were measured.
        budgets: (B,) how many lines or pages were labelled, rising.
        rates: kind of line (`all`, `hard`, `plain`) → choice → (S, B) CER.
        before: kind → (S,) CER before training.
        hard_labelled: choice → (S, B) labelled lines or pages in the hard font.
    """

    model: str
    font: str
    form: str
    part: str
    seeds: tuple[int, ...]
    budgets: np.ndarray
    rates: dict[str, dict[str, np.ndarray]]
    before: dict[str, np.ndarray]
    hard_labelled: dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Needed:
    """How many chosen labels do as much as the largest number of random ones.

    Attributes:
        count: chosen labels; infinite where all of them do less.
        low, high: 95 % of the counts if seeds are drawn with replacement; nan with one seed.
        at_random: that largest number; least: the smallest number that was measured.
    """

    count: float
    low: float
    high: float
    at_random: int
    least: int

    def __str__(self) -> str:
        text = f"{self._text(self.count)} chosen for {self.at_random} at random"
        if np.isinf(self.count):
            return text
        share = f"{self.count / self.at_random:.0%}"
        if np.isnan(self.low):
            return f"{text} ({share}; one seed)"
        return f"{text} ({share}; 95 %: {self._text(self.low)} to {self._text(self.high)})"

    def _text(self, count: float) -> str:
        if np.isinf(count):
            return f"more than {self.at_random}"
        return f"at most {self.least}" if count <= self.least else f"{count:.0f}"


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def curves(rows: Sequence[dict]) -> list[Curve]:
    """The curves, with the seeds of which every budget was measured with both choices."""
    names = dict.fromkeys((row["model"], row["font"], row["form"], row["part"]) for row in rows)
    found = []
    for name in names:
        own = [row for row in rows if (row["model"], row["font"], row["form"], row["part"]) == name]
        point = {(row["seed"], row["budget"], row["choice"]): row for row in own}
        budgets = sorted({row["budget"] for row in own})
        seeds = [
            seed
            for seed in sorted({row["seed"] for row in own})
            if all((seed, budget, choice) in point for budget in budgets for choice in COLORS)
        ]
        if seeds:
            found.append(_curve(name, seeds, budgets, point))
    return found


def _curve(
    name: tuple[str, str, str, str], seeds: list[int], budgets: list[int], point: dict
) -> Curve:
    def values(choice: str, column: str) -> np.ndarray:
        return np.array([[point[seed, each, choice][column] for each in budgets] for seed in seeds])

    kinds = ("all", "hard", "plain")
    return Curve(
        *name,
        seeds=tuple(seeds),
        budgets=np.array(budgets),
        rates={kind: {each: values(each, f"after_{kind}") for each in COLORS} for kind in kinds},
        before={kind: values("random", f"before_{kind}")[:, 0] for kind in kinds},
        hard_labelled={each: values(each, "hard_labelled") for each in COLORS},
    )


def needed(curve: Curve, kind: str = "all", seed: int = 0) -> Needed:
    """How many chosen labels give the CER that the most random ones give, between the budgets.

    Both mean curves are made to fall (isotonic regression), so that a lucky point isn't the answer.
    """
    chosen, chance = (curve.rates[kind][choice] for choice in COLORS)
    num_seeds = len(curve.seeds)
    low = high = float("nan")
    if num_seeds > 1:
        drawn = np.random.default_rng(seed).integers(num_seeds, size=(RESAMPLES, num_seeds))
        counts = [_count(curve.budgets, chosen[each], chance[each]) for each in drawn]
        low, high = np.quantile(counts, (0.025, 0.975), method="nearest")
    count = _count(curve.budgets, chosen, chance)
    return Needed(count, float(low), float(high), int(curve.budgets[-1]), int(curve.budgets[0]))


def _count(budgets: np.ndarray, chosen: np.ndarray, chance: np.ndarray) -> float:
    logs = np.log(budgets)
    falling = IsotonicRegression(increasing=False)
    curve, other = (falling.fit_transform(logs, rates.mean(axis=0)) for rates in (chosen, chance))
    aim = other[-1]
    if curve[-1] > aim:
        return float("inf")
    [first, *_] = np.flatnonzero(curve <= aim)
    if first == 0:
        return float(budgets[0])
    share = (curve[first - 1] - aim) / (curve[first - 1] - curve[first])
    return float(np.exp(logs[first - 1] + share * (logs[first] - logs[first - 1])))


def table(rows: Sequence[dict]) -> Iterator[str]:
    """Curves as Markdown: mean ± standard deviation over seeds, differences with 95 % intervals."""
    for curve in curves(rows):
        seeds = len(curve.seeds)
        yield (
            f"\n{curve.font}, {curve.form}, trained: {curve.part}; model {curve.model}; "
            f"{seeds} seed{'s' * (seeds > 1)}\n"
        )
        yield (
            "| labelled | of these hard: chosen, random | CER of all: chosen | random "
            "| chosen − random | CER of the hard font: chosen | random | chosen − random |"
        )
        yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
        before = [_mean(curve.before[kind]) for kind in KINDS]
        yield f"| 0 | | {before[0]} | the same | | {before[1]} | the same | |"
        for number, budget in enumerate(curve.budgets):
            hard = (curve.hard_labelled[choice][:, number].mean() for choice in COLORS)
            cells = [str(budget), ", ".join(f"{each:.0f}" for each in hard)]
            for kind in KINDS:
                pair = [curve.rates[kind][choice][:, number] for choice in COLORS]
                cells += [*map(_mean, pair), _difference(pair[0] - pair[1])]
            yield f"| {' | '.join(cells)} |"
        yield ""
        for kind, what in KINDS.items():
            yield f"- {what}: {needed(curve, kind)}"


def _mean(rates: np.ndarray) -> str:
    spread = f" ± {100 * rates.std(ddof=1):.1f}" if len(rates) > 1 else ""
    return f"{100 * rates.mean():.1f}{spread} %"


def _difference(differences: np.ndarray) -> str:
    """Mean of the seeds' differences, in percentage points, with Student's interval."""
    count = len(differences)
    mean = 100 * differences.mean()
    if count < 2:
        return f"{mean:+.1f}"
    half = student.ppf(0.975, count - 1) * 100 * differences.std(ddof=1) / np.sqrt(count)
    return f"{mean:+.1f} ({mean - half:+.1f} to {mean + half:+.1f})"


def draw(rows: Sequence[dict], form: str = "lines", part: str = "decoder") -> Figure:
    """A column for each font: CER of all held-out lines above, of the hard ones below.

    Lines are means over seeds, bands one standard deviation, dots single seeds.
    """
    shown = [each for each in curves(rows) if (each.form, each.part) == (form, part)]
    last_model = shown[-1].model
    shown = [each for each in shown if each.model == last_model]
    figure, axes = plt.subplots(
        len(KINDS), len(shown), figsize=(4.2 * len(shown), 5.4), sharex=True, squeeze=False,
        facecolor="white", layout="constrained",
    )  # fmt: skip
    for column, curve in enumerate(shown):
        for ax, (kind, what) in zip(axes[:, column], KINDS.items(), strict=True):
            _draw_one(ax, curve, kind)
            ax.set_title(f"{curve.font}: {what}", fontsize=9, loc="left")
        axes[-1, column].set_xlabel(f"labelled {form}")
    for ax in axes[:, 0]:
        ax.set_ylabel("CER, %")
    axes[0, 0].legend(fontsize=8, frameon=False)
    return without_frame(figure)


def _draw_one(ax: Axes, curve: Curve, kind: str) -> None:
    ax.axhline(
        100 * curve.before[kind].mean(), color="#9aa7b0", ls="--", lw=1, label="before training"
    )
    for choice, color in COLORS.items():
        rates = 100 * curve.rates[kind][choice]
        mean = rates.mean(axis=0)
        ax.plot(curve.budgets, mean, color=color, marker=MARKERS[choice], label=choice)
        if len(rates) > 1:
            spread = rates.std(axis=0, ddof=1)
            ax.fill_between(curve.budgets, mean - spread, mean + spread, color=color, alpha=0.15)
            ax.plot(curve.budgets, rates.T, color=color, alpha=0.45, ls="", marker=".", ms=4)
    ax.set_xscale("log", base=2)
    ax.set_xticks(curve.budgets, [str(each) for each in curve.budgets])
    ax.set_ylim(0, None)
