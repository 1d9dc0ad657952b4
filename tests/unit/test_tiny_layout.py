"""The bundled layout model: what it finds on pages it never saw, and how it is trained."""

import json
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from glmocr_utils.layout import load_layout
from glmocr_utils.layout.detecting import Detections
from glmocr_utils.synth import DrawnRegion, Sheet
from workshop.tiny_layout.architecture import LABELS
from workshop.tiny_layout.batches import Batches, labels_of, moved, squeezed
from workshop.tiny_layout.evaluate import Tally, count, find
from workshop.tiny_layout.loss import dense_loss, order_loss
from workshop.tiny_layout.pages import draw_random_sheet, trained_kind
from workshop.tiny_layout.train import ROUNDS, Training, rate_at
from workshop.tiny_model.corpus import WORD_LISTS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "data/models/doclayout-tiny"
COLUMNS = ROOT / "data/samples/columns"
NAMES = dict(enumerate(LABELS))

needs_words = pytest.mark.skipif(
    not all(Path(path).exists() for path, _ in WORD_LISTS.values()),
    reason="the word lists that training pages are made of are not installed (see WORD_LISTS)",
)


def bulletin(name: str) -> Sheet:
    rows = [json.loads(line) for line in (COLUMNS / "regions.jsonl").read_text().splitlines()]
    regions = tuple(
        DrawnRegion(row["index"], row["label"], tuple(row["box"]), row["text"])
        for row in rows
        if row["file_name"] == name
    )
    with pypdfium2.PdfDocument(COLUMNS / name) as document:
        return Sheet(document[0].render(scale=2).to_pil().convert("RGB"), regions)


def test_the_model_loads_with_plain_classes_and_is_small():
    model = AutoModelForObjectDetection.from_pretrained(FOLDER)
    processor = AutoImageProcessor.from_pretrained(FOLDER)
    assert type(model).__name__ == "PPDocLayoutV3ForObjectDetection"
    assert type(processor).__name__ == "PPDocLayoutV3ImageProcessor"
    assert sum(parameter.numel() for parameter in model.parameters()) <= 2_000_000
    assert (FOLDER / "model.safetensors").stat().st_size <= 8_000_000
    assert model.config.id2label == NAMES


@pytest.mark.parametrize("name", ["bulletin.pdf", "bulletin_scan.pdf"])
def test_the_model_finds_the_regions_of_a_page_it_never_saw_in_order(name):
    layout = load_layout(str(FOLDER))
    sheet = bulletin(name)
    tally = Tally()
    count(tally, sheet, find(layout, sheet.image), layout.labels)
    assert tally.matched >= len(sheet.regions) - 2
    assert tally.right_class >= tally.matched - 2
    assert tally.right_order == 1


def as_found(sheet: Sheet, order: list[int]) -> Detections:
    regions = [sheet.regions[index] for index in order]
    boxes = torch.tensor([region.box for region in regions])
    ids = torch.tensor([LABELS.index(region.label) for region in regions])
    return Detections(boxes, torch.ones(len(order)), ids)


def test_the_measure_counts_what_is_missed_confused_and_out_of_order():
    sheet = bulletin("bulletin.pdf")
    number = len(sheet.regions)
    tally = Tally()
    count(tally, sheet, as_found(sheet, list(range(number))), NAMES)
    assert (tally.matched, tally.right_class, tally.right_order) == (number, number, 1)
    count(tally, sheet, as_found(sheet, [1, 0, *range(3, number)]), NAMES)
    assert (tally.matched, tally.right_order) == (2 * number - 1, 1)
    assert tally.missed == {"doc_title": 1}
    wrong = replace(sheet.regions[0], label="footer")
    other = Sheet(sheet.image, (wrong, *sheet.regions[1:]))
    count(tally, other, as_found(sheet, list(range(number))), NAMES)
    assert tally.confused == {("footer", "header"): 1}


@needs_words
def test_a_page_is_the_same_for_the_same_seed_and_its_regions_contain_ink():
    kind = trained_kind(scale=1.0)
    for seed in range(6):
        sheet, again = (draw_random_sheet(kind, ("test", seed)) for _ in range(2))
        assert sheet.regions == again.regions
        assert (np.asarray(sheet.image) == np.asarray(again.image)).all()
        grey = np.asarray(sheet.image.convert("L"))
        for region in sheet.regions:
            x1, y1, x2, y2 = (round(side) for side in region.box)
            assert grey[y1:y2, x1:x2].min() < grey.max() - 20, region
            assert region.label in LABELS


@needs_words
def test_a_batch_is_the_same_for_the_same_number_whatever_was_drawn_before():
    first, second = (Batches(trained_kind(), 1, scanned=0.5, max_strength=0.5) for _ in range(2))
    first.batch(3, 64)
    pixels, labels = first.batch(4, 64)
    others, other_labels = second.batch(4, 64)
    assert torch.equal(pixels, others)
    for one, other in zip(labels, other_labels, strict=True):
        assert torch.equal(one["boxes"], other["boxes"])
        assert (one["boxes"] >= 0).all() and (one["boxes"] <= 1).all()


def test_a_moved_page_keeps_ink_and_boxes_together():
    sheet = bulletin("bulletin.pdf")
    for seed in range(8):
        other = moved(random.Random(seed), sheet)
        for before, after in zip(sheet.regions, other.regions, strict=True):
            parts = [
                np.asarray(page.image.convert("L").crop([round(side) for side in region.box]))
                for page, region in ((sheet, before), (other, after))
            ]
            if parts[0].shape == parts[1].shape:  # not at the edge
                assert (parts[0] == parts[1]).mean() > 0.9


def test_pages_are_squeezed_as_the_image_processor_does_it():
    image = bulletin("bulletin.pdf").image
    processor = AutoImageProcessor.from_pretrained(FOLDER)
    side = processor.size["height"]
    theirs = processor(images=[image], return_tensors="pt")["pixel_values"][0]
    assert (squeezed(image, side)[0] - theirs[0]).abs().mean() < 0.02


def one_page() -> list[dict[str, torch.Tensor]]:
    return [labels_of(bulletin("bulletin.pdf"))]


def test_the_loss_of_the_order_is_small_only_for_the_right_order():
    labels = one_page()
    number = len(labels[0]["boxes"])
    queries = torch.arange(number)
    matches = [(queries, queries)]
    sure = torch.full((1, 1, number, number), 8.0)
    boxes = labels[0]["boxes"][None]
    assert order_loss(sure, boxes, matches, labels) < 0.01
    assert order_loss(-sure, boxes, matches, labels) > 5
    backwards = [(queries, queries.flip(0))]
    assert order_loss(-sure, boxes, backwards, labels) < 0.01


def test_the_dense_loss_is_small_where_the_middle_of_a_region_names_it():
    labels = one_page()
    sides = (40, 20, 10)
    cells = sum(side * side for side in sides)
    blind = torch.full((1, cells, len(LABELS)), -8.0)
    boxes = torch.zeros(1, cells, 4)
    loss = dense_loss(blind, boxes, labels, 3)
    parameter = blind.clone().requires_grad_()
    dense_loss(parameter, boxes, labels, 3).backward()
    pulled = (parameter.grad < -1e-6).nonzero()
    assert {int(label) for label in labels[0]["class_labels"]} == set(pulled[:, 2].tolist())
    better = blind.clone()
    better[parameter.grad < -1e-6] = 8.0
    assert dense_loss(better, boxes, labels, 3) < loss - 1


@needs_words
def test_training_learns_resumes_and_leaves_a_model_that_loads(tmp_path, monkeypatch):
    monkeypatch.setattr("workshop.tiny_layout.train.SMALL_PX", 96)
    torch.manual_seed(0)
    training = Training(tmp_path / "run", steps=40, seed=3)
    losses = []
    for _ in range(12):
        losses.append(sum(training.train_step().values()))
        training.step += 1
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    training.save()
    other = Training(tmp_path / "run", steps=40, seed=3)
    other.load()
    assert other.step == 12
    ours, theirs = training.train_step(), other.train_step()
    assert ours == pytest.approx(theirs, rel=1e-4)
    other.export(tmp_path / "model")
    assert load_layout(str(tmp_path / "model")).labels == NAMES


def test_in_each_round_the_rate_rises_is_level_and_falls():
    for start, end in pairwise((0, *ROUNDS)):
        rates = [rate_at(step) for step in range(start, end)]
        top = max(rates)
        assert rates[0] < 0.1 * top and rates[len(rates) // 2] == top and rates[-1] < 0.02 * top
