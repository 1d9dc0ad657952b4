"""The implementation of attention, chosen by installed packages and hardware."""

from dataclasses import dataclass

import torch
from transformers.utils import is_flash_attn_2_available, is_kernels_available

from glmocr_utils.model.hardware import Kind
from glmocr_utils.model.source import ModelLoadError, first_line

PLAIN = "sdpa"  # PyTorch's own, which works everywhere
HUB_KERNEL = "kernels-community/flash-attn2"
WHERE = {"cpu": "the CPU", "mps": "a Mac's GPU", "xpu": "an Intel GPU"}
FLASH_ATTENTION_CAPABILITY = (8, 0)  # Ampere; older GPUs have no flash-attn 2


@dataclass(frozen=True, slots=True)
class AttentionChoice:
    """An attention implementation of Transformers, and why it was taken."""

    implementation: str
    reason: str

    def after_failure(self, error: Exception) -> "AttentionChoice":
        """PyTorch's own, since this one could not be loaded or run."""
        why = f"auto: {self.implementation} cannot be used, {first_line(error)}"
        return AttentionChoice(PLAIN, why)


def choose_attention(attn: str, dtype: torch.dtype, kind: Kind) -> AttentionChoice:
    """Decide what computes the attention.

    `auto` takes flash-attn 2 if it is installed and the GPU can run it, otherwise the same kernel
    from the hub if the package `kernels` is there, otherwise PyTorch's own `sdpa`.

    Args:
        kind: of the device that the model is on.

    Raises:
        ModelLoadError: `attn` names one that cannot work here.
    """
    obstacle = _flash_obstacle(dtype, kind)
    if attn == "auto":
        if obstacle:
            return AttentionChoice(PLAIN, f"auto: flash-attn {obstacle}")
        if is_flash_attn_2_available():
            return AttentionChoice("flash_attention_2", "auto: flash-attn is installed")
        if is_kernels_available():
            return AttentionChoice(HUB_KERNEL, "auto: kernels is installed, flash-attn is not")
        return AttentionChoice(PLAIN, "auto: neither flash-attn nor kernels is installed")
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


def _flash_obstacle(dtype: torch.dtype, kind: Kind) -> str | None:
    if kind != "cuda":
        return f"needs a CUDA GPU and the model is on {WHERE[kind]}"
    if torch.cuda.get_device_capability() < FLASH_ATTENTION_CAPABILITY:
        return f"needs an Ampere GPU or newer, this is a {torch.cuda.get_device_name()}"
    if dtype == torch.float32:
        return "needs bfloat16 or float16 and the model is in float32"
    return None
