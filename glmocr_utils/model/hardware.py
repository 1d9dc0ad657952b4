"""The hardware for a model: the accelerator, and the number format that it really computes.

PyTorch's own answers are not enough. `torch.cuda.is_bf16_supported()` counts emulation, which on a
T4 is slow and takes gigabytes; and a GPU whose driver is too old, or for which the build has no
kernels, looks like none, or fails at the first operation.
"""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from typing import Literal

import psutil
import torch

from glmocr_utils.model.source import ModelLoadError

Kind = Literal["cuda", "xpu", "mps", "cpu"]
NAMES: dict[str, str] = {"cuda": "a CUDA GPU", "xpu": "an Intel GPU", "mps": "a Mac's GPU"}
OTHER_BUILDS = "https://pytorch.org/get-started/previous-versions"
FULL_HALF_RATE = (5, 3)  # compute capability from which a GPU computes float16 itself


@dataclass(frozen=True, slots=True)
class Hardware:
    """What models run on here.

    Attributes:
        kind: of the accelerator, as PyTorch names it; `cpu` where there is none that works.
        name: such as `Tesla T4`.
        dtype: the shortest format of numbers that it computes without emulation.
        obstacle: why a GPU that is in this machine cannot be used: one sentence. None if it can,
            or if there is none.
    """

    kind: Kind
    name: str
    dtype: torch.dtype
    obstacle: str | None = None


def find_hardware() -> Hardware:
    """The accelerator of this machine, or its CPU."""
    obstacle = None
    if torch.cuda.is_available():
        obstacle = _missing_kernels()
        if obstacle is None:
            return Hardware("cuda", torch.cuda.get_device_name(), _cuda_dtype())
    elif torch.xpu.is_available():
        has_bfloat16 = torch.xpu.is_bf16_supported()
        dtype = torch.bfloat16 if has_bfloat16 else torch.float16
        return Hardware("xpu", torch.xpu.get_device_name(), dtype)
    elif torch.backends.mps.is_available():
        # Metal has bfloat16 since macOS 14
        has_bfloat16 = torch.backends.mps.is_macos_or_newer(14, 0)
        dtype = torch.bfloat16 if has_bfloat16 else torch.float16
        return Hardware("mps", "Apple GPU", dtype)
    else:
        obstacle = _unusable_driver()
    return Hardware("cpu", platform.processor() or platform.machine(), torch.float32, obstacle)


def place(device_map: str, hardware: Hardware) -> str:
    """Where to put a model: a device, or what else Transformers takes as `device_map`.

    `auto` is one accelerator: Transformers' own would cut even a small model into a piece for each.

    Raises:
        ModelLoadError: the device is not there, or cannot be used.
    """
    if device_map in ("auto", "cpu"):
        return hardware.kind if device_map == "auto" else "cpu"
    kind = device_map.partition(":")[0]
    if hardware.kind != (kind if kind in NAMES else hardware.kind) or hardware.kind == "cpu":
        why = f" {hardware.obstacle}" if hardware.obstacle else ""
        raise ModelLoadError(
            f"device_map={device_map!r} needs {NAMES.get(kind, 'a GPU')}, and PyTorch finds none "
            f"here that works.{why} Use 'auto' or 'cpu'."
        )
    return device_map


def free_memory(device: torch.device) -> int:
    """Bytes that new tensors can have on a device, those that PyTorch holds unused among them."""
    if device.type in ("cuda", "xpu"):
        backend = getattr(torch, device.type)
        free, _ = backend.mem_get_info(device)
        return free + backend.memory_reserved(device) - backend.memory_allocated(device)
    if device.type == "mps":  # it shares the machine's memory, and may have a part of it
        of_gpu = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
        return min(of_gpu, psutil.virtual_memory().available)
    return psutil.virtual_memory().available


def give_back_memory(device: torch.device) -> None:
    """Give the device what PyTorch holds and does not use."""
    if device.type != "cpu":
        getattr(torch, device.type).empty_cache()


def _cuda_dtype() -> torch.dtype:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    is_amd = torch.version.hip is not None
    computes_half = is_amd or torch.cuda.get_device_capability() >= FULL_HALF_RATE
    return torch.float16 if computes_half else torch.float32


def _missing_kernels() -> str | None:
    """Why this build of PyTorch cannot compute on the GPU; None where it can."""
    built_for = [each for each in map(_capability, torch.cuda.get_arch_list()) if each]
    if torch.version.hip is not None or not built_for:
        return None
    major, minor = torch.cuda.get_device_capability()
    for kind, (built_major, built_minor) in built_for:
        if kind == "sm" and built_major == major and built_minor <= minor:
            return None
        if kind == "compute" and (built_major, built_minor) <= (major, minor):
            return None  # compiled for the GPU when it is first used
    versions = ", ".join(f"{a}.{b}" for a, b in sorted({each for _, each in built_for}))
    return (
        f"The GPU in this machine cannot be used: {torch.cuda.get_device_name()} has compute "
        f"capability {major}.{minor}, and PyTorch {torch.__version__} is built for {versions}. "
        f"Install a PyTorch that is built for it: {OTHER_BUILDS}"
    )


def _capability(name: str) -> tuple[str, tuple[int, int]] | None:
    """`sm_86` → ("sm", (8, 6)); `sm_90a` is for one GPU alone, and counts as 9.0."""
    found = re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", name)
    return (found[1], (int(found[2]), int(found[3]))) if found else None


def _unusable_driver() -> str | None:
    """Why PyTorch sees no GPU though there is one; None where there is none, or it is hidden."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return None
    found = _nvidia_gpu()
    if found is None:
        return None
    name, driver = found
    built = f"PyTorch {torch.__version__}"
    if torch.version.cuda is None:
        return (
            f"The GPU in this machine cannot be used: {name} (driver {driver}) needs CUDA, and "
            f"{built} is built without it. Install a build with CUDA: {OTHER_BUILDS}"
        )
    return (
        f"The GPU in this machine cannot be used: {name} has driver {driver}, and {built} is built "
        f"for CUDA {torch.version.cuda}, which needs another one. Update the driver, or install "
        f"a PyTorch for an older CUDA: {OTHER_BUILDS}"
    )


def _nvidia_gpu() -> tuple[str, str] | None:
    """Name and driver of the first NVIDIA GPU, as its own tool knows them."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    name, _, driver = next(iter(done.stdout.splitlines()), "").partition(", ")
    return (name, driver) if driver else None
