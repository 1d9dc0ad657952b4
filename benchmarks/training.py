"""One training step: the same pages, prompt, optimizer and weights."""

import copy
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
import torch

from benchmarks.inputs import mixed_pages
from benchmarks.measure import MEGABYTE, Row, compare, watched_memory
from glmocr_utils.finetune import FinetuneConfig, make_config
from glmocr_utils.finetune.examples import IGNORED
from glmocr_utils.finetune.trainable import make_trainable
from glmocr_utils.finetune.trainer import OcrTrainer, PageCollator
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.model.patches import project_patches_at_once
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.prompt import TEXT_RECOGNITION

BATCH_SIZE = 4  # of the official guide
NO_PAGE = {"text": "", "length": 1}  # a trainer wants a data set; its batches are made here
CHARACTERS = 180  # bytes are the bundled model's tokens: as long as a page's text is in GLM-OCR's


def against_full_logits() -> Iterator[Row]:
    """A step of the loop that a user would write, and ours, on a model with GLM-OCR's vocabulary.

    The bundled model's vocabulary of 320 would hide what logits cost; so its decoder gets GLM-OCR's
    width and vocabulary, and one layer with random weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (("all weights", {}), ("LoRA", {"use_lora": True})):
            yield from _rows_of(name, _config(Path(folder), options))
        yield lean_row(_config(Path(folder), LEAN))


# 8-bit optimizer states, and gradients freed as they are used
LEAN = {
    "optim": "adamw_8bit",
    "free_gradients": True,
    "max_grad_norm": 0,
    "gradient_accumulation_steps": 1,
}


def _rows_of(name: str, config: FinetuneConfig) -> Iterator[Row]:
    ours, baseline = _our_step(config, _optimizer), _their_step(config)
    losses = ours.run(), baseline.run()  # and the optimizer has its states
    assert abs(losses[0] - losses[1]) < 1e-3 * losses[1], f"other losses: {losses}"
    seconds, full_seconds = compare(ours.run, baseline.run, repeats=2)
    yield Row(f"one training step, {name}, time", "s", seconds, full_seconds, "<= 0.833")
    yield Row(
        f"one training step, {name}, memory at most",
        "MB",
        ours.peak(),
        baseline.peak(),
        "<= 0.6",
        f"weights and the optimizer's states are {ours.held:,.0f} MB of both",
    )


def lean_row(config: FinetuneConfig) -> Row:
    """Memory of a step with all weights, with what saves memory where it costs something else."""
    baseline = _their_step(config)
    loss = baseline.run()
    most, held = baseline.peak(), baseline.held
    del baseline
    ours = _our_step(config, lambda _model: None)
    our_loss = ours.run()
    assert abs(our_loss - loss) < 1e-3 * loss, f"other losses: {our_loss} and {loss}"
    return Row(
        "one training step, all weights, 8-bit states and gradients freed, memory at most",
        "MB",
        ours.peak(),
        most,
        "<= 0.65",
        f"weights and the optimizer's states are {ours.held:,.0f} and {held:,.0f} MB",
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """A training step that can be made again and again; each meets the same weights."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    compute_loss: Callable[[], torch.Tensor]

    def run(self) -> float:
        self.optimizer.zero_grad()
        loss = self.compute_loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @property
    def held(self) -> float:
        """MB of weights and the optimizer's states."""
        states = [each for state in self.optimizer.state.values() for each in state.values()]
        tensors = [each for each in states if isinstance(each, torch.Tensor)]
        distinct = {each.data_ptr(): each.nbytes for each in tensors}  # bitsandbytes shares maps
        weights = sum(each.nbytes for each in self.model.parameters())
        return (weights + sum(distinct.values())) / MEGABYTE

    def peak(self) -> float:
        """MB that are held and that a step adds, at most."""
        self.optimizer.zero_grad()
        with watched_memory() as memory:
            self.run()
        return self.held + memory.added / MEGABYTE


def _our_step(
    config: FinetuneConfig, make: Callable[[torch.nn.Module], torch.optim.Optimizer | None]
) -> _Step:
    """The trainer's step, with an optimizer that is made here, or its own."""
    loaded = wide_model(config)
    project_patches_at_once(loaded.model)  # as `load_model` does
    trainer = OcrTrainer(loaded, config, datasets.Dataset.from_list([NO_PAGE]), None)
    batch = trainer.data_collator(_pages())
    optimizer = make(loaded.model) or trainer.create_optimizer()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    return _Step(loaded.model, optimizer, lambda: trainer.compute_loss(loaded.model, batch))


def _their_step(config: FinetuneConfig) -> _Step:
    plain = wide_model(config)
    inputs = _with_full_labels(PageCollator(plain.processor, "default")(_pages()))
    return _Step(plain.model, _optimizer(plain.model), lambda: plain.model(**inputs).loss)


def wide_model(options: FinetuneConfig) -> LoadedModel:
    """The bundled model with a decoder as wide as GLM-OCR's and its vocabulary, to be trained."""
    loaded = load_model(str(project_root() / BUNDLED_MODEL), device_map="cpu")
    config = copy.deepcopy(loaded.model.config)
    text = config.text_config
    text.hidden_size, text.intermediate_size, text.vocab_size = 1536, 4608, 59_392
    text.num_attention_heads, text.num_key_value_heads, text.head_dim = 16, 8, 128
    text.num_hidden_layers = 1
    text.rope_parameters = {**text.rope_parameters, "mrope_section": [16, 24, 24]}
    config.vision_config.out_hidden_size = 1536
    torch.manual_seed(0)
    network = type(loaded.model)(config)
    network.generation_config = loaded.model.generation_config
    network = make_trainable(network, options).eval()
    adapter = "new" if options.use_lora else None
    return LoadedModel(network, loaded.processor, "wide", None, adapter, loaded.attention)


def _config(folder: Path, options: dict[str, object]) -> FinetuneConfig:
    return make_config(
        {
            "dataset_name": str(folder),
            "output_dir": str(folder / "run"),
            "report_to": "none",
            "eval_strategy": "no",
            "eval_split_size": 0,
            "max_steps": 1,
            **options,
        }
    )


def _pages() -> list[dict[str, object]]:
    rows = []
    for number, page in enumerate(mixed_pages(BATCH_SIZE)):
        file = io.BytesIO()
        page.image.save(file, "PNG")
        text = (f"Page {number} " + "with some words " * CHARACTERS)[:CHARACTERS]
        image = {"bytes": file.getvalue(), "path": None}
        rows.append({"image": image, "text": text, "prompt": TEXT_RECOGNITION})
    return rows


def _with_full_labels(batch: dict[str, torch.Tensor | int]) -> dict[str, torch.Tensor]:
    """What a user's collator gives: a label at each position, and logits for all of them."""
    inputs = {name: each for name, each in batch.items() if name != "logits_to_keep"}
    missing = batch["input_ids"].shape[1] - batch["labels"].shape[1]
    labels = torch.nn.functional.pad(batch["labels"], (missing, 0), value=IGNORED)
    return {**inputs, "labels": labels}


def _optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    # a rate of 0, so that every step meets the same weights
    return torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=0.0)
