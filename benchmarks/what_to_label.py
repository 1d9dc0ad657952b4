"""Does it matter which pages are labelled? Learning curves of notebook 04's choice and of chance.

    python -m benchmarks.what_to_label    # two fonts, lines, the decoder, five seeds
    python -m benchmarks.what_to_label --forms pages --parts vision --seeds 1
    python -m benchmarks.what_to_label --table        # what was measured so far
    python -m benchmarks.what_to_label --figure notebooks/figures/04_what_to_label.png

A collection is drawn: documents of which one in four is in a hard font (black letter, or script).
The bundled model reads it; pages are chosen by its doubt and their novelty (`choose_next_pages`) or
at random, the model is fine-tuned on them with their true text, always for the same number of
steps, and reads held-out documents. Both choices of a seed share the collection, the held-out
documents and their readings before training. Each training is a line of `--rows`, with the hash of
the model's weights; what is there is not trained again, so a run that was stopped resumes.

On a core of its own, a training on lines takes about 20 seconds and a seed's start 20 more: the
first points, half as many chosen lines as random ones, 15 minutes, and all 120 of them 45.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

from benchmarks.inputs import bundled_model
from benchmarks.learning_curves import CHANCE_AND_SILVER, ROWS, draw, read_rows, table
from benchmarks.mixed_fonts import HARD, HELD_OUT_FROM, Unit, collection
from glmocr_utils.confidence import expected_errors
from glmocr_utils.finetune import finetune, make_config
from glmocr_utils.labels.next_pages import DRAW_EVERY, Candidate, choose_next_pages
from glmocr_utils.metrics import corpus_cer, headline_pair
from glmocr_utils.model import LoadedModel, load_model, weights_sha256
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import OcrResult

DOCUMENTS = 40
HELD_OUT_DOCUMENTS = {"lines": 20, "pages": 12}
BUDGETS = {"lines": (16, 32, 64), "pages": (8, 16, 32)}
TRAINING = {
    "lines": {"max_steps": 50, "per_device_train_batch_size": 8},
    "pages": {"max_steps": 40, "per_device_train_batch_size": 4},
}
PARTS = {
    "decoder": {},
    "vision": {"freeze_vision_tower": False, "freeze_multi_modal_projector": False},
}
BEST = "chosen and silver"
CHOICES = (BEST, "chosen", "random", CHANCE_AND_SILVER, "errors only")
READ_AT_ONCE, MAX_TOKENS = 36, 500


@dataclass(frozen=True, slots=True)
class Setting:
    """One training.

    Attributes:
        model: the first digits of the hash of the weights that it starts from.
        font: the hard one; form: `lines` or `pages`.
        part: what is trained, `decoder` or `vision` (the tower and the projector too).
        choice: `chosen` as notebook 04 does, `errors only` without the pages that it draws at
            random, `chosen and silver` with as many unlabelled ones as the model reads them, the
            surest first (`silver_above` of notebook 04), `random`, or `random and silver`.
        budget: how many lines or pages are labelled.
        seed: of the collection, of chance and of the training.
    """

    model: str
    font: str
    form: str
    part: str
    choice: str
    budget: int
    seed: int


@dataclass(frozen=True, slots=True)
class Start:
    """What both choices of a seed share.

    Attributes:
        units: of the collection, and `results`, their readings by the model as it is.
        held_out: other documents; before: their CER by that model, as `rates` gives it.
    """

    units: Sequence[Unit]
    results: Sequence[OcrResult]
    held_out: Sequence[Unit]
    before: dict[str, float]


@cache
def model_hash() -> str:
    return str(weights_sha256(str(project_root() / BUNDLED_MODEL)))[:12]


def start(font: str, form: str, seed: int) -> Start:
    model = bundled_model()
    units = collection(font, form, seed, DOCUMENTS)
    held_out = collection(font, form, seed, HELD_OUT_DOCUMENTS[form], HELD_OUT_FROM)
    return Start(units, _read(model, units), held_out, rates(held_out, _read(model, held_out)))


def rates(units: Sequence[Unit], results: Sequence[OcrResult]) -> dict[str, float]:
    """Headline CER over all units, and over those in the hard font and in the others."""
    read = [
        (unit.is_hard, headline_pair(unit.text, result.text))
        for unit, result in zip(units, results, strict=True)
    ]
    return {
        "all": corpus_cer(pair for _, pair in read),
        "hard": corpus_cer(pair for is_hard, pair in read if is_hard),
        "plain": corpus_cer(pair for is_hard, pair in read if not is_hard),
    }


def choose(shared: Start, setting: Setting) -> list[Unit]:
    """The lines or pages to label."""
    if setting.choice in ("random", CHANCE_AND_SILVER):
        return random.Random(setting.seed).sample(list(shared.units), setting.budget)
    by_page = {unit.image.page: unit for unit in shared.units}
    candidates = [
        Candidate(each.page, each.text, expected_errors(each).mean) for each in shared.results
    ]
    draw_every = None if setting.choice == "errors only" else DRAW_EVERY
    next_pages = choose_next_pages(candidates, setting.budget, draw_every=draw_every)
    return [by_page[each.page] for each in next_pages]


def silver(shared: Start, labelled: Sequence[Unit]) -> list[Unit]:
    """As many of the other lines or pages, with the model's own texts, the surest first."""
    left = [
        (expected_errors(result).mean / len(result.text), number)
        for number, (unit, result) in enumerate(zip(shared.units, shared.results, strict=True))
        if unit not in labelled and result.text.strip()
    ]
    surest = sorted(left)[: len(labelled)]
    return [replace(shared.units[n], text=shared.results[n].text) for _, n in surest]


def measure(setting: Setting, shared: Start) -> dict:
    """Train on what is chosen, read what is held out. Returns the row of the results."""
    began = time.process_time()
    chosen = choose(shared, setting)
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "data", Path(folder) / "run"
        unlabelled = silver(shared, chosen) if setting.choice.endswith("silver") else []
        write_split([*chosen, *unlabelled], data / "train")
        finetune(
            make_config(
                {
                    "model_name": str(project_root() / BUNDLED_MODEL), "eval_split_size": 0.0,
                    "dataset_name": str(data), "output_dir": str(run), "max_tokens": MAX_TOKENS,
                    "learning_rate": 5e-4, "gradient_accumulation_steps": 1, "use_cpu": True,
                    "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True,
                    "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False,
                    "seed": setting.seed, **TRAINING[setting.form], **PARTS[setting.part],
                }
            )
        )  # fmt: skip
        after = rates(
            shared.held_out, _read(load_model(str(run), device_map="cpu"), shared.held_out)
        )
    hard = sum(unit.is_hard for unit in chosen)
    seconds = round(time.process_time() - began, 1)
    row = asdict(setting) | {"hard_labelled": hard, "cpu_seconds": seconds}
    for name, rate in shared.before.items():
        row[f"before_{name}"], row[f"after_{name}"] = round(rate, 5), round(after[name], 5)
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
    fonts: Sequence[str],
    forms: Sequence[str],
    parts: Sequence[str],
    choices: Sequence[str],
    budgets: Sequence[int] | None,
    seeds: int,
) -> list[Setting]:
    """The trainings: first those that show whether half as many chosen labels do as much as random
    ones, then all others; seed after seed, so that a run that is stopped has measured all fonts.
    """
    wanted = [
        Setting(model_hash(), font, form, part, choice, budget, seed)
        for form, part, seed, font in product(forms, parts, range(seeds), fonts)
        for budget, choice in product(budgets or BUDGETS[form], choices)
    ]
    return sorted(wanted, key=lambda each: not _is_of_the_claim(each))


def _is_of_the_claim(setting: Setting) -> bool:
    most = BUDGETS[setting.form][-1]
    points = {("random", most), (BEST, most // 2), (CHANCE_AND_SILVER, most // 2)}
    return (setting.choice, setting.budget) in points


def run(wanted: Sequence[Setting], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {_setting_of(row) for row in read_rows(path)}
    known: dict[tuple[str, str, int], Start] = {}
    for setting in wanted:
        if setting in done:
            continue
        key = setting.font, setting.form, setting.seed
        if key not in known:
            known = {key: start(*key)}
        row = measure(setting, known[key])
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{setting}: {row['before_all']:.1%} → {row['after_all']:.1%}", flush=True)


def _read(model: LoadedModel, units: Sequence[Unit]) -> list[OcrResult]:
    images = [unit.image for unit in units]
    return list(read_pages(model, images, batch_size=READ_AT_ONCE, max_tokens=MAX_TOKENS))


def _setting_of(row: dict) -> Setting:
    return Setting(**{name: row[name] for name in Setting.__dataclass_fields__})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fonts", nargs="+", choices=HARD, default=list(HARD))
    parser.add_argument("--forms", nargs="+", choices=BUDGETS, default=["lines"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["decoder"])
    parser.add_argument("--choices", nargs="+", choices=CHOICES, default=CHOICES[:4])
    parser.add_argument("--budgets", nargs="+", type=int, help="labelled lines or pages")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=Path, default=project_root() / ROWS)
    parser.add_argument(
        "--table", action="store_true", help="print what was measured, train nothing"
    )
    parser.add_argument("--figure", type=Path, help="draw what was measured, train nothing")
    options = parser.parse_args()
    if not options.table and not options.figure:
        parts = (options.fonts, options.forms, options.parts, options.choices, options.budgets)
        run(settings(*parts, options.seeds), options.rows)
    rows = read_rows(options.rows)
    if options.figure:
        draw(rows).savefig(options.figure, dpi=90)
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
