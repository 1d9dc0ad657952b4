"""Sources by their names; what is doubtful in the label set; what is written of it."""

import json
from dataclasses import replace
from pathlib import Path

import datasets
import pytest
from label_inputs import image_pages, rendered
from make_results import page_of
from paths import SAMPLES

from glmocr_utils.confidence import Calibration
from glmocr_utils.labels import LabelStore, PageFile, find_pages
from glmocr_utils.labels.pages import make_label
from glmocr_utils.labels.workflow import (
    SOURCES,
    SourceOptions,
    export_label_set,
    label_from,
    label_report,
    pages_to_edit,
    pages_to_label_next,
    split_labels,
    suspect_gold,
)
from glmocr_utils.model import LoadedModel
from glmocr_utils.records import OcrResult

pytestmark = pytest.mark.slow


@pytest.fixture
def pages(tmp_path: Path) -> list[PageFile]:
    return image_pages(tmp_path / "pages", 4)


def reading(page: PageFile, *tokens: tuple[str, float]) -> OcrResult:
    return page_of(*(tokens or [("text", 0.9)]), page=page.page)


# Sources


def test_several_sources_share_the_page_images(store: LabelStore, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    pages = rendered(folder, SAMPLES / "decision.pdf", SAMPLES / "decision_scan.pdf")
    scan = next(page for page in pages if "scan" in page.page.document_path)
    options = SourceOptions(
        results=[reading(scan, ("draft", 0.5))], review_log=SAMPLES / "review.jsonl"
    )
    runs = label_from(store, "text_layer, model,review", folder, options)
    assert [(run.source, run.labelled) for run in runs] == [
        ("text_layer", 2),
        ("model:some/model", 1),
        ("review", 1),
    ]
    again = label_from(LabelStore(store.directory), "text_layer,model,review", folder, options)
    assert [run.labelled for run in again] == [0, 0, 0]


def test_a_sound_text_layer_is_a_label_whatever_a_model_read(
    store: LabelStore, tmp_path: Path
) -> None:
    folder = tmp_path / "pages"
    first, _ = rendered(folder, SAMPLES / "decision.pdf")
    options = SourceOptions(results=[reading(first, ("something else", 0.5))])
    (run,) = label_from(store, "text_layer", folder, options)
    assert (run.labelled, run.left_out) == (2, ())


def test_sources_that_bring_their_own_images(store: LabelStore, pages: list[PageFile]) -> None:
    pairs = pages[0].image_file.with_name("pairs.json")
    question = {"role": "user", "content": "<image>Text Recognition:"}
    answer = {"role": "assistant", "content": "one"}
    example = {"messages": [question, answer], "images": [pages[0].image_file.name]}
    pairs.write_text(json.dumps([example]), encoding="utf-8")
    (run,) = label_from(store, "sharegpt", pairs)
    assert (run.source, run.labelled) == ("sharegpt", 1)
    dataset = datasets.Dataset.from_dict({"image": [str(pages[1].image_file)], "text": ["two"]})
    dataset.cast_column("image", datasets.Image()).save_to_disk(store.directory / "saved")
    (run,) = label_from(store, "hub", store.directory / "saved")
    assert run.labelled == 1
    assert sorted(label.text for label in store.current_labels()) == ["one", "two"]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("telepathy", {}, "no source 'telepathy'; choose from text_layer, llm"),
        ("text_layer,", {}, "no source ''"),
        ("text_layer,model", {}, "source model needs results"),
        ("review", {}, "source review needs review_log"),
        ("llm", {}, "source llm needs llm_model"),
        ("sidecar,hub", {}, "hub brings its own images"),
        ("sharegpt", {}, "sharegpt brings its own images"),
        ("text_layer", {"silver_above": 0.9}, "silver_above needs a calibration"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_labelled(
    store: LabelStore, source: str, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        label_from(store, source, None, SourceOptions(**options))
    assert store.labels() == [] and store.left_out() == []


def test_the_calibrated_share_of_right_tokens_decides_what_is_silver(
    store: LabelStore, pages: list[PageFile]
) -> None:
    calibration = Calibration("platt", (0.0, 1.0), (0.0, 0.8), "some/model", None, None, 9, 5)
    options = SourceOptions(
        results=[
            reading(pages[0], ("sure", 0.999), ("ly", 0.999)),  # 0.8 when calibrated
            reading(pages[1], ("sure", 0.999), ("ly", 0.5)),  # 0.6
        ],
        calibration=calibration,
        silver_above=0.7,
    )
    label_from(store, "model", pages[0].image_file.parent, options)
    assert [label.status for label in store.labels()] == ["silver", "draft"]


def test_the_names_of_the_sources() -> None:
    expected = "text_layer llm model sidecar page alto review sharegpt hub"
    assert list(SOURCES) == expected.split()


# What is doubtful


def test_gold_is_scored_by_the_model_with_its_task(
    store: LabelStore, tmp_path: Path, bundled_model: LoadedModel, page_images: list
) -> None:
    texts = ("One line.", "Zwei.")
    folder = tmp_path / "drawn"
    folder.mkdir()
    for number, page_image in enumerate(page_images[:2]):
        page_image.image.save(folder / f"{number}.png")
    for page, text in zip(find_pages(folder), texts, strict=True):
        store.add(make_label(page, text, "gold", "sidecar"))
    suspects = suspect_gold(store, bundled_model, max_labels=9)
    assert {suspect.label.text for suspect in suspects} == set(texts)
    assert suspects[0].surprise >= suspects[1].surprise > 0
    assert len(suspect_gold(store, bundled_model, max_labels=1)) == 1
    assert suspect_gold(store, bundled_model, max_labels=0) == []


def test_what_was_read_and_has_no_trusted_label_can_come_next(
    store: LabelStore, pages: list[PageFile]
) -> None:
    results = [
        reading(pages[0], ("sure", 0.99)),
        reading(pages[1], ("unsure", 0.2)),
        reading(pages[2], ("done", 0.1)),
    ]
    store.add(make_label(pages[1], "unsure", "draft", "model:m"))
    store.add(make_label(pages[2], "done", "gold", "sidecar"))
    chosen = pages_to_label_next(store, results)
    assert [page.page for page in chosen] == [pages[1].page, pages[0].page]
    assert pages_to_label_next(store, []) == []


def test_pages_to_edit_are_all_that_the_set_knows_in_order(
    store: LabelStore, pages: list[PageFile]
) -> None:
    label_from(store, "sidecar", pages[0].image_file.parent)  # leaves all out
    store.add(make_label(pages[0], "zero", "gold", "sidecar"))
    store.add(make_label(pages[3], "three", "draft", "model:m"))
    ordered = pages_to_edit(store, first=[pages[2].page])
    assert [page.image_file.name for page in ordered] == [
        "page002.png",
        "page003.png",
        "page001.png",
        "page000.png",
    ]
    assert set(ordered) == set(pages)


def test_the_report_counts_image_and_text(
    store: LabelStore, pages: list[PageFile], bundled_model: LoadedModel
) -> None:
    store.add(make_label(pages[0], "ab", "gold", "sidecar"))
    numbers = label_report(store, bundled_model.processor, max_length=3)
    (count,) = numbers.num_tokens
    assert count > 2
    assert len(numbers.over_budget) == (count > 3)


# What is written


def labels_of(pages: list[PageFile]) -> list:
    return [make_label(page, f"text {n}", "gold", "sidecar") for n, page in enumerate(pages)]


def test_a_split_stays_until_it_is_asked_for_otherwise(
    tmp_path: Path, pages: list[PageFile]
) -> None:
    labels = labels_of(pages)
    few = split_labels(labels[:3], tmp_path, 1, seed=1)
    more = split_labels(labels, tmp_path, 1, seed=1)
    assert {name: more.of_group[name] for name in few.of_group} == few.of_group
    seeds = [split_labels(labels, tmp_path, 1, seed=seed).of_group for seed in range(8)]
    assert any(of_group != more.of_group for of_group in seeds)
    listed = (tmp_path / "train.txt").read_text().splitlines()
    listed += (tmp_path / "test.txt").read_text().splitlines()
    assert sorted(listed) == sorted(str(label.file.image_file) for label in labels)


def test_all_forms_of_the_label_set(tmp_path: Path, pages: list[PageFile]) -> None:
    labels = labels_of(pages)
    split = split_labels(labels, tmp_path, 1, seed=1)
    dataset, sharegpt, sidecars = export_label_set(labels, split, tmp_path)
    rows = [json.loads(line) for line in (dataset / "metadata.jsonl").read_text().splitlines()]
    assert {row["file_name"]: row["split"] for row in rows} == {
        label.file.image_file.name: split.of(label) for label in labels
    }
    parts = [json.loads((sharegpt / f"{name}.json").read_text()) for name in ("train", "test")]
    assert sum(map(len, parts)) == 4 and all(parts)
    assert (sidecars / "page002.txt").read_text() == "text 2\n"


def test_a_table_has_no_text_file(tmp_path: Path, pages: list[PageFile]) -> None:
    table = make_label(replace(pages[0], task="Table Recognition:"), "<table>", "gold", "sidecar")
    labels = [*labels_of(pages), table]
    split = split_labels(labels, tmp_path, 1, seed=1)
    _, _, sidecars = export_label_set(labels, split, tmp_path)
    assert (sidecars / "page000.txt").read_text() == "text 0\n"


def test_nothing_to_write_is_not_an_error(tmp_path: Path) -> None:
    split = split_labels([], tmp_path, 0.1, seed=1)
    dataset, _, _ = export_label_set([], split, tmp_path)
    assert (dataset / "metadata.jsonl").read_text() == ""
