"""Which model, and how it is loaded."""

from dataclasses import dataclass
from typing import Literal

from glmocr_utils.options.option import Options, option

DEFAULT_MODEL = "zai-org/GLM-OCR"
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class ModelOptions(Options):
    """Options of `load_model`."""

    model_id: str = option(
        DEFAULT_MODEL, "hub id, or folder of a model or an adapter", aliases=("--model",)
    )
    adapter: str | None = option(None, "hub id or folder of a LoRA adapter for model_id")
    attn: str = option("auto", "auto, sdpa, flash_attention_2, kernels-community/flash-attn2, …")
    device_map: str = option("auto", "auto (one GPU if there is any), cpu, cuda:0, …")
    dtype: Dtype = option("auto", "auto (by the hardware), float32, bfloat16, float16")
