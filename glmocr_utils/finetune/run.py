"""One fine-tuning run from options to a trained folder: check, read, train, read again, report."""

import importlib.metadata
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median_low
from typing import Any

import datasets
import torch
from accelerate import PartialState
from torch import nn
from transformers import EarlyStoppingCallback, TrainerCallback, set_seed
from transformers.trainer_utils import IntervalStrategy, get_last_checkpoint

from glmocr_utils.files import write_file
from glmocr_utils.finetune.checkpoints import remove_incomplete_checkpoints
from glmocr_utils.finetune.comparison import (
    Comparison,
    calibration_error,
    compare,
    compare_documents,
)
from glmocr_utils.finetune.config import FinetuneConfig
from glmocr_utils.finetune.dataset import data_hash, load_pages, load_whole
from glmocr_utils.finetune.evaluation import PageReading, other_form, scores
from glmocr_utils.finetune.kinds import RETAINED, KindChange, compare_kinds, kinds_verdict
from glmocr_utils.finetune.model_card import MODEL_CARD, training_card
from glmocr_utils.finetune.preflight import Preflight, known_scales, preflight
from glmocr_utils.finetune.trainable import (
    base_dtype,
    go_on_as_trained,
    load_trainable,
    sketch_trainable,
)
from glmocr_utils.finetune.trainer import OcrTrainer
from glmocr_utils.model import (
    TrainedFor,
    find_revision,
    load_processor,
    resolve_adapter,
    weights_sha256,
)
from glmocr_utils.model.trained_for import REPORT
from glmocr_utils.prompt import limit_page_pixels, max_page_pixels
from glmocr_utils.records import read_results, write_results

RUN = "run.json"
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes")

# What may differ when a run is taken up again: where things go and what is shown.
NOT_OF_THE_RUN = (
    "model_id output_dir run_name dry_run report_to disable_tqdm log_level log_level_replica "
    "logging_dir logging_steps logging_first_step dataset_num_proc dataloader_num_workers "
    "save_total_limit dataloader_prefetch_factor dataloader_persistent_workers "
    "dataloader_pin_memory local_rank resume_from_checkpoint push_to_hub hub_model_id hub_token "
    "hub_strategy hub_private_repo _n_gpu"
).split()

DIFFERING_PARTS = {
    "data_sha256": "data",
    "revision": "revision of the model",
    "weights_sha256": "weights to start from",
}


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """A run that has ended.

    Attributes:
        output_dir: the trained model or adapter, with its report.
        preflight: the check before training.
        history: the trainer's log: a line for each loss and each evaluation.
        before, after: the held-out pages' readings; empty without held-out pages.
        retained_before, retained_after: those of `retention_dataset`; empty without one.
        comparison: before against after; None without held-out pages.
        kinds: the same for each kind of page, those not to be forgotten last.
    """

    output_dir: Path
    preflight: Preflight
    history: tuple[dict[str, float], ...]
    before: tuple[PageReading, ...]
    after: tuple[PageReading, ...]
    retained_before: tuple[PageReading, ...]
    retained_after: tuple[PageReading, ...]
    comparison: Comparison | None
    kinds: tuple[KindChange, ...]

    @property
    def verdict(self) -> str:
        """What came of it, as a whole and by kind of page, in two lines."""
        if self.comparison is None:
            return "no page was held out, so nothing shows whether the model reads better"
        whole = self.comparison
        return f"{whole.verdict}: CER {whole.before} → {whole.after}\n{kinds_verdict(self.kinds)}"


def check(config: FinetuneConfig) -> Preflight:
    """The preflight alone: what `dry_run` does. No weights are loaded.

    What the config leaves to the model, its prompt style and pixel budget, is filled in, as is a
    `max_length` of `auto`.

    Raises:
        ValueError, ModelLoadError: the data set or the model is not there, or an image is damaged.
    """
    go_on_as_trained(config)
    pages = load_pages(config)
    sketch = sketch_trainable(config)
    checked = preflight(config, pages, _processor(config), sketch)
    config.max_length = checked.max_length
    return checked


def finetune(
    config: FinetuneConfig,
    *,
    checked: Preflight | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> FinetuneResult:
    """Train (or resume from the last checkpoint), then evaluate on held-out pages.

    Args:
        checked: the result of `check(config)`; None checks first.
        callbacks: further callbacks of the trainer, such as a plot that grows.

    Raises:
        ValueError: a problem must be fixed first, or `output_dir` contains another run.
        ModelLoadError: the model cannot be loaded.
    """
    output_dir = Path(config.output_dir)
    process = PartialState()
    with process.main_process_first():
        go_on_as_trained(config)
        checked = checked or check(config)
    config.max_length = checked.max_length
    if checked.problems:
        raise ValueError("; ".join(checked.problems))
    train, held_out = checked.train, checked.held_out
    retained = _retained(config)
    data = data_hash(train, held_out)
    run = _describe_run(config, data)
    if process.is_main_process:
        _claim(output_dir, run)
        remove_incomplete_checkpoints(output_dir)
    process.wait_for_everyone()
    if held_out is None:
        config.eval_strategy, config.load_best_model_at_end = IntervalStrategy.NO, False
    if config.scale is None and (scales := known_scales(train)):
        config.scale = median_low(scales)

    set_seed(config.seed)  # a new adapter is drawn at random
    loaded = load_trainable(config)
    if config.max_pixels is not None:
        limit_page_pixels(loaded.processor, config.max_pixels)
    if config.early_stopping_patience:
        callbacks = [*callbacks, EarlyStoppingCallback(config.early_stopping_patience)]
    trainer = OcrTrainer(loaded, config, train, held_out, callbacks)

    def read(name: str, pages: datasets.Dataset | None) -> tuple[PageReading, ...]:
        """Each set is read once; a run that is taken up again finds what was read before."""
        if pages is None:
            return ()
        path = output_dir / "readings" / f"{name}.jsonl"
        return _read_once(path, pages, lambda: trainer.read(pages), process.is_main_process)

    before, retained_before = read("before", held_out), read("retained_before", retained)
    if process.is_main_process and (note := other_form(before)):
        print(note, flush=True)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(output_dir)))
    # what is proved is what is saved: weights in the precision of the base
    dtype = None if config.use_lora or config.fsdp or config.deepspeed else base_dtype(config)
    if dtype is not None:
        _round_to(loaded.model, dtype)
    after, retained_after = read("after", held_out), read("retained_after", retained)
    comparison = compare(before, after, config.seed) if before else None
    kinds = (
        *compare_kinds(held_out, before, after, config.seed),
        *compare_kinds(retained, retained_before, retained_after, config.seed, RETAINED),
    )
    _save(trainer, dtype, output_dir)
    if process.is_main_process:
        report = _report(config, run, before, after, retained_before, retained_after)
        report["kinds"] = [
            {**asdict(each), "verdict": each.verdict, "sentence": str(each)} for each in kinds
        ]
        report["train_pages"] = len(train)
        report["held_out_sha256"] = held_out and data_hash(held_out)
        report["trained_for"] = asdict(
            TrainedFor(
                config.prompt,
                config.prompt_style or "default",
                config.scale,
                max_page_pixels(loaded.processor),
            )
        )
        _write_json(output_dir / REPORT, report)
        # the libraries' own says "fine-tuned version of None"
        write_file(output_dir / MODEL_CARD, training_card(report))
    process.wait_for_everyone()
    return FinetuneResult(
        output_dir,
        checked,
        tuple(trainer.state.log_history),
        before,
        after,
        retained_before,
        retained_after,
        comparison,
        kinds,
    )


def _processor(config: FinetuneConfig):
    processor = load_processor(config.model_id, config.adapter)
    if config.max_pixels is not None:
        limit_page_pixels(processor, config.max_pixels)
    return processor


def _retained(config: FinetuneConfig) -> datasets.Dataset | None:
    return config.retention_dataset and load_whole(config.retention_dataset, config)


def _describe_run(config: FinetuneConfig, data: str) -> dict[str, Any]:
    options = {
        name: value for name, value in config.to_dict().items() if name not in NOT_OF_THE_RUN
    }
    model_id, adapter = resolve_adapter(config.model_id, config.adapter)
    run = {
        "data_sha256": data,
        "revision": find_revision(model_id),
        "weights_sha256": [weights_sha256(part) for part in (model_id, adapter) if part],
        "options": options,
    }
    return json.loads(json.dumps(run, default=str))


def _claim(output_dir: Path, run: dict[str, Any]) -> None:
    """Make `output_dir` this run's, unless it is another's.

    Raises:
        ValueError: it is; the message says in what that one differs.
    """
    path = output_dir / RUN
    if path.exists():
        other = json.loads(path.read_text(encoding="utf-8"))
        if other == run:
            return
        names = run["options"].keys() | other["options"].keys()
        differing = sorted(
            name for name in names if run["options"].get(name) != other["options"].get(name)
        )
        for part, name in DIFFERING_PARTS.items():
            if other.get(part) != run[part]:
                differing.append(name)
        raise ValueError(
            f"{output_dir} contains another run, with other {', '.join(differing)}; choose another "
            "output_dir, or delete that one"
        )
    # a dry run of notebook 05 leaves its results there
    there = {file.name for file in output_dir.iterdir()} if output_dir.exists() else set()
    if there - {"results.json"}:
        raise ValueError(
            f"{output_dir} contains files that aren't part of a fine-tuning run; choose an empty "
            "output_dir"
        )
    _write_json(path, run)


def _read_once(
    path: Path,
    pages: datasets.Dataset,
    read: Callable[[], list[PageReading]],
    is_main_process: bool,
) -> tuple[PageReading, ...]:
    if path.exists():
        rows = zip(pages["document"], pages["text"], read_results(path), strict=True)
        return tuple(PageReading(*row) for row in rows)
    readings = tuple(read())
    if is_main_process:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_results((reading.result for reading in readings), path)
    return readings


def _round_to(model: nn.Module, dtype: torch.dtype) -> None:
    """Give float32 weights the values that they will have when they are saved as `dtype`."""
    for parameter in model.parameters():
        if parameter.dtype == torch.float32:
            parameter.data.copy_(parameter.data.to(dtype))


def _save(trainer: OcrTrainer, dtype: torch.dtype | None, output_dir: Path) -> None:
    """Save weights in the precision of the base, processor, and config with every stop token."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if dtype is not None:
        model.to(dtype)
    trainer.save_model(str(output_dir))
    if trainer.is_world_process_zero():
        model.generation_config.save_pretrained(output_dir)


def _report(
    config: FinetuneConfig,
    run: dict[str, object],
    before: Sequence[PageReading],
    after: Sequence[PageReading],
    retained_before: Sequence[PageReading],
    retained_after: Sequence[PageReading],
) -> dict[str, object]:
    report: dict[str, object] = {
        "base_model": config.model_id,
        "use_lora": config.use_lora,
        **run,
        "seed": config.seed,
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }
    if before:
        report |= {
            "cer_before": scores(before)["cer"],
            "cer_after": scores(after)["cer"],
            "scores_before": scores(before),
            "scores_after": scores(after),
            "calibration_error_before": calibration_error(before),
            "calibration_error_after": calibration_error(after),
            "comparison": asdict(compare(before, after, config.seed)),
            "documents": [asdict(change) for change in compare_documents(before, after)],
        }
    if retained_before:
        report |= {
            "retained_cer_before": scores(retained_before)["cer"],
            "retained_cer_after": scores(retained_after)["cer"],
        }
    return report


def _write_json(path: Path, content: object) -> None:
    write_file(path, json.dumps(content, indent=1, ensure_ascii=False))
