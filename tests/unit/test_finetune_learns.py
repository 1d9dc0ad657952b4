"""Fine-tuning does what it is for: the bundled model learns to read black letter, and fast."""

from pathlib import Path

import datasets
import pytest

from glmocr_utils.finetune import finetune, make_config
from glmocr_utils.finetune.evaluation import scores
from glmocr_utils.labels import LabelStore
from glmocr_utils.labels.workflow import SourceOptions, export_label_set, label_from, split_labels
from glmocr_utils.render import RenderOptions, find_documents, render_to_imagefolder

pytestmark = pytest.mark.slow

ORDINANCES = Path(__file__).parents[2] / "data/samples/ordinances"


@pytest.fixture(scope="module")
def black_letter(tmp_path_factory) -> Path:
    """Twelve chapters with the labels of their text layer, two put aside: 20 and 4 pages."""
    folder = tmp_path_factory.mktemp("black_letter")
    render_to_imagefolder(find_documents(ORDINANCES), folder / "pages", RenderOptions())
    store = LabelStore(folder / "labels")
    label_from(store, "text_layer", folder / "pages", SourceOptions())
    labels = store.current_labels()
    split = split_labels(labels, folder, test_size=4, seed=42)
    return export_label_set(labels, split, folder)[0]


@pytest.mark.parametrize(
    "how",
    [
        {"use_lora": True, "lora_rank": 16, "learning_rate": 2e-3, "max_steps": 80},
        {"learning_rate": 1e-3, "max_steps": 60},
    ],
    ids=["lora", "full"],
)
def test_the_cer_of_held_out_black_letter_falls_by_half(
    how, black_letter, bundled_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    options = {
        "dataset_name": str(black_letter),
        "model_name": str(bundled_folder),
        "output_dir": str(tmp_path / "run"),
        "report_to": "none",
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": False,
        "max_tokens": 600,
        "disable_tqdm": True,
    }
    result = finetune(make_config(options | how))
    before, after = scores(result.before), scores(result.after)
    assert len(result.before) == 4
    assert before["cer"] > 0.2  # something to learn
    assert after["cer"] < before["cer"] / 2
    assert after["cer"] < 0.15
    assert result.comparison.verdict == "better"
    assert after["stop_rate"] == 1
