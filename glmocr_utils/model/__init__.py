"""Model id or folder → model and processor, ready to read."""

from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
    from glmocr_utils.model.attention import AttentionChoice, choose_attention
    from glmocr_utils.model.hardware import (
        Hardware,
        find_hardware,
        free_memory,
        give_back_memory,
    )
    from glmocr_utils.model.loaded import LoadedModel
    from glmocr_utils.model.loading import load_model, load_processor
    from glmocr_utils.model.source import (
        ModelLoadError,
        find_revision,
        resolve_adapter,
        weights_sha256,
    )
    from glmocr_utils.model.trained_for import TrainedFor

_HOME = {
    "AttentionChoice": "attention",
    "Hardware": "hardware",
    "LoadedModel": "loaded",
    "ModelLoadError": "source",
    "TrainedFor": "trained_for",
    "choose_attention": "attention",
    "find_hardware": "hardware",
    "find_revision": "source",
    "free_memory": "hardware",
    "give_back_memory": "hardware",
    "load_model": "loading",
    "load_processor": "loading",
    "resolve_adapter": "source",
    "weights_sha256": "source",
}
__all__ = list(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
