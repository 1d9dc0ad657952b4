"""What computes a model's attention, by what is installed and what the hardware can do."""

from dataclasses import dataclass

import torch
from transformers.utils import is_flash_attn_2_available, is_kernels_available

from glmocr_utils.model.source import ModelLoadError

HUB_KERNEL = "kernels-community/flash-attn2"
FLASH_ATTENTION_CAPABILITY = (8, 0)  # Ampere; older GPUs have no flash-attn 2


@dataclass(frozen=True, slots=True)
class AttentionChoice:
    """An attention implementation of Transformers, and why it was taken."""

    implementation: str
    reason: str


def choose_attention(attn: str, dtype: torch.dtype, on_gpu: bool) -> AttentionChoice:
    """Decide what computes the attention.

    `auto` takes flash-attn 2 if it is installed and the GPU can run it, else the same kernel from
    the hub if the package `kernels` is there, else PyTorch's own `sdpa`.

    Raises:
        ModelLoadError: `attn` names one that cannot work here.
    """
    obstacle = _flash_obstacle(dtype, on_gpu)
    if attn == "auto":
        if obstacle:
            return AttentionChoice("sdpa", f"auto: flash-attn {obstacle}")
        if is_flash_attn_2_available():
            return AttentionChoice("flash_attention_2", "auto: flash-attn is installed")
        if is_kernels_available():
            return AttentionChoice(HUB_KERNEL, "auto: kernels is installed, flash-attn is not")
        return AttentionChoice("sdpa", "auto: neither flash-attn nor kernels is installed")
    if "flash" in attn:
        advice = "Use attn='sdpa', or attn='auto' to let the project choose."
        if obstacle:
            raise ModelLoadError(f"attn={attn!r} cannot work here: flash-attn {obstacle}. {advice}")
        if attn == "flash_attention_2" and not is_flash_attn_2_available():
            raise ModelLoadError(
                f"attn={attn!r} needs the package flash-attn, which is not installed: "
                f"pip install flash-attn --no-build-isolation. {advice}"
            )
        if "/" in attn and not is_kernels_available():
            raise ModelLoadError(
                f"attn={attn!r} needs the package kernels, which is not installed: "
                f"pip install kernels. {advice}"
            )
    return AttentionChoice(attn, "as asked")


def _flash_obstacle(dtype: torch.dtype, on_gpu: bool) -> str | None:
    if not on_gpu:
        return "needs a CUDA GPU and the model is on the CPU"
    if torch.cuda.get_device_capability() < FLASH_ATTENTION_CAPABILITY:
        return f"needs an Ampere GPU or newer, this is a {torch.cuda.get_device_name()}"
    if dtype == torch.float32:
        return "needs bfloat16 or float16 and the model is in float32"
    return None
