"""A model that is ready to read; PyTorch is only needed to load it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # their modules take seconds
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, ProcessorMixin

    from glmocr_utils.model.attention import AttentionChoice
    from glmocr_utils.model.trained_for import TrainedFor
    from glmocr_utils.prompt import PromptStyle


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to read.

    Attributes:
        model: in evaluation mode, on its device.
        processor: tokenizer, image processor and chat template of the checkpoint.
        model_id: hub id or folder of the full model.
        revision: commit on the hub; None for a folder.
        adapter: hub id or folder of the adapter on top; None without one.
        attention: the implementation of attention, and why it was chosen.
        trained_for: how a fine-tuned model must be used; None if it isn't fine-tuned.
        obstacle: why a GPU of this machine was not used; None if there is no unused one.
        threads: number of CPU threads, and why; None on a GPU.
    """

    model: PreTrainedModel | PeftModel
    processor: ProcessorMixin
    model_id: str
    revision: str | None
    adapter: str | None
    attention: AttentionChoice
    trained_for: TrainedFor | None = None
    obstacle: str | None = None
    threads: str | None = None

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def dtype_name(self) -> str:
        """Such as `bfloat16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def stop_token_ids(self) -> list[int]:
        """Every token that ends a page; GLM-OCR has two."""
        return self.model.generation_config.eos_token_id

    @property
    def prompt_style(self) -> PromptStyle:
        """The style of the prompt that the model was trained with."""
        return "default" if self.trained_for is None else self.trained_for.prompt_style

    def describe(self) -> str:
        """For people: model, device, dtype and attention; then why a GPU is not used."""
        name = self.model_id if self.adapter is None else f"{self.model_id} + {self.adapter}"
        line = (
            f"{name} on {self.device} in {self.dtype_name}, "
            f"attention {self.attention.implementation} ({self.attention.reason})"
        )
        line += f", {self.threads}" if self.threads else ""
        return f"{line}\n! {self.obstacle}" if self.obstacle else line
