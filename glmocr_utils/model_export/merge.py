"""An adapter or a full checkpoint → a folder that Transformers, vLLM and SGLang load as a model."""

import gc
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME

from glmocr_utils.model import LoadedModel, load_model, load_processor
from glmocr_utils.model_export.companions import carry_calibration, write_companions
from glmocr_utils.model_export.hub import open_hub, push
from glmocr_utils.model_export.model_card import model_card
from glmocr_utils.model_export.parity import (
    PageReading,
    Parity,
    adapter_effect,
    check_page,
    compare,
    read_for_check,
)
from glmocr_utils.model_export.serving import serve_commands, serving_hints
from glmocr_utils.model_export.source import ExportSource, find_source
from glmocr_utils.model_export.weights import add_tensors, stored_tensors, weight_files
from glmocr_utils.options import check_at_least_one
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import PageImage

DEFAULT_SCALE = 2.0  # pixels per point, where the training report says nothing


@dataclass(frozen=True, slots=True)
class ExportResult:
    """An export.

    Attributes:
        folder: the exported model.
        base: hub id or folder that it was trained from.
        dtype: of the weights.
        num_tensors: all of them; as many as the base has, with the same names.
        num_mtp_tensors: those of the multi-token-prediction layer; 0 when the base has none.
        prompt_style: that the model was trained with.
        parity: the exported model against the trained one.
        notes: fixes, changes and omissions, a sentence each.
        address: of the repository on the hub; None when it was not pushed.
    """

    folder: Path
    base: str
    dtype: torch.dtype
    num_tensors: int
    num_mtp_tensors: int
    prompt_style: PromptStyle
    parity: Parity
    notes: tuple[str, ...]
    address: str | None = None

    @property
    def serve_commands(self) -> dict[str, str]:
        """The commands that serve this folder, by the server's name."""
        return serve_commands(str(self.folder), self.dtype, has_mtp=self.num_mtp_tensors > 0)

    def __str__(self) -> str:
        """For people: the written files, the comparison, and how to serve the model."""
        has_mtp = self.num_mtp_tensors > 0
        mtp = (
            f"{self.num_mtp_tensors} tensors of the MTP layer copied from {self.base}"
            if has_mtp
            else f"no MTP layer, as {self.base} has none"
        )
        dtype = str(self.dtype).removeprefix("torch.")
        lines = [
            f"{self.folder}: {self.num_tensors} tensors in {dtype}; {mtp}",
            f"check: {self.parity}",
            *self.notes,
            *[f"{server}: {command}" for server, command in self.serve_commands.items()],
            *serving_hints(has_mtp, self.prompt_style),
        ]
        return "\n".join(lines if self.address is None else [*lines, f"pushed to {self.address}"])


def export_model(
    source: str | Path,
    output_dir: str | Path,
    *,
    base: str | None = None,
    pages: Sequence[PageImage] = (),
    max_tokens: int = 256,
    device_map: str = "auto",
    push_to_hub: str | None = None,
) -> ExportResult:
    """Merge an adapter into its base, or take a full checkpoint as it is, and complete it.

    The folder gets the base's processor, chat template and configuration, generation settings with
    every stop token, and the base's multi-token-prediction layer, which training does not keep.
    Before it appears, it is loaded and checked: it must read the same as the trained model. A
    failed export leaves nothing behind.

        export_model("my-lora", "my-model").folder  # a folder for vLLM, SGLang or Transformers

    A merge happens in float32 and is rounded once, to the base's dtype. For a model of GLM-OCR's
    size that took 35 s and 8.5 GB of memory, mapped files included, on two CPU cores; each page of
    the check takes 61 MB more.

    Args:
        source: folder of a LoRA adapter or of a full checkpoint.
        output_dir: a new or empty folder.
        base: hub id or folder of the base; None takes the one that the adapter or the training
            report names.
        pages: read by both models for the check; if empty, a small page is drawn.
        max_tokens: token limit for each of them.
        device_map: as in `load_model`.
        push_to_hub: a repository such as `user/name`, to which the finished folder is uploaded
            with the token in HF_TOKEN.

    Raises:
        ValueError: something is missing, does not fit or reads differently; the message says which.
        ModelLoadError: the base is not there, or a model cannot be loaded.
    """
    check_at_least_one(max_tokens=max_tokens)
    output_dir = Path(output_dir)
    _check_is_free(output_dir)
    hub = None if push_to_hub is None else open_hub(push_to_hub)
    found = find_source(source, base)
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{output_dir.name}-", dir=output_dir.parent) as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        notes, readings, effect = _write_model(found, folder, pages, max_tokens, device_map)
        gc.collect()  # the model is in circles of its own, and the next one needs its place
        _restore_mtp(found, folder)
        exported = load_model(str(folder), dtype=torch.float32, device_map=device_map)
        parity = compare(readings, exported, max_tokens, effect)
        parity.check(found.dtype)
        calibration = carry_calibration(found, folder, str(output_dir), parity)
        card = model_card(found, exported.prompt_style, parity)
        (folder / "README.md").write_text(card, encoding="utf-8")
        os.rename(folder, output_dir)
    result = ExportResult(
        folder=output_dir,
        base=found.base,
        dtype=found.dtype,
        num_tensors=len(found.base_tensors),
        num_mtp_tensors=len(found.mtp),
        prompt_style=exported.prompt_style,
        parity=parity,
        notes=tuple([*notes, calibration] if calibration else notes),
    )
    if hub is None or push_to_hub is None:
        return result
    return replace(result, address=push(hub, output_dir, push_to_hub))


def _check_is_free(output_dir: Path) -> None:
    if not output_dir.exists() or (output_dir.is_dir() and not any(output_dir.iterdir())):
        return
    raise ValueError(
        f"The output folder {output_dir} is not empty. Name a new one: an export never writes "
        "where other files are, nor into the model that it comes from."
    )


def _write_model(
    found: ExportSource,
    folder: Path,
    pages: Sequence[PageImage],
    max_tokens: int,
    device_map: str,
) -> tuple[list[str], list[PageReading], float | None]:
    """Read the pages with what was trained, then write it.

    Returns:
        The fixes, the comparison of readings, and how much an adapter changes.
    """
    trained = load_model(
        found.base if found.is_adapter else str(found.folder),
        str(found.folder) if found.is_adapter else None,
        dtype=torch.float32,
        device_map=device_map,
        revision=found.revision if found.is_adapter else None,
    )
    notes = write_companions(found, folder, trained)
    # one processor for both, so that only the weights are compared
    trained = replace(trained, processor=load_processor(str(folder)))
    readings = read_for_check(trained, pages or [_own_page(trained)], max_tokens)
    if found.is_adapter:
        effect = adapter_effect(trained, readings)
        merged = trained.model.merge_and_unload(safe_merge=True).to(found.dtype)
        # in a folder of its own, as it also writes a configuration
        saved = folder.with_name("saved")
        merged.save_pretrained(saved)
        _take_weights(saved, folder, Path.rename)
    else:
        effect = None
        _take_weights(found.folder, folder, shutil.copyfile)
    return notes, readings, effect


def _take_weights(source: Path, folder: Path, take: Callable[[Path, Path], object]) -> None:
    for file in [*weight_files(source), source / SAFE_WEIGHTS_INDEX_NAME]:
        if file.is_file():
            take(file, folder / file.name)


def _own_page(trained: LoadedModel) -> PageImage:
    scale = None if trained.trained_for is None else trained.trained_for.scale
    return check_page(scale or DEFAULT_SCALE)


def _restore_mtp(found: ExportSource, folder: Path) -> None:
    """Copy what the base has and the weights lack, which can only be the layer that it names."""
    written = stored_tensors(*weight_files(folder))
    lost = {name: tensor for name, tensor in found.mtp.items() if name not in written}
    if lost:
        add_tensors(folder, lost)
        written = stored_tensors(*weight_files(folder))
    if odd := written.keys() ^ found.base_tensors.keys():
        raise ValueError(
            f"The exported weights do not have the base's names: {min(odd)} and {len(odd) - 1} "
            "more are only in one. Export with the version of Transformers that made the base."
        )
