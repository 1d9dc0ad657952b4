"""What a run will take, from a few pages of it."""

from collections import Counter

import pytest
from PIL import Image
from training_pages import write_imagefolder

from glmocr_utils.mass_infer import InferOptions, Progress, RunEstimate, estimate_run
from glmocr_utils.mass_infer.estimate import _seconds_a_page

ESTIMATE = RunEstimate(
    documents=300,
    pages=9_000,
    is_counted=True,
    sampled=20,
    statuses=Counter(ok=18, blank=2),
    seconds=40.0,
    seconds_a_page=(2.0, 1.5, 2.6),
    price_per_hour=3.0,
)


def test_hours_and_cost_come_with_their_range():
    assert ESTIMATE.hours == pytest.approx((5.0, 3.75, 6.5))
    assert ESTIMATE.costs == pytest.approx((15.0, 11.25, 19.5))
    said = str(ESTIMATE).splitlines()
    assert said[0] == (
        "300 documents, 9,000 pages; 20 drawn at random were read in 40 s (ok 18, blank 2): "
        "0.5 pages/s"
    )
    assert said[1] == "all pages: 5.0 hours (3.8 hours to 6.5 hours)"
    assert said[2] == "cost at 3 an hour: 15 (11.2 to 19.5)"


def test_like_pages_leave_little_to_luck_and_unlike_ones_much():
    alike = _seconds_a_page([1.0] * 20, 10.0, are_all=False)
    unlike = _seconds_a_page([0.1] * 18 + [9.0] * 2, 10.0, are_all=False)
    assert alike == (0.5, 0.5, 0.5)  # two pages at a time
    assert unlike[0] == 0.5 and unlike[1] < 0.2 and unlike[2] > 0.9
    assert _seconds_a_page([0.1, 9.0], 9.1, are_all=True) == (4.55, 4.55, 4.55)


@pytest.mark.slow
def test_pages_are_drawn_read_and_not_kept(bundled_model, bundled_folder, tmp_path):
    folder = tmp_path / "in"
    write_imagefolder(folder)
    (folder / "metadata.jsonl").unlink()
    [first, *_] = sorted(folder.iterdir())
    with Image.open(first) as image:
        image.save(folder / "ten.tiff", save_all=True, append_images=[image] * 9)
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7 no more")
    options = InferOptions(
        folder, model_id=str(bundled_folder), max_tokens=8, output_dir=tmp_path / "run"
    )
    seen: list[Progress] = []
    found = estimate_run(options, model=bundled_model, sample_pages=3, watch=seen.append)
    assert (found.documents, found.pages, found.sampled) == (10, 18, 3)
    assert found.costs is None and "set price_per_hour" in str(found)
    assert found.hours[1] <= found.hours[0] <= found.hours[2] and found.seconds > 0
    assert seen[-1].done == seen[-1].total == 3
    assert not (tmp_path / "run").exists()
    again = estimate_run(options, model=bundled_model, sample_pages=3)
    assert again.statuses == found.statuses  # the same pages are drawn
