"""Train the bundled model from nothing: `make tiny-model`.

Seeded and resumable: a run that was stopped goes on at its last checkpoint. The pages are drawn
while training; batch number n of a recipe is always the same.
"""

import argparse
import json
import os
import shutil
from functools import partial
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
from glmocr_utils.tiny_model.pages import Stage, draw_batch
from glmocr_utils.training_data import TrainingExample, collate, encode_example

# A model this small learns a few families well rather than many a little.
_Stage = partial(Stage, families=("Liberation Serif", "Liberation Sans", "DejaVu Sans"))

# First the model must find that characters in the picture are characters in the text, one after
# the other. It finds that quickest on a few large ones, each wider than an image token, that start
# at the same place; then they shrink, until three or four share a token, and words, lines, reading
# order and last sheets of paper follow, some of them scanned.
RECIPE = (
    _Stage(350, 48, max_characters=4, font_px=(40, 40), variety=0.0),
    _Stage(300, 40, max_characters=6, font_px=(32, 40), variety=0.2),
    _Stage(300, 32, max_characters=10, font_px=(26, 36), variety=0.5),
    _Stage(400, 24, max_characters=16, font_px=(22, 30), variety=0.7),
    _Stage(800, 12, max_lines=2, font_px=(20, 28)),
    _Stage(1000, 14, max_lines=4, font_px=(19, 26)),
    _Stage(
        1200, 16, max_lines=10, sheets=0.35, degraded=0.25, max_strength=0.5, blank=0.06,
        font_px=(19, 25),
    ),
)  # fmt: skip


class CurriculumBatches(Dataset):
    """Item n is the list of the encoded pages of batch n, drawn when it is asked for."""

    def __init__(self, stages: tuple[Stage, ...], processor: ProcessorMixin, seed: int) -> None:
        self.stage_of_batch = [stage for stage in stages for _ in range(stage.batches)]
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


def train(output_dir: Path, seed: int, learning_rate: float, workers: int) -> Path:
    """Train and save model and processor to `output_dir`, in bfloat16. Returns that folder."""
    processor = build_processor()
    checkpoints = output_dir / "checkpoints"
    batches = CurriculumBatches(RECIPE, processor, seed)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=len(batches),
        per_device_train_batch_size=1,  # an item of the data set is a whole batch
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=60,
        adam_beta1=0.9,
        adam_beta2=0.98,
        weight_decay=0.01,
        max_grad_norm=1.0,
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=2 if workers else None,
        dataloader_persistent_workers=workers > 0,
        remove_unused_columns=False,
        save_steps=500,
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
    folder = train(options.output_dir, options.seed, options.learning_rate, options.workers)
    print(f"The model is in {folder}.")


if __name__ == "__main__":
    main()
