"""Ten pairs in the form of the official fine-tuning data go in and come out as they are.

They are regions rather than pages: crops of many sizes, one task of their own, fenced code.
"""

import json
from pathlib import Path

import datasets
import pytest
from PIL import Image, ImageDraw

from glmocr_utils.finetune import make_config
from glmocr_utils.finetune.dataset import decode_image, load_pages
from glmocr_utils.labels import LabelStore
from glmocr_utils.labels.workflow import export_label_set, label_from, split_labels

pytestmark = pytest.mark.slow

TASK = "Code Generation:"
SIZES = (
    (870, 634), (720, 605), (870, 700), (1320, 774), (1020, 444),
    (840, 432), (2139, 1644), (450, 450), (600, 478), (540, 376),
)  # fmt: skip


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """A JSON file, and beside it a folder of the same name with `1.png` to `10.png`."""
    folder = tmp_path / "official" / "cosyn_chemical"
    folder.mkdir(parents=True)
    examples = []
    for number, size in enumerate(SIZES, start=1):
        code = f"C1=CC=C({'C' * number})C=C1\\O"
        image = Image.new("RGB", size, "white")
        ImageDraw.Draw(image).text((20, 20), code, fill="black")
        image.save(folder / f"{number}.png")
        messages = [
            {"role": "user", "content": f"<image>{TASK}"},
            {"role": "assistant", "content": f"```rdkit\n{code}\n```"},
        ]
        examples.append({"messages": messages, "images": [f"{folder.name}/{number}.png"]})
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(examples, indent=2), encoding="utf-8")
    return path


def pairs_in(*files: Path) -> list[tuple[str, bytes]]:
    """What is said, and the bytes of the image, of each pair."""
    return sorted(
        (json.dumps(pair["messages"]), (path.parent / pair["images"][0]).read_bytes())
        for path in files
        for pair in json.loads(path.read_text(encoding="utf-8"))
    )


def trained_on(source: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[tuple]:
    """Prompt, text and image size of all pages that training would take from `source`."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
    pages = load_pages(make_config({"dataset_name": str(source), "report_to": "none"}))
    rows = [*pages.train, *(pages.held_out or [])]
    return sorted((row["prompt"], row["text"], decode_image(row["image"]).size) for row in rows)


def test_they_go_through_a_label_set_unchanged(official: Path, tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels")
    [run] = label_from(store, "sharegpt", official)
    assert (run.labelled, run.left_out) == (10, ())
    labels = store.current_labels()
    split = split_labels(labels, tmp_path / "out", 2, 42)
    export_label_set(labels, split, tmp_path / "out")
    parts = [tmp_path / "out" / "sharegpt" / f"{name}.json" for name in ("train", "test")]
    assert [len(pairs_in(part)) for part in parts] == [8, 2]
    assert pairs_in(*parts) == pairs_in(official)


def test_training_takes_them_from_either_side(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LabelStore(tmp_path / "labels")
    label_from(store, "sharegpt", official)
    labels = store.current_labels()
    export_label_set(labels, split_labels(labels, tmp_path / "out", 2, 42), tmp_path / "out")
    as_they_came = trained_on(official, monkeypatch, tmp_path / "cache")
    assert len(as_they_came) == 10
    assert {prompt for prompt, _, _ in as_they_came} == {TASK}
    assert sorted(size for *_, size in as_they_came) == sorted(SIZES)
    exported = trained_on(tmp_path / "out" / "dataset", monkeypatch, tmp_path / "cache")
    assert exported == as_they_came
