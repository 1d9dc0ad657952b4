"""What can be wrong is found before the first step; nothing is cut, nothing frozen moves."""

import datasets
import pytest
import torch
from torch import nn
from training_pages import write_imagefolder, write_metadata

from glmocr_utils.cli.finetune import main
from glmocr_utils.finetune import check, make_config, preflight
from glmocr_utils.finetune.trainable import (
    check_frozen,
    count_parameters,
    load_trainable,
    lora_targets,
    sketch_trainable,
)
from glmocr_utils.model import ModelLoadError

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, bundled_folder, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def make(**options):
        standard = {
            "dataset_name": str(tmp_path / "pages"),
            "model_name": str(bundled_folder),
            "report_to": "none",
            "output_dir": str(tmp_path / "run"),
        }
        return make_config(standard | options)

    return make


def test_a_sound_data_set_is_ready(config, tmp_path):
    rows = write_imagefolder(tmp_path / "pages")
    checked = check(config(seed=1))
    assert not checked.problems
    assert len(checked.train) + len(checked.held_out) == len(rows)
    assert str(checked).splitlines()[-1] == "ready"


def test_the_example_shows_prompt_label_and_stop_token(config, tmp_path):
    write_imagefolder(tmp_path / "pages")
    checked = check(config(seed=1))
    prompt, answer = checked.example
    count = checked.train[0]["image_tokens"]
    assert prompt == (
        f"[gMASK]<sop><|user|>\n<|begin_of_image|><|image|> × {count} <|end_of_image|>"
        "Text Recognition:<|assistant|>\n"
    )
    assert answer == checked.train[0]["text"] + "<|user|>"


def test_lengths_are_those_of_the_sequences(config, tmp_path, bundled_model):
    from glmocr_utils.finetune.dataset import decode_image
    from glmocr_utils.finetune.examples import encode_example

    write_imagefolder(tmp_path / "pages")
    for row in check(config(seed=1)).train:
        image = decode_image(row["image"])
        example = encode_example(bundled_model.processor, image, row["text"], row["prompt"])
        assert row["length"] == len(example.input_ids)


def test_too_long_pages_are_named_and_never_cut(config, tmp_path):
    write_imagefolder(tmp_path / "pages")
    checked = check(config(seed=1))
    limit = max(checked.num_tokens) - 1
    too_long = check(config(seed=1, max_length=limit))
    [problem] = too_long.problems
    assert f"longer than max_length={limit}" in problem and "too_long='skip'" in problem
    assert too_long.too_long[0].num_tokens == max(checked.num_tokens)
    assert "fix before training" in str(too_long)
    skipped = check(config(seed=1, max_length=limit, too_long="skip"))
    assert not skipped.problems
    kept = {*skipped.train["length"], *skipped.held_out["length"]}
    assert max(kept) <= limit
    num_left = len(skipped.train) + len(skipped.held_out)
    assert num_left == len(checked.train) + len(checked.held_out) - len(skipped.too_long)


def test_auto_takes_the_longest_page(config, tmp_path):
    write_imagefolder(tmp_path / "pages")
    asked = config(seed=1, max_length="auto")
    checked = check(asked)
    longest = max([*checked.num_tokens, *checked.held_out["length"]])
    assert not checked.problems and not checked.too_long
    assert asked.max_length == checked.max_length == -(-longest // 128) * 128
    assert f"max_length=auto comes to {checked.max_length}" in str(checked)


def test_auto_takes_no_more_than_memory_holds_and_names_what_is_longer(
    config, tmp_path, monkeypatch
):
    rows = write_imagefolder(tmp_path / "pages", text=["word " * 600, *["x"] * 7])
    tight = config(seed=1, max_length="auto", eval_split_size=0, eval_strategy="no")
    sketch = sketch_trainable(tight)
    room = preflight.estimate_memory(tight, sketch, 500)
    monkeypatch.setattr(preflight, "_available_bytes", lambda _: room)
    checked = check(tight)
    assert tight.max_length == 384  # the multiple of 128 below 500
    [long] = checked.too_long
    assert long.num_tokens > 1000
    [problem] = checked.problems
    assert problem.startswith(f"1 of {len(rows)} pages are longer than max_length=384")
    assert "lower per_device_train_batch_size" in problem
    assert f"too long: {long.document}" in str(checked)


def test_without_a_limit_any_length_fits(config, tmp_path):
    write_imagefolder(tmp_path / "pages")
    assert not check(config(seed=1, max_length=None)).too_long


def test_a_smaller_pixel_budget_takes_fewer_tokens(config, tmp_path):
    write_imagefolder(tmp_path / "pages")
    whole = check(config(seed=1))
    small = check(config(seed=1, max_pixels=112 * 56))
    assert max(small.num_tokens) < max(whole.num_tokens)
    with pytest.raises(ValueError, match="max_pixels must be at least"):
        check(config(seed=1, max_pixels=3))


def test_a_damaged_image_is_named_before_the_model_is_loaded(config, tmp_path, monkeypatch):
    rows = write_imagefolder(tmp_path / "pages")
    (tmp_path / "pages" / rows[5]["file_name"]).write_bytes(b"no image")
    with pytest.raises(ValueError, match="row 5") as refused:
        check(config(eval_split_size=0, eval_strategy="no"))
    assert rows[5]["file_name"] in str(refused.value)


def test_an_empty_data_set(config, tmp_path):
    empty = datasets.Dataset.from_dict(
        {"image": [], "text": []},
        features=datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")}),
    )
    empty.save_to_disk(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="no pages to train on"):
        check(config(dataset_name=str(tmp_path / "empty")))


def test_blank_pages_are_counted(config, tmp_path):
    write_imagefolder(tmp_path / "pages", text=["", *["x"] * 7])
    checked = check(config(eval_split_size=0, eval_strategy="no"))
    assert any("1 pages are blank" in note for note in checked.notes)


def test_several_gpus_in_one_process_are_a_problem(config, tmp_path, monkeypatch):
    """TRL refuses them too, but only when data and model are loaded and the folder is claimed."""
    write_imagefolder(tmp_path / "pages")
    several = config(seed=1)
    monkeypatch.setattr(type(several), "n_gpu", 2)  # as counted where the hardware has them
    [problem] = check(several).problems
    assert problem.startswith("2 GPUs are visible")
    assert "accelerate launch" in problem and "CUDA_VISIBLE_DEVICES=0" in problem


@pytest.mark.parametrize("name", ["--model_id", "--model-id", "--model", "--model-name"])
def test_the_command_takes_every_name_of_the_model(config, tmp_path, name):
    write_imagefolder(tmp_path / "pages")
    model, data = config().model_name, config().dataset_name
    rest = [
        f"--dataset_name={data}",
        "--dry_run",
        "--report_to=none",
        "--seed=1",
        "--max_length=auto",
    ]
    assert main([f"{name}={model}", *rest]) == 0
    assert main([name, model, *rest]) == 0


def test_a_misspelt_name_of_the_model_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match="did you mean --model_id"):
        main(["--model_idd=x", "--dataset_name=y"])


# what moves


def moved(config) -> set[str]:
    counts = count_parameters(sketch_trainable(config).named_parameters())
    return {name for name, (_, trained) in counts.items() if trained}


def test_by_default_only_the_decoder_moves(config):
    assert moved(config()) == {"decoder"}
    assert moved(config(use_lora=True)) == {"adapter"}
    names = lora_targets(sketch_trainable(config()), config(use_lora=True))
    assert "language_model" in names and "visual" not in names


def test_lora_reaches_the_vision_tower_only_when_it_is_free(config):
    """PEFT's all-linear reaches it always, whatever is frozen."""

    def adapted(**options) -> set[str]:
        model = sketch_trainable(config(use_lora=True, **options))
        return {
            name.split(".lora_")[0].rpartition("base_model.model.")[2]
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }

    assert not any("visual" in name for name in adapted())
    tower = adapted(freeze_vision_tower=False)
    assert any("visual.blocks" in name for name in tower)
    assert not any("visual.merger" in name for name in tower)
    projector = adapted(freeze_multi_modal_projector=False)
    assert any("visual.merger" in name for name in projector)
    assert not any("visual.blocks" in name for name in projector)
    assert not any("lm_head" in name for name in tower | projector)


def test_components_can_be_freed(config):
    assert moved(config(freeze_vision_tower=False)) == {"decoder", "vision tower"}
    assert moved(config(freeze_multi_modal_projector=False)) == {"decoder", "projector"}


def test_the_projector_is_merger_downsample_and_norm(config):
    model = sketch_trainable(config(freeze_multi_modal_projector=False))
    parts = {
        name.split(".")[2]
        for name, parameter in model.named_parameters()
        if "visual" in name and parameter.requires_grad
    }
    assert parts == {"merger", "downsample", "post_layernorm"}


def test_what_should_be_frozen_and_is_not_is_an_error(config):
    model = sketch_trainable(config())
    next(p for n, p in model.named_parameters() if "visual.blocks" in n).requires_grad = True
    with pytest.raises(ValueError, match="vision tower is meant to be frozen") as refused:
        check_frozen(model, config())
    assert "freeze_vision_tower=False" in str(refused.value)
    with pytest.raises(ValueError, match="nothing would be trained"):
        check_frozen(nn.Linear(1, 1).requires_grad_(False), config())


def test_a_target_that_is_not_there(config):
    with pytest.raises(ValueError, match="lora_target names qkv"):
        sketch_trainable(config(use_lora=True, lora_target="q_proj,qkv"))


def test_trained_weights_are_float32_and_the_sketch_has_the_same_shapes(config):
    """A step of 1e-5 on a bfloat16 weight of 0.02 rounds to nothing."""
    loaded = load_trainable(config())
    dtypes = {p.dtype for p in loaded.model.parameters() if p.requires_grad}
    assert dtypes == {torch.float32}

    def shapes(model: nn.Module) -> dict:
        return {name: (p.shape, p.requires_grad) for name, p in model.named_parameters()}

    assert shapes(sketch_trainable(config())) == shapes(loaded.model)


def test_no_model(config, tmp_path):
    write_imagefolder(tmp_path / "pages")
    with pytest.raises(ModelLoadError, match="no model folder"):
        check(config(model_name="/no/such/model"))


def test_a_page_with_transparency_is_laid_on_white(tmp_path, config):
    from PIL import Image

    from glmocr_utils.finetune.dataset import decode_image, load_pages

    rows = write_imagefolder(tmp_path / "pages", documents=1, pages=1)
    Image.new("RGBA", (84, 84), (0, 0, 0, 0)).save(tmp_path / "pages" / rows[0]["file_name"])
    write_metadata(tmp_path / "pages", rows)
    pages = load_pages(config(eval_split_size=0, eval_strategy="no"))
    assert decode_image(pages.train[0]["image"]).getpixel((3, 3)) == (255, 255, 255)
