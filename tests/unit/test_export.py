"""A fine-tuned model leaves as a whole one: merged, with everything its base has, and checked."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
    GlmOcrForConditionalGeneration,
)

from glmocr_utils.cli import main
from glmocr_utils.confidence import load_calibration, save_calibration
from glmocr_utils.confidence.calibration import Calibration
from glmocr_utils.model import LoadedModel, ModelLoadError, load_model
from glmocr_utils.model_export import ExportResult, export_model, serve_commands
from glmocr_utils.model_export import merge as merging
from glmocr_utils.model_export.hub import push
from glmocr_utils.model_export.parity import Parity
from glmocr_utils.model_export.weights import add_tensors, stored_tensors, weight_files
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import render_prompt
from glmocr_utils.records import PageImage

pytestmark = pytest.mark.slow

WEIGHTS = "model.safetensors"
LAYER = "model.language_model.layers"
MTP_LAYER = 7  # the bundled decoder has the layers 0 to 6
DECODER = r".*language_model.*\.(q_proj|v_proj|down_proj)"
MAX_TOKENS = 16
STOPS = [2029, 2036]  # <|endoftext|> and <|user|>


def edit_json(path: Path, edit: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def edit_tensors(path: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, {"format": "pt"})


def add_mtp_layer(folder: Path) -> None:
    """As in the published checkpoint: a decoder layer, its own embeddings and head, and norms."""

    def add(tensors: dict[str, torch.Tensor]) -> None:
        torch.manual_seed(1)
        layer = [name for name in tensors if name.startswith(f"{LAYER}.0.")]
        shapes = {name.removeprefix(f"{LAYER}.0."): tensors[name].shape for name in layer}
        shapes |= {"enorm.weight": (192,), "hnorm.weight": (192,), "eh_proj.weight": (192, 384)}
        shapes |= {"shared_head.norm.weight": (192,), "shared_head.head.weight": (320, 192)}
        shapes |= {"embed_tokens.weight": (320, 192)}
        for name, shape in shapes.items():
            tensors[f"{LAYER}.{MTP_LAYER}.{name}"] = torch.randn(shape).to(torch.bfloat16)

    edit_tensors(folder / WEIGHTS, add)
    edit_json(
        folder / "config.json",
        lambda config: config["text_config"].update(num_nextn_predict_layers=1),
    )


@pytest.fixture(scope="session")
def base(bundled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with a multi-token-prediction layer."""
    folder = Path(shutil.copytree(bundled_folder, tmp_path_factory.mktemp("base") / "glm-ocr"))
    add_mtp_layer(folder)
    return folder


@pytest.fixture(scope="session")
def float32_base(bundled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in float32, without such a layer."""
    folder = tmp_path_factory.mktemp("float32") / "base"
    shutil.copytree(bundled_folder, folder)
    load_model(str(folder), device_map="cpu").model.save_pretrained(folder)
    return folder


def save_adapter(base: Path, folder: Path) -> Path:
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)  # B is random too, so that the adapter changes what is read
    config = LoraConfig(r=4, target_modules=DECODER, init_lora_weights=False, task_type="CAUSAL_LM")
    adapted = get_peft_model(load_model(str(base), device_map="cpu").model, config)
    adapted.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(base, tmp_path_factory.mktemp("trained") / "adapter")


@pytest.fixture(scope="session")
def float32_adapter(float32_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(float32_base, tmp_path_factory.mktemp("trained") / "adapter32")


@pytest.fixture(scope="session")
def checkpoint(
    adapter: Path, bundled_model: LoadedModel, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A full fine-tune as Transformers saves it: the base's layer is lost."""
    folder = tmp_path_factory.mktemp("trained") / "checkpoint"
    model = load_model(str(adapter), device_map="cpu").model.merge_and_unload()
    model.to(torch.bfloat16).save_pretrained(folder)
    bundled_model.processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def merged(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return export_model(adapter, tmp_path_factory.mktemp("out") / "merged", max_tokens=MAX_TOKENS)


@pytest.fixture
def copied_adapter(adapter: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(adapter, tmp_path / "copied-adapter"))


@pytest.fixture
def copied_checkpoint(checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoint, tmp_path / "copied-checkpoint"))


@pytest.fixture
def copied_base(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "copied-base"))


@pytest.fixture
def nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused early is refused before a model is loaded."""

    def load(*args: object, **kwargs: object) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.setattr(merging, "load_model", load)


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    tensors = stored_tensors(*weight_files(folder))
    return {name: tensor.shape for name, tensor in tensors.items()}


def raw_bytes(folder: Path, names: Iterator[str]) -> dict[str, bytes]:
    tensors = stored_tensors(*weight_files(folder))
    found = {}
    for name in names:
        with safe_open(tensors[name].file, framework="pt") as opened:
            found[name] = opened.get_tensor(name).view(torch.uint8).numpy().tobytes()
    return found


def assert_is_refused(message: str, *args: object, **kwargs: object) -> None:
    with pytest.raises((ValueError, ModelLoadError), match=message) as caught:
        export_model(*args, **kwargs)
    assert "\n" not in str(caught.value)


# Weights


def test_the_exported_tensors_are_the_bases_by_name_and_shape(
    merged: ExportResult, base: Path
) -> None:
    assert shapes(merged.folder) == shapes(base)
    assert merged.num_tensors == len(shapes(base))


def test_the_multi_token_prediction_layer_is_the_bases_byte_for_byte(
    merged: ExportResult, base: Path
) -> None:
    names = [name for name in shapes(base) if name.startswith(f"{LAYER}.{MTP_LAYER}.")]
    assert merged.num_mtp_tensors == len(names) == 16
    assert raw_bytes(merged.folder, names) == raw_bytes(base, names)


def test_the_index_names_each_tensor_and_its_file(merged: ExportResult) -> None:
    index = json.loads((merged.folder / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in merged.folder.glob("*.safetensors"))
    assert files == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert sorted(set(index["weight_map"].values())) == files
    for file in files:
        held = set(load_file(merged.folder / file))
        assert held == {name for name, part in index["weight_map"].items() if part == file}
    sizes = [tensor.nbytes for file in files for tensor in load_file(merged.folder / file).values()]
    assert index["metadata"]["total_size"] == sum(sizes)


def test_weights_are_in_the_bases_dtype(merged: ExportResult) -> None:
    tensors = stored_tensors(*weight_files(merged.folder))
    assert {tensor.dtype for tensor in tensors.values()} == {"BF16"}
    assert merged.dtype == torch.bfloat16
    assert json.loads((merged.folder / "config.json").read_text())["dtype"] == "bfloat16"


def test_only_what_the_adapter_touches_differs_from_the_base(
    merged: ExportResult, base: Path
) -> None:
    names = list(shapes(base))
    ours, theirs = raw_bytes(merged.folder, names), raw_bytes(base, names)
    changed = {name for name in names if ours[name] != theirs[name]}
    touched = ("q_proj", "v_proj", "down_proj")
    assert changed == {
        name
        for name in names
        if "language_model" in name
        and f".{MTP_LAYER}." not in name
        and any(part in name for part in touched)
    }


def test_plain_transformers_load_it(
    merged: ExportResult, adapter: Path, page_images: list[PageImage]
) -> None:
    model, report = AutoModelForImageTextToText.from_pretrained(
        merged.folder, output_loading_info=True
    )
    assert type(model) is GlmOcrForConditionalGeneration
    assert not report["missing_keys"] and not report["mismatched_keys"]
    assert model.dtype == torch.bfloat16
    processor = AutoProcessor.from_pretrained(merged.folder)
    assert type(processor).__name__ == "Glm46VProcessor"
    exported = load_model(str(merged.folder), device_map="cpu")
    [result] = read_pages(exported, page_images[:1], max_tokens=4)
    assert result.model_id == str(merged.folder) and result.adapter is None


def test_tensors_of_several_files_are_gathered_in_one(base: Path, tmp_path: Path) -> None:
    """A sharded base and a sharded model: no tensor is lost, renamed or changed."""
    tensors = load_file(base / WEIGHTS)
    names = sorted(tensors)
    model, added = tmp_path / "model", tmp_path / "added"
    for folder, parts in ((model, (names[:9], names[9:20])), (added, (names[20:22], names[22:]))):
        folder.mkdir()
        files = [f"part-{number}.safetensors" for number in range(len(parts))]
        for file, part in zip(files, parts, strict=True):
            save_file({name: tensors[name] for name in part}, folder / file)
        weight_map = {n: file for file, part in zip(files, parts, strict=True) for n in part}
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    add_tensors(model, stored_tensors(*weight_files(added)))
    assert len(weight_files(model)) == 3
    assert raw_bytes(model, names) == raw_bytes(base, names)


# Parity


def test_a_merge_into_float32_reads_exactly_as_base_and_adapter(
    float32_base: Path, float32_adapter: Path, tmp_path: Path, page_images: list[PageImage]
) -> None:
    result = export_model(
        float32_adapter, tmp_path / "out", pages=page_images, max_tokens=MAX_TOKENS
    )
    assert (result.dtype, result.num_mtp_tensors) == (torch.float32, 0)
    assert f"no MTP layer, as {float32_base} has none" in str(result)
    parity = result.parity
    assert (parity.num_pages, parity.num_equal) == (3, 3)
    assert parity.max_difference < 1e-3 < parity.adapter_effect
    texts = [
        [page.text for page in read_pages(model, page_images, max_tokens=MAX_TOKENS)]
        for model in (
            load_model(str(float32_adapter), device_map="cpu"),
            load_model(str(tmp_path / "out"), device_map="cpu"),
        )
    ]
    assert texts[0] == texts[1]
    assert (tmp_path / "out" / WEIGHTS).is_file()  # nothing to add, so nothing is split


def test_half_precision_is_compared_and_reported(merged: ExportResult) -> None:
    parity = merged.parity
    assert 0 < parity.mean_difference < parity.adapter_effect
    assert parity.max_difference >= parity.mean_difference
    assert f"{parity.num_equal} of 1 pages read the same" in str(merged)


PARITY = Parity(
    num_pages=2,
    num_equal=1,
    num_tokens=9,
    max_difference=0.2,
    mean_difference=0.01,
    mean_prob_difference=0.001,
    adapter_effect=1.0,
)


@pytest.mark.parametrize(
    ("parity", "dtype", "message"),
    [
        (PARITY, torch.float32, "reads differently from the trained one"),
        (replace(PARITY, adapter_effect=None), torch.bfloat16, "reads differently"),
        (replace(PARITY, mean_difference=1.1), torch.bfloat16, "The merge lost the adapter"),
        (replace(PARITY, num_equal=2, mean_difference=1.0), torch.float32, "lost the adapter"),
    ],
)
def test_a_model_that_reads_otherwise_is_refused(
    parity: Parity, dtype: torch.dtype, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        parity.check(dtype)


def test_rounding_may_turn_a_text_and_an_adapter_may_do_nothing() -> None:
    PARITY.check(torch.bfloat16)
    same = replace(PARITY, num_equal=2, mean_difference=0.0, adapter_effect=0.0)
    same.check(torch.float32)


def test_a_merge_that_loses_the_adapter_leaves_nothing(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a merge into the wrong weights would be: the base comes out."""
    from peft import PeftModel

    monkeypatch.setattr(PeftModel, "merge_and_unload", lambda self, **_: self.unload(), False)
    output = tmp_path / "new" / "out"
    assert_is_refused("The merge lost the adapter", adapter, output, max_tokens=4)
    assert list(output.parent.iterdir()) == []


# A full checkpoint


def test_a_full_checkpoint_keeps_its_weights_and_gets_the_layer_back(
    checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    assert len(shapes(checkpoint)) < len(shapes(base))
    result = export_model(checkpoint, tmp_path / "out", base=str(base), max_tokens=MAX_TOKENS)
    names = list(shapes(checkpoint))
    assert shapes(result.folder) == shapes(base)
    assert raw_bytes(result.folder, names) == raw_bytes(checkpoint, names)
    assert (result.parity.max_difference, result.parity.adapter_effect) == (0.0, None)
    config = json.loads((result.folder / "config.json").read_text())
    assert config["text_config"]["num_nextn_predict_layers"] == 1


def test_a_float32_checkpoint_stays_float32_and_says_so(
    float32_base: Path, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()  # empty, so it may be used
    result = export_model(float32_base, tmp_path / "out", base=str(base), max_tokens=4)
    assert result.dtype == torch.float32
    assert json.loads((result.folder / "config.json").read_text())["dtype"] == "float32"
    assert all("--dtype bfloat16" in command for command in result.serve_commands.values())


def test_the_training_report_names_the_base_and_goes_along(
    copied_checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    report = {
        "base_model": str(base),
        "cer_before": 0.31,
        "cer_after": 0.125,
        "trained_for": {"prompt": "Text Recognition:", "prompt_style": "nothink", "scale": 1.5},
    }
    (copied_checkpoint / "training_report.json").write_text(json.dumps(report))
    result = export_model(copied_checkpoint, tmp_path / "out", max_tokens=4)
    assert result.base == str(base)
    assert json.loads((result.folder / "training_report.json").read_text()) == report
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert "| CER before | 31.00% |" in card and "| CER after | 12.50% |" in card
    assert "| prompt style | nothink |" in card and '"enable_thinking": false' in card
    assert load_model(str(result.folder), device_map="cpu").prompt_style == "nothink"


# Processor, generation settings, calibration, card


def test_both_stop_tokens_and_the_prompt_are_the_bases(
    merged: ExportResult, bundled_model: LoadedModel
) -> None:
    stops = GenerationConfig.from_pretrained(merged.folder).eos_token_id
    assert stops == bundled_model.stop_token_ids == STOPS
    processor = AutoProcessor.from_pretrained(merged.folder)
    for style in ("default", "nothink"):
        assert render_prompt(processor, style=style) == render_prompt(
            bundled_model.processor, style=style
        )
    assert merged.notes == ()


@pytest.mark.parametrize("stated", [STOPS[0], None, STOPS[:1]])
def test_a_lost_stop_token_is_fixed_and_reported(
    copied_base: Path, adapter: Path, tmp_path: Path, stated: object
) -> None:
    edit_json(
        copied_base / "generation_config.json", lambda config: config.update(eos_token_id=stated)
    )
    result = export_model(adapter, tmp_path / "out", base=str(copied_base), max_tokens=2)
    assert GenerationConfig.from_pretrained(result.folder).eos_token_id == STOPS
    assert any("stop tokens" in note for note in result.notes)


def test_what_training_made_of_template_and_stop_tokens_is_not_taken_over(
    copied_checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    (copied_checkpoint / "chat_template.jinja").write_text("{{ messages }}")
    edit_json(
        copied_checkpoint / "generation_config.json",
        lambda config: config.update(eos_token_id=STOPS[0]),
    )
    result = export_model(copied_checkpoint, tmp_path / "out", base=str(base), max_tokens=2)
    template = "chat_template.jinja"
    assert (result.folder / template).read_bytes() == (base / template).read_bytes()
    assert GenerationConfig.from_pretrained(result.folder).eos_token_id == STOPS


def test_the_pixel_budget_is_the_one_that_the_processor_was_saved_with(
    copied_checkpoint: Path, base: Path, tmp_path: Path
) -> None:
    budget = {"shortest_edge": 6272, "longest_edge": 1_000_000}
    edit_json(
        copied_checkpoint / "processor_config.json",
        lambda config: config["image_processor"].update(size=budget),
    )
    result = export_model(copied_checkpoint, tmp_path / "out", base=str(base), max_tokens=2)
    processor = AutoProcessor.from_pretrained(result.folder)
    assert dict(processor.image_processor.size) == budget
    assert any("1000000" in note for note in result.notes)


def test_the_pixel_budget_is_the_one_that_the_report_names(
    copied_adapter: Path, tmp_path: Path
) -> None:
    report = {"trained_for": {"max_pixels": 500_000}}
    (copied_adapter / "training_report.json").write_text(json.dumps(report))
    result = export_model(copied_adapter, tmp_path / "out", max_tokens=2)
    processor = AutoProcessor.from_pretrained(result.folder)
    assert processor.image_processor.size["longest_edge"] == 1_000_000  # of two temporal frames


def calibration_of(model_id: str, adapter: str | None) -> Calibration:
    points = (0.5, 1.0)
    return Calibration("isotonic", points, points, model_id, None, adapter, 100, 9)


def test_a_calibration_goes_along_and_belongs_to_the_exported_model(
    float32_base: Path, float32_adapter: Path, tmp_path: Path, page_images: list[PageImage]
) -> None:
    adapter = Path(shutil.copytree(float32_adapter, tmp_path / "adapter"))
    fitted = calibration_of(str(float32_base), str(tmp_path / "." / "adapter"))
    save_calibration(fitted, adapter)
    result = export_model(adapter, tmp_path / "out", max_tokens=4)
    carried = load_calibration(result.folder)
    assert (carried.stated, carried.right) == (fitted.stated, fitted.right)
    exported = load_model(str(result.folder), device_map="cpu")
    [page] = read_pages(exported, page_images[:1], max_tokens=2)
    carried.check_fits(page)
    assert any("calibration.json was taken over" in note for note in result.notes)


def test_a_calibration_of_another_model_stays_behind(
    copied_adapter: Path, base: Path, tmp_path: Path
) -> None:
    save_calibration(calibration_of(str(base), "another/adapter"), copied_adapter)
    result = export_model(copied_adapter, tmp_path / "out", max_tokens=2)
    assert not (result.folder / "calibration.json").exists()
    assert any("fitted on another model" in note for note in result.notes)


def test_the_card_names_no_folder_of_this_machine(merged: ExportResult, base: Path) -> None:
    card = (merged.folder / "README.md").read_text(encoding="utf-8")
    assert "| base | glm-ocr |" in card and "base_model" not in card
    assert str(base.parent) not in card and str(merged.folder.parent) not in card
    assert "pages read the same" in card and "transformers 5." in card


# Serving


def test_speculation_is_offered_only_with_the_layer_for_it(merged: ExportResult) -> None:
    with_layer = merged.serve_commands
    assert '"method": "mtp"' in with_layer["vLLM"]
    assert "--speculative-algorithm NEXTN" in with_layer["SGLang"]
    assert str(merged.folder) in with_layer["vLLM"] and with_layer["vLLM"] in str(merged)
    assert "leave out the --speculative options" in str(merged)
    without = serve_commands("a folder", torch.bfloat16, has_mtp=False)
    assert without["vLLM"] == "vllm serve 'a folder' --served-model-name glm-ocr"
    assert "speculative" not in without["SGLang"]


# What cannot work is refused before a model is loaded


@pytest.mark.usefixtures("nothing_is_loaded")
class TestRefusals:
    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert_is_refused("There is no folder", tmp_path / "gone", tmp_path / "out")

    def test_a_folder_with_neither_adapter_nor_checkpoint(self, tmp_path: Path) -> None:
        run = tmp_path / "run"
        (run / "checkpoint-20").mkdir(parents=True)
        assert_is_refused(r"neither an adapter .*Pass .*checkpoint-20", run, tmp_path / "out")

    def test_a_checkpoint_whose_base_is_not_known(self, checkpoint: Path, tmp_path: Path) -> None:
        assert_is_refused("does not say which base", checkpoint, tmp_path / "out")

    @pytest.mark.parametrize("fixture", ["adapter", "checkpoint"])
    def test_a_base_that_is_gone(
        self, fixture: str, tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        source, gone = request.getfixturevalue(fixture), str(tmp_path / "gone")
        assert_is_refused("no model folder .*gone", source, tmp_path / "out", base=gone)

    def test_a_base_without_weights(self, copied_base: Path, adapter: Path, tmp_path: Path) -> None:
        (copied_base / WEIGHTS).unlink()
        assert_is_refused(
            "has no safetensors files", adapter, tmp_path / "out", base=str(copied_base)
        )

    def test_a_quantised_base(self, copied_base: Path, adapter: Path, tmp_path: Path) -> None:
        edit_tensors(
            copied_base / WEIGHTS,
            lambda tensors: tensors.update({"lm_head.weight": torch.zeros(9, dtype=torch.uint8)}),
        )
        assert_is_refused("are quantised", adapter, tmp_path / "out", base=str(copied_base))

    def test_an_adapter_of_another_shape(self, copied_adapter: Path, tmp_path: Path) -> None:
        edit_tensors(
            copied_adapter / "adapter_model.safetensors",
            lambda tensors: tensors.update({min(tensors): torch.zeros(4, 7)}),
        )
        assert_is_refused("does not fit the base .*shape", copied_adapter, tmp_path / "out")

    def test_an_adapter_for_layers_that_the_base_lacks(
        self, copied_adapter: Path, tmp_path: Path
    ) -> None:
        def rename(tensors: dict[str, torch.Tensor]) -> None:
            tensors[min(tensors).replace("layers.0.", "layers.99.")] = tensors.pop(min(tensors))

        edit_tensors(copied_adapter / "adapter_model.safetensors", rename)
        assert_is_refused("is missing", copied_adapter, tmp_path / "out")

    @pytest.mark.parametrize(
        "edit",
        [
            lambda tensors: tensors.pop("lm_head.weight"),
            lambda tensors: tensors.update({"lm_head.weight": torch.zeros(4, 192)}),
        ],
    )
    def test_a_checkpoint_of_another_shape(
        self, copied_checkpoint: Path, base: Path, tmp_path: Path, edit: Callable
    ) -> None:
        edit_tensors(copied_checkpoint / WEIGHTS, edit)
        assert_is_refused(
            r"not of the shape of its base .*lm_head\.weight",
            copied_checkpoint,
            tmp_path / "out",
            base=str(base),
        )

    def test_a_truncated_checkpoint(
        self, copied_checkpoint: Path, base: Path, tmp_path: Path
    ) -> None:
        weights = copied_checkpoint / WEIGHTS
        weights.write_bytes(weights.read_bytes()[:100_000])
        assert_is_refused("cannot be read", copied_checkpoint, tmp_path / "out", base=str(base))

    def test_an_output_folder_with_other_files(self, adapter: Path, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("mine")
        assert_is_refused("is not empty", adapter, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_the_bases_own_folder(self, adapter: Path, base: Path) -> None:
        assert_is_refused("nor into the model that it comes from", adapter, base)


# The hub


@pytest.mark.usefixtures("nothing_is_loaded")
class TestHub:
    def test_no_token(self, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HF_TOKEN", raising=False)
        assert_is_refused("set HF_TOKEN", adapter, tmp_path / "out", push_to_hub="some/model")

    def test_no_connection(
        self, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        assert_is_refused(
            "Nothing can be pushed to some/model",
            adapter,
            tmp_path / "out",
            push_to_hub="some/model",
        )

    @pytest.mark.parametrize("name", ["only-a-name", "a/b/c", "some/bad name"])
    def test_a_name_that_is_none(self, adapter: Path, tmp_path: Path, name: str) -> None:
        assert_is_refused("name|repo", adapter, tmp_path / "out", push_to_hub=name)


class RecordingHub:
    """What is asked of the hub; `upload_folder` raises `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.created: dict[str, object] = {}
        self.uploaded: dict[str, object] = {}

    def create_repo(self, repo_id: str, **options: object) -> str:
        self.created = {"repo_id": repo_id, **options}
        return f"https://huggingface.co/{repo_id}"

    def upload_folder(self, **options: object) -> None:
        if self.error:
            raise self.error
        self.uploaded = options


def test_a_pushed_folder_is_private_and_leaves_the_calibration_behind(tmp_path: Path) -> None:
    hub = RecordingHub()
    assert push(hub, tmp_path, "some/model") == "https://huggingface.co/some/model"
    assert hub.created == {"repo_id": "some/model", "private": True, "exist_ok": True}
    assert hub.uploaded["folder_path"] == tmp_path
    assert hub.uploaded["ignore_patterns"] == ["calibration.json"]


def test_an_upload_that_fails_says_that_the_folder_is_complete(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is complete, and the upload to some/model failed: gone"):
        push(RecordingHub(ConnectionError("gone")), tmp_path, "some/model")


# The command


def test_the_command_exports_and_prints_how_to_serve(
    adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    output = tmp_path / "out"
    arguments = ["--output-dir", str(output), "--max-tokens", "4", "--device-map", "cpu"]
    assert main(["export", str(adapter), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "16 tensors of the MTP layer" in printed
    assert f"vLLM: vllm serve {output}" in printed and "SGLang: python -m sglang" in printed
    assert main(["export", str(adapter), *arguments]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_the_command_needs_a_folder(capsys: pytest.CaptureFixture) -> None:
    assert main(["export"]) == 2
    assert "name the folder" in capsys.readouterr().err
