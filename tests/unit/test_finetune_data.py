"""Data sets of any kind come in one form, separated by document; missing parts are named."""

import json
import shutil
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from training_pages import write_imagefolder, write_metadata

from glmocr_utils.finetune import make_config
from glmocr_utils.finetune.dataset import data_hash, decode_image, load_pages
from glmocr_utils.labels import LabelStore
from glmocr_utils.labels.sources.hub import label_from_dataset
from glmocr_utils.labels.sources.sharegpt import IMAGE_MARK

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def load(name: Path, **options):
    return load_pages(
        make_config({"dataset_name": str(name), "report_to": "none", "seed": 1, **options})
    )


def test_documents_are_never_separated(tmp_path):
    rows = write_imagefolder(tmp_path / "pages", documents=6, pages=3)
    pages = load(tmp_path / "pages", eval_split_size=0.3)
    train, held_out = set(pages.train["document"]), set(pages.held_out["document"])
    assert train and held_out and not train & held_out
    assert len(pages.train) + len(pages.held_out) == len(rows)
    assert sorted([*pages.train["text"], *pages.held_out["text"]]) == sorted(
        row["text"] for row in rows
    )
    assert decode_image(pages.train[0]["image"]).mode == "RGB"


def test_a_label_sets_own_split_is_kept(tmp_path):
    split = ["train", "train", "test", "test", "train", "train", "train", "train"]
    write_imagefolder(tmp_path / "pages", split=split)
    pages = load(tmp_path / "pages")
    assert set(pages.held_out["document"]) == {"d1.pdf"}
    assert len(pages.train) == 6
    assert any("put aside" in note for note in pages.notes)


@pytest.mark.parametrize(
    "options", [{"eval_split_size": 0}, {"eval_strategy": "no"}, {"eval_split": "train"}]
)
def test_what_a_label_set_put_aside_is_never_trained_on(tmp_path, options):
    split = ["train", "train", "test", "test", "train", "train", "train", "train"]
    write_imagefolder(tmp_path / "pages", split=split)
    pages = load(tmp_path / "pages", **options)
    assert set(pages.train["document"]) == {"d0.pdf", "d2.pdf", "d3.pdf"}
    if pages.held_out is None or "eval_split" in options:
        assert "2 pages that the label set put aside are not trained on" in pages.notes
    else:
        assert set(pages.held_out["document"]) == {"d1.pdf"}


def test_a_split_that_is_neither_for_training_nor_put_aside_is_said(tmp_path):
    write_imagefolder(tmp_path / "pages", split=["test", "test", "dev", "dev", *["train"] * 4])
    pages = load(tmp_path / "pages", eval_split_size=0)
    assert len(pages.train) == 4 and pages.left_out == {"split dev": 2}


def test_a_label_set_that_is_all_put_aside(tmp_path):
    write_imagefolder(tmp_path / "pages", split="test")
    with pytest.raises(ValueError, match="put all its pages aside") as refused:
        load(tmp_path / "pages")
    assert "smaller test_size" in str(refused.value)


def test_only_trusted_labels_are_trained_on(tmp_path):
    status = ["gold", "draft", "silver", "gold", "gold", "rejected", "gold", "gold"]
    write_imagefolder(tmp_path / "pages", status=status)
    pages = load(tmp_path / "pages")
    assert pages.left_out == {"status draft": 1, "status rejected": 1}
    assert len(pages.train) + len(pages.held_out) == 6
    with pytest.raises(ValueError, match="has a status among platinum"):
        load(tmp_path / "pages", label_statuses="platinum")


@pytest.mark.parametrize("column", ["label", "text", "ground_truth"])
def test_the_text_column_is_found(tmp_path, column):
    rows = write_imagefolder(tmp_path / "pages")
    write_metadata(
        tmp_path / "pages", [{"file_name": r["file_name"], column: r["text"]} for r in rows]
    )
    pages = load(tmp_path / "pages")
    assert pages.text_column == column
    assert set(pages.train["text"]) <= {row["text"] for row in rows}


def test_sharegpt_and_saved_data_sets_load(tmp_path):
    rows = write_imagefolder(tmp_path / "pages")
    examples = [
        {
            "messages": [
                {"role": "user", "content": IMAGE_MARK + "Table Recognition:"},
                {"role": "assistant", "content": row["text"]},
            ],
            "images": [f"pages/{row['file_name']}"],
        }
        for row in rows
    ]
    (tmp_path / "pairs.json").write_text(json.dumps(examples), encoding="utf-8")
    pages = load(tmp_path / "pairs.json")
    assert set(pages.train["prompt"]) == {"Table Recognition:"}
    assert len(pages.train) + len(pages.held_out) == len(rows)
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "pages"))
    loaded.save_to_disk(str(tmp_path / "saved"))
    saved = load(tmp_path / "saved")
    assert sorted([*saved.train["text"], *saved.held_out["text"]]) == sorted(
        row["text"] for row in rows
    )


def test_the_hash_follows_images_texts_and_nothing_else(tmp_path):
    write_imagefolder(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = data_hash(load(tmp_path / "one").train)
    assert data_hash(load(tmp_path / "two").train) == first
    rows = write_imagefolder(tmp_path / "two")
    rows[0]["text"] += "!"
    write_metadata(tmp_path / "two", rows)
    whole = {"eval_split_size": 0, "eval_strategy": "no"}
    assert data_hash(load(tmp_path / "two", **whole).train) != data_hash(
        load(tmp_path / "one", **whole).train
    )


def test_no_evaluation_takes_every_page_for_training(tmp_path):
    rows = write_imagefolder(tmp_path / "pages")
    pages = load(tmp_path / "pages", eval_split_size=0)
    assert pages.held_out is None and len(pages.train) == len(rows)


def test_no_such_data_set(tmp_path):
    with pytest.raises(ValueError, match="cannot be loaded") as refused:
        load(tmp_path / "nothing")
    assert "\n" not in str(refused.value)


def test_no_text_column(tmp_path):
    rows = write_imagefolder(tmp_path / "pages")
    write_metadata(tmp_path / "pages", [{"file_name": r["file_name"], "words": 3} for r in rows])
    with pytest.raises(ValueError, match="label, text, ground_truth"):
        load(tmp_path / "pages")


def test_texts_in_two_columns(tmp_path):
    rows = write_imagefolder(tmp_path / "pages")
    mixed = [
        {"file_name": r["file_name"], "label": r["text"] if n else None, "text": r["text"]}
        for n, r in enumerate(rows)
    ]
    write_metadata(tmp_path / "pages", mixed)
    with pytest.raises(ValueError, match="row 0 has its text in the column 'text'"):
        load(tmp_path / "pages", eval_split_size=0)


def test_a_row_without_text(tmp_path):
    rows = write_imagefolder(tmp_path / "pages")
    rows[5]["text"] = None
    write_metadata(tmp_path / "pages", rows)
    with pytest.raises(ValueError, match="row 5 has no text"):
        load(tmp_path / "pages", eval_split_size=0)


def test_one_document_cannot_be_held_out(tmp_path):
    write_imagefolder(tmp_path / "pages", documents=1, pages=1)
    with pytest.raises(ValueError, match="one document") as refused:
        load(tmp_path / "pages")
    assert "eval_split_size=0" in str(refused.value)


@pytest.mark.parametrize(("option", "said"), [("train_split", "'dev'"), ("eval_split", "'dev'")])
def test_a_split_that_is_not_there(tmp_path, option, said):
    write_imagefolder(tmp_path / "pages")
    with pytest.raises(ValueError, match="has no split") as refused:
        load(tmp_path / "pages", **{option: "dev"})
    assert said in str(refused.value)


@pytest.mark.parametrize("form", ["Image", "struct", "bytes", "one file"])
def test_parquet_as_a_hub_has_it_trains_and_labels_as_it_is(tmp_path, form):
    rows = write_imagefolder(tmp_path / "pages")
    contents = [(tmp_path / "pages" / row["file_name"]).read_bytes() for row in rows]
    folder = tmp_path / "snapshot"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\nPages.\n")
    file = folder / "data/train-00000-of-00001.parquet"
    if form == "Image":
        loaded = datasets.Dataset.from_list(
            [
                {"image": {"bytes": content, "path": None}, "text": row["text"]}
                for content, row in zip(contents, rows, strict=True)
            ]
        )
        loaded.cast_column("image", datasets.Image()).to_parquet(str(file))
    else:
        images = [
            content if form == "bytes" else {"bytes": content, "path": row["file_name"]}
            for content, row in zip(contents, rows, strict=True)
        ]
        texts = [row["text"] for row in rows]
        pq.write_table(pa.table({"image": images, "ground_truth": texts}), file)
    name = file if form == "one file" else folder
    pages = load(name)
    both = [*pages.train, *pages.held_out]
    expected = sorted(zip(contents, (row["text"] for row in rows), strict=True))
    assert sorted((row["image"]["bytes"], row["text"]) for row in both) == expected
    assert decode_image(both[0]["image"]).size[0] == 224
    store = LabelStore(tmp_path / "labels")
    assert label_from_dataset(store, name, progress=False).labelled == len(rows)
    assert sorted(label.text for label in store.labels()) == sorted(row["text"] for row in rows)


def test_a_folder_without_images_is_refused_in_both(tmp_path):
    pq.write_table(pa.table({"image": [1, 2], "text": ["a", "b"]}), tmp_path / "a.parquet")
    for read in (load, lambda name: label_from_dataset(LabelStore(tmp_path / "labels"), name)):
        with pytest.raises(ValueError, match=r"has the columns image, text; it needs one of"):
            read(tmp_path / "a.parquet")
