"""Does it matter which pages are labelled? Learning curves of notebook 04's choice and of chance.

    python -m benchmarks.what_to_label                # one font, lines, the decoder, two seeds
    python -m benchmarks.what_to_label --full         # everything: hours on a CPU; see below
    python -m benchmarks.what_to_label --table        # what was measured so far

A collection is drawn: documents of which one in four is in a hard font (black letter, or script).
The bundled model reads it; pages are chosen by its doubt and their novelty (`choose_next_pages`) or
at random, the model is fine-tuned on them with their true text, always for the same number of
steps, and reads held-out documents. Each training is a line of `outputs/bench/what_to_label.jsonl`;
what is there is not trained again, so a run that was stopped resumes.

One training on lines takes about a minute of one core, one on pages about four; the small run is 16
of them, the full one 2 fonts × 2 forms × 2 parts × 2 choices × 4 budgets × 5 seeds = 320.
"""

import argparse
import hashlib
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.inputs import bundled_model
from glmocr_utils.confidence import expected_errors
from glmocr_utils.finetune import finetune, make_config
from glmocr_utils.labels.next_pages import Candidate, choose_next_pages
from glmocr_utils.metrics import corpus_cer
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import OcrResult, PageImage, PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font
from workshop.black_letter import write_black_letter, write_script
from workshop.tiny_model.corpus import load_words, sentence

RESULTS = Path("outputs/bench/what_to_label.jsonl")
HARD = {"black letter": write_black_letter, "script": write_script}
ORDINARY = ("DejaVu Sans", "DejaVu Serif")
HARD_ONE_IN = 4
DOCUMENTS, HELD_OUT_DOCUMENTS, UNITS_A_DOCUMENT = 40, 12, 6
LINES_ON_A_PAGE = 8
BUDGETS = {"lines": (8, 16, 32, 64), "pages": (4, 8, 16, 32)}
TRAINING = {
    "lines": {"max_steps": 50, "per_device_train_batch_size": 8},
    "pages": {"max_steps": 40, "per_device_train_batch_size": 4},
}
PARTS = {
    "decoder": {},
    "vision too": {"freeze_vision_tower": False, "freeze_multi_modal_projector": False},
}
CHOICES = ("chosen", "random")


@dataclass(frozen=True, slots=True)
class Setting:
    """One training.

    Attributes:
        font: the hard one; form: `lines` or `pages`; part: what is trained, of `PARTS`.
        choice: `chosen` or `random`; budget: how many lines or pages are labelled.
        seed: of the collection, of chance and of the training.
    """

    font: str
    form: str
    part: str
    choice: str
    budget: int
    seed: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A line or a page of a drawn document."""

    image: PageImage
    text: str
    is_hard: bool


def collection(font: str, form: str, seed: int, documents: int, first: int = 0) -> list[Unit]:
    """Documents of `UNITS_A_DOCUMENT` lines or pages, every fourth in the hard font."""
    rng = random.Random(f"{seed} {first} {form}")
    words = load_words("en")
    units = []
    for number in range(first, first + documents):
        is_hard = number % HARD_ONE_IN == 0
        path = _hard_font(font) if is_hard else find_font(rng.choice(ORDINARY))
        style = PageStyle(
            path, path, font_px=rng.randint(20, 24), width_px=560, height_px=None, margin_px=14
        )
        sha256 = hashlib.sha256(f"{font} {form} {seed} {number}".encode()).hexdigest()
        for index in range(UNITS_A_DOCUMENT):
            lines = LINES_ON_A_PAGE if form == "pages" else 1
            text = "\n".join(_line(rng, words) for _ in range(lines))
            page = draw_page([Block(line, tight=True) for line in text.split("\n")], style)
            ref = PageRef(f"d{number}.pdf", sha256, index)
            units.append(Unit(PageImage(ref, page.image, scale=2.0), page.text, is_hard))
    return units


@cache
def _hard_font(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fonts"))
    return HARD[name](folder / "hard.ttf")


def _line(rng: random.Random, words: object, longest: int = 34) -> str:
    line = ""
    for word in sentence(rng, words).split():
        if len(line) + len(word) + 1 > longest:
            break
        line = f"{line} {word}".strip()
    return line or "and so on"


def choose(units: Sequence[Unit], results: Sequence[OcrResult], setting: Setting) -> list[Unit]:
    """The lines or pages to label."""
    if setting.choice == "random":
        return random.Random(setting.seed).sample(list(units), setting.budget)
    by_page = {unit.image.page: unit for unit in units}
    candidates = [Candidate(each.page, each.text, expected_errors(each).mean) for each in results]
    return [by_page[each.page] for each in choose_next_pages(candidates, setting.budget)]


def measure(setting: Setting, units: Sequence[Unit], results: Sequence[OcrResult]) -> dict:
    """Train on what is chosen, read what is held out. Returns the row of the results."""
    chosen = choose(units, results, setting)
    held_out = collection(setting.font, setting.form, setting.seed, HELD_OUT_DOCUMENTS, first=1000)
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        write_split(chosen, data / "train")
        write_split(held_out, data / "test")
        result = finetune(
            make_config(
                {
                    "model_name": str(project_root() / BUNDLED_MODEL),
                    "dataset_name": str(data), "eval_split": "test", "output_dir": str(run),
                    "learning_rate": 5e-4, "gradient_accumulation_steps": 1, "max_tokens": 500,
                    "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True,
                    "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False,
                    "use_cpu": True, "seed": setting.seed,
                    **TRAINING[setting.form], **PARTS[setting.part],
                }
            )
        )  # fmt: skip
    hard_of = {unit.text: unit.is_hard for unit in held_out}
    row = asdict(setting) | {"hard_chosen": sum(unit.is_hard for unit in chosen)}
    for name, readings in (("before", result.before), ("after", result.after)):
        row[name] = corpus_cer(reading.pair for reading in readings)
        row[f"hard_{name}"] = corpus_cer(
            reading.pair for reading in readings if hard_of[reading.reference]
        )
    return row


def write_split(units: Sequence[Unit], folder: Path) -> None:
    """An imagefolder with the units' texts."""
    folder.mkdir(parents=True)
    rows = []
    for number, unit in enumerate(units):
        name = f"{number:04d}.png"
        unit.image.image.save(folder / name)
        page = unit.image.page
        rows.append(
            {"file_name": name, "text": unit.text, "document": page.document_path,
             "document_sha256": page.document_sha256, "page_index": page.page_index}
        )  # fmt: skip
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def settings(
    fonts: Sequence[str], forms: Sequence[str], parts: Sequence[str], seeds: int
) -> Iterator[Setting]:
    for seed, font, form, part in product(range(seeds), fonts, forms, parts):
        for budget, choice in product(BUDGETS[form], CHOICES):
            yield Setting(font, form, part, choice, budget, seed)


def run(wanted: Sequence[Setting], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {_setting_of(row) for row in read_rows(path)}
    known: dict[tuple[str, str, int], tuple[list[Unit], list[OcrResult]]] = {}
    for setting in wanted:
        if setting in done:
            continue
        key = setting.font, setting.form, setting.seed
        if key not in known:
            units = collection(*key, DOCUMENTS)
            images = [unit.image for unit in units]
            known = {
                key: (
                    units,
                    list(read_pages(bundled_model(), images, batch_size=16, max_tokens=500)),
                )
            }
        row = measure(setting, *known[key])
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{setting}: {row['before']:.1%} → {row['after']:.1%}", flush=True)


def read_rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _setting_of(row: dict) -> Setting:
    return Setting(**{name: row[name] for name in Setting.__dataclass_fields__})


def table(rows: Sequence[dict]) -> Iterator[str]:
    """Curves as Markdown, and how many pages the choice needs for what chance needs."""
    yield "| font, form, trained | labelled | chosen: CER, hard | random: CER, hard | seeds |"
    yield "|---|---:|---:|---:|---:|"
    curves: dict[tuple, dict[str, dict[int, list[dict]]]] = defaultdict(
        lambda: {choice: defaultdict(list) for choice in CHOICES}
    )
    for row in rows:
        curves[row["font"], row["form"], row["part"]][row["choice"]][row["budget"]].append(row)
    for name, of_choice in curves.items():
        for budget in sorted(of_choice["chosen"].keys() & of_choice["random"].keys()):
            chosen, chance = (of_choice[choice][budget] for choice in CHOICES)
            yield (
                f"| {', '.join(name)} | {budget} | {_rates(chosen)} | {_rates(chance)} "
                f"| {min(len(chosen), len(chance))} |"
            )
        for what, rate in (("all", "after"), ("hard", "hard_after")):
            yield f"| {', '.join(name)}, {what} | | {needed(of_choice, rate)} | | |"


def _rates(rows: Sequence[dict]) -> str:
    return (
        f"{np.mean([r['after'] for r in rows]):.1%}, {np.mean([r['hard_after'] for r in rows]):.1%}"
    )


def needed(of_choice: dict[str, dict[int, list[dict]]], rate_name: str = "after") -> str:
    """How many chosen pages give the CER that the most random ones give, between the budgets.

    Args:
        rate_name: `after` for all held-out pages, `hard_after` for those in the hard font.
    """
    curve = {
        choice: sorted((b, np.mean([r[rate_name] for r in rows])) for b, rows in budgets.items())
        for choice, budgets in of_choice.items()
    }
    if any(len(points) < 2 for points in curve.values()):
        return "too few points"
    budget, aim = curve["random"][-1]
    before = None
    for count, rate in curve["chosen"]:
        if rate <= aim:
            if before is None:
                return f"at most {count} chosen for {budget} at random ({count / budget:.0%})"
            share = (before[1] - aim) / max(1e-9, before[1] - rate)
            count = np.exp(np.log(before[0]) + share * np.log(count / before[0]))
            return f"{count:.0f} chosen for {budget} at random ({count / budget:.0%})"
        before = count, rate
    return f"{budget} chosen do not reach the {aim:.1%} of {budget} at random"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="all fonts, forms, parts; five seeds")
    parser.add_argument(
        "--table", action="store_true", help="print what was measured, train nothing"
    )
    options = parser.parse_args()
    path = project_root() / RESULTS
    if not options.table:
        everything = (tuple(HARD), tuple(BUDGETS), tuple(PARTS), 5)
        small = (("black letter",), ("lines",), ("decoder",), 2)
        run(list(settings(*(everything if options.full else small))), path)
    print(*table(read_rows(path)), sep="\n")


if __name__ == "__main__":
    main()
