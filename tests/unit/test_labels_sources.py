"""Labels from files that others wrote: text files, ShareGPT, datasets, the model's readings."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from label_inputs import image_pages
from PIL import Image

from glmocr_utils.labels import LabelStore, PageFile
from glmocr_utils.labels.sources.hub import label_from_dataset
from glmocr_utils.labels.sources.results import label_from_results
from glmocr_utils.labels.sources.sharegpt import export_sharegpt, label_from_sharegpt
from glmocr_utils.labels.sources.sidecar import label_from_sidecars
from glmocr_utils.records import OcrResult, TokenProb


@pytest.fixture
def pages(tmp_path: Path) -> list[PageFile]:
    return image_pages(tmp_path / "pages", 4)


def texts(store: LabelStore) -> list[str]:
    return [label.text for label in store.labels()]


# Text files beside the images


def test_sidecars(store: LabelStore, pages: list[PageFile]) -> None:
    folder = pages[0].image_file.parent
    (folder / "page000.txt").write_bytes("\ufeffzero \r\n".encode())
    (folder / "page001.txt").write_text("not this", encoding="utf-8")
    (folder / "page001.gt.txt").write_text("one", encoding="utf-8")
    (folder / "page002.txt").write_bytes(b"caf\xe9")
    run = label_from_sidecars(store, pages, progress=False)
    assert texts(store) == ["zero", "one"]
    assert store.labels()[0].raw_text == "zero \r\n"
    assert {label.status for label in store.labels()} == {"gold"}
    latin, missing = run.left_out
    assert "page002.txt is not UTF-8" in latin.reason
    assert "no page003.gt.txt or page003.txt" in missing.reason

    (folder / "page002.txt").write_text("", encoding="utf-8")  # a blank page
    run = label_from_sidecars(LabelStore(store.directory), pages, progress=False)
    assert (run.labelled, run.already_there, len(run.left_out)) == (1, 2, 1)


# ShareGPT


def example(image: str, text: str, task: str = "Text Recognition:") -> dict:
    return {
        "messages": [
            {"role": "user", "content": f"<image>{task}"},
            {"role": "assistant", "content": text},
        ],
        "images": [image],
    }


def write_sharegpt(folder: Path, *examples: object) -> Path:
    image_pages(folder / "pairs", 3)
    path = folder / "pairs.json"
    path.write_text(json.dumps(examples), encoding="utf-8")
    return path


def test_sharegpt_comes_back_as_it_was(store: LabelStore, tmp_path: Path) -> None:
    examples = [
        example("pairs/page000.png", "```rdkit\nC1=CC=C(C)C=C1\n```", "Code Generation:"),
        example("pairs/page001.png", "Grüße 😀\n\n| a | b |"),
        example("pairs/page001.png", "<table></table>", "Table Recognition:"),
    ]
    path = write_sharegpt(tmp_path, *examples)
    run = label_from_sharegpt(store, path, progress=False)
    assert (run.labelled, run.left_out) == (3, ())
    assert label_from_sharegpt(store, path, progress=False).already_there == 3

    exported = tmp_path / "out" / "pairs.json"
    export_sharegpt(LabelStore(store.directory).current_labels(), exported)
    written = json.loads(exported.read_text(encoding="utf-8"))
    assert [pair["messages"] for pair in written] == [pair["messages"] for pair in examples]
    assert written[0]["images"] == ["pairs/page000.png"]
    for before, after in zip(examples, written, strict=True):
        image = (exported.parent / after["images"][0]).read_bytes()
        assert image == (tmp_path / before["images"][0]).read_bytes()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (example("pairs/gone.png", "text"), "gone.png"),
        ({**example("pairs/page001.png", "text"), "images": []}, "not one image"),
        ({"messages": example("pairs/page001.png", "text")["messages"] * 2}, "not one image"),
        (example("pairs/page001.png", None), "not one image"),
        ("text", "not one image"),
        (example("pairs/page000.png", "other"), "another answer"),
    ],
)
def test_a_wrong_example_is_named_and_nothing_is_taken(
    store: LabelStore, tmp_path: Path, wrong: object, message: str
) -> None:
    path = write_sharegpt(tmp_path, example("pairs/page000.png", "text"), wrong)
    with pytest.raises(ValueError, match=rf"example 2: .*{message}"):
        label_from_sharegpt(store, path, progress=False)
    assert store.labels() == []


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_file_that_is_not_sharegpt_is_refused(
    store: LabelStore, tmp_path: Path, content: str
) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(ValueError, match="give a ShareGPT file"):
        label_from_sharegpt(store, tmp_path / "a.json", progress=False)


# Datasets


def grey(value: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (value, value, value))


@pytest.mark.parametrize("column", ["label", "text", "ground_truth"])
def test_a_dataset(store: LabelStore, column: str) -> None:
    dataset = datasets.Dataset.from_dict(
        {"image": [grey(1), grey(2)], "id": [1, 2], column: ["one", None]},
        features=datasets.Features(
            {
                "image": datasets.Image(),
                "id": datasets.Value("int64"),
                column: datasets.Value("string"),
            }
        ),
    )
    run = label_from_dataset(store, dataset, name="mine", progress=False)
    assert (run.source, run.labelled) == ("hub:mine", 1)
    assert "row 1 has no text" in run.left_out[0].reason
    (label,) = store.labels()
    with Image.open(label.file.image_file) as image:
        assert image.getpixel((0, 0)) == (1, 1, 1)
    assert label_from_dataset(store, dataset, name="mine", progress=False).already_there == 1


def test_dataset_folders(store: LabelStore, tmp_path: Path) -> None:
    dataset = datasets.Dataset.from_dict({"scan": [grey(1)], "text": ["saved"]})
    dataset = dataset.cast_column("scan", datasets.Image())
    dataset.save_to_disk(tmp_path / "saved")
    pages = image_pages(tmp_path / "folder", 1)
    row = {"file_name": pages[0].image_file.name, "text": "in a folder"}
    (tmp_path / "folder" / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    for name in ("saved", "folder"):
        label_from_dataset(store, tmp_path / name, progress=False)
    assert texts(store) == ["saved", "in a folder"]


def test_image_bytes_are_kept_and_broken_images_left_out(store: LabelStore, tmp_path: Path) -> None:
    page = image_pages(tmp_path / "pages", 1)[0]
    content = page.image_file.read_bytes()
    dataset = datasets.Dataset.from_dict(
        {
            "image": [{"bytes": content, "path": None}, {"bytes": b"no image", "path": None}],
            "text": ["one", "two"],
        }
    ).cast_column("image", datasets.Image(decode=False))
    run = label_from_dataset(store, dataset, name="mine", progress=False)
    assert "row 1 has an image that cannot be read" in run.left_out[0].reason
    (label,) = store.labels()
    assert label.file.image_sha256 == page.image_sha256
    assert label.file.image_file.read_bytes() == content


def test_one_image_with_two_texts_is_named(
    store: LabelStore, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = datasets.Dataset.from_dict(
        {"image": [grey(1), grey(1), grey(1)], "text": ["one", "one", "other"]}
    ).cast_column("image", datasets.Image())
    with caplog.at_level(logging.WARNING):
        label_from_dataset(store, dataset, name="mine", progress=False)
    assert texts(store) == ["one"]
    assert "row 2 has the image of row 0 and another text" in caplog.text
    assert "row 1" not in caplog.text


def test_a_dataset_without_texts_is_an_error(store: LabelStore) -> None:
    dataset = datasets.Dataset.from_dict(
        {"image": [grey(1)], "label": [3]},
    ).cast_column("image", datasets.Image())
    with pytest.raises(ValueError, match="columns image, label; it needs one of images"):
        label_from_dataset(store, dataset, progress=False)


# Readings of the model


def reading(page: PageFile, text: str, finish_reason: str = "stop", model: str = "m") -> OcrResult:
    return OcrResult(
        page=page.page,
        text=text,
        tokens=(TokenProb(1, text, -0.1 * len(text)),),
        finish_reason=finish_reason,
        prompt="Text Recognition:",
        model_id=model,
        revision=None,
        adapter=None,
        scale=2.0,
        seconds=1.0,
    )


def probability(result: OcrResult) -> float:
    return min(token.prob for token in result.tokens)


def test_readings_are_drafts(store: LabelStore, pages: list[PageFile]) -> None:
    readings = [reading(pages[0], "a"), reading(pages[3], "b")]
    run = label_from_results(store, pages[:3], readings, progress=False)
    assert run.labelled == 1  # the other is of a page that was not asked for
    label = store.current(pages[0].key)
    assert (label.text, label.status, label.source) == ("a", "draft", "model:m")
    assert label.model_id == "m"


def test_pages_without_a_text_get_no_label(store: LabelStore, pages: list[PageFile]) -> None:
    nothing = reading(pages[0], " \n")
    no_ink = replace(reading(pages[1], ""), is_blank=True)
    run = label_from_results(store, pages, [nothing, no_ink], score=lambda _: 1, silver_above=0.5)
    assert run.labelled == 0
    assert ["no ink" in left.reason for left in run.left_out] == [False, True]


def test_what_the_model_was_asked_is_the_task(store: LabelStore, pages: list[PageFile]) -> None:
    table = replace(reading(pages[0], "<table>"), prompt="Table Recognition:")
    label_from_results(store, pages, [reading(pages[0], "a"), table], progress=False)
    assert [(label.file.task, label.text) for label in store.labels()] == [
        ("Text Recognition:", "a"),
        ("Table Recognition:", "<table>"),
    ]


def test_readings_above_the_threshold_are_silver(store: LabelStore, pages: list[PageFile]) -> None:
    readings = [
        reading(pages[0], "a"),
        reading(pages[1], "much too long to be sure of"),
        reading(pages[2], "b", finish_reason="length"),
        replace(reading(pages[3], "c"), missing="Page 1 lacks a word."),
    ]
    options = {"score": probability, "silver_above": 0.5}
    label_from_results(store, pages, readings, **options, progress=False)
    assert [label.status for label in store.labels()] == ["silver", "draft", "draft", "draft"]


def test_two_models_are_not_mixed(store: LabelStore, pages: list[PageFile]) -> None:
    readings = [reading(pages[0], "a", model="m"), reading(pages[1], "a", model="n")]
    with pytest.raises(ValueError, match="readings of m, n"):
        label_from_results(store, pages, readings, progress=False)
    for one_model in readings:
        label_from_results(store, pages, [one_model], progress=False)
    assert [label.source for label in store.labels()] == ["model:m", "model:n"]


def test_a_threshold_needs_a_score(store: LabelStore, pages: list[PageFile]) -> None:
    with pytest.raises(ValueError, match="belong together"):
        label_from_results(store, pages, [], silver_above=0.5)
