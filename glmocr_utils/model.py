"""Model id or folder → model and processor, ready to read: dtype, device, attention, adapter."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from safetensors import SafetensorError
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.utils import is_flash_attn_2_available, is_kernels_available

from glmocr_utils.prompt import stop_token_ids

if TYPE_CHECKING:
    from peft import PeftModel

DEFAULT_MODEL = "zai-org/GLM-OCR"
HUB_KERNEL = "kernels-community/flash-attn2"
FLASH_ATTENTION_CAPABILITY = (8, 0)  # Ampere; older GPUs have no flash-attn 2
HUB_TIMEOUT_SECONDS = 10


class ModelLoadError(RuntimeError):
    """A model or adapter that cannot be loaded; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class AttentionChoice:
    """An attention implementation of Transformers, and why it was taken."""

    implementation: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to read.

    Attributes:
        model: in evaluation mode, on its device.
        processor: tokenizer, image processor and chat template of the checkpoint.
        model_id: hub id or folder of the full model.
        revision: commit on the hub; None for a folder.
        adapter: hub id or folder of the adapter on top; None without one.
        attention: what computes the attention, and why.
    """

    model: "PreTrainedModel | PeftModel"
    processor: ProcessorMixin
    model_id: str
    revision: str | None
    adapter: str | None
    attention: AttentionChoice

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def stop_token_ids(self) -> list[int]:
        """Every token that ends a page; GLM-OCR has two."""
        return self.model.generation_config.eos_token_id

    def describe(self) -> str:
        """One line for people: what is loaded, where, and how it attends."""
        name = self.model_id if self.adapter is None else f"{self.model_id} + {self.adapter}"
        dtype = str(self.dtype).removeprefix("torch.")
        return (
            f"{name} on {self.device} in {dtype}, attention {self.attention.implementation} "
            f"({self.attention.reason})"
        )


def load_model(
    model_id: str = DEFAULT_MODEL,
    adapter: str | None = None,
    *,
    attn: str = "auto",
    device_map: str = "auto",
    dtype: torch.dtype | None = None,
    load_in_4bit: bool = False,
    revision: str | None = None,
) -> LoadedModel:
    """Load a full model, or an adapter with its base.

    Args:
        model_id: hub id, folder of a full checkpoint, or folder of an adapter (known by its
            `adapter_config.json`, which names the base).
        adapter: hub id or folder of a LoRA adapter for `model_id`.
        attn: `auto`, or an implementation of Transformers: `sdpa`, `eager`, `flash_attention_2`,
            `kernels-community/flash-attn2`.
        device_map: `auto` takes the GPUs that are there, else the CPU; or `cpu`, `cuda:0`, ….
        dtype: None takes bfloat16 on a GPU that has it, float16 on one that has not, else float32.
        load_in_4bit: quantise the weights to NF4 with bitsandbytes.
        revision: branch, tag or commit on the hub.

    Raises:
        ModelLoadError: what is asked for is not there, does not fit, or cannot work here.
    """
    model_id, adapter = _resolve_adapter(str(model_id), adapter)
    on_gpu = torch.cuda.is_available() and device_map != "cpu"
    if not on_gpu and device_map not in ("auto", "cpu"):
        raise ModelLoadError(
            f"device_map={device_map!r} needs a CUDA GPU, and PyTorch finds none here. Use 'auto' "
            "or 'cpu'."
        )
    dtype = dtype or _hardware_dtype(on_gpu)
    attention = choose_attention(attn, dtype, on_gpu)
    source = _find(model_id, "config.json", revision)
    adapter_source = adapter and _find(adapter, "adapter_config.json", None)
    try:
        processor = AutoProcessor.from_pretrained(model_id, **source)
        model, report = AutoModelForImageTextToText.from_pretrained(
            model_id,
            **source,
            dtype=dtype,
            attn_implementation=attention.implementation,
            device_map=device_map if on_gpu else "cpu",
            quantization_config=_four_bit(dtype) if load_in_4bit else None,
            output_loading_info=True,
        )
        _take_greedy_generation(model, processor)
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelLoadError(
            f"The model {model_id} cannot be loaded: {_first_line(error)}"
        ) from error
    if missing := report["missing_keys"]:
        # Transformers only warns, and fills them with random numbers
        raise ModelLoadError(
            f"The model {model_id} is not complete: {len(missing)} tensors, such as "
            f"{min(missing)}, are not in its files. Download or save it again."
        )
    commit = getattr(model.config, "_commit_hash", None)
    if adapter is not None:
        model = _add_adapter(model, model_id, adapter, adapter_source)
    return LoadedModel(model.eval(), processor, model_id, commit, adapter, attention)


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


def _hardware_dtype(on_gpu: bool) -> torch.dtype:
    if not on_gpu:
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _four_bit(dtype: torch.dtype) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def _take_greedy_generation(model: PreTrainedModel, processor: ProcessorMixin) -> None:
    """Greedy, no penalties (they corrupt tables and numbers), every stop token GLM-OCR has."""
    stops = stop_token_ids(processor.tokenizer)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=stops, pad_token_id=processor.tokenizer.pad_token_id
    )


def _resolve_adapter(model_id: str, adapter: str | None) -> tuple[str, str | None]:
    """An adapter folder given as the model stands for its base with the adapter on top."""
    config_file = Path(model_id) / "adapter_config.json"
    if not config_file.is_file():
        return model_id, None if adapter is None else str(adapter)
    if adapter is not None:
        raise ModelLoadError(
            f"{model_id} is itself an adapter, so {adapter} cannot be added to it. "
            "Pass the full model as model_id and one adapter."
        )
    try:
        base = json.loads(config_file.read_text()).get("base_model_name_or_path")
    except json.JSONDecodeError as error:
        raise ModelLoadError(
            f"{config_file} is damaged: {error}. Save or download the adapter again."
        ) from error
    if not base:
        raise ModelLoadError(
            f"{config_file} names no base model. Pass the base as model_id and {model_id} as "
            "adapter."
        )
    if (Path(base) / "adapter_config.json").is_file():
        raise ModelLoadError(
            f"The adapter {model_id} was trained on {base}, which is itself an adapter. Merge that "
            f"one into its model, and pass the merged model as model_id and {model_id} as adapter."
        )
    return base, model_id


def _find(model_id: str, config_name: str, revision: str | None) -> dict[str, str | bool | None]:
    """Make sure that the model is there before anything is loaded, and say where from.

    Returns:
        Arguments for `from_pretrained`. Without a connection a model in the local cache is taken
        as it is; the hub client alone would first try for minutes.

    Raises:
        ModelLoadError: it is neither a folder, nor on the hub, nor in the cache.
    """
    if Path(model_id).is_dir():
        if not (Path(model_id) / config_name).is_file():
            raise ModelLoadError(
                f"The folder {model_id} holds no model or adapter: it has no {config_name}. Pass "
                "the folder that training or the download wrote."
            )
        return {}
    if model_id.startswith((".", "/", "~")) or model_id.count("/") != 1 or Path(model_id).exists():
        raise ModelLoadError(
            f"There is no model folder {model_id}. Check the path, or pass a hub id such as "
            f"{DEFAULT_MODEL}."
        )
    try:
        HfApi().model_info(model_id, revision=revision, timeout=HUB_TIMEOUT_SECONDS)
    except Exception as error:  # the transport's errors have no base class that the hub names
        if isinstance(try_to_load_from_cache(model_id, config_name, revision=revision), str):
            return {"revision": revision, "local_files_only": True}
        raise ModelLoadError(
            f"The model {model_id} cannot be downloaded, and no copy is in the local cache: "
            f"{_first_line(error)}. Check its name and the internet connection (a private model "
            "needs HF_TOKEN in the environment), or pass the folder of a local copy."
        ) from error
    return {"revision": revision}


def _add_adapter(
    model: PreTrainedModel, model_id: str, adapter: str, source: dict[str, str | bool | None]
) -> "PeftModel":
    # importing it takes seconds, and most readers have no adapter
    from peft import PeftModel, get_peft_model_state_dict, load_peft_weights

    misfit = f"The adapter {adapter} does not fit the model {model_id}"
    advice = "Pass the model that its adapter_config.json names as base_model_name_or_path."
    try:
        adapted = PeftModel.from_pretrained(model, adapter, **source)
        weights = load_peft_weights(adapter, device="cpu", **source)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelLoadError(f"{misfit}: {_first_line(error)} {advice}") from error
    # PEFT only warns when a tensor finds no place, and goes on with part of the adapter
    stray = weights.keys() ^ get_peft_model_state_dict(adapted).keys()
    if stray:
        raise ModelLoadError(
            f"{misfit}: {len(stray)} tensors, such as {min(stray)}, are only in one. {advice}"
        )
    return adapted


def _first_line(error: Exception) -> str:
    """The start of what a library says, which often goes on for pages."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(line.strip() for line in lines[:2])
