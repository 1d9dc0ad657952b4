"""Whole runs by regions: every engine reads the same, and a kill changes nothing."""

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from layout_inputs import draw_columns, save_random_layout
from paths import ROOT
from PIL import Image
from serving import free_port, needs_server, transformers_serve

from glmocr_utils.mass_infer import InferOptions, infer, layouts
from glmocr_utils.mass_infer.request import Failure
from glmocr_utils.records import Box, Region
from glmocr_utils.records.page_row import PageRow, read_rows

pytestmark = pytest.mark.slow

TEXT = "A few words stand in this column, and they fill some lines of it. "


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, bundled_folder) -> dict[str, object]:
    """Six pages in two columns, and a layout model that finds one or more regions on each."""
    folder = tmp_path_factory.mktemp("regions")
    (folder / "in/deeper").mkdir(parents=True)
    for number in range(6):
        page, _ = draw_columns([TEXT * (3 + number), TEXT * (9 - number)], 300)
        page.save(folder / ("in/deeper" if number % 2 else "in") / f"{number}.png")
    return {
        "input_path": folder / "in",
        "model_id": str(bundled_folder),
        "layout": str(ROOT / "data/models/doclayout-tiny"),
        "max_tokens": 6,
        "batch_size": 4,
    }


@pytest.fixture(scope="module")
def undisturbed(inputs, bundled_model, tmp_path_factory) -> dict[tuple, PageRow]:
    folder = tmp_path_factory.mktemp("undisturbed")
    summary = infer(InferOptions(**inputs, output_dir=folder), model=bundled_model)
    assert (summary.stopped, summary.read_now) == (None, 6)
    return rows_of(folder)


def rows_of(folder: Path) -> dict[tuple, PageRow]:
    rows = {row.key: row for row in read_rows(folder)}
    assert len(rows) == sum(1 for _ in read_rows(folder))  # no page twice
    return rows


def what_was_read(rows: dict[tuple, PageRow]) -> dict[tuple, tuple]:
    """Without the last digits of boxes and scores, which depend on the batch."""
    return {
        key: (row.text, row.status, [about(region) for region in row.regions])
        for key, row in rows.items()
    }


def about(region: Region) -> Region:
    box = Box(*(round(side) for side in region.box))
    return replace(region, box=box, score=region.score and round(region.score, 2))


def test_pages_end_with_their_last_region_and_their_tokens_are_all_there(undisturbed):
    assert sum(len(row.regions) for row in undisturbed.values()) > 8
    for row in undisturbed.values():
        assert row.status == "truncated" and row.mean_prob
        assert sum(row.token_lengths) == len(row.text)
        read = {region.index for region in row.regions if region.status != "picture"}
        assert {attempt.region for attempt in row.attempts} == read


def test_a_page_alone_is_read_as_among_others(inputs, undisturbed, bundled_model, tmp_path):
    alone = InferOptions(**{**inputs, "batch_size": 1}, output_dir=tmp_path)
    infer(alone, model=bundled_model)
    assert what_was_read(rows_of(tmp_path)) == what_was_read(undisturbed)


RUN = """
import sys
from glmocr_utils.mass_infer import InferOptions, infer, run_folder
run_folder.ROWS_A_PART = 2
infer(InferOptions(sys.argv[1], model_id=sys.argv[2], layout=sys.argv[3], max_tokens=6,
                   batch_size=4, output_dir=sys.argv[4]),
      watch=lambda progress: print(progress.done, flush=True))
"""


def test_killed_at_any_moment_it_ends_as_if_undisturbed(
    inputs, undisturbed, bundled_model, tmp_path
):
    rng = random.Random(1)
    names = ("input_path", "model_id", "layout")
    command = [sys.executable, "-c", RUN, *(str(inputs[name]) for name in names), str(tmp_path)]
    for _ in range(2):  # `benchmarks.kills` has ten
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            for _ in range(rng.randint(0, 3)):
                run.stdout.readline()
            time.sleep(rng.random() * 0.2)
            run.send_signal(signal.SIGKILL)
    infer(InferOptions(**inputs, output_dir=tmp_path), model=bundled_model)
    assert what_was_read(rows_of(tmp_path)) == what_was_read(undisturbed)


def test_documents_are_markdown_and_link_their_pictures(inputs, bundled_model, tmp_path):
    layout = str(save_random_layout(tmp_path / "layout", 3, "image"))
    options = InferOptions(**{**inputs, "layout": layout}, output_dir=tmp_path / "run")
    infer(options, model=bundled_model)
    links = 0
    for document in (tmp_path / "run/documents").rglob("*.md"):
        text = document.read_text(encoding="utf-8")
        for link in text.split("](")[1:]:
            assert (document.parent / link.partition(")")[0]).is_file()
            links += 1
    assert links
    with pytest.raises(ValueError, match=r"other .*layout"):
        infer(replace(options, layout=None), model=bundled_model)


def test_a_retry_reads_cut_regions_with_a_higher_limit(inputs, bundled_model, tmp_path):
    options = InferOptions(**inputs, output_dir=tmp_path)
    infer(options, model=bundled_model)
    before = rows_of(tmp_path)
    summary = infer(replace(options, retry="truncated", max_tokens=9), model=bundled_model)
    assert summary.read_now == 6
    for key, row in rows_of(tmp_path).items():
        assert [each.box for each in row.regions] == [each.box for each in before[key].regions]
        assert len(row.token_lengths) > len(before[key].token_lengths)


def test_ray_reads_the_same(inputs, undisturbed, tmp_path):
    pytest.importorskip("ray", reason="ray is not installed; try: pip install ray")
    options = InferOptions(**inputs, engine="ray", num_actors=1, output_dir=tmp_path)
    summary = infer(options)
    assert summary.stopped is None
    assert what_was_read(rows_of(tmp_path)) == what_was_read(undisturbed)


def test_pages_that_wait_for_the_layout_model_are_looked_at_together(monkeypatch):
    begun, batches = threading.Event(), []
    pages = [Image.new("RGB", (60, 60), (number, 0, 0)) for number in range(20)]

    def find(model, images):
        assert begun.wait(30)
        batches.append(len(images))
        if len(images) > 1 and pages[7] in images:
            raise ValueError("one of them cannot be looked at")
        if images == [pages[7]]:
            raise ValueError("a page that cannot be looked at")
        return [[Region(image.getpixel((0, 0))[0], "text", Box(0, 0, 9, 9))] for image in images]

    monkeypatch.setattr(layouts, "find_regions", find)
    shared = layouts.SharedLayout(None, lambda error: Failure(str(error)))
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(shared.look, page) for page in pages]
        while len(shared._waiting) < 12:  # one page or more under way, the others wait
            time.sleep(0.01)
        begun.set()
        found = [answer.result() for answer in answers]
    assert found[7] == Failure("a page that cannot be looked at")
    assert [each.regions[0].index for n, each in enumerate(found) if n != 7] == [
        n for n in range(20) if n != 7
    ]
    assert max(batches) == 8 and len(batches) < 20


@needs_server
def test_a_server_reads_the_same(inputs, undisturbed, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    port = free_port()
    options = InferOptions(
        **inputs,
        engine="server",
        base_url=f"http://127.0.0.1:{port}/v1",
        concurrency=4,
        output_dir=tmp_path / "run",
    )
    with transformers_serve(Path(inputs["model_id"]), port, tmp_path / "server.log"):
        assert infer(options).stopped is None
    for key, row in rows_of(tmp_path / "run").items():
        assert row.text == undisturbed[key].text
        assert [each.box for each in row.regions] == [each.box for each in undisturbed[key].regions]
