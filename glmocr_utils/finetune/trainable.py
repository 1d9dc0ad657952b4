"""Which weights move: freezing, LoRA, and the proof that nothing else would be trained."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedModel

from glmocr_utils.finetune.config import FinetuneConfig
from glmocr_utils.model import LoadedModel, ModelLoadError, load_model
from glmocr_utils.model.source import find_model, resolve_adapter
from glmocr_utils.model.trained_for import TrainedFor, read_trained_for

# Everything under `visual` is vision tower or projector; these three are the projector.
PROJECTOR = r"\.visual\.(merger|downsample|post_layernorm)\."
COMPONENTS = ("vision tower", "projector", "decoder", "adapter")


def go_on_as_trained(config: FinetuneConfig) -> None:
    """Fill in prompt style and pixel budget, where the config leaves them to the model.

    A model or adapter that was fine-tuned before has both in its report; continuing with others
    would undo part of what it learned.

    Raises:
        ModelLoadError: the model is not there.
        ValueError: its report is damaged.
    """
    model_id, adapter = _model_and_adapter(config)
    config_name = "adapter_config.json" if adapter else "config.json"
    source = find_model(adapter or model_id, config_name, None)
    trained_for = read_trained_for(adapter or model_id, source) or TrainedFor()
    if config.prompt_style is None:
        config.prompt_style = trained_for.prompt_style
    if config.max_pixels is None:
        config.max_pixels = trained_for.max_pixels


def load_trainable(config: FinetuneConfig) -> LoadedModel:
    """Load the model and freeze all weights that aren't trained.

    Weights that are trained are kept in float32: bfloat16 has eight bits of precision, and a step
    of 1e-5 on a weight of 0.02 would round to nothing. Passes are computed in bfloat16 all the same
    where the hardware has it. The base of an adapter stays in the hardware's own precision.

    Raises:
        ModelLoadError: the model cannot be loaded.
        ValueError: as `make_trainable`.
    """
    model_id, adapter = _model_and_adapter(config)
    # what is sharded over devices goes there by itself
    is_on_cpu = config.device.type == "cpu" or config.fsdp or config.deepspeed
    loaded = load_model(
        model_id,
        adapter,
        attn=config.attn,
        device_map="cpu" if is_on_cpu else str(config.device),
        dtype=None if config.use_lora else torch.float32,
        load_in_4bit=config.load_in_4bit,
    )
    model = make_trainable(loaded.model, config)
    return replace(loaded, model=model)


def sketch_trainable(config: FinetuneConfig) -> nn.Module:
    """The same model without its weights: names, shapes and what would be trained.

    Raises:
        ModelLoadError, ValueError: as `load_trainable`.
    """
    model_id, adapter = _model_and_adapter(config)
    source = find_model(model_id, "config.json", None)
    model_config = AutoConfig.from_pretrained(model_id, **source)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(model_config)
        if adapter is not None:
            adapter_source = find_model(adapter, "adapter_config.json", None)
            lora = LoraConfig.from_pretrained(adapter, **adapter_source)
            model = get_peft_model(model, lora)
        return make_trainable(model, config)


def base_dtype(config: FinetuneConfig) -> torch.dtype:
    """The precision that the base model's files are in."""
    model_id, _ = resolve_adapter(config.model_id, config.adapter)
    source = find_model(model_id, "config.json", None)
    return AutoConfig.from_pretrained(model_id, **source).dtype or torch.float32


def make_trainable(model: PreTrainedModel | PeftModel, config: FinetuneConfig) -> nn.Module:
    """Freeze by component, and add a LoRA adapter if one is asked for.

    Raises:
        ValueError: no layer has the name of `lora_target`, nothing would be trained, or a component
            that is meant to be frozen would be.
    """
    if isinstance(model, PeftModel):  # an adapter that is trained further
        model.active_peft_config.inference_mode = False
        for name, parameter in model.named_parameters():
            parameter.requires_grad = _component(name) == "adapter"
    elif config.use_lora:
        lora = LoraConfig(
            r=config.lora_rank,
            lora_alpha=config.lora_alpha,
            lora_dropout=config.lora_dropout,
            target_modules=lora_targets(model, config),
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(model, lora)
    else:
        frozen = frozen_components(config)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = _component(name) not in frozen
    check_frozen(model, config)
    return model


def lora_targets(model: nn.Module, config: FinetuneConfig) -> str:
    """A pattern of the linear layers that get an adapter.

    PEFT's own `all-linear` also adapts the vision tower, whatever is frozen; here only components
    that are not frozen are adapted. The output head is left out: TRL's loss bypasses its adapter.

    Raises:
        ValueError: no such layer.
    """
    frozen = frozen_components(config)
    head = model.get_output_embeddings()
    layers = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and module is not head
        and _component(f"{name}.weight") not in frozen
    ]
    if config.lora_target not in ("all", "all-linear"):
        wanted = {name.strip() for name in config.lora_target.split(",")}
        there = {name.rpartition(".")[2] for name in layers}
        if unknown := wanted - there:
            raise ValueError(
                f"lora_target names {', '.join(sorted(unknown))}, but what is not frozen has only "
                f"{', '.join(sorted(there))}. Correct lora_target, or free the component"
            )
        layers = [name for name in layers if name.rpartition(".")[2] in wanted]
    return "|".join(sorted({re.sub(r"(\\\.)\d+(?=\\\.)", r"\1\\d+", re.escape(n)) for n in layers}))


def frozen_components(config: FinetuneConfig) -> set[str]:
    """The components that must not move."""
    frozen = set()
    if config.freeze_vision_tower:
        frozen.add("vision tower")
    if config.freeze_multi_modal_projector:
        frozen.add("projector")
    return frozen


def check_frozen(model: nn.Module, config: FinetuneConfig) -> None:
    """Check that all that should be frozen is, and that something is trained.

    Raises:
        ValueError: it is not so; the message names a parameter.
    """
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("nothing would be trained; free a component or use LoRA")
    for name in trained:
        part = "vision tower" if ".visual." in name else "decoder"
        part = "projector" if re.search(PROJECTOR, name) else part
        if part in frozen_components(config):
            raise ValueError(
                f"the {part} is meant to be frozen, but {name} would be trained; set "
                f"{'freeze_vision_tower' if part == 'vision tower' else _FREEZE_PROJECTOR}=False "
                "if that is what you want, or choose another lora_target"
            )


_FREEZE_PROJECTOR = "freeze_multi_modal_projector"


def count_parameters(
    named: Iterable[tuple[str, torch.Tensor]],
) -> dict[str, tuple[int, int]]:
    """Parameters by component: (all, trained). Weights packed to 4 bits count once each."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, parameter in named:
        packed = 2 if parameter.__class__.__name__ == "Params4bit" else 1
        number = parameter.numel() * packed
        counts[_component(name)][0] += number
        counts[_component(name)][1] += number * parameter.requires_grad
    return {name: (counts[name][0], counts[name][1]) for name in COMPONENTS if name in counts}


def _component(parameter_name: str) -> str:
    if "lora_" in parameter_name:
        return "adapter"
    if re.search(PROJECTOR, parameter_name):
        return "projector"
    return "vision tower" if ".visual." in parameter_name else "decoder"


def _model_and_adapter(config: FinetuneConfig) -> tuple[str, str | None]:
    model_id, adapter = resolve_adapter(config.model_id, config.adapter)
    if adapter is not None and not config.use_lora:
        raise ModelLoadError(
            f"{adapter} is a LoRA adapter. Set use_lora=True to train it further, or merge it with "
            "`glmocr export` to train all weights."
        )
    return model_id, adapter
