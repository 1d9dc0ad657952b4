"""Options of fine-tuning: the published names and defaults, and what is refused."""

import pytest
from trl import SFTConfig

from glmocr_utils.finetune import make_config, option_names

PUBLISHED = {
    "model_name": "zai-org/GLM-OCR",
    "use_lora": False,
    "lora_rank": 8,
    "lora_target": "all",
    "load_in_4bit": False,
    "freeze_vision_tower": True,
    "freeze_multi_modal_projector": True,
    "train_split": "train",
    "eval_split": None,
    "eval_split_size": 0.1,
    "prompt": "Text Recognition:",
    "dry_run": False,
    "output_dir": "./glm-ocr-finetuned",
    "num_train_epochs": 3,
    "max_steps": -1,
    "learning_rate": 1e-5,
    "lr_scheduler_type": "cosine",
    "warmup_ratio": 0.1,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "max_length": 2048,
    "eval_strategy": "steps",
    "eval_steps": 100,
    "save_steps": 500,
    "save_total_limit": 3,
    "max_grad_norm": 1.0,
}


def config(**options):
    return make_config({"dataset_name": "some/pages", "report_to": "none", **options})


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_defaults(name):
    assert getattr(config(), name) == PUBLISHED[name]


def test_lora_learns_faster_unless_the_user_says_otherwise():
    assert config(use_lora=True).learning_rate == 1e-4
    assert config(use_lora=True, learning_rate=1e-5).learning_rate == 1e-5
    assert config(learning_rate=3e-4).learning_rate == 3e-4


def test_warm_up_is_a_share_of_the_steps():
    assert config().get_warmup_steps(200) == 20
    assert config(warmup_ratio=0.5).get_warmup_steps(200) == 100
    assert config(warmup_steps=7).get_warmup_steps(200) == 7


def test_every_option_of_trl_is_one():
    assert option_names() >= {name for name, item in SFTConfig.__dataclass_fields__.items()}
    assert config(weight_decay=0.05, neftune_noise_alpha=5.0).weight_decay == 0.05


def test_wandb_without_a_login_is_left_out_and_said(monkeypatch, capsys):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", "/no/such/file")
    assert make_config({"dataset_name": "some/pages"}).report_to == []
    assert "wandb is not set up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learning_rat": 1e-4}, "did you mean learning_rate?"),
        ({"load_in_4bit": True}, "needs use_lora=True"),
        ({"packing": True}, "packing cannot be set"),
        ({"assistant_only_loss": True}, "label and stop token"),
        ({"trust_remote_code": True}, "part of Transformers"),
        ({"too_long": "cut"}, "'error' or 'skip'"),
        ({"lora_rank": 0}, "at least 1"),
        ({"eval_split_size": 1.0}, "below 1"),
        ({"dataset_name": None}, "dataset_name is missing"),
        ({"free_gradients": True}, "max_grad_norm=0 and gradient_accumulation_steps=1"),
        ({"free_gradients": True, "max_grad_norm": 0}, "gradient_accumulation_steps=1"),
        (
            {
                "free_gradients": True,
                "max_grad_norm": 0,
                "gradient_accumulation_steps": 1,
                "fp16": True,
            },
            "not in float16",
        ),
    ],
)
def test_what_cannot_work_is_refused(options, said):
    with pytest.raises(ValueError) as refused:
        config(**options)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
