"""Tensors in safetensors files: list them, and copy some from one model to another.

Only headers are read to know names and shapes, and only the copied tensors are read at all, so
that a model of any size costs no more memory than the copied tensors.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DECODER_LAYER = re.compile(r"model\.language_model\.layers\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file.

    Attributes:
        file: the safetensors file that holds it.
        shape: as stored.
        dtype: as safetensors names it, such as `BF16`.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model's folder; none when it holds no such model."""
    if (folder / SAFE_WEIGHTS_NAME).is_file():
        return [folder / SAFE_WEIGHTS_NAME]
    if not (folder / SAFE_WEIGHTS_INDEX_NAME).is_file():
        return []
    index = json.loads((folder / SAFE_WEIGHTS_INDEX_NAME).read_text())
    return [folder / name for name in sorted(set(index["weight_map"].values()))]


def stored_tensors(*files: Path) -> dict[str, StoredTensor]:
    """The files' tensors, by name; no weight is read.

    Raises:
        ValueError: a file is missing, cut off, or quantised.
    """
    tensors = {}
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 (it isn't a dictionary)
                    stored = opened.get_slice(name)
                    shape, dtype = tuple(stored.get_shape()), stored.get_dtype()
                    tensors[name] = StoredTensor(file, shape, dtype)
        except (OSError, SafetensorError) as error:
            raise ValueError(
                f"The weights {file} cannot be read: {error}. Save or download them again."
            ) from error
    if odd := {tensor.dtype for tensor in tensors.values()} - DTYPES.keys():
        raise ValueError(
            f"The weights in {files[0].parent} are quantised ({min(odd)}), and only full ones can "
            "be exported or merged into. Pass the model that they were made from."
        )
    return tensors


def main_dtype(tensors: Mapping[str, StoredTensor]) -> torch.dtype:
    """The dtype of most tensors."""
    [(dtype, _)] = Counter(tensor.dtype for tensor in tensors.values()).most_common(1)
    return DTYPES[dtype]


def mtp_tensors(tensors: Mapping[str, StoredTensor], num_layers: int) -> dict[str, StoredTensor]:
    """Those of the multi-token-prediction layer, which follows the decoder's last layer.

    Transformers passes over it when it loads a model, so nothing that it saves has it.

    Args:
        num_layers: of the decoder, as `num_hidden_layers` in its configuration says.
    """
    return {
        name: tensor
        for name, tensor in tensors.items()
        if (layer := DECODER_LAYER.match(name)) and int(layer[1]) >= num_layers
    }


def add_tensors(folder: Path, added: Mapping[str, StoredTensor]) -> None:
    """Copy tensors byte for byte into a model's folder, as a file of their own.

    The files that are there are renamed as parts of one model, and an index names all tensors.
    """
    there = weight_files(folder)
    names = [
        f"model-{number:05}-of-{len(there) + 1:05}.safetensors"
        for number in range(1, len(there) + 2)
    ]
    parts = [folder / name for name in names]
    for old, new in zip(there, parts[:-1], strict=True):
        old.rename(new)
    copies = {}
    for file in sorted({tensor.file for tensor in added.values()}):
        with safe_open(file, framework="pt") as opened:
            for name, tensor in added.items():
                if tensor.file == file:
                    copies[name] = opened.get_tensor(name)
    save_file(copies, parts[-1], {"format": "pt"})
    tensors = stored_tensors(*parts)
    index = {
        "metadata": {"total_size": sum(tensor.num_bytes for tensor in tensors.values())},
        "weight_map": {name: tensors[name].file.name for name in sorted(tensors)},
    }
    (folder / SAFE_WEIGHTS_INDEX_NAME).write_text(json.dumps(index, indent=2) + "\n")
