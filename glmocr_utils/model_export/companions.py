"""The files beside the weights: what turns tensors into a model that reads as it was trained to.

Tokenizer, image processor, chat template, configuration and generation settings are the base's,
byte for byte: what training saves of them may have lost a stop token or the template's options.
The pixel budget, the training report and the calibration are the trained model's.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from transformers.utils import (
    CHAT_TEMPLATE_FILE,
    CONFIG_NAME,
    GENERATION_CONFIG_NAME,
    IMAGE_PROCESSOR_NAME,
    PROCESSOR_NAME,
    VIDEO_PROCESSOR_NAME,
)

from glmocr_utils.confidence.calibration import (
    FILE_NAME,
    Calibration,
    load_calibration,
    save_calibration,
)
from glmocr_utils.model import LoadedModel
from glmocr_utils.model.trained_for import REPORT
from glmocr_utils.model_export.parity import Parity
from glmocr_utils.model_export.source import ExportSource

PROCESSOR_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    CHAT_TEMPLATE_FILE,
    IMAGE_PROCESSOR_NAME,
    VIDEO_PROCESSOR_NAME,
    PROCESSOR_NAME,
)
# The text of a merged model is that of base and adapter; a calibration holds for it as long as
# rounding moves a token's probability by less than this, on average.
MAX_PROB_DIFFERENCE = 0.01


def write_companions(source: ExportSource, folder: Path, trained: LoadedModel) -> list[str]:
    """Write everything but weights, calibration and model card.

    Args:
        trained: the model that is exported, with the pixel budget that it reads with.

    Returns:
        Fixes and differences from the base, a sentence each.
    """
    for name in PROCESSOR_FILES:
        if (source.base_folder / name).is_file():
            shutil.copyfile(source.base_folder / name, folder / name)
    if (source.folder / REPORT).is_file():
        shutil.copyfile(source.folder / REPORT, folder / REPORT)
    _write_config(source, folder)
    notes = [
        _keep_pixel_budget(folder, trained.processor.image_processor.to_dict()["size"]),
        _write_generation_config(source, folder, trained.stop_token_ids),
    ]
    return [note for note in notes if note]


def _write_config(source: ExportSource, folder: Path) -> None:
    """The base's configuration; it also names the multi-token-prediction layer for servers."""
    config = json.loads((source.base_folder / CONFIG_NAME).read_text())
    config.pop("torch_dtype", None)  # what `dtype` was called before
    for part in (config, config["text_config"], config["vision_config"]):
        if part is config or "dtype" in part:
            part["dtype"] = str(source.dtype).removeprefix("torch.")
    _write_json(folder / CONFIG_NAME, config)


def _keep_pixel_budget(folder: Path, trained: dict[str, int]) -> str | None:
    """Set the image processor's `size` in the first of the two places where Transformers looks."""
    for path in (folder / PROCESSOR_NAME, folder / IMAGE_PROCESSOR_NAME):
        settings = json.loads(path.read_text()) if path.is_file() else {}
        image_settings = settings.get("image_processor", settings)
        base = image_settings.get("size")
        if base is None:
            continue
        if base == trained:
            return None
        image_settings["size"] = trained
        _write_json(path, settings)
        return f"The pixel budget is the one of training, {trained}; the base's is {base}."
    return None


def _write_generation_config(source: ExportSource, folder: Path, stop_ids: list[int]) -> str | None:
    """The base's generation settings with every stop token; with one missing, pages run on."""
    path = source.base_folder / GENERATION_CONFIG_NAME
    settings = json.loads(path.read_text()) if path.is_file() else {}
    stated = settings.get("eos_token_id")
    known = stated if isinstance(stated, list) else [] if stated is None else [stated]
    settings["eos_token_id"] = known + [stop for stop in stop_ids if stop not in known]
    settings.setdefault("pad_token_id", stop_ids[0])
    _write_json(folder / GENERATION_CONFIG_NAME, settings)
    if settings["eos_token_id"] == stated:
        return None
    return (
        f"The base's generation settings named {stated} as stop tokens; the exported ones name "
        f"{settings['eos_token_id']}."
    )


def carry_calibration(
    source: ExportSource, folder: Path, exported_id: str, parity: Parity
) -> str | None:
    """Bind the calibration that lies beside the weights to the exported model.

    A calibration belongs to one model. The exported one is that model as long as its probabilities
    are the same; otherwise the file stays behind.

    Args:
        exported_id: of the exported model, by which it will be loaded.

    Returns:
        What became of the file; None when there was none.
    """
    if not (source.folder / FILE_NAME).is_file():
        return None
    calibration = load_calibration(source.folder / FILE_NAME)
    again = "fit one for the exported model (notebook 03)"
    if not _is_of(source, calibration):
        return f"{FILE_NAME} was left out: it was fitted on another model; {again}."
    if parity.mean_prob_difference > MAX_PROB_DIFFERENCE:
        return (
            f"{FILE_NAME} was left out: rounding moved probabilities by "
            f"{parity.mean_prob_difference:.3f} on average; {again}."
        )
    bound = replace(calibration, model_id=exported_id, revision=None, adapter=None)
    save_calibration(bound, folder)
    return f"{FILE_NAME} was taken over and now belongs to {exported_id}."


def _is_of(source: ExportSource, calibration: Calibration) -> bool:
    names: tuple[str | None, ...]
    if source.is_adapter:
        names = (source.base, source.revision, str(source.folder))
    else:
        names = (str(source.folder), None, None)
    fitted_on = (calibration.model_id, calibration.revision, calibration.adapter)
    # the same folder may be written in several ways
    return [name and Path(name).resolve() for name in names] == [
        name and Path(name).resolve() for name in fitted_on
    ]


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
