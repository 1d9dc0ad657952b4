"""Page image → regions: every checkpoint that is one, overlaps, and no ink lost."""

import json

import numpy as np
import pytest
import torch
from layout_inputs import LABELS, detections, draw_columns, save_random_layout
from PIL import Image, ImageDraw

from glmocr_utils.layout import crop_region, find_regions, load_layout
from glmocr_utils.layout.detecting import _ranks
from glmocr_utils.layout.finding import regions_of
from glmocr_utils.layout.overlaps import resolve_overlaps
from glmocr_utils.model import ModelLoadError
from glmocr_utils.options import parse_tasks, resolve_layout
from glmocr_utils.records import Box, PageImage, PageRef, Region
from glmocr_utils.synth import Scan, degrade

NAMES = dict(enumerate(LABELS))
SHORT = "A few words stand in this column, and they fill some lines of it."
LONG = SHORT + " The other one is longer than the first, so that both end at another height."


def ink_outside(image: Image.Image, regions: list[Region]) -> int:
    """Dark pixels in no region."""
    dark = np.asarray(image.convert("L")) < 100
    for region in regions:
        x1, y1, x2, y2 = region.box
        dark[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = False
    return int(dark.sum())


@pytest.mark.parametrize("version", [3, 4])
def test_checkpoints_of_both_versions_find_regions_of_pages_of_any_size(version, tmp_path):
    layout = load_layout(str(save_random_layout(tmp_path, version)))
    page, _ = draw_columns([SHORT])
    images = [page, Image.new("RGB", (90, 700), "white")]
    for image, regions in zip(images, find_regions(layout, images, threshold=0.05), strict=True):
        assert regions or image is not page
        assert [region.index for region in regions] == list(range(len(regions)))
        for x1, y1, x2, y2 in (region.box for region in regions):
            assert 0 <= x1 < x2 <= image.width and 0 <= y1 < y2 <= image.height
    [found], [alone] = (find_regions(layout, [page], 0.05) for _ in range(2))
    assert found == alone


def test_a_checkpoint_that_is_not_a_layout_model_is_refused(tmp_path, bundled_folder):
    with pytest.raises(ModelLoadError, match=r"is a glm_ocr model.*layout='auto'"):
        load_layout(str(bundled_folder))
    with pytest.raises(ModelLoadError, match="named as the layout model"):
        load_layout(str(tmp_path / "nothing"))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no_such_type"}))
    with pytest.raises(ModelLoadError, match="cannot be loaded"):
        load_layout(str(tmp_path))


def test_a_checkpoint_without_some_weights_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    path = save_random_layout(tmp_path) / "model.safetensors"
    weights = load_file(path)
    del weights[sorted(weights)[0]]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ModelLoadError, match="not complete: 1 tensors"):
        load_layout(str(tmp_path))


def test_what_the_parameter_layout_names():
    assert [resolve_layout(each) for each in (None, "", "none")] == [None] * 3
    assert resolve_layout("auto").startswith("PaddlePaddle/")
    assert resolve_layout("my/folder") == "my/folder"


def test_queries_that_were_left_out_have_no_say_in_the_order():
    order = torch.full((4, 4), 9.0)  # each before all with higher numbers
    order[0, 2] = -9.0  # but 2 comes before 0
    order[:, 3] = -9.0  # and 3, which is kept, before everything
    ranks = _ranks(order, torch.tensor([2, 0, 3]))
    assert ranks.argsort().tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("boxes", "labels", "kept"),
    [
        ([(0, 0, 100, 50), (2, 1, 100, 50)], "text text", [0]),
        ([(0, 0, 100, 50), (2, 1, 100, 50)], "text table", [0]),  # in each other: the surer one
        ([(0, 0, 100, 50), (10, 10, 40, 20)], "table text", [0]),
        ([(0, 0, 100, 50), (10, 10, 40, 20)], "text image", [0, 1]),
        ([(0, 0, 100, 50), (90, 10, 190, 60)], "text text", [0, 1]),
        ([(0, 0, 100, 90), (0, 0, 100, 40), (0, 50, 100, 90)], "reference text text", [1, 2]),
        ([(0, 0, 200, 300), (10, 10, 190, 90)], "image text", [1]),  # the page itself
        ([(0, 0, 200, 300)], "image", [0]),
    ],
)
def test_overlapping_boxes_are_resolved(boxes, labels, kept):
    scores = np.linspace(0.9, 0.8, len(boxes))
    assert resolve_overlaps(np.array(boxes, float), scores, labels.split(), (200, 300)) == kept


def test_ink_in_no_region_becomes_one_in_its_place():
    page, boxes = draw_columns([LONG, SHORT, LONG])
    regions = regions_of(page, detections(boxes[[0, 2]]), NAMES)
    assert [region.score is None for region in regions] == [False, True, False]
    assert regions[1].box.left == pytest.approx(boxes[1, 0], abs=4)
    assert not ink_outside(page, regions)


def test_a_paragraph_that_was_missed_follows_the_one_above_it():
    page, boxes = draw_columns([LONG + " " + LONG, LONG])
    x1, y1, x2, y2 = boxes[0]
    gap = (y1 + y2) / 2
    image = page.copy()
    image.paste((255, 255, 255), (0, round(gap), page.width // 2, round(gap)))
    lower = page.crop((0, round(gap), page.width // 2, page.height))
    taller = Image.new("RGB", (page.width, page.height + 80), "white")
    taller.paste(page, (0, 0))
    taller.paste((255, 255, 255), (0, round(gap), page.width // 2, page.height))
    taller.paste(lower, (0, round(gap) + 80))
    upper = (x1, y1, x2, gap)
    regions = regions_of(taller, detections([upper, boxes[1]]), NAMES)
    assert [region.score is None for region in regions] == [False, True, False]
    assert not ink_outside(taller, regions)


def test_a_box_that_cuts_its_lines_grows_around_them():
    page, boxes = draw_columns([LONG, LONG])
    x1, y1, x2, y2 = boxes[0]
    cut = (x1 + 30, y1 + 4, x2 - 90, y2 - 4)
    regions = regions_of(page, detections([cut, boxes[1]]), NAMES)
    assert [region.label for region in regions] == ["text", "text"]
    assert regions[0].box.left <= x1 + 2 and regions[0].box.right >= x2 - 2
    assert regions[0].box.right < boxes[1, 0]
    assert not ink_outside(page, regions)


def test_a_rule_between_columns_is_not_a_region():
    page, boxes = draw_columns([LONG, LONG])
    ImageDraw.Draw(page).line((page.width // 2, 20, page.width // 2, page.height - 20), 0, 2)
    regions = regions_of(page, detections(boxes), NAMES)
    assert len(regions) == 2


def test_regions_beyond_the_page_are_cut_and_impossible_ones_left_out():
    page, _ = draw_columns([SHORT])
    beyond = [(-50, -50, 10_000, 10_000), (500, 900, 700, 950), (9, 9, 9, 40)]
    nan = [(float("nan"),) * 4]
    regions = regions_of(page, detections(np.array(beyond + nan, float)), NAMES)
    assert [tuple(region.box) for region in regions] == [(0, 0, page.width, page.height)]


def test_a_page_where_nothing_was_found_is_read_in_one_piece():
    page, _ = draw_columns([SHORT, LONG])
    regions = regions_of(page, detections(np.empty((0, 4))), NAMES)
    assert [region.label for region in regions] == ["text"]
    assert not ink_outside(page, regions)
    assert (
        regions_of(Image.new("RGB", (300, 400), "white"), detections(np.empty((0, 4))), NAMES) == []
    )


def test_a_picture_keeps_its_box_and_what_is_around_it_is_not_lost():
    page, boxes = draw_columns([SHORT, LONG])
    draw = ImageDraw.Draw(page)
    draw.ellipse((60, boxes[0, 3] + 4, 90, boxes[0, 3] + 30), "gray")
    picture = (50, boxes[0, 3] + 3, 100, boxes[0, 3] + 31)
    found = detections([boxes[0], picture, boxes[1]], ["text", "image", "text"])
    regions = regions_of(page, found, NAMES)
    assert [region.label for region in regions] == ["text", "image", "text"]
    assert tuple(regions[1].box) == pytest.approx(picture)


def test_two_thousand_regions():
    boxes = [(x * 20, y * 20, x * 20 + 18, y * 20 + 18) for y in range(50) for x in range(40)]
    page = Image.new("RGB", (800, 1000), "white")
    draw = ImageDraw.Draw(page)
    for x1, y1, x2, y2 in boxes:
        draw.rectangle((x1 + 4, y1 + 4, x2 - 4, y2 - 4), "black")
    regions = regions_of(page, detections(np.array(boxes, float)), NAMES)
    assert len(regions) == 2000 and not ink_outside(page, regions)


def test_a_crop_has_a_margin_of_paper_and_none_of_its_neighbours():
    image = Image.new("RGB", (400, 300), (240, 230, 220))
    draw = ImageDraw.Draw(image)
    draw.rectangle((100, 100, 200, 140), (200, 200, 240))
    draw.rectangle((110, 110, 190, 130), "black")
    draw.rectangle((202, 100, 260, 140), "red")
    page = PageImage(PageRef("a.pdf", "0" * 64, 0), image, 2.0)
    crop = crop_region(page, Box(100, 100, 200, 140))
    assert crop.page.image.getpixel((0, 0)) == (200, 200, 240)
    assert (255, 0, 0) not in {colour for _, colour in crop.page.image.getcolors(10**6)}
    assert crop.to_page(Box(-crop.left + 5, -crop.top + 6, 100, 100)) == Box(
        5, 6, 100 + crop.left, 100 + crop.top
    )
    assert crop.page.image.getpixel((110 - crop.left, 110 - crop.top)) == (0, 0, 0)


@pytest.mark.parametrize("box", [(0, 0, 400, 1), (399.5, 299.5, 400, 300), (-9, -9, 500, 500)])
def test_thin_and_tiny_regions_become_crops_that_the_model_takes(box):
    page = PageImage(PageRef("a.pdf", "0" * 64, 0), Image.new("RGB", (400, 300), "white"), 2.0)
    width, height = crop_region(page, Box(*box)).page.image.size
    assert min(width, height) >= 56 and max(width, height) <= 50 * min(width, height)


def test_tasks_have_the_official_defaults_and_take_others():
    tasks = parse_tasks(None)
    assert tasks.of("table") == "Table Recognition:" and tasks.of("image") is None
    assert tasks.of("display_formula") == "Formula Recognition:"
    assert tasks.of("footnote") == tasks.of("something_new") == "Text Recognition:"
    tasks = parse_tasks('{"chart": "Table Recognition:", "seal": "picture"}')
    assert tasks.of("chart") == "Table Recognition:" and tasks.of("seal") is None
    for wrong in ("chart", '["chart"]', '{"chart": 5}', {"chart": ""}):
        with pytest.raises(ValueError, match="tasks maps"):
            parse_tasks(wrong)


def test_dust_and_noise_of_a_scan_are_not_regions():
    page, boxes = draw_columns([LONG, LONG])
    scan = degrade(page, Scan(noise=12, shade=0.3, blur_px=0.6), np.random.default_rng(0))
    draw = ImageDraw.Draw(scan)
    for x in range(10, 830, 40):
        draw.point((x, 5 + x % 11), "black")
    assert len(regions_of(scan, detections(boxes), NAMES)) == 2


def test_lines_in_two_boxes_belong_to_one_of_them():
    page, boxes = draw_columns([LONG + " " + LONG])
    x1, y1, x2, y2 = boxes[0]
    third = (y2 - y1) / 3
    overlapping = [(x1, y1, x2, y2 - third + 3), (x1, y1 + third - 3, x2, y2)]
    first, second = regions_of(page, detections(np.array(overlapping)), NAMES)
    assert first.box.bottom <= second.box.top + 2
    assert not ink_outside(page, [first, second])


def test_a_table_takes_in_the_row_that_its_box_missed():
    page, boxes = draw_columns([LONG + " " + LONG])
    x1, y1, x2, y2 = boxes[0]
    found = detections(np.array([(x1, y1 + 42, x2, y2)]), ["table"])
    [table] = regions_of(page, found, NAMES)
    assert not ink_outside(page, [table])


@pytest.mark.parametrize("mode", ["L", "1", "RGBA", "P", "CMYK"])
def test_an_image_of_any_mode_is_looked_at_in_colour(mode, tmp_path):
    layout = load_layout(str(save_random_layout(tmp_path, 3, "image")))
    page = draw_columns([SHORT])[0].convert("1").convert("RGB")  # black and white in every mode
    [[*in_colour], [*other]] = find_regions(layout, [page, page.convert(mode)])
    assert in_colour == other


@pytest.mark.parametrize("size", [(1, 700), (700, 1), (1, 1), (20, 9000)])
@pytest.mark.parametrize("colour", ["white", "black"])
def test_pages_without_room_for_a_letter_have_regions_within_them_or_none(size, colour, tmp_path):
    layout = load_layout(str(save_random_layout(tmp_path, 3, "text")))
    image = Image.new("RGB", size, colour)
    for x1, y1, x2, y2 in (region.box for region in find_regions(layout, [image])[0]):
        assert 0 <= x1 < x2 <= image.width and 0 <= y1 < y2 <= image.height


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_boxes_and_scores_that_are_not_numbers_are_left_out_and_their_ink_is_not(wrong):
    page, boxes = draw_columns([LONG, LONG])
    for side in range(4):
        broken = boxes.copy()
        broken[0, side] = wrong
        regions = regions_of(page, detections(broken), NAMES)
        assert [region.score is None for region in regions] == [True, False]
        assert not ink_outside(page, regions)
    found = detections(boxes)
    found.scores[0] = wrong
    assert [region.score is None for region in regions_of(page, found, NAMES)] == [True, False]


def test_boxes_without_an_area_are_left_out():
    page, boxes = draw_columns([SHORT])
    nothing = [(30, 30, 30, 30), (30, 30, 20, 20), (0, 0, 1, 1), (40, 30, 300, 31)]
    regions = regions_of(page, detections([*nothing, *boxes]), NAMES)
    assert len(regions) == 1 and regions[0].score is not None


@pytest.mark.parametrize("grey", [60, 150])
@pytest.mark.parametrize("reach", [0, 4, -4])
def test_the_paper_around_a_large_picture_is_not_text(grey, reach):
    page = Image.new("RGB", (1190, 1684), "white")
    page.paste((grey,) * 3, (120, 300, 820, 1000))
    picture = np.array([120 - reach, 300 - reach, 820 + reach, 1000 + reach])
    found = detections(picture[None], ["image"])
    assert [region.label for region in regions_of(page, found, NAMES)] == ["image"]
    caption, _ = draw_columns([SHORT])
    page.paste(caption.crop((20, 20, 360, 80)), (300, 1004))
    regions = regions_of(page, found, NAMES)
    assert [region.label for region in regions] == ["image", "text"]
    page.paste("white", (110, 290, 830, 1004))
    assert not ink_outside(page, regions)


def test_columns_that_overlap_keep_their_own_lines():
    page, boxes = draw_columns([LONG, LONG])
    wider = boxes + np.array([[0, 0, 90, 0], [-90, 0, 0, 0]])
    first, second = regions_of(page, detections(wider), NAMES)
    assert first.box.right <= second.box.left
    assert not ink_outside(page, [first, second])
