"""Round after round of labelling and training: the curve so far, and whether another one pays."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glmocr_utils.evaluation import Estimate
from glmocr_utils.model.trained_for import REPORT


@dataclass(frozen=True, slots=True)
class Round:
    """One training, measured on held-out pages.

    Attributes:
        name: of its folder.
        pages: that it was trained on.
        before, after: headline CER of the held-out pages.
    """

    name: str
    pages: int
    before: Estimate
    after: Estimate


def rounds_beside(output_dir: str | Path) -> list[Round]:
    """The run in `output_dir` and those in folders beside it that held out the same pages.

    Fewest pages first; of several runs on as many pages the one that reads best. Empty where
    `output_dir` has no report, or nothing was held out.
    """
    own = _report(Path(output_dir))
    if not own or not own.get("held_out_sha256"):
        return []
    best: dict[int, Round] = {}
    for folder in sorted(Path(output_dir).absolute().parent.iterdir()):
        report = _report(folder)
        if report.get("held_out_sha256") != own["held_out_sha256"]:
            continue
        comparison, pages = report["comparison"], report["train_pages"]
        before, after = (Estimate(**comparison[name]) for name in ("before", "after"))
        if pages not in best or after.value < best[pages].after.value:
            best[pages] = Round(folder.name, pages, before, after)
    return [best[pages] for pages in sorted(best)]


def next_round(rounds: Sequence[Round]) -> str:
    """Whether labelling as many pages again is likely to pay, in a sentence.

    A CER falls about as a power of the number of pages (Hestness et al. 2017), so two rounds or
    more give a line on logarithmic axes. Another round pays where the line falls by more than the
    held-out pages can show.
    """
    if not rounds:
        return "no round with held-out pages so far"
    last = rounds[-1]
    if len(rounds) < 2:
        return (
            f"one round so far, {last.pages} pages: CER {last.after}; label more, train again from "
            "the same model into a folder beside it, and the curve shows whether that pays"
        )
    pages = np.log([each.pages for each in rounds])
    rates = np.log([max(each.after.value, 1e-6) for each in rounds])
    slope, start = np.polyfit(pages, rates, 1)
    expected = float(np.exp(start + slope * np.log(2 * last.pages)))
    unsure = (last.after.high - last.after.low) / 2
    gain = last.after.value - expected
    line = (
        f"{2 * last.pages} pages instead of {last.pages} are expected to bring the CER from "
        f"{last.after.value:.2%} to {max(0.0, expected):.2%}"
    )
    if slope >= 0 or gain <= 0:
        return f"another round no longer pays: the CER has stopped falling at {last.after}"
    if gain < unsure:
        return f"another round no longer pays: {line}, less than the ±{unsure:.2%} of these pages"
    return f"another round pays: {line}"


def _report(folder: Path) -> dict:
    """The folder's training report; empty where there is none of a run with held-out pages."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) and "comparison" in report else {}
