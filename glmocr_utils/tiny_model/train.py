"""Train the bundled model from nothing: `make tiny-model`.

Seeded and resumable: a run that was stopped goes on at its last checkpoint. The pages are drawn
while training; batch number n of a recipe is always the same.
"""

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import Dataset, SequentialSampler
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    ProcessorMixin,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from glmocr_utils.tiny_model.architecture import build_model, build_processor
from glmocr_utils.tiny_model.corpus import ALPHANUMERIC, LETTERS, ODD_CHARACTERS
from glmocr_utils.tiny_model.pages import Stage, draw_batch
from glmocr_utils.training_data import TrainingExample, collate, encode_example

# A model this small learns a few families well rather than many a little.
FAMILIES = ("Liberation Serif", "Liberation Sans", "DejaVu Sans")
EVERYTHING = LETTERS + ODD_CHARACTERS


def _strip(
    batches: int, pages: int, length: tuple[int, int], alphabet: str, **options: object
) -> Stage:
    """A stage of single lines of random characters, at first all in the same place."""
    options = {"families": FAMILIES, "variety": 0.0} | options
    return Stage(batches, pages, strip=length, alphabet=alphabet, **options)


def _lines(batches: int, lines: int, **options: object) -> Stage:
    """A stage of print: snippets of lines, later sheets."""
    return Stage(batches, lines, families=FAMILIES, font_px=(19, 26), **options)


# letters 28 pixels apart: each has an image token of its own
_ONE_A_TOKEN = {
    "font_px": (24, 24),
    "tracking_px": (13.6, 13.6),
    "families": ("DejaVu Sans Mono",),
}

# Reading is to follow the letters with the eye. The model learns that within minutes where each
# letter has an image token of its own, and hardly ever where several share one from the start. So
# the letters begin 28 pixels apart and close up; only then come other sizes and signs, lines,
# reading order, and last sheets of paper, some of them scanned.
RECIPE = (
    _strip(200, 32, (8, 8), LETTERS, **_ONE_A_TOKEN),
    _strip(160, 32, (8, 8), ALPHANUMERIC, **_ONE_A_TOKEN),
    _strip(550, 32, (8, 8), ALPHANUMERIC, font_px=(24, 24), tracking_px=(12, 14)),
    _strip(600, 32, (6, 9), ALPHANUMERIC, font_px=(24, 24), tracking_px=(8, 13), variety=0.15),
    _strip(1100, 28, (4, 12), ALPHANUMERIC, font_px=(23, 25), tracking_px=(4, 9), variety=0.4),
    _strip(1200, 28, (3, 16), EVERYTHING, font_px=(21, 26), tracking_px=(1, 6), variety=0.7),
    _strip(800, 24, (2, 24), EVERYTHING, font_px=(19, 26), tracking_px=(0, 2), variety=1.0),
    _lines(500, 11, max_lines=1, random_text=0.5),
    _lines(700, 12, max_lines=3, random_text=0.3),
    _lines(900, 14, max_lines=6, random_text=0.2),
    _lines(
        2500, 16, max_lines=10, sheets=0.45, degraded=0.2, max_strength=0.5, blank=0.05
    ),
)  # fmt: skip
REPEAT_EVERY = 5  # a batch in so many is of the stage before, so that nothing is unlearned


class CurriculumBatches(Dataset):
    """Item n is the list of the encoded pages of batch n, drawn when it is asked for."""

    def __init__(self, stages: Sequence[Stage], processor: ProcessorMixin, seed: int) -> None:
        self.stage_of_batch: list[Stage] = []
        for before, stage in zip([stages[0], *stages], stages, strict=False):
            for number in range(stage.batches):
                self.stage_of_batch.append(stage if (number + 1) % REPEAT_EVERY else before)
        self.processor = processor
        self.seed = seed

    def __len__(self) -> int:
        return len(self.stage_of_batch)

    def __getitem__(self, number: int) -> list[TrainingExample]:
        pages = draw_batch(self.stage_of_batch[number], (self.seed, number))
        return [encode_example(self.processor, page.image, page.text) for page in pages]


class CurriculumTrainer(Trainer):
    """Takes the batches in their order; resuming skips those seen before without drawing them."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> SequentialSampler:
        return SequentialSampler(train_dataset or self.train_dataset)


def train(
    output_dir: Path,
    recipe: Sequence[Stage] = RECIPE,
    *,
    seed: int = 7,
    learning_rate: float = 8e-4,
    workers: int = 0,
    save_steps: int = 500,
) -> Path:
    """Train from nothing, or from the last checkpoint in `output_dir`, and save in bfloat16.

    Args:
        workers: processes that draw pages ahead.
        save_steps: batches between two checkpoints.

    Returns:
        `output_dir`, which then holds model, processor and `training_curve.json`.
    """
    processor = build_processor()
    checkpoints = output_dir / "checkpoints"
    batches = CurriculumBatches(recipe, processor, seed)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=len(batches),
        per_device_train_batch_size=1,  # an item of the data set is a whole batch
        learning_rate=learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": len(batches) // 3},
        warmup_steps=60,
        adam_beta1=0.9,
        adam_beta2=0.98,
        weight_decay=0.01,
        max_grad_norm=1.0,
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=2 if workers else None,
        dataloader_persistent_workers=workers > 0,
        remove_unused_columns=False,
        save_steps=save_steps,
        save_total_limit=1,
        logging_steps=50,
        report_to="none",
        seed=seed,
    )
    trainer = CurriculumTrainer(
        model=build_model(processor, seed),
        args=arguments,
        train_dataset=batches,
        data_collator=lambda items: collate(items[0], processor.tokenizer.pad_token_id),
    )
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=last)
    trainer.model.to(torch.bfloat16).save_pretrained(output_dir)
    processor.save_pretrained(output_dir)
    curve = [row for row in trainer.state.log_history if "loss" in row]
    (output_dir / "training_curve.json").write_text(json.dumps(curve))
    _check_it_loads(output_dir)
    shutil.rmtree(checkpoints)
    return output_dir


def _check_it_loads(folder: Path) -> None:
    AutoProcessor.from_pretrained(folder)
    AutoModelForImageTextToText.from_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("outputs/tiny-model"))
    parser.add_argument(
        "--recipe", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--learning-rate", type=float, default=8e-4)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    options = parser.parse_args()
    folder = train(
        options.output_dir,
        seed=options.seed,
        learning_rate=options.learning_rate,
        workers=options.workers,
    )
    print(f"The model is in {folder}.")


if __name__ == "__main__":
    main()
