"""What a fine-tuning run is asked for: TRL's SFTConfig with GLM-OCR's own options and defaults.

Names and defaults are those of the official fine-tuning guide
(github.com/zai-org/GLM-OCR/tree/main/examples/finetune) where it has them.
"""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import torch
from trl import SFTConfig

from glmocr_utils.model import DEFAULT_MODEL
from glmocr_utils.ocr import check_at_least_one
from glmocr_utils.prompt import TEXT_RECOGNITION

FULL_LEARNING_RATE = 1e-5
LORA_LEARNING_RATE = 1e-4

# TRL's options that would break what is made certain here.
FORBIDDEN = {
    "packing": "pages are not packed: each needs its own image",
    "padding_free": "TRL cannot do it with images",
    "assistant_only_loss": "the loss is on label and stop token anyway",
    "chat_template_path": "the prompt has to be the one that inference uses",
    "eos_token": "GLM-OCR's pages end with <|user|>",
    "trust_remote_code": "GLM-OCR is part of Transformers",
}


def _option(default: object, help: str, **more: object) -> object:
    return field(default=default, metadata={"help": help, **more})


@dataclass
class FinetuneConfig(SFTConfig):
    """Options of `finetune`; every field of TRL's `SFTConfig` is one too.

    Raises:
        ValueError: options that contradict each other or cannot work; the message says what to do.
    """

    # model
    model_name: str = _option(DEFAULT_MODEL, "hub id or folder of the model to start from")
    adapter: str | None = _option(None, "LoRA adapter to go on training, instead of a new one")
    use_lora: bool = _option(False, "train a LoRA adapter instead of all weights")
    lora_rank: int = _option(8, "rank of the adapter: more capacity, more memory")
    lora_alpha: int | None = _option(None, "scale of the adapter; None is twice the rank")
    lora_dropout: float = _option(0.0, "share of the adapter's inputs that are dropped")
    lora_target: str = _option(
        "all", "all linear layers of what is not frozen, or names such as q_proj,v_proj"
    )
    load_in_4bit: bool = _option(False, "quantise the frozen weights to NF4; for LoRA")
    freeze_vision_tower: bool = _option(True, "leave the vision encoder as it is")
    freeze_multi_modal_projector: bool = _option(True, "leave the projector as it is")
    attn: str = _option("auto", "attention, as in load_model")

    # data
    dataset_name: str | None = _option(
        None, "hub id, folder (of 04, an imagefolder, save_to_disk, parquet), or ShareGPT .json"
    )
    train_split: str = _option("train", "split to train on")
    eval_split: str | None = _option(None, "split to evaluate on; None takes a share of documents")
    eval_split_size: float = _option(
        0.1, "that share; 0 evaluates on nothing. What a label set put aside is never trained on"
    )
    prompt: str = _option(TEXT_RECOGNITION, "the task, where the data set names none")
    prompt_style: Literal["default", "nothink"] | None = _option(
        None,
        "default or nothink, for inference too; None: as the model or adapter was trained before, "
        "else default",
    )
    label_statuses: str = _option(
        "gold,silver", "of a label set: which labels are trained on; others are left out"
    )
    max_length: int | None = _option(2048, "tokens that a page may take: image, prompt and label")
    too_long: Literal["error", "skip"] = _option(
        "error", "a page above max_length: stop before training, or leave it out; it is never cut"
    )
    scale: float | None = _option(
        None, "pixels per PDF point of the pages, for inference to keep to; None: the data set's"
    )
    max_pixels: int | None = _option(
        None, "pixel budget of a page, for inference too; None: the model's or the adapter's own"
    )
    dry_run: bool = _option(False, "check everything, train nothing")

    # evaluation by reading
    eval_pages: int = _option(64, "pages read at each evaluation; before and after: all")
    max_tokens: int = _option(2048, "new tokens a page, at most, when it reads")
    retention_dataset: str | None = _option(
        None, "pages that the model read well before and must not forget; read before and after"
    )
    early_stopping_patience: int = _option(
        0, "evaluations without a better CER after which training ends; 0: it never does"
    )

    # TRL's, with other defaults
    output_dir: str | None = _option("./glm-ocr-finetuned", "gets checkpoints, model and report")
    learning_rate: float | None = _option(None, "None is 1e-5, and 1e-4 for LoRA")
    num_train_epochs: float = _option(3.0, "passes over the data")
    lr_scheduler_type: str = _option("cosine", "how the learning rate falls")
    warmup_ratio: float = _option(0.1, "share of the steps in which the learning rate rises")
    per_device_train_batch_size: int = _option(4, "pages in a pass, per device")
    per_device_eval_batch_size: int = _option(4, "pages in a pass of evaluation, per device")
    gradient_accumulation_steps: int = _option(2, "passes in a step")
    eval_strategy: str = _option("steps", "no, steps or epoch")
    eval_steps: float | None = _option(100, "steps between evaluations")
    save_steps: float = _option(500, "steps between checkpoints")
    save_total_limit: int | None = _option(3, "checkpoints kept")
    report_to: str = _option("wandb", "wandb, tensorboard or none")
    load_best_model_at_end: bool | None = _option(
        None, "end with the checkpoint of the lowest CER; None: where there is evaluation"
    )
    metric_for_best_model: str | None = _option("cer", "what says which checkpoint is best")
    train_sampling_strategy: str = _option(
        "group_by_length", "pages of like length together, so that little is padding"
    )
    remove_unused_columns: bool = _option(False, "must stay False: pages are encoded batch-wise")
    logging_first_step: bool = _option(True, "log the first step too")

    def __post_init__(self) -> None:
        self._refuse_what_cannot_work()
        if self.adapter is not None:
            self.use_lora = True
        if self.learning_rate is None:
            self.learning_rate = LORA_LEARNING_RATE if self.use_lora else FULL_LEARNING_RATE
        if self.lora_alpha is None:
            self.lora_alpha = 2 * self.lora_rank
        if not self.warmup_steps:
            self.warmup_steps = self.warmup_ratio  # a share, to Transformers, when below 1
        if self.load_best_model_at_end is None:
            self.load_best_model_at_end = (
                self.eval_strategy != "no" and self.save_strategy == "steps"
            )
        self.greater_is_better = False if self.greater_is_better is None else self.greater_is_better
        if self.bf16 is None and not self.fp16:
            on_gpu = torch.cuda.is_available() and not self.use_cpu
            self.bf16 = on_gpu and torch.cuda.is_bf16_supported()
            self.fp16 = on_gpu and not self.bf16
        if not torch.cuda.is_available():
            self.use_cpu = True
        self.report_to = _reporters_that_work(self.report_to)
        # TRL and Transformers hold save_strategy and eval_strategy to each other for this; here a
        # checkpoint is saved at each best evaluation as well, so the check is not needed
        load_best, self.load_best_model_at_end = self.load_best_model_at_end, False
        super().__post_init__()
        self.load_best_model_at_end = load_best

    def _refuse_what_cannot_work(self) -> None:
        for name, reason in FORBIDDEN.items():
            if getattr(self, name):
                raise ValueError(f"{name} cannot be set: {reason}. Leave it out")
        if self.load_in_4bit and not self.use_lora and self.adapter is None:
            raise ValueError(
                "load_in_4bit needs use_lora=True: quantised weights cannot be trained themselves"
            )
        if self.too_long not in ("error", "skip"):
            raise ValueError(f"too_long is 'error' or 'skip', got {self.too_long!r}")
        check_at_least_one(
            lora_rank=self.lora_rank, eval_pages=self.eval_pages, max_tokens=self.max_tokens
        )
        if not 0 <= self.eval_split_size < 1:
            raise ValueError(
                "eval_split_size is a share of the documents, from 0 to below 1, got "
                f"{self.eval_split_size}"
            )
        if self.dataset_name is None:
            raise ValueError(
                "dataset_name is missing; give a hub id, the dataset/ folder that notebook 04 "
                "wrote, or a ShareGPT .json file"
            )


def make_config(options: Mapping[str, object]) -> FinetuneConfig:
    """The config of these options.

    Raises:
        ValueError: an unknown option, with the nearest known one, or what `FinetuneConfig` refuses.
    """
    known = option_names()
    for name in options:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"there is no option {name}{hint}")
    return FinetuneConfig(**options)


def option_names() -> frozenset[str]:
    """All options: the fields of `FinetuneConfig`."""
    return frozenset(item.name for item in fields(FinetuneConfig) if item.init)


def _reporters_that_work(report_to: str | list[str]) -> str | list[str]:
    """`wandb` is the default, and asks for a login: without package or key nothing is reported."""
    names = [report_to] if isinstance(report_to, str) else list(report_to)
    if "wandb" not in names or _wandb_is_ready():
        return report_to
    print("wandb is not set up (no package or no WANDB_API_KEY), so nothing is reported to it")
    return [name for name in names if name != "wandb"] or "none"


def _wandb_is_ready() -> bool:
    if importlib.util.find_spec("wandb") is None:
        return False
    needs_no_login = os.environ.get("WANDB_MODE") in ("offline", "disabled")
    return needs_no_login or "WANDB_API_KEY" in os.environ or _netrc_names_wandb()


def _netrc_names_wandb() -> bool:
    netrc = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    return netrc.is_file() and "api.wandb.ai" in netrc.read_text(encoding="utf-8")
