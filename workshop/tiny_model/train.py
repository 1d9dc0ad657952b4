"""Train the bundled model: `make tiny-model` does all parts from nothing.

Seeded and resumable: a run that was stopped (SIGTERM ends it after the batch at hand) resumes at
its last checkpoint. The pages are drawn while training; batch number n of a part is always the
same. `--start FOLDER --parts NAME` continues with a saved model at a part of its own.
"""

import argparse
import json
import os
import random
import shutil
import signal
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset, SequentialSampler, Subset
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Glm46VProcessor,
    GlmOcrForConditionalGeneration,
    ProcessorMixin,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from glmocr_utils.finetune.examples import collate, encode_example
from glmocr_utils.model.patches import project_patches_at_once
from glmocr_utils.prompt import TABLE_RECOGNITION, TEXT_RECOGNITION
from workshop import parallel
from workshop.tiny_model.adaptation import adapt, deepen
from workshop.tiny_model.architecture import NUM_LAYERS, build_model, build_processor
from workshop.tiny_model.guidance import Teachers, guidance
from workshop.tiny_model.history import misremember
from workshop.tiny_model.pages import Stage, draw_batch, is_of_tables
from workshop.tiny_model.spelling import SharedLetters, letters_of
from workshop.tiny_model.vocabulary import Merge, learn_merges, merges_of, practice_texts

# A model this small learns its letters in a few families rather than in many.
FAMILIES = ("Liberation Serif", "Liberation Sans", "DejaVu Sans")
MORE_FAMILIES = ("DejaVu Serif", "Carlito", "C059 (Century)", "P052 (Palatino)", "Linux Libertine")


def _stage(
    batches: int, lines: int, families: Sequence[str] = FAMILIES, **options: object
) -> Stage:
    return Stage(batches, lines, families=tuple(families), font_px=(18, 26), **options)


# First letters, then reading order, then sheets of paper, some of them scanned.
RECIPE = (
    _stage(1300, 36, only_see=True, max_lines=6, random_text=0.4),
    _stage(700, 36, only_see=True, max_lines=8, degraded=0.3, max_strength=0.5),
    _stage(600, 14, max_lines=2, random_text=0.3),
    _stage(600, 16, max_lines=4, random_text=0.2),
    _stage(900, 18, max_lines=8, random_text=0.2),
    _stage(
        6400, 18, max_lines=10, sheets=0.5, degraded=0.3, max_strength=0.6, blank=0.06
    ),
)  # fmt: skip
# Then, with a learning rate that starts again: more of it, in more families, with a text behind it
# that is as faulty as its own.
PRACTICE = _stage(
    6000, 18, (*FAMILIES, *MORE_FAMILIES), max_lines=10, sheets=0.5, degraded=0.4,
    max_strength=0.7, blank=0.06, name_characters=False, misremembered=0.15,
)  # fmt: skip
# And the same again, at last with more in capitals, which it had read worst.
SECOND_PRACTICE = (
    replace(PRACTICE, batches=2000),
    replace(PRACTICE, batches=3000, capitals=0.15),
)
# And once more, with what was still hard for it: words that recur, ends without a full stop, lines
# that lie across two rows of image tokens.
THIRD_PRACTICE = (
    replace(PRACTICE, batches=5000, capitals=0.1, echoes=0.06, open_ends=0.2, in_step=0.3),
)
# The bundled edition: pieces of words instead of bytes, and paragraphs instead of printed lines.
# What the vision tower knows holds for both, so it rests. What is new are the rows of the pieces,
# most of which are seen seldom: they get a higher rate than the layers.
WORDS = replace(
    THIRD_PRACTICE[0], lines=24, sheets=0.3, misremembered=0.1, degraded=0.3, vision_rests=True,
    form="paragraphs", hyphenated=0.4,
)  # fmt: skip
FIRST_WORDS = (replace(WORDS, batches=1200, sheets=0.1, misremembered=0.15, degraded=0.2),)
# Snippets of real words first: they show more pieces a second than sheets and random characters.
MORE_WORDS = (
    replace(WORDS, batches=1500, sheets=0.15, random_text=0.05, degraded=0.2),
    replace(WORDS, batches=4682),
)
# Then tables as well, which have a prompt of their own, and the vision tower learns with the rest.
# Batches eight times as large are for a GPU, which draws and reads four of them a second.
MANY_WORDS = (replace(WORDS, lines=192, batches=854, tables=0.25, vision_rests=False),)
# The rate falls: the first weights of pieces that are worth a look.
TABLES = (replace(WORDS, batches=3300, tables=0.25, vision_rests=False),)
# They still lose their place on dense sheets, miss a signature at the end and fail at receipts.
# Long practice is what the bytes had, too.
PAPERS = replace(WORDS, tables=0.15, slips=0.12, closings=0.25, vision_rests=False)
LONG_PRACTICE = (
    replace(PAPERS, batches=4600),
    replace(PAPERS, batches=2200, sheets=0.45),
)
# What is left are letters left out or written twice within words. The heads that find the second
# and third image token of a piece are in the last two layers, so two more spell. And pieces that
# are seen seldom learn from others with the same letters.
SPELLING = (
    replace(PAPERS, batches=3200),
    replace(PAPERS, batches=3400, sheets=0.45),
)
# The same errors are left, if fewer, most of them on dense sheets: more of the same, half sheets.
PROOFREADING = (replace(PAPERS, batches=2700, sheets=0.45),)
NUM_PIECES = 1773  # with bytes and special tokens 2,048 rows


class Part(NamedTuple):
    """A part of the training, which continues with the model of the part before.

    Attributes:
        folder: below the output folder.
        rate: share of the learning rate that it starts at.
        decay: share of the batches, the last ones, over which the rate falls to nothing.
        pieces: of words, besides the bytes, that the model is to write from this part on.
        rows_rate: how many times the rate of the rest the rows of embedding and head have.
        letters_rate: and how many times that of the rest the letters of these rows, which pieces
            have in common; 0 lets each row learn for itself.
        layers: of the decoder from this part on.
    """

    folder: str
    recipe: Sequence[Stage]
    rate: float
    decay: float
    pieces: int = 0
    rows_rate: float = 1
    letters_rate: float = 0
    layers: int = NUM_LAYERS


PARTS = (
    Part("beginner", RECIPE, rate=1, decay=1 / 3),
    Part("practised", (PRACTICE,), rate=0.5, decay=1 / 3),
    Part("practised_twice", SECOND_PRACTICE, rate=0.5, decay=3 / 5),
    Part("practised_thrice", THIRD_PRACTICE, rate=0.35, decay=4 / 5),
    Part("first_words", FIRST_WORDS, rate=0.7, decay=0, pieces=NUM_PIECES),
    Part("more_words", MORE_WORDS, rate=0.35, decay=0, pieces=NUM_PIECES, rows_rate=4),
    Part("many_words", MANY_WORDS, rate=0.8, decay=0, pieces=NUM_PIECES, rows_rate=3),
    Part("tables", TABLES, rate=0.4, decay=0.8, pieces=NUM_PIECES, rows_rate=3),
    Part("long_practice", LONG_PRACTICE, rate=0.5, decay=0.6, pieces=NUM_PIECES, rows_rate=3),
    Part(
        "spelling",
        SPELLING,
        rate=0.4,
        decay=0.6,
        pieces=NUM_PIECES,
        rows_rate=2,
        letters_rate=0.5,
        layers=7,
    ),
    Part(
        "proofreading",
        PROOFREADING,
        rate=0.3,
        decay=0.7,
        pieces=NUM_PIECES,
        rows_rate=2,
        letters_rate=0.5,
        layers=7,
    ),
)
CURVE = "training_curve.json"
AVERAGE = "average"
AVERAGE_DECAY = 0.996  # the mean of about 250 batches
REPEAT_EVERY = 5  # a batch in so many is of the stage before, so that nothing is unlearned


class CurriculumBatches(Dataset):
    """Item n is batch n, drawn when it is asked for: the model's inputs and the guidance."""

    def __init__(self, stages: Sequence[Stage], processor: ProcessorMixin, seed: int) -> None:
        self.stage_of_batch: list[Stage] = []
        for before, stage in zip([stages[0], *stages], stages, strict=False):
            for number in range(stage.batches):
                repeat = not before.only_see and (number + 1) % REPEAT_EVERY == 0
                self.stage_of_batch.append(before if repeat else stage)
        self.processor = processor
        self.seed = seed

    def __len__(self) -> int:
        return len(self.stage_of_batch)

    def __getitem__(self, number: int) -> dict[str, object]:
        tokenizer = self.processor.tokenizer
        stage = self.stage_of_batch[number]
        pages = draw_batch(stage, (self.seed, number))
        tables = is_of_tables(stage, (self.seed, number))
        prompt = TABLE_RECOGNITION if tables else TEXT_RECOGNITION
        examples = [encode_example(self.processor, page.image, page.text, prompt) for page in pages]
        batch = collate(examples, tokenizer.pad_token_id)
        taught = guidance(pages, examples, batch, tokenizer)
        if stage.misremembered:
            rng = random.Random(repr((self.seed, number, "history")))
            batch = misremember(batch, rng, stage.misremembered)
        return {"batch": batch, "stage": stage, **taught}


class MuonAndAdamW(torch.optim.Optimizer):
    """Muon for the matrices within the layers, AdamW for all else, as one optimizer.

    Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) halves the steps that this model
    needs for its first letters.
    """

    def __init__(
        self,
        model: nn.Module,
        teachers: Teachers,
        learning_rate: float,
        rows_rate: float = 1,
        letters: torch.Tensor | None = None,
        letters_rate: float = 0,
    ) -> None:
        self.teachers = teachers
        rows = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
        matrices, others = [], list(teachers.parameters())
        for name, parameter in model.named_parameters():
            if any(parameter is row for row in rows):
                continue
            inner = parameter.ndim == 2 and "embed" not in name
            (matrices if inner else others).append(parameter)
        self.shared = [SharedLetters(row, letters) for row in rows] if letters_rate else []
        groups = [{"params": others}, {"params": rows, "lr": rows_rate * learning_rate}]
        if self.shared:
            moves = [shared.moves for shared in self.shared]
            groups.append({"params": moves, "lr": letters_rate * learning_rate})
        self.parts = (
            torch.optim.Muon(
                matrices,
                lr=3 * learning_rate,
                weight_decay=0.01,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                groups,
                lr=learning_rate,
                betas=(0.9, 0.98),
                weight_decay=0.01,
            ),
        )
        # the very same groups, so that a scheduler that sets their rates here sets them there
        super().__init__([group for part in self.parts for group in part.param_groups], {})

    def step(self, closure: None = None) -> None:
        for shared in self.shared:
            shared.collect()
        for part in self.parts:
            part.step(closure)
        for shared in self.shared:
            shared.hand_on()
        self.teachers.zero_grad()  # the trainer clears the model's gradients alone

    def state_dict(self) -> dict[str, object]:
        # the teachers aren't part of the model that a checkpoint saves, so they travel here
        parts = [part.state_dict() for part in self.parts]
        return {"parts": parts, "teachers": self.teachers.state_dict()}

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        self.teachers.load_state_dict(state_dict["teachers"])
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


class CurriculumTrainer(Trainer):
    """Takes the batches in their order; resuming skips those seen before without drawing them."""

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float,
        rows_rate: float,
        letters_rate: float,
        **options: object,
    ) -> None:
        self.teachers = Teachers(model)
        self._losses: dict[str, list[torch.Tensor]] = defaultdict(list)
        rows = model.get_input_embeddings().weight
        letters = letters_of(options["processing_class"].tokenizer, len(rows))
        optimizer = MuonAndAdamW(
            model, self.teachers, learning_rate, rows_rate, letters, letters_rate
        )
        super().__init__(model, optimizers=(optimizer, None), **options)
        self.teachers.to(self.args.device)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> SequentialSampler:
        return SequentialSampler(train_dataset or self.train_dataset)

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, object], **_options: object
    ) -> torch.Tensor:
        batch, stage = inputs["batch"], inputs["stage"]
        model.model.visual.requires_grad_(not stage.vision_rests)
        losses = {}
        if stage.only_see:
            model.model.visual(batch["pixel_values"], grid_thw=batch["image_grid_thw"])
        else:
            losses["read"] = model(**batch).loss
            losses["look"] = self.teachers.look_loss(batch, inputs["focus"])
        if stage.only_see or stage.name_characters:
            losses["see"] = self.teachers.see_loss(inputs["characters"])
        for name, loss in losses.items():
            self._losses[name].append(loss.detach())
        return sum(losses.values())

    def training_step(self, *arguments: object, **options: object) -> torch.Tensor:
        loss = super().training_step(*arguments, **options)
        parallel.average_gradients(
            parameter for group in self.optimizer.param_groups for parameter in group["params"]
        )
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        for name, losses in self._losses.items():
            logs[f"loss_{name}"] = torch.stack(losses).mean().item()
        self._losses.clear()
        super().log(logs, start_time)


class Average(TrainerCallback):
    """A running mean of the weights, in `average/` of each checkpoint: a model to read with.

    At a learning rate that does not fall it reads about as well as one whose rate has fallen, so
    that a training without an end has a good model at any time.
    """

    def __init__(self, processor: ProcessorMixin, start: Path | None) -> None:
        self.processor = processor
        self.start = start
        self.model: AveragedModel | None = None

    def on_train_begin(self, args, state, control, model=None, **_options) -> None:
        self.model = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE_DECAY))
        if self.start and (self.start / AVERAGE).is_dir():
            average = AutoModelForImageTextToText.from_pretrained(
                self.start / AVERAGE, dtype=torch.float32
            )
            self.model.module.load_state_dict(average.state_dict())
            self.model.n_averaged += 1  # continue this mean, don't start another

    def on_step_end(self, args, state, control, model=None, **_options) -> None:
        self.model.update_parameters(model)

    def on_save(self, args, state, control, **_options) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}" / AVERAGE
        self.model.module.save_pretrained(folder)
        self.processor.save_pretrained(folder)


class StopWhenAsked(TrainerCallback):
    """Ends the training after the batch at hand, with a checkpoint, when SIGTERM comes."""

    def __init__(self) -> None:
        self.asked = False

    def on_train_begin(self, args, state, control, **_options) -> None:
        self.before = signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, *_signal: object) -> None:
        self.asked = True

    def on_step_end(self, args, state, control, **_options) -> None:
        self.asked = parallel.any_process(self.asked)
        if self.asked:
            control.should_training_stop = True
            control.should_save = parallel.rank() == 0

    def on_train_end(self, args, state, control, **_options) -> None:
        signal.signal(signal.SIGTERM, self.before)


def train(
    output_dir: Path,
    recipe: Sequence[Stage] = RECIPE,
    *,
    start: Path | None = None,
    pieces: int = 0,
    layers: int = NUM_LAYERS,
    seed: int = 7,
    learning_rate: float = 1e-3,
    rows_rate: float = 1,
    letters_rate: float = 0,
    decay: float = 1 / 3,
    workers: int = 0,
    save_steps: int = 500,
    num_batches: int | None = None,
) -> Path | None:
    """Train a recipe, or resume it at the last checkpoint in `output_dir`; save in bfloat16.

    With several processes (`workshop.parallel`) each step takes as many batches, one in each.

    Args:
        start: folder of the model to start from; None for one with random weights.
        pieces: of words that the model is to write besides bytes, if `start` writes bytes alone.
        layers: of the decoder; those that `start` lacks are added at its end.
        rows_rate: times `learning_rate`, for the rows of embedding and head.
        letters_rate: times `learning_rate`, for the letters of these rows; 0 if each row learns for
            itself.
        decay: share of the batches, the last ones, over which the learning rate falls to nothing;
            with 0 it does not fall, and the mean of the last weights is saved.
        workers: processes that draw pages ahead.
        save_steps: batches between two checkpoints.
        num_batches: end after so many, of all processes; None for all of the recipe.

    Returns:
        `output_dir`, which then holds model, processor and `training_curve.json`, the curve of
        `start` before its own. None if it was asked to stop (SIGTERM): then a checkpoint remains,
        and the same call resumes.
    """
    checkpoints = output_dir / "checkpoints"
    last = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    model, processor = _starting_point(start, Path(last) if last else None, pieces, layers, seed)
    project_patches_at_once(model)
    batches = CurriculumBatches(recipe, processor, seed)
    steps = (num_batches or len(batches)) // parallel.world_size()
    first = parallel.rank() == 0
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=steps,
        per_device_train_batch_size=1,  # an item of the data set is a whole batch
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": round(steps * decay)},
        warmup_steps=60,
        max_grad_norm=1.0,
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=2 if workers else None,
        dataloader_persistent_workers=workers > 0,
        remove_unused_columns=False,
        save_strategy="steps" if first else "no",
        save_steps=save_steps,
        save_total_limit=1,
        logging_steps=50,
        report_to="none",
        seed=seed,
    )
    average, stop = Average(processor, Path(last) if last else None), StopWhenAsked()
    trainer = CurriculumTrainer(
        model=model,
        args=arguments,
        train_dataset=Subset(batches, range(parallel.rank(), len(batches), parallel.world_size())),
        data_collator=_the_one,
        learning_rate=learning_rate,
        rows_rate=rows_rate,
        letters_rate=letters_rate,
        processing_class=processor,
        callbacks=[average, stop],
    )
    trainer.train(resume_from_checkpoint=last)
    if stop.asked:
        return None
    if first:
        best = trainer.model if decay else average.model.module
        curve = read_curve(start) if start else []
        curve += [row for row in trainer.state.log_history if "loss" in row]
        save(best, processor, curve, output_dir)
        shutil.rmtree(checkpoints)
    parallel.wait_for_all()
    return output_dir


def _the_one(batches: list[dict[str, object]]) -> dict[str, object]:
    [batch] = batches
    return batch


def settle(
    running: Path, output_dir: Path, recipe: Sequence[Stage], batches: int, **options
) -> Path:
    """Train a copy of the last checkpoint in `running` while the rate falls to nothing.

    The run that it branches off can be resumed as if nothing had happened.

    Args:
        batches: over which the rate falls.
        options: of `train`, as the run has them.

    Raises:
        FileNotFoundError: `running` has no checkpoint; train first.
    """
    last = get_last_checkpoint(str(running / "checkpoints"))
    if not last:
        raise FileNotFoundError(f"no checkpoint in {running / 'checkpoints'}; train first")
    copy = output_dir / "checkpoints" / Path(last).name
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(last, copy)
    num_batches = int(Path(last).name.rpartition("-")[2]) + batches
    options |= {"num_batches": num_batches, "decay": batches / num_batches}
    return train(output_dir, recipe, **options)


def _starting_point(
    start: Path | None, checkpoint: Path | None, pieces: int, layers: int, seed: int
) -> tuple[GlmOcrForConditionalGeneration, Glm46VProcessor]:
    """Model and processor to train; the weights of a checkpoint are the trainer's to load."""
    if not checkpoint and not start:
        processor = build_processor(_merges(pieces))
        return build_model(processor, seed, layers), processor
    model, processor = load(checkpoint or start)
    if checkpoint:
        return model, processor
    if pieces and not merges_of(start):
        words = build_processor(_merges(pieces))
        model, processor = adapt(model, processor.tokenizer, words), words
    if len(model.model.language_model.layers) < layers:
        model = deepen(model, processor, layers)
    return model, processor


def _merges(pieces: int) -> list[Merge]:
    return learn_merges(pieces, practice_texts()) if pieces else []


def load(folder: Path) -> tuple[GlmOcrForConditionalGeneration, Glm46VProcessor]:
    """Model in float32 and processor of a saved folder, to train and to save again.

    Both are built by the recipe and only filled from the folder: what the Auto classes load saves
    other files than it was loaded from (`<|image|>` as a special token, two more dtypes).
    """
    processor = build_processor(merges_of(folder))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = build_model(processor, num_layers=config["text_config"]["num_hidden_layers"])
    saved = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    model.load_state_dict(saved.state_dict())
    return model, processor


def save(
    model: GlmOcrForConditionalGeneration,
    processor: ProcessorMixin,
    curve: Sequence[dict],
    folder: Path,
) -> None:
    """Write a model that the plain Auto classes load, in bfloat16, and the curve beside it."""
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / CURVE).write_text(json.dumps(curve))
    _check_it_loads(folder)


def read_curve(folder: Path) -> list[dict]:
    """The rows of `training_curve.json`; none if it is missing."""
    path = folder / CURVE
    return json.loads(path.read_text()) if path.is_file() else []


def _check_it_loads(folder: Path) -> None:
    AutoProcessor.from_pretrained(folder)
    AutoModelForImageTextToText.from_pretrained(folder)


def main() -> None:
    names = [part.folder for part in PARTS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output-dir", type=Path, default=Path("outputs/tiny-model"))
    parser.add_argument("--start", type=Path, help="folder of the model to go on with")
    parser.add_argument("--parts", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--save-steps", type=int, default=300)
    parser.add_argument(
        "--processes", type=int, default=1, help="that train together, a batch of its own in each"
    )
    parser.add_argument(
        "--settle",
        type=int,
        metavar="BATCHES",
        help="branch off from the checkpoint of the one part named, while its rate falls",
    )
    options = parser.parse_args()
    if options.settle and len(options.parts) != 1:
        parser.error("--settle needs one part: name it with --parts")
    if options.settle and options.processes > 1:
        parser.error("--settle takes one process: leave out --processes")
    with parallel.processes(options.processes, _train_parts, options):
        _train_parts(options)


def _train_parts(options: argparse.Namespace) -> None:
    folder = options.start
    for number, part in enumerate(PARTS):
        if part.folder not in options.parts:
            continue
        start, folder = folder, options.output_dir / part.folder
        if (folder / "config.json").is_file():  # written at the end
            continue
        how = {
            "start": start,
            "pieces": part.pieces,
            "layers": part.layers,
            "seed": options.seed + number,
            "learning_rate": options.learning_rate * part.rate,
            "rows_rate": part.rows_rate,
            "letters_rate": part.letters_rate,
            "workers": options.workers,
            "save_steps": options.save_steps,
        }
        if options.settle:
            running, folder = folder, options.output_dir / f"{part.folder}_settled"
            trained = settle(running, folder, part.recipe, options.settle, **how)
        else:
            trained = train(folder, part.recipe, decay=part.decay, **how)
        if not trained:
            _say(f"Stopped; the same command resumes from {folder}.")
            return
    _say(f"The model is in {folder}.")


def _say(sentence: str) -> None:
    if parallel.rank() == 0:
        print(sentence)


if __name__ == "__main__":
    main()
