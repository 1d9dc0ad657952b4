"""Device, numbers and attention by what the machine can do; its answers are scripted here."""

import platform
import stat
from pathlib import Path

import pytest
import torch
from paths import BYTE_MODEL
from transformers import AutoModelForImageTextToText

from glmocr_utils.model import (
    AttentionChoice,
    LoadedModel,
    ModelLoadError,
    choose_attention,
    find_hardware,
    load_model,
    loading,
)
from glmocr_utils.model import attention as attention_module
from glmocr_utils.model.attention import HUB_KERNEL
from glmocr_utils.model.hardware import Hardware, place
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import PageImage

WHEEL = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]  # of PyTorch 2.15
CPU = Hardware("cpu", "a CPU", torch.float32)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Scripts what PyTorch says of a machine, as `machine(cuda=("Tesla T4", (7, 5)))`."""

    def script(
        cuda: tuple[str, tuple[int, int]] | None = None,
        kernels: list[str] = WHEEL,
        mps: int | None = None,  # version of macOS
        xpu: bool | None = None,  # has bfloat16
    ) -> None:
        name, capability = cuda or ("", (0, 0))
        answers = {
            "cuda.is_available": bool(cuda),
            "cuda.get_device_name": name,
            "cuda.get_device_capability": capability,
            "cuda.get_arch_list": kernels,
            "xpu.is_available": xpu is not None,
            "xpu.is_bf16_supported": bool(xpu),
            "xpu.get_device_name": "Arc",
            "backends.mps.is_available": mps is not None,
        }
        for path, answer in answers.items():
            monkeypatch.setattr(f"torch.{path}", lambda *_, answer=answer: answer)
        # as PyTorch does: emulation counts unless it is left out
        monkeypatch.setattr(
            "torch.cuda.is_bf16_supported",
            lambda including_emulation=True: including_emulation or capability >= (8, 0),
        )
        monkeypatch.setattr("torch.backends.mps.is_macos_or_newer", lambda a, b: (mps or 0) >= a)

    return script


@pytest.mark.parametrize(
    ("name", "capability", "dtype"),
    [
        ("Tesla P100", (6, 0), torch.float16),
        ("Tesla V100", (7, 0), torch.float16),
        ("Tesla T4", (7, 5), torch.float16),
        ("Quadro K620", (5, 0), torch.float32),
        ("NVIDIA A100", (8, 0), torch.bfloat16),
        ("NVIDIA L40S", (8, 9), torch.bfloat16),
        ("NVIDIA B200", (10, 0), torch.bfloat16),
    ],
)
def test_numbers_are_what_a_cuda_gpu_computes(machine, name, capability, dtype) -> None:
    machine(cuda=(name, capability), kernels=["sm_50", "sm_60", "sm_70", *WHEEL])
    assert find_hardware() == Hardware("cuda", name, dtype)


def test_numbers_of_other_accelerators(machine) -> None:
    machine(mps=14)
    assert (find_hardware().kind, find_hardware().dtype) == ("mps", torch.bfloat16)
    machine(mps=13)
    assert find_hardware().dtype == torch.float16
    machine(xpu=True)
    assert (find_hardware().kind, find_hardware().dtype) == ("xpu", torch.bfloat16)


@pytest.mark.parametrize("capability", [(6, 0), (7, 0), (11, 0)])
def test_a_gpu_without_kernels_is_named_and_not_used(machine, capability) -> None:
    machine(cuda=("Some GPU", capability))
    hardware = find_hardware()
    assert (hardware.kind, hardware.dtype) == ("cpu", torch.float32)
    assert f"capability {capability[0]}.0" in hardware.obstacle
    assert "built for 7.5, 8.0, 8.6, 9.0, 10.0, 12.0" in hardware.obstacle


@pytest.mark.parametrize(
    ("capability", "kernels"),
    [
        ((8, 9), ["sm_80"]),  # the same major version
        ((9, 0), ["sm_90a"]),
        ((11, 0), ["sm_80", "compute_90"]),  # compiled when it is first used
        ((7, 0), []),  # a build that does not say
    ],
)
def test_kernels_of_near_versions_serve(machine, capability, kernels) -> None:
    machine(cuda=("Some GPU", capability), kernels=kernels)
    assert find_hardware().kind == "cuda"


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool of a driver that PyTorch cannot use."""
    if platform.system() == "Windows":
        pytest.skip("the stand-in is a shell script")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Tesla V100-SXM2-16GB, 470.82.01'\n", encoding="utf-8")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize(("cuda", "said"), [("13.2", "CUDA 13.2"), (None, "built without it")])
def test_an_old_driver_is_named_with_both_versions(
    machine, nvidia_smi, monkeypatch: pytest.MonkeyPatch, cuda: str | None, said: str
) -> None:
    machine()
    monkeypatch.setattr("torch.version.cuda", cuda)
    obstacle = find_hardware().obstacle
    assert "V100" in obstacle and "470.82.01" in obstacle
    assert torch.__version__ in obstacle and said in obstacle


def test_a_gpu_that_is_hidden_is_not_an_obstacle(
    machine, nvidia_smi, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert find_hardware().obstacle is None


@pytest.mark.parametrize(
    ("device_map", "kind", "placed"),
    [
        ("auto", "cuda", "cuda"),
        ("auto", "mps", "mps"),
        ("auto", "cpu", "cpu"),
        ("cpu", "cuda", "cpu"),
        ("cuda:1", "cuda", "cuda:1"),
        ("mps", "mps", "mps"),
        ("balanced", "cuda", "balanced"),
    ],
)
def test_where_a_model_is_put(device_map: str, kind: str, placed: str) -> None:
    assert place(device_map, Hardware(kind, "it", torch.float16)) == placed


@pytest.mark.parametrize(
    ("device_map", "hardware", "said"),
    [
        ("cuda:0", CPU, "needs a CUDA GPU"),
        ("mps", Hardware("cuda", "it", torch.float16), "needs a Mac's GPU"),
        ("balanced", CPU, "needs a GPU"),
        ("cuda", Hardware("cpu", "it", torch.float32, "It is old."), "It is old."),
    ],
)
def test_a_device_that_is_not_there_is_refused(device_map, hardware, said) -> None:
    with pytest.raises(ModelLoadError, match=said):
        place(device_map, hardware)


def test_what_is_in_the_way_of_a_gpu_is_said_in_the_first_lines(
    bundled_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        loading, "find_hardware", lambda: Hardware("cpu", "it", torch.float32, "It is too old.")
    )
    assert load_model(str(bundled_folder)).describe().splitlines()[1] == "! It is too old."
    assert "too old" not in load_model(str(bundled_folder), device_map="cpu").describe()


def test_numbers_of_a_gpu_without_bfloat16_read(page_images: list[PageImage]) -> None:
    loaded = load_model(str(BYTE_MODEL), device_map="cpu", dtype="float16")
    [result] = read_pages(loaded, page_images[:1])
    assert (result.dtype, result.text) == ("float16", "One line.")


# Attention


def test_attention_by_hardware(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in (("is_flash_attn_2_available", True), ("is_kernels_available", True)):
        monkeypatch.setattr(attention_module, name, lambda answer=answer: answer)
    machine(cuda=("Tesla T4", (7, 5)))
    assert choose_attention("auto", torch.float16, "cuda").implementation == "sdpa"
    machine(cuda=("NVIDIA A100", (8, 0)))
    choice = choose_attention("auto", torch.bfloat16, "cuda")
    assert choice.implementation == "flash_attention_2"
    assert choose_attention("auto", torch.bfloat16, "mps").reason.endswith("on a Mac's GPU")


@pytest.mark.parametrize(
    ("implementation", "error"),
    [
        (HUB_KERNEL, OSError("no way to the hub")),
        ("flash_attention_2", ImportError("flash_attn_2_cuda.so: undefined symbol: _ZN3c104")),
        ("flash_attention_2", KeyError("anything")),
    ],
)
@pytest.mark.parametrize("fails", ["loading", "running"])
def test_auto_reads_with_sdpa_where_the_better_choice_fails(
    bundled_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    implementation: str,
    error: Exception,
    fails: str,
) -> None:
    """The bundled model in place of one whose kernel is broken: at loading, or when it runs."""
    from_pretrained = AutoModelForImageTextToText.from_pretrained
    tried: list[str] = []

    def broken(*arguments: object, attn_implementation: str, **options: object) -> object:
        tried.append(attn_implementation)
        if fails == "loading" and attn_implementation != "sdpa":
            raise error
        return from_pretrained(*arguments, attn_implementation="sdpa", **options)

    def attend(model: object) -> None:
        raise error

    better = AttentionChoice(implementation, "auto: it is installed")
    monkeypatch.setattr(loading, "choose_attention", lambda *_: better)
    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", broken)
    if fails == "running":
        monkeypatch.setattr(loading, "_attend_once", attend)
    loaded = load_model(str(bundled_folder), device_map="cpu")
    assert tried == [implementation, "sdpa"]
    assert loaded.attention.implementation == "sdpa"
    assert implementation in loaded.attention.reason and str(error) in loaded.attention.reason


def test_a_kernel_that_runs_is_kept(bundled_model: LoadedModel) -> None:
    loading._attend_once(bundled_model.model)
