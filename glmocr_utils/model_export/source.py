"""What is exported: an adapter or a full checkpoint, and the base that it was trained from.

All of it is known from small files and the headers of the large ones, so that what cannot work is
refused before a weight is loaded.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers.utils import CONFIG_NAME
from transformers.utils.peft_utils import ADAPTER_CONFIG_NAME, ADAPTER_SAFE_WEIGHTS_NAME

from glmocr_utils.model.source import find_model, resolve_adapter
from glmocr_utils.model.trained_for import REPORT
from glmocr_utils.model_export.weights import (
    StoredTensor,
    main_dtype,
    mtp_tensors,
    stored_tensors,
    weight_files,
)
from glmocr_utils.options import DEFAULT_MODEL

MODEL_FILES = ["*.safetensors", "*.json", "*.jinja"]  # of a base on the hub


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The trained model to export, and the base that gives everything else.

    Attributes:
        folder: of the adapter, or of the full checkpoint.
        is_adapter: which of the two it is.
        base: hub id or folder of the base.
        base_folder: the base's files on this machine.
        revision: the base's commit on the hub; None for a folder.
        base_tensors: all of the base, the multi-token-prediction layer included.
        mtp: only that layer's; empty when the base has none.
        dtype: of the exported weights: the base's for an adapter, a full checkpoint's own.
        report: what `training_report.json` beside the weights says; empty without one.
    """

    folder: Path
    is_adapter: bool
    base: str
    base_folder: Path
    revision: str | None
    base_tensors: Mapping[str, StoredTensor]
    mtp: Mapping[str, StoredTensor]
    dtype: torch.dtype
    report: Mapping[str, object]


def find_source(source: str | Path, base: str | None = None) -> ExportSource:
    """Find out what the folder contains and which base it needs, and check that the two fit.

    Args:
        source: folder of an adapter or of a full checkpoint.
        base: hub id or folder; None takes the one that the adapter's configuration or the
            training report names.

    Raises:
        ValueError: the folder contains neither, its base is unknown, or they do not fit.
        ModelLoadError: the base is not there.
    """
    folder = Path(source)
    is_adapter = (folder / ADAPTER_CONFIG_NAME).is_file()
    if not is_adapter:
        _check_is_checkpoint(folder)
    report = read_report(folder)
    base = base or (resolve_adapter(str(folder), None)[0] if is_adapter else _base_of(report))
    if not base:
        raise ValueError(
            f"{folder} does not say which base it was trained from. Pass the base, such as "
            f"{DEFAULT_MODEL}."
        )
    base_folder = _files_of(str(base))
    config = json.loads((base_folder / CONFIG_NAME).read_text())
    base_tensors = stored_tensors(*weight_files(base_folder))
    if not base_tensors:
        raise ValueError(
            f"The base {base} has no safetensors files. Pass a model that has, such as "
            f"{DEFAULT_MODEL}."
        )
    mtp = mtp_tensors(base_tensors, config["text_config"]["num_hidden_layers"])
    dtype = main_dtype(base_tensors)
    if is_adapter:
        _check_adapter_fits(folder, base, base_tensors)
    else:
        tensors = stored_tensors(*weight_files(folder))
        _check_checkpoint_fits(folder, tensors, base, base_tensors, mtp)
        dtype = main_dtype(tensors)
    return ExportSource(
        folder=folder,
        is_adapter=is_adapter,
        base=str(base),
        base_folder=base_folder,
        revision=None if Path(base).is_dir() else base_folder.name,
        base_tensors=base_tensors,
        mtp=mtp,
        dtype=dtype,
        report=report,
    )


def read_report(folder: Path) -> dict[str, object]:
    """The training report beside a checkpoint; empty where there is none that can be read."""
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def _base_of(report: Mapping[str, object]) -> str | None:
    base = report.get("base_model")
    return base if isinstance(base, str) else None


def _check_is_checkpoint(folder: Path) -> None:
    if (folder / CONFIG_NAME).is_file() and weight_files(folder):
        return
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}. Pass the one that training wrote.")
    inside = sorted(path.name for path in folder.glob("checkpoint-*"))
    advice = f"Pass {folder / inside[-1]}" if inside else "Pass the one that training wrote"
    raise ValueError(
        f"The folder {folder} contains neither an adapter ({ADAPTER_CONFIG_NAME}) nor a full "
        f"checkpoint ({CONFIG_NAME} and safetensors files). {advice}."
    )


def _files_of(base: str) -> Path:
    """The base's folder, or where the hub's cache has it."""
    source: dict[str, Any] = find_model(base, CONFIG_NAME, None)
    if Path(base).is_dir():
        return Path(base)
    return Path(str(snapshot_download(base, allow_patterns=MODEL_FILES, **source)))


def _check_adapter_fits(folder: Path, base: str, base_tensors: Mapping[str, StoredTensor]) -> None:
    """Each pair A (rank, in, …), B (out, rank, …) belongs to a weight (out, in, …) of the base."""
    for name, tensor in stored_tensors(folder / ADAPTER_SAFE_WEIGHTS_NAME).items():
        module, is_a, _ = name.removeprefix("base_model.model.").partition(".lora_A.")
        module, is_b, _ = module.partition(".lora_B.")
        if not (is_a or is_b):
            continue  # other tensors are checked when the adapter is loaded
        adapted = base_tensors.get(f"{module}.weight")
        side = 1 if is_a else 0
        if adapted is None or adapted.shape[side] != tensor.shape[side]:
            raise ValueError(
                f"The adapter {folder} does not fit the base {base}: {name} has the shape "
                f"{tensor.shape}, the base's weight {adapted.shape if adapted else 'is missing'}. "
                "Pass the base that it was trained on."
            )


def _check_checkpoint_fits(
    folder: Path,
    tensors: Mapping[str, StoredTensor],
    base: str,
    base_tensors: Mapping[str, StoredTensor],
    mtp: Mapping[str, StoredTensor],
) -> None:
    shapes = {name: tensor.shape for name, tensor in tensors.items() if name not in mtp}
    expected = {name: tensor.shape for name, tensor in base_tensors.items() if name not in mtp}
    if odd := shapes.items() ^ expected.items():
        raise ValueError(
            f"The checkpoint {folder} is not of the shape of its base {base}: {min(odd)[0]} and "
            f"{len({name for name, _ in odd}) - 1} more tensors differ. Pass the base that it was "
            "trained from, or save the checkpoint whole."
        )
