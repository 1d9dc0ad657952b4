"""Id or folder of a PP-DocLayout checkpoint → a model that is ready to find regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from glmocr_utils.model import ModelLoadError, find_revision
from glmocr_utils.model.source import cached_commit, find_model, first_line
from glmocr_utils.options import OFFICIAL_LAYOUT, resolve_layout

if TYPE_CHECKING:  # what it names takes seconds to import
    import torch
    from transformers import PreTrainedModel
    from transformers.image_processing_utils import BaseImageProcessor

MODEL_TYPES = ("pp_doclayout_v3", "pp_doclayout_v4")


@dataclass(frozen=True, slots=True)
class LayoutModel:
    """A layout model that is ready.

    Attributes:
        model: in evaluation mode, on its device.
        processor: makes its inputs.
        layout_id: hub id or folder.
        revision: commit on the hub; None for a folder.
        labels: class id → name.
    """

    model: PreTrainedModel
    processor: BaseImageProcessor
    layout_id: str
    revision: str | None
    labels: dict[int, str]

    @property
    def device(self) -> torch.device:
        return self.model.device


def find_layout_revision(layout: str) -> str | None:
    """The commit that a layout's hub id means; None for a folder.

    Raises:
        ModelLoadError: it is not there.
    """
    return find_revision(layout)


def load_layout(layout: str = "auto", device: str | torch.device = "cpu") -> LayoutModel:
    """Load a PP-DocLayout V3 or V4 checkpoint.

    Args:
        layout: `auto` (the official checkpoint), a hub id, or a folder.
        device: that of the reading model, as a rule.

    Raises:
        ModelLoadError: it is not there, is not a layout model of these kinds, or is not complete.
    """
    import torch
    from transformers import AutoConfig, AutoImageProcessor, AutoModelForObjectDetection

    import glmocr_utils.model.quiet  # noqa: F401 - no bar for the weights

    layout_id = resolve_layout(layout) or OFFICIAL_LAYOUT
    try:
        source = find_model(layout_id, "config.json", None)
    except ModelLoadError as error:
        raise ModelLoadError(f"{error} It was named as the layout model.") from error
    try:
        model_type = AutoConfig.from_pretrained(layout_id, **source).model_type
        if model_type not in MODEL_TYPES:
            raise ModelLoadError(
                f"{layout_id} is a {model_type} model, and layout takes PP-DocLayout V3 or V4. Set "
                f"layout='auto' for {OFFICIAL_LAYOUT}, or pass the folder of such a checkpoint."
            )
        processor = AutoImageProcessor.from_pretrained(layout_id, **source)
        model, report = AutoModelForObjectDetection.from_pretrained(
            layout_id, **source, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelLoadError(
            f"The layout model {layout_id} cannot be loaded: {first_line(error)}"
        ) from error
    if missing := report["missing_keys"]:
        raise ModelLoadError(
            f"The layout model {layout_id} is not complete: {len(missing)} tensors, such as "
            f"{min(missing)}, are not in its files. Download or save it again."
        )
    labels = {int(number): name for number, name in model.config.id2label.items()}
    commit = cached_commit(layout_id, None) if source else None
    return LayoutModel(model.to(device).eval(), processor, layout_id, commit, labels)
