"""A model loads from wherever it is, set to read, or says in a sentence why it cannot."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageTextToText,
    AutoTokenizer,
    GlmOcrForConditionalGeneration,
)
from transformers.utils import is_kernels_available

from benchmarks.glm_ocr_size import glm_ocr_config
from glmocr_utils.model import LoadedModel, ModelLoadError, load_model
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import encode_prompt
from glmocr_utils.records import PageImage

pytestmark = pytest.mark.slow

DECODER_ATTENTION = r".*language_model.*\.(q_proj|v_proj)"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


@pytest.fixture
def copied_model(bundled_folder: Path, tmp_path: Path) -> Path:
    """A copy of the bundled model's folder to be edited."""
    return Path(shutil.copytree(bundled_folder, tmp_path / "copied-model"))


@pytest.fixture(scope="session")
def adapter_folder(bundled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter for the decoder that changes what the bundled model writes."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=4, target_modules=DECODER_ATTENTION, init_lora_weights=False, task_type="CAUSAL_LM"
    )
    torch.manual_seed(0)
    adapted = get_peft_model(load_model(str(bundled_folder), device_map="cpu").model, config)
    folder = tmp_path_factory.mktemp("adapter")
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture
def copied_adapter(adapter_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter_folder, tmp_path / "copied-adapter"))


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_tensors(path: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, {"format": "pt"})


def logits_of(loaded: LoadedModel, page: PageImage) -> torch.Tensor:
    inputs = encode_prompt(loaded.processor, [page.image]).to(loaded.device)
    with torch.inference_mode():
        return loaded.model(**inputs, logits_to_keep=1).logits[0, 0].float()


def assert_reads(loaded: LoadedModel, page: PageImage) -> None:
    [result] = read_pages(loaded, [page], max_tokens=4)
    assert result.finish_reason in ("stop", "length")
    assert all(token.logprob <= 0 for token in result.tokens)


def test_a_local_folder(bundled_model: LoadedModel, bundled_folder: Path) -> None:
    assert bundled_model.model_id == str(bundled_folder)
    assert (bundled_model.revision, bundled_model.adapter) == (None, None)
    assert not bundled_model.model.training
    assert bundled_model.device == torch.device("cpu")
    assert type(bundled_model.model) is GlmOcrForConditionalGeneration


def test_float32_on_the_cpu_whatever_the_checkpoint_says(copied_model: Path) -> None:
    edit_json(copied_model / "config.json", dtype="bfloat16")
    loaded = load_model(str(copied_model), device_map="cpu")
    assert loaded.dtype == torch.float32
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}


def test_patches_are_projected_as_the_convolution_does(bundled_folder: Path) -> None:
    loaded = load_model(str(bundled_folder), device_map="cpu", dtype=torch.float64)
    plain = AutoModelForImageTextToText.from_pretrained(bundled_folder, dtype=torch.float64)
    patches = torch.randn(50, 1176, dtype=torch.float64)
    ours, theirs = loaded.model.model.visual.patch_embed, plain.model.visual.patch_embed
    torch.testing.assert_close(ours(patches), theirs(patches))
    for embed in (ours, theirs):
        embed(patches).square().sum().backward()
    torch.testing.assert_close(ours.proj.weight.grad, theirs.proj.weight.grad)
    assert loaded.model.state_dict().keys() == plain.state_dict().keys()


def test_another_dtype_reads(bundled_folder: Path, page_images: list[PageImage]) -> None:
    loaded = load_model(str(bundled_folder), device_map="cpu", dtype="bfloat16")
    assert loaded.dtype == torch.bfloat16
    [result] = read_pages(loaded, page_images[:1], max_tokens=2)
    assert (result.dtype, result.attention) == ("bfloat16", "sdpa")


def test_a_dtype_that_is_none_is_refused(bundled_folder: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"dtype is one of auto, float32.*got 'int8'"):
        load_model(str(bundled_folder), dtype="int8")


def test_four_bits_read(bundled_folder: Path, page_images: list[PageImage]) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    loaded = load_model(str(bundled_folder), device_map="cpu", load_in_4bit=True)
    layers = [m for m in loaded.model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(layers) > 10
    assert all(layer.weight.quant_type == "nf4" for layer in layers)
    assert_reads(loaded, page_images[0])


def test_a_line_shows_what_is_loaded(bundled_model: LoadedModel) -> None:
    line = bundled_model.describe()
    assert line.startswith(f"{bundled_model.model_id} on cpu in float32, attention sdpa (")
    assert "\n" not in line


# Generation


def test_generation_is_greedy_without_penalties_whatever_the_checkpoint_says(
    bundled_model: LoadedModel, copied_model: Path, page_images: list[PageImage]
) -> None:
    edit_json(
        copied_model / "generation_config.json",
        repetition_penalty=1.3,
        no_repeat_ngram_size=2,
        do_sample=True,
        temperature=0.7,
        eos_token_id=256,
        max_new_tokens=2,
    )
    loaded = load_model(str(copied_model), device_map="cpu")
    config = loaded.model.generation_config
    assert config.do_sample is False
    assert config.repetition_penalty in (None, 1.0)
    assert not config.no_repeat_ngram_size
    assert loaded.stop_token_ids == bundled_model.stop_token_ids
    changed, unchanged = (
        read_pages(model, page_images, max_tokens=16) for model in (loaded, bundled_model)
    )
    for one, other in zip(changed, unchanged, strict=True):
        assert one.tokens == other.tokens


def test_both_stop_tokens_are_known(bundled_model: LoadedModel) -> None:
    tokens = bundled_model.processor.tokenizer.convert_ids_to_tokens(bundled_model.stop_token_ids)
    assert tokens == ["<|endoftext|>", "<|user|>"]
    assert bundled_model.model.generation_config.pad_token_id == bundled_model.stop_token_ids[0]


# Attention


def test_auto_takes_sdpa_on_the_cpu_and_says_why(bundled_model: LoadedModel) -> None:
    assert bundled_model.attention.implementation == "sdpa"
    assert "needs a CUDA GPU" in bundled_model.attention.reason
    assert bundled_model.model.config._attn_implementation == "sdpa"


def test_an_attention_that_was_asked_for_is_taken(bundled_folder: Path) -> None:
    loaded = load_model(str(bundled_folder), device_map="cpu", attn="eager")
    assert (loaded.attention.implementation, loaded.attention.reason) == ("eager", "as asked")
    assert loaded.model.config._attn_implementation == "eager"


@pytest.mark.parametrize("attn", ["flash_attention_2", "kernels-community/flash-attn2"])
def test_flash_attention_on_the_cpu_is_refused(bundled_folder: Path, attn: str) -> None:
    with pytest.raises(ModelLoadError, match=r"needs a CUDA GPU.*Use attn='sdpa'"):
        load_model(str(bundled_folder), device_map="cpu", attn=attn)


def test_an_unknown_attention_is_refused(bundled_folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="bogus"):
        load_model(str(bundled_folder), device_map="cpu", attn="bogus")


@pytest.mark.skipif(is_kernels_available(), reason="the package kernels is installed")
def test_a_kernel_without_the_package_is_refused(bundled_folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="kernels"):
        load_model(str(bundled_folder), device_map="cpu", attn="kernels-community/other")


# Adapters


def test_an_adapter_that_is_given(
    bundled_folder: Path, adapter_folder: Path, page_images: list[PageImage]
) -> None:
    loaded = load_model(str(bundled_folder), str(adapter_folder), device_map="cpu")
    assert (loaded.model_id, loaded.adapter) == (str(bundled_folder), str(adapter_folder))
    assert f"{bundled_folder} + {adapter_folder} on cpu" in loaded.describe()
    assert not loaded.model.training
    assert_reads(loaded, page_images[0])


def test_an_adapters_folder_brings_its_base(
    bundled_model: LoadedModel,
    bundled_folder: Path,
    adapter_folder: Path,
    page_images: list[PageImage],
) -> None:
    found = load_model(str(adapter_folder), device_map="cpu")
    assert (found.model_id, found.adapter) == (str(bundled_folder), str(adapter_folder))
    given = load_model(str(bundled_folder), str(adapter_folder), device_map="cpu")
    page = page_images[0]
    assert torch.equal(logits_of(found, page), logits_of(given, page))
    assert not torch.allclose(logits_of(found, page), logits_of(bundled_model, page), atol=1e-2)


def test_an_adapted_model_keeps_both_stop_tokens(
    bundled_model: LoadedModel, adapter_folder: Path
) -> None:
    loaded = load_model(str(adapter_folder), device_map="cpu")
    assert loaded.stop_token_ids == bundled_model.stop_token_ids


def test_an_adapter_on_four_bits_reads(adapter_folder: Path, page_images: list[PageImage]) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    assert_reads(
        load_model(str(adapter_folder), device_map="cpu", load_in_4bit=True), page_images[0]
    )


def test_an_adapter_on_an_adapters_folder_is_refused(adapter_folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="is itself an adapter"):
        load_model(str(adapter_folder), str(adapter_folder), device_map="cpu")


def test_an_adapter_whose_base_is_an_adapter_is_refused(
    adapter_folder: Path, copied_adapter: Path
) -> None:
    config = copied_adapter / "adapter_config.json"
    edit_json(config, base_model_name_or_path=str(adapter_folder))
    with pytest.raises(ModelLoadError, match=r"trained on .* which is itself an adapter"):
        load_model(str(copied_adapter), device_map="cpu")


def test_an_adapter_that_names_no_base_is_refused(copied_adapter: Path) -> None:
    edit_json(copied_adapter / "adapter_config.json", base_model_name_or_path=None)
    with pytest.raises(ModelLoadError, match="names no base model"):
        load_model(str(copied_adapter), device_map="cpu")


def test_an_adapter_whose_base_is_gone_is_refused(copied_adapter: Path, tmp_path: Path) -> None:
    config = copied_adapter / "adapter_config.json"
    edit_json(config, base_model_name_or_path=str(tmp_path / "gone"))
    with pytest.raises(ModelLoadError, match=r"no model folder .*gone"):
        load_model(str(copied_adapter), device_map="cpu")


def test_a_damaged_adapter_config_is_refused(copied_adapter: Path) -> None:
    (copied_adapter / "adapter_config.json").write_text("{")
    with pytest.raises(ModelLoadError, match="is damaged"):
        load_model(str(copied_adapter), device_map="cpu")


def drop_one(tensors: dict[str, torch.Tensor]) -> None:
    del tensors[min(tensors)]


def add_one(tensors: dict[str, torch.Tensor]) -> None:
    first = min(tensors)
    tensors[first.replace("layers.0.", "layers.99.")] = tensors[first].clone()


def resize_one(tensors: dict[str, torch.Tensor]) -> None:
    tensors[min(tensors)] = torch.zeros(4, 7)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [(drop_one, "1 tensor"), (add_one, "1 tensor"), (resize_one, "size mismatch")],
)
def test_an_adapter_that_does_not_fit_is_refused(
    bundled_folder: Path, copied_adapter: Path, edit: Callable, reason: str
) -> None:
    """PEFT only warns of missing and surplus tensors, and continues with part of the adapter."""
    edit_tensors(copied_adapter / ADAPTER_WEIGHTS, edit)
    with pytest.raises(ModelLoadError, match=f"does not fit the model .*{reason}"):
        load_model(str(bundled_folder), str(copied_adapter), device_map="cpu")


def test_a_damaged_adapter_is_refused(bundled_folder: Path, copied_adapter: Path) -> None:
    (copied_adapter / ADAPTER_WEIGHTS).write_bytes(b"no tensors")
    with pytest.raises(ModelLoadError, match="does not fit"):
        load_model(str(bundled_folder), str(copied_adapter), device_map="cpu")


def test_a_full_model_is_not_an_adapter(bundled_folder: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"lacks adapter_config\.json"):
        load_model(str(bundled_folder), str(bundled_folder), device_map="cpu")


# What is not there, or damaged


@pytest.mark.parametrize("name", ["gone", "./gone", "../gone/there", "~/gone"])
def test_a_folder_that_is_not_there(name: str) -> None:
    with pytest.raises(ModelLoadError, match=f"There is no model folder {name}"):
        load_model(name, device_map="cpu")


def test_an_absolute_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"There is no model folder .*Check the path"):
        load_model(str(tmp_path / "gone"), device_map="cpu")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"lacks config\.json"):
        load_model(str(tmp_path), device_map="cpu")


def test_a_hub_model_that_cannot_be_had_is_named_in_one_sentence() -> None:
    with pytest.raises(ModelLoadError, match="no-such-org/no-such-model cannot be down") as caught:
        load_model("no-such-org/no-such-model", device_map="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_hub_adapter_that_cannot_be_had(bundled_folder: Path) -> None:
    with pytest.raises(ModelLoadError, match="no-such-org/no-such-adapter cannot be downloaded"):
        load_model(str(bundled_folder), "no-such-org/no-such-adapter", device_map="cpu")


def test_a_truncated_checkpoint_is_refused(copied_model: Path) -> None:
    weights = copied_model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ModelLoadError, match="cannot be loaded"):
        load_model(str(copied_model), device_map="cpu")


def test_a_checkpoint_with_missing_tensors_is_refused(copied_model: Path) -> None:
    """Transformers only warns, and reads with random numbers in their place."""
    edit_tensors(copied_model / "model.safetensors", lambda tensors: tensors.pop("lm_head.weight"))
    with pytest.raises(ModelLoadError, match=r"not complete: 1 tensors, such as lm_head\.weight"):
        load_model(str(copied_model), device_map="cpu")


def test_the_multi_token_prediction_layer_is_left_out(copied_model: Path) -> None:
    """The published checkpoint has one layer more than the model."""

    def add_layer(tensors: dict[str, torch.Tensor]) -> None:
        layer = "model.language_model.layers.0."
        extra = {name: tensor for name, tensor in tensors.items() if name.startswith(layer)}
        for name, tensor in extra.items():
            tensors[name.replace("layers.0.", "layers.7.")] = tensor.clone()
        tensors["model.language_model.layers.7.eh_proj.weight"] = torch.zeros(192, 384)

    edit_tensors(copied_model / "model.safetensors", add_layer)
    loaded = load_model(str(copied_model), device_map="cpu")
    assert len(loaded.model.model.language_model.layers) == 7


def test_a_model_with_a_foreign_tokenizer_is_refused(copied_model: Path) -> None:
    path = copied_model / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    for token in tokenizer["added_tokens"]:
        token["content"] = token["content"].replace("<|user|>", "<|human|>")
    path.write_text(json.dumps(tokenizer))
    assert AutoTokenizer.from_pretrained(copied_model).convert_tokens_to_ids("<|user|>") is None
    with pytest.raises(ModelLoadError, match="it is not GLM-OCR's"):
        load_model(str(copied_model), device_map="cpu")


# The hub's cache

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOAD_FROM_CACHE = """
from glmocr_utils.model import ModelLoadError, load_model
loaded = load_model("some-org/some-model", device_map="cpu")
print(loaded.model_id, loaded.revision, loaded.adapter, loaded.stop_token_ids)
try:
    load_model("some-org/other-model", device_map="cpu")
except ModelLoadError as error:
    print(error)
"""


def test_a_cached_model_loads_without_a_connection(
    bundled_model: LoadedModel, bundled_folder: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "hub" / "models--some-org--some-model"
    shutil.copytree(bundled_folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    # the cache's place is read when huggingface_hub is imported, hence a process of its own
    names = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "HF_ENDPOINT")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", LOAD_FROM_CACHE],
        env={**environment, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded, refused = done.stdout.splitlines()
    assert loaded == f"some-org/some-model {COMMIT} None {bundled_model.stop_token_ids}"
    assert refused.startswith("The model some-org/other-model cannot be downloaded, and no copy")


# The published size


@pytest.fixture(scope="module")
def published_shapes() -> dict[str, torch.Size]:
    """Parameters of a model of GLM-OCR's published size, without their values."""
    config = glm_ocr_config(image_token_id=59_280)
    with torch.device("meta"):
        model = GlmOcrForConditionalGeneration(config)
    return {name: parameter.shape for name, parameter in model.named_parameters()}


def count(shapes: dict[str, torch.Size], prefix: str = "") -> int:
    return sum(shape.numel() for name, shape in shapes.items() if name.startswith(prefix))


def test_the_published_size_has_1_1_billion_parameters(
    published_shapes: dict[str, torch.Size],
) -> None:
    hidden, ffn, heads, kv_heads, head_dim = 1536, 4608, 16, 8, 128
    attention = 2 * hidden * head_dim * (heads + kv_heads)
    layer = attention + 3 * hidden * ffn + 4 * hidden  # four norms
    decoder = 59_392 * hidden + 16 * layer + hidden
    assert count(published_shapes, "model.language_model.") == decoder
    assert count(published_shapes, "lm_head.") == 59_392 * hidden  # untied from the embeddings
    assert 0.43e9 < count(published_shapes, "model.visual.") < 0.44e9
    assert 1.10e9 < count(published_shapes) < 1.12e9


def test_the_projector_is_part_of_visual(published_shapes: dict[str, torch.Size]) -> None:
    names = {name.rpartition(".")[0] for name in published_shapes}
    assert {"model.visual.downsample", "model.visual.post_layernorm"} <= names
    assert "model.visual.merger.proj" in names
    assert count(published_shapes) == sum(
        count(published_shapes, prefix)
        for prefix in ("model.visual.", "model.language_model.", "lm_head.")
    )


def test_the_decoders_layers_are_named_as_in_the_bundled_model(
    bundled_model: LoadedModel, published_shapes: dict[str, torch.Size]
) -> None:
    layer = "model.language_model.layers.0."
    published = {name for name in published_shapes if name.startswith(layer)}
    bundled = {name for name, _ in bundled_model.model.named_parameters() if name.startswith(layer)}
    assert published == bundled
    assert f"{layer}mlp.gate_up_proj.weight" in published
    assert published_shapes[f"{layer}mlp.gate_up_proj.weight"] == (2 * 4608, 1536)
    assert not any(".layers.16." in name for name in published_shapes)
