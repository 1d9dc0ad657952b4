"""The options of a fine-tuning run: TRL's SFTConfig with GLM-OCR's own options and defaults."""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from trl import SFTConfig

from glmocr_utils.model import find_hardware
from glmocr_utils.options import FinetuneOptions, check_at_least_one

FULL_LEARNING_RATE = 1e-5
LORA_LEARNING_RATE = 1e-4

AUTO = "auto"  # max_length: measured in the preflight

# TRL's options that would break what is made certain here.
FORBIDDEN = {
    "packing": "pages are not packed: each needs its own image",
    "padding_free": "TRL cannot do it with images",
    "assistant_only_loss": "the loss is on label and stop token anyway",
    "chat_template_path": "the prompt has to be the one that inference uses",
    "eos_token": "GLM-OCR's pages end with <|user|>",
    "trust_remote_code": "GLM-OCR is part of Transformers",
}


@dataclass
class FinetuneConfig(FinetuneOptions, SFTConfig):
    """Options of `finetune`: `FinetuneOptions`, and every other field of TRL's `SFTConfig`.

    Raises:
        ValueError: options that contradict each other or cannot work; the message says what to do.
    """

    if TYPE_CHECKING:  # fields of SFTConfig that are set here
        bf16: Any = None
        fp16: Any = None
        greater_is_better: Any = None
        use_cpu: Any = None
        warmup_steps: Any = None

    def __post_init__(self) -> None:
        self.max_length = _length(self.max_length)
        self._refuse_what_cannot_work()
        self.model_id = self.model_name = self.model_name or self.model_id
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
        hardware = find_hardware()
        if self.bf16 is None and not self.fp16:
            # Accelerate's mixed precision is not for a Mac's GPU
            mixes = hardware.kind in ("cuda", "xpu") and not self.use_cpu
            self.bf16 = mixes and hardware.dtype == torch.bfloat16
            self.fp16 = mixes and hardware.dtype == torch.float16
        if hardware.kind == "cpu":
            self.use_cpu = True
        self.report_to = _reporters_that_work(self.report_to)
        # TRL and Transformers hold save_strategy and eval_strategy to each other for this; here a
        # checkpoint is saved at each best evaluation as well, so the check is not needed
        load_best, self.load_best_model_at_end = self.load_best_model_at_end, False
        super().__post_init__()
        self.load_best_model_at_end = load_best
        if self.free_gradients and (self.fp16 or self.world_size > 1):
            raise ValueError(
                "free_gradients=True works in one process and not in float16: gradients that are "
                "shared or scaled are ready after the backward pass only. Leave it out, or take "
                "bf16=True"
            )

    def _refuse_what_cannot_work(self) -> None:
        for name, reason in FORBIDDEN.items():
            if getattr(self, name):
                raise ValueError(f"{name} cannot be set: {reason}. Leave it out")
        if self.load_in_4bit and not self.use_lora and self.adapter is None:
            raise ValueError(
                "load_in_4bit needs use_lora=True: quantised weights cannot be trained themselves"
            )
        if self.free_gradients and (self.max_grad_norm or self.gradient_accumulation_steps != 1):
            raise ValueError(
                "free_gradients=True needs max_grad_norm=0 and gradient_accumulation_steps=1: each "
                "weight is updated before the other gradients are there, so they can neither be "
                "clipped together nor added up"
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


def _length(max_length: int | str | None) -> int | str | None:
    """A number that came as text, as a number."""
    if max_length is None or isinstance(max_length, int) or max_length == AUTO:
        return max_length
    if max_length.lower() == "none":
        return None
    try:
        return int(max_length)
    except ValueError:
        raise ValueError(
            f"max_length is a number of tokens, 'auto' or None, got {max_length!r}"
        ) from None


def make_config(options: Mapping[str, Any]) -> FinetuneConfig:
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
