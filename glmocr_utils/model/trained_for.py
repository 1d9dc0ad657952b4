"""How a fine-tuned model was trained to read: kept beside its weights, used whenever it reads."""

import json
from dataclasses import dataclass
from pathlib import Path

from transformers.utils import cached_file

from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle

REPORT = "training_report.json"


@dataclass(frozen=True, slots=True)
class TrainedFor:
    """What inference has to share with training.

    Attributes:
        prompt: the task it was trained on.
        prompt_style: `default` or `nothink`.
        scale: pixels per PDF point of the training pages; None where it is not known.
        max_pixels: of a page image; larger ones were scaled down to it.
    """

    prompt: str = TEXT_RECOGNITION
    prompt_style: PromptStyle = "default"
    scale: float | None = None
    max_pixels: int | None = None


def read_trained_for(model_id: str, source: dict[str, str | bool | None]) -> TrainedFor | None:
    """The content of the model's `training_report.json`; None for a model without one.

    Args:
        model_id: folder or hub id of the model, or of the adapter.
        source: where from, as `find_model` says.

    Raises:
        ValueError: the report is damaged.
    """
    file = cached_file(
        model_id,
        REPORT,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        **source,
    )
    if file is None:
        return None
    try:
        return TrainedFor(**json.loads(Path(file).read_text(encoding="utf-8"))["trained_for"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} is damaged ({error!r}), and it says with which prompt the model must be used. "
            "Copy it again from where the model was trained"
        ) from error
