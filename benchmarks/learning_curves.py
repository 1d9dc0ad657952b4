"""Learning curves of several seeds: as a table, as a figure, and how many labels a choice saves.

It knows nothing of how the rows were measured (`benchmarks.what_to_label`).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student

from glmocr_utils.figures.style import nothing_to_draw, without_frame

ROWS = Path("benchmarks/data/what_to_label.jsonl")
RESAMPLES = 2000
CHANCE = "random"
CHOICES = ("chosen", "errors only")  # each is compared with chance
STYLES = (("#e8853a", "o"), ("#5b6b77", "D"))  # of a choice and of chance: color, marker
KINDS = {"all": "all held-out text", "hard": "the hard font", "plain": "the other fonts"}


@dataclass(frozen=True, slots=True)
class Curve:
    """A choice and chance, of one font, form and part, measured with several seeds.

    Attributes:
        model: the first digits of the hash of its weights; font, form, part: as in `Setting`.
        choice: of `CHOICES`.
        seeds: (S,) those of which all points of both were measured.
        budgets: (B,) how many lines or pages were labelled, rising.
        rates: of `KINDS` → (2, S, B) CER of the choice and of chance.
        before: of `KINDS` → (S,) CER before training.
        hard_labelled: (2, S, B) labelled lines or pages in the hard font.
    """

    model: str
    font: str
    form: str
    part: str
    choice: str
    seeds: tuple[int, ...]
    budgets: np.ndarray
    rates: dict[str, np.ndarray]
    before: dict[str, np.ndarray]
    hard_labelled: np.ndarray


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


def curves(rows: Sequence[dict], choices: Sequence[str] = CHOICES) -> list[Curve]:
    """The curves: of each, the seeds and budgets of which all points were measured."""
    settings = dict.fromkeys((row["form"], row["part"], row["model"], row["font"]) for row in rows)
    found = []
    for choice, (form, part, model, font) in product(choices, settings):
        name = {"model": model, "font": font, "form": form, "part": part}
        point = {
            (row["seed"], row["budget"], row["choice"]): row
            for row in rows
            if name.items() <= row.items()
        }
        both = {
            (seed, budget)
            for seed, budget, _ in point
            if {(seed, budget, choice), (seed, budget, CHANCE)} <= point.keys()
        }
        seeds, budgets = _largest_block(both)
        if seeds:
            found.append(_curve(name, choice, seeds, budgets, point))
    return found


def _largest_block(points: set[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Seeds and budgets of which all combinations are there: as many points as possible."""
    seeds_of = {budget: {s for s, b in points if b == budget} for _, budget in points}
    blocks = []
    for least in range(1, max(map(len, seeds_of.values()), default=0) + 1):
        budgets = [budget for budget, seeds in seeds_of.items() if len(seeds) >= least]
        seeds = set.intersection(*(seeds_of[budget] for budget in budgets))
        blocks.append((len(seeds) * len(budgets), len(seeds), sorted(seeds), sorted(budgets)))
    return max(blocks)[2:] if blocks else ([], [])


def _curve(
    name: dict[str, str],
    choice: str,
    seeds: Sequence[int],
    budgets: Sequence[int],
    point: dict[tuple[int, int, str], dict],
) -> Curve:
    def values(column: str) -> np.ndarray:
        return np.array(
            [
                [[point[seed, budget, each][column] for budget in budgets] for seed in seeds]
                for each in (choice, CHANCE)
            ]
        )

    return Curve(
        **name,
        choice=choice,
        seeds=tuple(seeds),
        budgets=np.array(budgets),
        rates={kind: values(f"after_{kind}") for kind in KINDS},
        before={kind: values(f"before_{kind}")[0, :, 0] for kind in KINDS},
        hard_labelled=values("hard_labelled"),
    )


def needed(curve: Curve, kind: str = "all", seed: int = 0) -> Needed:
    """How many chosen labels give the CER that the most random ones give, between the budgets.

    Both mean curves are made to fall (isotonic regression), so that a lucky point isn't the answer.
    """
    chosen, chance = curve.rates[kind]
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
    curve, other = (_falling(rates.mean(axis=0)) for rates in (chosen, chance))
    aim = other[-1]
    if curve[-1] > aim:
        return float("inf")
    [first, *_] = np.flatnonzero(curve <= aim)
    if first == 0:
        return float(budgets[0])
    share = (curve[first - 1] - aim) / (curve[first - 1] - curve[first])
    return float(np.exp(logs[first - 1] + share * (logs[first] - logs[first - 1])))


def _falling(values: np.ndarray) -> np.ndarray:
    """The values nearest to these that never rise: the least, over starts, of the highest means."""
    count = len(values)
    return np.array(
        [
            min(max(values[a : b + 1].mean() for b in range(n, count)) for a in range(n + 1))
            for n in range(count)
        ]
    )


def table(rows: Sequence[dict]) -> Iterator[str]:
    """Curves as Markdown: mean ± standard deviation over seeds, differences with 95 % intervals."""
    for curve in curves(rows):
        seeds = len(curve.seeds)
        yield (
            f"\n{curve.font}, {curve.form}, trained: {curve.part}; {curve.choice}; model "
            f"{curve.model}; {seeds} seed{'s' * (seeds > 1)}\n"
        )
        yield "| labelled (in the hard font) | CER of | chosen | random | chosen − random |"
        yield "|---|---|---:|---:|---:|"
        for kind, what in KINDS.items():
            yield f"| 0 | {what} | {_mean(curve.before[kind])} | the same | |"
        for number, budget in enumerate(curve.budgets):
            hard = curve.hard_labelled[:, :, number].mean(axis=1)
            for kind, what in KINDS.items():
                chosen, chance = curve.rates[kind][:, :, number]
                yield (
                    f"| {budget} ({hard[0]:.0f} and {hard[1]:.0f}) | {what} | {_mean(chosen)} "
                    f"| {_mean(chance)} | {_difference(chosen - chance)} |"
                )
        yield ""
        for kind in ("all", "hard"):
            yield f"- {KINDS[kind]}: {needed(curve, kind)}"


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
    """A column for each font; CER of all held-out text above, then by font.

    Lines are means over seeds, bands one standard deviation, dots single seeds.
    """
    shown = [each for each in curves(rows, CHOICES[:1]) if (each.form, each.part) == (form, part)]
    if not shown:
        return nothing_to_draw("nothing was measured so far")
    shown = [each for each in shown if each.model == shown[-1].model]
    figure, axes = plt.subplots(
        len(KINDS), len(shown), figsize=(4.2 * len(shown), 7), sharex=True, squeeze=False,
        facecolor="white", layout="constrained",
    )  # fmt: skip
    for column, curve in enumerate(shown):
        for ax, (kind, what) in zip(axes[:, column], KINDS.items(), strict=True):
            _draw_one(ax, curve, kind)
            title = curve.font if kind == "hard" else f"{curve.font} among print: {what}"
            ax.set_title(title, fontsize=9, loc="left")
        axes[-1, column].set_xlabel(f"labelled {form}")
    for ax in axes[:, 0]:
        ax.set_ylabel("CER, %")
    axes[0, 0].legend(fontsize=8, frameon=False)
    return without_frame(figure)


def _draw_one(ax: Axes, curve: Curve, kind: str) -> None:
    before = 100 * curve.before[kind].mean()
    ax.axhline(before, color="#9aa7b0", ls="--", lw=1, label="before training")
    for name, rates, (color, marker) in zip(
        (curve.choice, CHANCE), 100 * curve.rates[kind], STYLES, strict=True
    ):
        mean = rates.mean(axis=0)
        ax.plot(curve.budgets, mean, color=color, marker=marker, label=name)
        if len(rates) > 1:
            spread = rates.std(axis=0, ddof=1)
            ax.fill_between(curve.budgets, mean - spread, mean + spread, color=color, alpha=0.15)
            ax.plot(curve.budgets, rates.T, color=color, alpha=0.45, ls="", marker=".", ms=4)
    ax.set_xscale("log", base=2)
    ax.set_xticks(curve.budgets, [str(each) for each in curve.budgets])
    ax.set_ylim(0, None)
