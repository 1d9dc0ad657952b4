"""Training itself, on the bundled model: every weight that should move does, and comes back right.

Each trap of fine-tuning GLM-OCR has a test here or in `test_training_data` and
`test_finetune_preflight` that fails without its remedy.
"""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
import torch
from paths import ROOT
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy, pad
from training_pages import TEXTS, write_imagefolder
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainerCallback

from glmocr_utils.finetune import check, finetune, make_config
from glmocr_utils.finetune.checkpoints import remove_incomplete_checkpoints
from glmocr_utils.finetune.dataset import load_pages
from glmocr_utils.finetune.examples import IGNORED
from glmocr_utils.finetune.model_card import training_card
from glmocr_utils.finetune.trainable import load_trainable
from glmocr_utils.finetune.trainer import OcrTrainer, PageCollator
from glmocr_utils.model import load_model
from glmocr_utils.ocr import read_pages, score_text
from glmocr_utils.prompt import max_page_pixels
from glmocr_utils.records import PageImage, PageRef

pytestmark = pytest.mark.slow


@pytest.fixture
def options(tmp_path, bundled_folder, monkeypatch):
    """Options of a run of two steps on eight small pages."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write_imagefolder(tmp_path / "pages", scale=2.0)
    return {
        "dataset_name": str(tmp_path / "pages"),
        "model_name": str(bundled_folder),
        "output_dir": str(tmp_path / "run"),
        "report_to": "none",
        "seed": 1,
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 1,
        "max_tokens": 8,
        "disable_tqdm": True,
    }


WITHOUT_EVALUATION = {"eval_strategy": "no", "eval_split_size": 0}
SMOOTHED = {"label_smoothing_factor": 0.1}  # then TRL asks for the logits themselves


def weights(folder: str | Path) -> dict[str, torch.Tensor]:
    [file] = Path(folder).glob("*.safetensors")
    return load_file(file)


def test_all_weights_of_the_decoder_move_and_the_rest_stays(options, bundled_folder):
    finetune(make_config(options | WITHOUT_EVALUATION | {"learning_rate": 1e-3}))
    before, after = weights(bundled_folder), weights(options["output_dir"])
    assert before.keys() == after.keys()
    for name in before:
        assert after[name].dtype == before[name].dtype == torch.bfloat16
        is_same = torch.equal(before[name], after[name])
        if "visual" in name:
            assert is_same, f"{name} was to be frozen"
        elif after[name].ndim == 2 and "embed" not in name:
            assert not is_same, f"{name} did not move"


FREED = {"free_gradients": True, "max_grad_norm": 0, "gradient_accumulation_steps": 1}


def test_freed_gradients_train_the_same_weights(options, tmp_path):
    plain = options | WITHOUT_EVALUATION | {"learning_rate": 1e-3, "max_grad_norm": 0}
    finetune(make_config(plain))
    finetune(make_config(plain | FREED | {"output_dir": str(tmp_path / "freed")}))
    expected, trained = weights(options["output_dir"]), weights(tmp_path / "freed")
    assert all(torch.equal(expected[name], trained[name]) for name in expected)


@pytest.mark.parametrize("optim", ["adamw_torch_fused", "adamw_8bit"])
def test_no_two_gradients_are_there_at_once(options, optim):
    config = make_config(options | WITHOUT_EVALUATION | FREED | {"optim": optim})
    loaded = load_trainable(config)
    pages = load_pages(config).train.add_column("length", [1] * 8)
    trainer = OcrTrainer(loaded, config, pages, None)
    trainer.create_optimizer()
    trained = [each for each in loaded.model.parameters() if each.requires_grad]
    before = [each.detach().clone() for each in trained]
    there = []
    for each in trained:
        each.register_post_accumulate_grad_hook(
            lambda _: there.append(sum(other.grad is not None for other in trained))
        )
    for group in trainer.optimizer.param_groups:
        group["lr"] = 1e-3
    batch = trainer.data_collator([pages[0]])
    trainer.compute_loss(loaded.model, batch).backward()
    assert there and not any(there)  # counted behind the update, which frees the gradient
    moved = [not torch.equal(*pair) for pair in zip(before, trained, strict=True)]
    assert sum(moved) > len(moved) / 2


def test_a_trained_folder_loads_and_has_every_stop_token(options):
    result = finetune(make_config(options | {"learning_rate": 1e-4}))
    folder = Path(options["output_dir"])
    generation = json.loads((folder / "generation_config.json").read_text())
    loaded = load_model(str(folder))
    assert sorted(generation["eos_token_id"]) == sorted(loaded.stop_token_ids)
    assert len(generation["eos_token_id"]) == 2
    AutoModelForImageTextToText.from_pretrained(folder)
    AutoProcessor.from_pretrained(folder)
    report = json.loads((folder / "training_report.json").read_text())
    for name, pages in (("cer_before", result.before), ("cer_after", result.after)):
        # of each page a few tokens were read, and the rest is missing
        longest = max(len(page.result.text) for page in pages)
        shortest = min(len("".join(page.reference.split())) for page in pages)
        assert 1 - longest / shortest <= report[name] <= 1
    assert report["trained_for"]["scale"] == 2.0
    assert {"torch", "transformers", "trl", "peft"} <= report["versions"].keys()
    assert len(report["data_sha256"]) == 64 and report["seed"] == 1
    [evaluation] = [row for row in result.history if "eval_cer" in row]
    assert {"eval_cer_raw", "eval_wer", "eval_loop_rate", "eval_stop_rate"} <= evaluation.keys()


def test_what_is_saved_is_what_was_read_at_the_end(options):
    """The weights are rounded to the base's precision before they are proved."""
    result = finetune(make_config(options | {"learning_rate": 1e-3, "max_tokens": 16}))
    config = make_config(options)
    pages = load_pages(config).held_out
    from glmocr_utils.finetune.evaluation import read_held_out

    again = read_held_out(
        load_model(options["output_dir"]),
        pages,
        batch_size=config.per_device_eval_batch_size,
        max_tokens=16,
        prompt_style="default",
    )
    for first, second in zip(result.after, again, strict=True):
        assert first.result.text == second.result.text
        for one, other in zip(first.result.tokens, second.result.tokens, strict=True):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)


@pytest.mark.parametrize("use_lora", [True, False])
def test_the_card_says_what_the_model_is(use_lora, bundled_folder):
    report = {
        "base_model": str(bundled_folder),
        "use_lora": use_lora,
        "train_pages": 1200,
        "trained_for": {"prompt": "Text Recognition:", "prompt_style": "default"},
        "cer_before": 0.27,
        "cer_after": 0.07,
        "documents": [{"document": "in/a|b.pdf", "cer_before": 0.3, "cer_after": 0.1}],
    }
    card = training_card(report)
    assert f"from `{bundled_folder.name}`" in card and str(bundled_folder.parent) not in card
    assert "base_model:" not in card and "1,200 pages" in card and "None" not in card
    assert "| held-out pages | 27.00% | 7.00% |" in card and "| a\\|b.pdf |" in card
    assert ("LoRA" in card) == use_lora
    hub = training_card({**report, "base_model": "zai-org/GLM-OCR"})
    assert "base_model: zai-org/GLM-OCR" in hub
    assert "No page was held out" in training_card({**report, "cer_before": None})


def test_an_adapter_trains_alone_and_is_found_by_itself(options, bundled_folder):
    finetune(make_config(options | WITHOUT_EVALUATION | {"use_lora": True}))
    adapter = weights(options["output_dir"])
    assert all("lora_" in name and "language_model" in name for name in adapter)
    assert any(tensor.abs().max() > 0 for name, tensor in adapter.items() if "lora_B" in name)
    loaded = load_model(options["output_dir"])
    assert loaded.model_id == str(bundled_folder) and loaded.adapter == options["output_dir"]
    card = (Path(options["output_dir"]) / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---") and f"from `{bundled_folder.name}`" in card


def test_an_adapter_is_trained_further(options, tmp_path):
    lora = options | WITHOUT_EVALUATION | {"use_lora": True}
    finetune(make_config(lora))
    first = weights(options["output_dir"])
    again = lora | {"adapter": options["output_dir"], "output_dir": str(tmp_path / "further")}
    finetune(make_config(again))
    second = weights(tmp_path / "further")
    assert first.keys() == second.keys()
    assert not all(torch.equal(first[name], second[name]) for name in first)


def test_four_bits_train_on_a_cpu(options):
    lora = {"use_lora": True, "load_in_4bit": True}
    result = finetune(make_config(options | WITHOUT_EVALUATION | lora))
    losses = [row["loss"] for row in result.history if "loss" in row]
    assert losses and all(0 < loss < 20 for loss in losses)
    adapter = weights(options["output_dir"])
    assert any(t.abs().max() > 0 for n, t in adapter.items() if "lora_B" in n)
    assert {t.dtype for t in adapter.values()} == {torch.float32}


def test_an_adapter_on_four_bits_is_not_rounded(options):
    """TRL makes it bfloat16, in which a step of 1e-4 on a weight of 0.05 is mostly lost."""
    config = make_config(options | WITHOUT_EVALUATION | {"use_lora": True, "load_in_4bit": True})
    loaded = load_trainable(config)

    def trained() -> dict[str, torch.Tensor]:
        named = loaded.model.named_parameters()
        return {name: p.detach().clone() for name, p in named if p.requires_grad}

    before = trained()
    OcrTrainer(loaded, config, load_pages(config).train.add_column("length", [1] * 8), None)
    for name, after in trained().items():
        assert after.dtype == torch.float32
        assert torch.equal(before[name], after), name


def test_the_batch_trains_label_and_stop_token_alone(options, bundled_model):
    pages = load_pages(make_config(options | WITHOUT_EVALUATION)).train
    collator = PageCollator(bundled_model.processor, "default")
    batch = collator([pages[n] for n in range(3)])
    assert batch["labels"].shape == (3, batch["logits_to_keep"])
    tokenizer = bundled_model.processor.tokenizer
    for row, labels in zip(pages, batch["labels"], strict=False):
        trained = tokenizer.decode(labels[labels != IGNORED], skip_special_tokens=False)
        assert trained == row["text"] + "<|user|>"


@pytest.mark.parametrize("smoothing", [{}, SMOOTHED])
def test_the_loss_is_transformers_own(options, bundled_model, smoothing):
    """Only the labelled positions are scored; it must say what the full logits say."""
    config = make_config(options | WITHOUT_EVALUATION | smoothing)
    pages = load_pages(config).train.add_column("length", [1] * 8)
    trainer = OcrTrainer(load_trainable(config), config, pages, None)
    batch = trainer.data_collator([pages[n] for n in range(4)])
    with torch.no_grad():
        own = trainer.compute_loss(trainer.model, batch)
        inputs = {name: batch[name] for name in batch if name not in ("labels", "logits_to_keep")}
        full = bundled_model.model(**inputs).logits[:, :-1]
    missing = batch["input_ids"].shape[1] - batch["labels"].shape[1]
    labels = pad(batch["labels"], (missing, 0), value=IGNORED)[:, 1:]
    smoothed = config.label_smoothing_factor
    expected = cross_entropy(full.transpose(1, 2), labels, label_smoothing=smoothed)
    assert own.item() == pytest.approx(expected.item(), abs=1e-4)


def test_image_tokens_are_not_scored_against_the_vocabulary(options):
    """Neither does an adapter hide the network whose positions are left out."""
    config = make_config(options | WITHOUT_EVALUATION | SMOOTHED | {"use_lora": True})
    pages = load_pages(config).train.add_column("length", [1] * 8)
    trainer = OcrTrainer(load_trainable(config), config, pages, None)
    batch = trainer.data_collator([pages[n] for n in range(2)])
    scored = []
    head = trainer.model.get_output_embeddings()
    head.register_forward_pre_hook(lambda _head, arguments: scored.append(arguments[0].shape[1]))
    trainer.compute_loss(trainer.model, batch)
    assert scored == [batch["labels"].shape[1]]
    assert 2 * scored[0] < batch["input_ids"].shape[1]


def test_the_style_of_the_prompt_travels_with_the_checkpoint(options, page_images):
    finetune(make_config(options | WITHOUT_EVALUATION | {"prompt_style": "nothink"}))
    loaded = load_model(options["output_dir"])
    assert loaded.prompt_style == "nothink"
    image = page_images[0].image
    by_itself = score_text(loaded, image, "One line.")
    assert by_itself == score_text(loaded, image, "One line.", style="nothink")
    assert by_itself != score_text(loaded, image, "One line.", style="default")


def test_an_adapter_is_trained_further_in_the_form_it_was_trained_in(options, tmp_path):
    """In the check, in training and in what is stored; unless the user says otherwise."""
    form = {"prompt_style": "nothink", "max_pixels": 112 * 56}
    lora = options | WITHOUT_EVALUATION | {"use_lora": True}
    finetune(make_config(lora | form))
    further = lora | {"adapter": options["output_dir"], "output_dir": str(tmp_path / "further")}

    checked = check(make_config(further))
    assert "/nothink" in checked.example[0]
    assert checked.num_tokens == check(make_config(lora | form)).num_tokens
    assert checked.num_tokens != check(make_config(lora)).num_tokens
    finetune(make_config(further))
    report = json.loads((tmp_path / "further/training_report.json").read_text())
    assert report["trained_for"].items() >= form.items()

    otherwise = check(make_config(further | {"prompt_style": "default", "max_pixels": 224 * 224}))
    assert "/nothink" not in otherwise.example[0]
    assert max(otherwise.num_tokens) > max(checked.num_tokens)


def test_the_pixel_budget_travels_with_an_adapter(options):
    budget = 200 * 28 * 28
    lora = {"use_lora": True, "max_pixels": budget}
    finetune(make_config(options | WITHOUT_EVALUATION | lora))
    loaded = load_model(options["output_dir"])
    assert max_page_pixels(loaded.processor) == budget


def test_another_scale_than_in_training_is_warned_about(options, page_images):
    finetune(make_config(options | WITHOUT_EVALUATION))
    loaded = load_model(options["output_dir"])
    page = PageImage(PageRef("some.pdf", "0" * 64, 0), page_images[0].image, scale=3.0)
    with pytest.warns(UserWarning, match="trained at 2"):
        list(read_pages(loaded, [page], max_tokens=1))


class Stopped(Exception):
    """Stands for the kill."""


class StopAfterSaving(TrainerCallback):
    def on_save(self, args, state, control, **_others):
        raise Stopped


def test_a_run_that_is_killed_as_it_saves_resumes_at_the_checkpoint_before(
    options, tmp_path, monkeypatch, capsys
):
    steps = {"max_steps": 6, "save_steps": 2, "learning_rate": 1e-3}
    whole = options | WITHOUT_EVALUATION | steps
    finetune(make_config(whole | {"output_dir": str(tmp_path / "whole")}))

    def killed(trainer: Trainer, folder: str) -> None:
        if trainer.state.global_step == 4:
            raise Stopped
        save(trainer, folder)

    save = Trainer._save_rng_state
    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(Trainer, "_save_rng_state", killed)
        finetune(make_config(whole))
    run = Path(options["output_dir"])
    assert (run / "checkpoint-4/model.safetensors").is_file()
    capsys.readouterr()
    finetune(make_config(whole))
    assert "checkpoint-4 is incomplete" in capsys.readouterr().out
    assert (run / "checkpoint-4/trainer_state.json").is_file()  # written again
    expected, resumed = weights(tmp_path / "whole"), weights(run)
    for name in expected:
        assert torch.equal(expected[name], resumed[name]), name


def test_only_checkpoints_that_are_not_whole_are_removed(tmp_path, capsys):
    state = {"trainer_state.json": '{"global_step": 2}'}
    random_states = io.BytesIO()
    torch.save({"cpu": torch.zeros(9)}, random_states)
    archive = random_states.getvalue()
    folders = {
        "checkpoint-1": {"model.safetensors": "", **state},
        "checkpoint-2": {"rng_state_0.pth": archive, "rng_state_1.pth": archive, **state},
        "checkpoint-3": {"trainer_state.json": '{"global_st'},
        "checkpoint-4": {"rng_state_0.pth": archive, "rng_state_1.pth": archive[:99], **state},
        "checkpoint-10": {},
        "checkpoint-of-mine": {},
    }
    for name, files in folders.items():
        (tmp_path / name).mkdir()
        for file, content in files.items():
            content = content if isinstance(content, bytes) else content.encode()
            (tmp_path / name / file).write_bytes(content)
    remove_incomplete_checkpoints(tmp_path)
    left = {folder.name for folder in tmp_path.iterdir()}
    assert left == {"checkpoint-1", "checkpoint-2", "checkpoint-of-mine"}
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    "kind", [{}, {"use_lora": True, "lora_dropout": 0.1}], ids=["full", "lora"]
)
def test_a_killed_run_ends_with_the_same_weights(options, tmp_path, kind):
    """Also over the end of an epoch, where Transformers' own sampler would draw otherwise."""
    steps = {"max_steps": 6, "save_steps": 3, "learning_rate": 1e-3} | kind
    whole = options | WITHOUT_EVALUATION | steps
    finetune(make_config(whole | {"output_dir": str(tmp_path / "whole")}))
    with pytest.raises(Stopped):
        finetune(make_config(whole), callbacks=[StopAfterSaving()])
    assert (Path(options["output_dir"]) / "checkpoint-3").is_dir()
    finetune(make_config(whole))
    expected, resumed = weights(tmp_path / "whole"), weights(options["output_dir"])
    for name in expected:
        assert torch.equal(expected[name], resumed[name]), name


def test_the_best_checkpoint_by_cer_is_kept(options):
    """A learning rate that ruins the model: the last weights are not the best ones."""
    steps = {"max_steps": 4, "eval_steps": 1, "learning_rate": 0.03, "warmup_ratio": 0.0}
    config = make_config(options | steps | {"lr_scheduler_type": "constant", "max_tokens": 24})
    result = finetune(config)
    rates = {row["step"]: row["eval_cer"] for row in result.history if "eval_cer" in row}
    assert set(rates) == {1, 2, 3, 4}
    best = min(rates.values())
    report = json.loads((Path(options["output_dir"]) / "training_report.json").read_text())
    assert report["cer_after"] == pytest.approx(best, abs=0.02)


def test_early_stopping(options):
    steps = {"max_steps": 6, "eval_steps": 1, "learning_rate": 0.0, "early_stopping_patience": 2}
    result = finetune(make_config(options | steps))
    evaluations = [row for row in result.history if "eval_cer" in row]
    assert len(evaluations) == 3  # the first is the best, two bring nothing


def test_a_folder_of_another_run_is_left_alone(options):
    finetune(make_config(options | WITHOUT_EVALUATION))
    before = weights(options["output_dir"])
    with pytest.raises(
        ValueError, match="contains another run, with other learning_rate"
    ) as refused:
        finetune(make_config(options | WITHOUT_EVALUATION | {"learning_rate": 5e-5}))
    assert "\n" not in str(refused.value)
    after = weights(options["output_dir"])
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_is_not_taken_up_with_other_weights_at_the_same_place(
    options, bundled_folder, tmp_path
):
    base = Path(shutil.copytree(bundled_folder, tmp_path / "base"))
    run = options | WITHOUT_EVALUATION | {"model_name": str(base), "max_steps": 1}
    finetune(make_config(run))
    other = {name: 2 * tensor for name, tensor in weights(base).items()}
    save_file(other, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="with other weights to start from; choose another"):
        finetune(make_config(run))


def test_a_folder_of_other_files_is_left_alone(options):
    folder = Path(options["output_dir"])
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="aren't part of a fine-tuning run"):
        finetune(make_config(options | WITHOUT_EVALUATION))
    assert [file.name for file in folder.iterdir()] == ["thesis.tex"]


def test_nothing_is_trained_before_the_preflight_is_content(options):
    with pytest.raises(ValueError, match="longer than max_length=10"):
        finetune(make_config(options | {"max_length": 10}))
    assert not Path(options["output_dir"]).exists()


def test_pages_that_must_not_be_forgotten_are_read_before_and_after(options, tmp_path):
    write_imagefolder(tmp_path / "others", documents=1, pages=2, text=list(TEXTS[:2]))
    result = finetune(make_config(options | {"retention_dataset": str(tmp_path / "others")}))
    references = [reading.reference for reading in result.retained_after]
    assert references == list(TEXTS[:2]) and len(result.retained_before) == 2
    report = json.loads((Path(options["output_dir"]) / "training_report.json").read_text())
    assert {"retained_cer_before", "retained_cer_after"} <= report.keys()


def test_every_token_weighs_the_same_however_a_step_is_cut(options, tmp_path):
    def losses(name: str, **sizes: int) -> list[float]:
        run = options | WITHOUT_EVALUATION | {"output_dir": str(tmp_path / name), **sizes}
        history = finetune(make_config(run | {"logging_steps": 1})).history
        return [row["loss"] for row in history if "loss" in row]

    whole = losses("whole", per_device_train_batch_size=4)
    cut = losses("cut", per_device_train_batch_size=1, gradient_accumulation_steps=4)
    assert whole == pytest.approx(cut, rel=1e-4)


def test_two_processes_train_as_one_does(options, tmp_path):
    """Through the command, started as `accelerate launch` does: the same pages, the same loss."""
    environment = os.environ | {
        "HF_DATASETS_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }

    def losses(name: str, batch_size: int, launcher: list[str]) -> list[float]:
        values = options | {
            "output_dir": str(tmp_path / name),
            "per_device_train_batch_size": batch_size,
            "logging_steps": 1,
            "eval_strategy": "no",
            "eval_split_size": 0,
        }
        arguments = [text for key, value in values.items() for text in (f"--{key}", str(value))]
        command = [*launcher, "-m", "glmocr_utils", "finetune", *arguments]
        run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr[-2000:]
        [state] = (tmp_path / name).glob("checkpoint-2/trainer_state.json")
        history = json.loads(state.read_text())["log_history"]
        return [row["loss"] for row in history if "loss" in row]

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    one = losses("one", 4, [sys.executable])
    two = losses("two", 2, [*torchrun, "--nproc-per-node", "2"])
    assert one == pytest.approx(two, rel=1e-4)
    assert len(one) == 2
