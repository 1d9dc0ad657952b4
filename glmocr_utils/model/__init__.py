"""Model id or folder → model and processor, ready to read."""

import glmocr_utils.model.quiet  # noqa: F401 - before PEFT is imported
from glmocr_utils.model.attention import AttentionChoice, choose_attention
from glmocr_utils.model.hardware import (
    Hardware,
    find_hardware,
    free_memory,
    give_back_memory,
)
from glmocr_utils.model.loading import (
    LoadedModel,
    load_model,
    load_processor,
)
from glmocr_utils.model.source import (
    ModelLoadError,
    find_revision,
    resolve_adapter,
    weights_sha256,
)
from glmocr_utils.model.trained_for import TrainedFor

__all__ = [
    "AttentionChoice",
    "Hardware",
    "LoadedModel",
    "ModelLoadError",
    "TrainedFor",
    "choose_attention",
    "find_hardware",
    "find_revision",
    "free_memory",
    "give_back_memory",
    "load_model",
    "load_processor",
    "resolve_adapter",
    "weights_sha256",
]
