"""Load a model: dtype by hardware, device, attention, adapter, quantisation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

import torch
from safetensors import SafetensorError

import glmocr_utils.model.quiet  # noqa: F401 - before PEFT is imported
from glmocr_utils.model.attention import PLAIN, choose_attention
from glmocr_utils.model.cpu_threads import fit_threads
from glmocr_utils.model.hardware import find_hardware, place
from glmocr_utils.model.loaded import LoadedModel
from glmocr_utils.model.patches import project_patches_at_once
from glmocr_utils.model.source import (
    ModelLoadError,
    cached_commit,
    find_model,
    first_line,
    resolve_adapter,
)
from glmocr_utils.model.trained_for import read_trained_for
from glmocr_utils.options import Dtype, ModelOptions
from glmocr_utils.prompt import limit_page_pixels, stop_token_ids

if TYPE_CHECKING:  # their modules take seconds: they are loaded where they are used
    from peft import PeftModel
    from transformers import BitsAndBytesConfig, PreTrainedModel, ProcessorMixin


DTYPES = get_args(Dtype)


def load_model(
    model_id: str = ModelOptions.model_id,
    adapter: str | None = None,
    *,
    attn: str = ModelOptions.attn,
    device_map: str = ModelOptions.device_map,
    dtype: str | torch.dtype | None = ModelOptions.dtype,
    load_in_4bit: bool = False,
    revision: str | None = None,
) -> LoadedModel:
    """Load a full model, or an adapter with its base.

        model = load_model("zai-org/GLM-OCR")
        tuned = load_model("my-lora", dtype="float32")  # the adapter names its base

    Args:
        model_id: hub id, folder of a full checkpoint, or folder of an adapter (known by its
            `adapter_config.json`, which names the base).
        adapter: hub id or folder of a LoRA adapter for `model_id`.
        attn: `auto`, or an implementation of Transformers: `sdpa`, `eager`, `flash_attention_2`,
            `kernels-community/flash-attn2`.
        device_map: `auto` takes one GPU (CUDA, Intel or a Mac's) if there is any that works,
            otherwise the CPU; or `cpu`, `cuda:1`, `mps`, …, or any other value that Transformers
            takes.
        dtype: `auto` (or None) takes bfloat16 on a GPU that computes it, float16 on one that
            does not, otherwise float32; or `float32`, `bfloat16`, `float16`.
        load_in_4bit: quantise the weights to NF4 with bitsandbytes.
        revision: branch, tag or commit on the hub.

    Raises:
        ModelLoadError: a file is missing, does not fit, or cannot work here.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model_id, adapter = resolve_adapter(str(model_id), adapter)
    hardware = find_hardware()
    device = place(device_map, hardware)
    threads = fit_threads() if device == "cpu" else None
    dtype = _dtype(dtype, torch.float32 if device == "cpu" else hardware.dtype)
    attention = choose_attention(attn, dtype, "cpu" if device == "cpu" else hardware.kind)
    source = find_model(model_id, "config.json", revision)
    adapter_source = None if adapter is None else find_model(adapter, "adapter_config.json", None)
    load_weights = partial(
        AutoModelForImageTextToText.from_pretrained,
        model_id,
        **source,
        dtype=dtype,
        device_map=device,
        quantization_config=_four_bit(dtype) if load_in_4bit else None,
        output_loading_info=True,
    )
    try:
        processor = AutoProcessor.from_pretrained(model_id, **source)
        try:
            model, report = load_weights(attn_implementation=attention.implementation)
            if attn == "auto" and attention.implementation != PLAIN:
                _attend_once(model)
        except Exception as error:  # whatever it is: auto means that it reads
            if attn != "auto" or attention.implementation == PLAIN:
                raise
            attention = attention.after_failure(error)
            model, report = load_weights(attn_implementation=attention.implementation)
        project_patches_at_once(model)
        _take_greedy_generation(model, processor)
        trained_for = read_trained_for(adapter or model_id, adapter_source or source)
        if trained_for is not None and trained_for.max_pixels is not None:
            limit_page_pixels(processor, trained_for.max_pixels)  # an adapter has no processor
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelLoadError(
            f"The model {model_id} cannot be loaded: {first_line(error)}"
        ) from error
    if missing := report["missing_keys"]:
        # Transformers only warns, and fills them with random numbers
        raise ModelLoadError(
            f"The model {model_id} is not complete: {len(missing)} tensors, such as "
            f"{min(missing)}, are not in its files. Download or save it again."
        )
    commit = cached_commit(model_id, revision) if source else None
    if adapter is not None and adapter_source is not None:
        model = _add_adapter(model, model_id, adapter, adapter_source)
    return LoadedModel(
        model.eval(),
        processor,
        model_id,
        commit,
        adapter,
        attention,
        trained_for,
        obstacle=hardware.obstacle if device_map == "auto" else None,
        threads=threads,
    )


def load_processor(
    model_id: str = ModelOptions.model_id, adapter: str | None = None
) -> ProcessorMixin:
    """Only the tokenizer, image processor and chat template of a model: a few files, no weights.

    Raises:
        ModelLoadError: the model is not there.
    """
    from transformers import AutoProcessor

    model_id, _ = resolve_adapter(str(model_id), adapter)
    source = find_model(model_id, "config.json", None)
    try:
        return AutoProcessor.from_pretrained(model_id, **source)
    except (OSError, ValueError) as error:
        raise ModelLoadError(
            f"The processor of {model_id} cannot be loaded: {first_line(error)}"
        ) from error


def _attend_once(model: PreTrainedModel) -> None:
    """Let the model attend to two tokens, so that a kernel that cannot run is found out now."""
    with torch.inference_mode():
        model(input_ids=torch.zeros(1, 2, dtype=torch.long, device=model.device))


def check_dtype(dtype: str) -> str:
    """Refuse a name that isn't a dtype, before anything is loaded for it.

    Raises:
        ModelLoadError: it is not one of `DTYPES`.
    """
    if dtype not in DTYPES:
        raise ModelLoadError(f"dtype is one of {', '.join(DTYPES)}, got {dtype!r}")
    return dtype


def _dtype(dtype: str | torch.dtype | None, best: torch.dtype) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype is not None and check_dtype(dtype) != "auto":
        return getattr(torch, dtype)
    return best


def _four_bit(dtype: torch.dtype) -> BitsAndBytesConfig:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
    )


def _take_greedy_generation(model: PreTrainedModel, processor: ProcessorMixin) -> None:
    """Greedy, no penalties (they corrupt tables and numbers), every stop token GLM-OCR has."""
    from transformers import GenerationConfig

    stops = stop_token_ids(processor.tokenizer)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=stops, pad_token_id=processor.tokenizer.pad_token_id
    )


def _add_adapter(
    model: PreTrainedModel, model_id: str, adapter: str, source: dict[str, str | bool | None]
) -> PeftModel:
    # importing it takes seconds, and most readers have no adapter
    from peft import PeftModel, get_peft_model_state_dict, load_peft_weights

    misfit = f"The adapter {adapter} does not fit the model {model_id}"
    advice = "Pass the model that its adapter_config.json names as base_model_name_or_path."
    try:
        adapted = PeftModel.from_pretrained(model, adapter, **source)
        weights = load_peft_weights(adapter, device="cpu", **source)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelLoadError(f"{misfit}: {first_line(error)} {advice}") from error
    # PEFT only warns when a tensor does not fit, and continues with part of the adapter
    stray = weights.keys() ^ get_peft_model_state_dict(adapted).keys()
    if stray:
        raise ModelLoadError(
            f"{misfit}: {len(stray)} tensors, such as {min(stray)}, are only in one. {advice}"
        )
    return adapted
