"""Learning curves of several seeds: as a table, as a figure, and how many labels a choice saves.

It knows nothing of how the rows were measured (`benchmarks.what_to_label`).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
CHANCE_AND_SILVER = "random and silver"
# each is compared with chance; and what has silver labels with chance that has them too
CHOICES = ("chosen and silver", "chosen", "errors only", CHANCE_AND_SILVER)
STYLES = {  # color, marker
    "chosen and silver": ("#e8853a", "o"),
    "chosen": ("#2f6690", "s"),
    CHANCE: ("#5b6b77", "D"),
    CHANCE_AND_SILVER: ("#a3aeb6", "o"),
}
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
    """All points as Markdown, and what each choice saves: at equal numbers, and with half of them.

    Points are means ± standard deviations over seeds; differences are of the same seeds, with 95 %
    intervals.
    """
    for name, own in _by_setting(rows).items():
        points = _points(own)
        yield f"\n{', '.join(f'{key}: {value}' for key, value in name)}\n"
        yield "| choice | labelled (in the hard font) | CER of all | hard font | others | seeds |"
        yield "|---|---:|---:|---:|---:|---:|"
        firsts = {row["seed"]: row for row in own}.values()
        before = [_mean(_column(firsts, f"before_{kind}")) for kind in KINDS]
        yield f"| before training | 0 | {' | '.join(before)} | {len(firsts)} |"
        for (choice, budget), of_point in points.items():
            hard = _column(of_point.values(), "hard_labelled").mean()
            rates = [_mean(_column(of_point.values(), f"after_{kind}")) for kind in KINDS]
            yield (f"| {choice} | {budget} ({hard:.0f}) | {' | '.join(rates)} | {len(of_point)} |")
        yield ""
        for choice, budget in points:
            for at_random in (budget, 2 * budget):
                if choice != CHANCE and (CHANCE, at_random) in points:
                    first, second = points[choice, budget], points[CHANCE, at_random]
                    if line := _compared(first, second):
                        yield f"- {budget} {choice} − {at_random} {CHANCE}: {line}"
            control = points.get((CHANCE_AND_SILVER, budget), {})
            if choice == CHOICES[0] and (line := _compared(points[choice, budget], control)):
                yield f"- {budget} {choice} − {budget} {CHANCE_AND_SILVER}: {line}"
    for curve in curves(rows):
        if len(curve.budgets) > 1:
            for kind in ("all", "hard"):
                yield f"- {curve.font}, {curve.choice}, {KINDS[kind]}: {needed(curve, kind)}"


def _by_setting(rows: Sequence[dict]) -> dict[tuple[tuple[str, str], ...], list[dict]]:
    found = defaultdict(list)
    for row in rows:
        found[tuple((key, row[key]) for key in ("font", "form", "part", "model"))].append(row)
    return found


def _points(rows: Sequence[dict]) -> dict[tuple[str, int], dict[int, dict]]:
    """(choice, budget) → seed → row, in the order of `CHOICES`, chance last."""
    found: dict[tuple[str, int], dict[int, dict]] = defaultdict(dict)
    order = [*CHOICES, CHANCE]
    for row in sorted(rows, key=lambda row: (order.index(row["choice"]), row["budget"])):
        found[row["choice"], row["budget"]][row["seed"]] = row
    return found


def _compared(first: dict[int, dict], second: dict[int, dict]) -> str:
    """The differences of the seeds that both have, in percentage points."""
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return ""
    parts = []
    for kind, what in KINDS.items():
        own, other = (
            _column([rows[seed] for seed in seeds], f"after_{kind}") for rows in (first, second)
        )
        parts.append(f"{what} {_difference(own - other)}")
    return f"{', '.join(parts)}; {len(seeds)} seed{'s' * (len(seeds) > 1)}"


def _column(rows: Iterable[dict], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows])


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

    Lines are means over seeds, bars one standard deviation, dots single seeds.
    """
    settings = {
        dict(name)["font"]: own
        for name, own in _by_setting(rows).items()
        if (own[0]["form"], own[0]["part"], own[0]["model"]) == (form, part, rows[-1]["model"])
    }
    if not settings:
        return nothing_to_draw("nothing was measured so far")
    figure, axes = plt.subplots(
        len(KINDS), len(settings), figsize=(4.4 * len(settings), 7), sharex=True, squeeze=False,
        facecolor="white", layout="constrained",
    )  # fmt: skip
    for column, (font, own) in enumerate(settings.items()):
        for ax, (kind, what) in zip(axes[:, column], KINDS.items(), strict=True):
            _draw_one(ax, own, kind)
            title = font if kind == "hard" else f"{font} among print: {what}"
            ax.set_title(title, fontsize=9, loc="left")
        axes[-1, column].set_xlabel(f"labelled {form}")
    for ax in axes[:, 0]:
        ax.set_ylabel("CER, %")
    axes[0, 0].legend(fontsize=8, frameon=False)
    return without_frame(figure)


def _draw_one(ax: Axes, rows: Sequence[dict], kind: str) -> None:
    before = 100 * _column(rows, f"before_{kind}").mean()
    ax.axhline(before, color="#9aa7b0", ls="--", lw=1, label="before training")
    points = _points(rows)
    budgets = sorted({budget for _, budget in points})
    for number, (choice, (color, marker)) in enumerate(STYLES.items()):
        own = [
            (budget, 100 * _column(of_point.values(), f"after_{kind}"))
            for (each, budget), of_point in points.items()
            if each == choice
        ]
        if not own:
            continue
        # beside each other, so that neither bars nor dots cover those of another choice
        places = [budget * 2 ** (0.06 * (number - 1)) for budget, _ in own]
        means = [rates.mean() for _, rates in own]
        spread = [rates.std(ddof=1) if len(rates) > 1 else 0 for _, rates in own]
        ax.errorbar(
            places, means, spread, color=color, marker=marker, ms=5, capsize=3, label=choice
        )
        for place, (_, rates) in zip(places, own, strict=True):
            ax.plot([place] * len(rates), rates, color=color, alpha=0.5, ls="", marker=".", ms=4)
    ax.set_xscale("log", base=2)
    ax.set_xticks(budgets, [str(each) for each in budgets])
    ax.set_ylim(0, None)
