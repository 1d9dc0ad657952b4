"""What other programs get: imagefolder, text files, saved datasets."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import datasets
import pytest
from label_inputs import image_pages, rendered
from make_results import page_of
from paths import SAMPLES
from PIL import Image

from glmocr_utils.finetune import check, make_config
from glmocr_utils.finetune.dataset import decode_image, load_splits
from glmocr_utils.finetune.preflight import known_scales
from glmocr_utils.labels import LabelStore, PageFile
from glmocr_utils.labels.exports import export_imagefolder, export_sidecars, to_dataset
from glmocr_utils.labels.pages import find_pages, make_label
from glmocr_utils.labels.sources.hub import label_from_dataset
from glmocr_utils.labels.sources.results import label_from_results
from glmocr_utils.labels.sources.review_log import label_from_review_log
from glmocr_utils.labels.sources.sidecar import label_from_sidecars
from glmocr_utils.labels.splits import split_by_document
from glmocr_utils.records import Label, OcrResult, label_from_json, label_to_json
from glmocr_utils.records.pages import TURNS
from glmocr_utils.review.session import ReviewSession

TEXTS = ("Grüße\n\n„drei“ Zeilen", "", '{"a": "b"}', "four")


@pytest.fixture
def labels(tmp_path: Path) -> list[Label]:
    pages = image_pages(tmp_path / "pages", len(TEXTS))
    return [
        make_label(page, text, "gold", "review", reviewer="me")
        for page, text in zip(pages, TEXTS, strict=True)
    ]


def load(folder: Path, tmp_path: Path) -> datasets.DatasetDict:
    return datasets.load_dataset(
        "imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache")
    )


def test_the_imagefolder_loads(tmp_path: Path, labels: list[Label]) -> None:
    split = split_by_document(labels, 1)
    export_imagefolder(labels, tmp_path / "out", split)
    loaded = load(tmp_path / "out", tmp_path)
    assert list(loaded) == ["train"]
    rows = sorted(loaded["train"], key=lambda row: row["image"].getpixel((0, 0)))
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        assert row["image"].getpixel((0, 0)) == (number, 0, 0)
        assert row["text"] == label.text
        assert (row["status"], row["source"], row["reviewer"]) == ("gold", "review", "me")
        assert row["split"] == split.of(label)
        assert row["document_sha256"] == label.page.document_sha256
        # `datasets` takes it for a point in time, in UTC
        assert row["time"].replace(tzinfo=UTC) == datetime.fromisoformat(label.time)
        assert row["model_id"] is None


def test_it_comes_back_as_labels(tmp_path: Path, labels: list[Label]) -> None:
    export_imagefolder(labels, tmp_path / "out")
    store = LabelStore(tmp_path / "labels")
    label_from_dataset(store, tmp_path / "out", progress=False)
    assert {label.file.image_sha256: label.text for label in store.labels()} == {
        label.file.image_sha256: label.text for label in labels
    }


def test_its_pages_are_known_by_their_documents(tmp_path: Path, labels: list[Label]) -> None:
    export_imagefolder(labels, tmp_path / "out")
    pages = find_pages(tmp_path / "out")
    assert [page.page for page in pages] == [label.page for label in labels]
    assert [page.image_sha256 for page in pages] == [label.file.image_sha256 for label in labels]


def test_images_of_one_name_and_labels_of_one_image_keep_their_rows(
    tmp_path: Path, labels: list[Label]
) -> None:
    others = image_pages(tmp_path / "others", 2)
    twice = [*labels, *(make_label(page, "other", "gold", "x") for page in others)]
    export_imagefolder(twice, tmp_path / "out")
    loaded = load(tmp_path / "out", tmp_path)["train"]
    assert sorted(loaded["text"]) == sorted(label.text for label in twice)


def test_names_that_datasets_takes_for_splits(tmp_path: Path) -> None:
    pages = image_pages(tmp_path / "pages", 2)
    for page, name in zip(pages, ("test.png", "a_train.png"), strict=True):
        page.image_file.rename(tmp_path / "pages" / name)
    pages = find_pages(tmp_path / "pages")
    export_imagefolder([make_label(page, "a", "gold", "x") for page in pages], tmp_path / "out")
    assert len(load(tmp_path / "out", tmp_path)["train"]) == 2


def test_an_export_is_brought_up_to_date(tmp_path: Path, labels: list[Label]) -> None:
    out = tmp_path / "out"
    export_imagefolder(labels, out)
    (out / "README.md").write_text("a note")
    export_imagefolder(labels[:2], out)
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md",
        "metadata.jsonl",
        "page000.png",
        "page001.png",
    ]


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, labels: list[Label]) -> None:
    folder = labels[0].file.image_file.parent
    before = sorted(folder.iterdir())
    with pytest.raises(ValueError, match="choose an empty folder"):
        export_imagefolder(labels, folder)
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": before[0].name}) + "\n")
    with pytest.raises(ValueError, match="choose an empty folder"):
        export_imagefolder(labels, folder)
    assert sorted(folder.glob("*.png")) == before


def test_a_lost_image_is_named_before_anything_is_written(
    tmp_path: Path, labels: list[Label]
) -> None:
    labels[3].file.image_file.unlink()
    with pytest.raises(FileNotFoundError, match=r"page003.*put the page image back"):
        export_imagefolder(labels, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_text_files_come_back_as_labels(tmp_path: Path, labels: list[Label]) -> None:
    export_sidecars(labels, tmp_path / "out")
    assert (tmp_path / "out" / "page003.txt").read_text() == "four\n"
    store = LabelStore(tmp_path / "labels")
    label_from_sidecars(store, find_pages(tmp_path / "out"), progress=False)
    assert [label.text for label in store.labels()] == list(TEXTS)


def test_text_files_of_pages_without_a_label_are_removed(
    tmp_path: Path, labels: list[Label]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    export_sidecars(labels, folder)
    export_sidecars(labels[:2], folder)
    names = {path.name for path in folder.iterdir() if path.suffix}
    assert names == {"page000.png", "page000.txt", "page001.png", "page001.txt", "notes.txt"}


def test_text_files_hold_one_task(tmp_path: Path, labels: list[Label]) -> None:
    with pytest.raises(ValueError, match="two labels"):
        export_sidecars([labels[0], labels[0]], tmp_path / "out")


def test_a_saved_dataset_is_self_contained(tmp_path: Path, labels: list[Label]) -> None:
    split = split_by_document(labels, 1)
    to_dataset(labels, split).save_to_disk(tmp_path / "saved")
    for label in labels:
        label.file.image_file.unlink()
    loaded = datasets.load_from_disk(str(tmp_path / "saved"))
    assert (len(loaded["train"]), len(loaded["test"])) == (3, 1)
    rows = [row for side in loaded.values() for row in side]
    rows.sort(key=lambda row: row["image"].getpixel((0, 0)))
    assert [row["text"] for row in rows] == list(TEXTS)


def test_without_a_split_all_is_for_training(labels: list[Label]) -> None:
    dataset = to_dataset(labels)
    assert list(dataset) == ["train"]
    assert dataset["train"]["split"] == [None] * 4


class TestScaleAndAngle:
    """Over the files that the steps themselves write: 01 → 04 → 05."""

    @pytest.fixture
    def pages(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[PageFile]:
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        document = SAMPLES / "letter.pdf"
        return rendered(tmp_path / "01", document, SAMPLES / "german.pdf", scale=1.5)[:2]

    def results(self, pages: list[PageFile], *angles: int) -> list[OcrResult]:
        return [
            replace(page_of(("text", 0.9)), page=page.page, angle=angle)
            for page, angle in zip(pages, angles, strict=True)
        ]

    def test_the_scale_of_rendered_pages_reaches_training(self, tmp_path, pages, bundled_folder):
        store = LabelStore(tmp_path / "labels")
        label_from_results(store, pages, self.results(pages, 0, 0), progress=False)
        labels = list(store.labels())
        assert [label.file.scale for label in labels] == [1.5, 1.5]
        export_imagefolder(labels, tmp_path / "04")
        to_dataset(labels).save_to_disk(tmp_path / "saved")
        for folder in ("04", "saved"):
            rows = load_splits(str(tmp_path / folder))["train"]
            assert known_scales(rows) == [1.5, 1.5]
        config = make_config(
            {
                "dataset_name": str(tmp_path / "04"),
                "model_name": str(bundled_folder),
                "label_statuses": "draft",
                "eval_split_size": 0,
                "eval_strategy": "no",
                "report_to": "none",
                "output_dir": str(tmp_path / "05"),
            }
        )
        checked = check(config)  # as a dry run does
        assert "scale 1.5, which is stored with the model" in str(checked)
        assert known_scales(checked.train) == [1.5, 1.5]

    def test_an_image_has_no_scale_and_a_data_set_without_one_says_so(self, tmp_path, labels):
        assert [label.file.scale for label in labels] == [None] * len(labels)
        export_imagefolder(labels, tmp_path / "04")
        assert known_scales(load_splits(str(tmp_path / "04"))["train"]) == []

    @pytest.mark.parametrize("angle", [90, 180, 270])
    def test_a_page_that_was_turned_to_be_read_is_turned_for_training(self, tmp_path, pages, angle):
        store = LabelStore(tmp_path / "labels")
        label_from_results(store, pages, self.results(pages, angle, 0), progress=False)
        labels = list(store.labels())
        assert [label.angle for label in labels] == [angle, 0]
        export_imagefolder(labels, tmp_path / "04")
        export_sidecars(labels, tmp_path / "sidecars")
        with Image.open(pages[0].image_file) as image:
            turned = image.transpose(TURNS[angle])
        rows = load_splits(str(tmp_path / "04"))["train"]
        assert [row["angle"] for row in rows] == [angle, 0]
        images = [decode_image(rows[0]["image"])]
        images.append(to_dataset(labels)["train"][0]["image"])
        with Image.open(tmp_path / "sidecars" / pages[0].image_file.name) as image:
            images.append(image.copy())
        for image in images:
            assert image.size == turned.size and image.tobytes() == turned.tobytes()
        # labelled once more from the export, it is not turned again
        again = LabelStore(tmp_path / "again")
        exported = find_pages(tmp_path / "04")
        label_from_results(again, exported, self.results(exported, angle, 0), progress=False)
        assert [label.angle for label in again.labels()] == [0, 0]
        assert [label.file.scale for label in again.labels()] == [1.5, 1.5]

    def test_a_review_keeps_the_angle(self, tmp_path, pages):
        [result, _] = self.results(pages, 90, 0)
        session = ReviewSession([result], tmp_path / "review.jsonl", reviewer="me", num_audits=0)
        session.finish(0, "fully_read")
        store = LabelStore(tmp_path / "labels")
        label_from_review_log(store, pages, tmp_path / "review.jsonl", progress=False)
        assert [label.angle for label in store.labels()] == [90]


def test_a_label_of_before_scales_were_kept_loads(labels: list[Label]) -> None:
    record = json.loads(label_to_json(labels[0]))
    del record["scale"], record["angle"]
    assert label_from_json(json.dumps(record)) == labels[0]
