"""A whole run with the bundled model: every page ends in the ledger, once, whatever happens."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
import torch
from paths import SAMPLES
from PIL import Image
from pypdf import PdfReader, PdfWriter
from serving import free_port, needs_server, transformers_serve
from training_pages import write_imagefolder

from glmocr_utils.cli import main
from glmocr_utils.mass_infer import InferOptions, RunSummary, infer, run
from glmocr_utils.mass_infer.ray_pool import RayPool
from glmocr_utils.model import ModelLoadError, TrainedFor
from glmocr_utils.ocr import PageReader
from glmocr_utils.records.page_row import PageRow, read_rows

pytestmark = pytest.mark.slow

NOT_COMPARED = {"seconds", "finished_at"}  # what two equal runs do not share


@pytest.fixture
def collection(tmp_path) -> Path:
    """Eight small images and a TIFF of two pages, one of them empty."""
    folder = tmp_path / "collection"
    write_imagefolder(folder)
    (folder / "metadata.jsonl").unlink()
    [first, *_] = sorted(folder.iterdir())
    with Image.open(first) as image:
        empty = Image.new("RGB", image.size, "white")
        image.save(folder / "two.tiff", save_all=True, append_images=[empty])
    return folder


@pytest.fixture
def options(collection, tmp_path, bundled_folder) -> InferOptions:
    return InferOptions(
        collection, model_id=str(bundled_folder), max_tokens=40, output_dir=tmp_path / "run"
    )


def rows_of(folder: Path) -> dict[tuple, PageRow]:
    rows = {row.key: row for row in read_rows(folder)}
    assert len(rows) == sum(1 for _ in read_rows(folder))  # no page twice
    return rows


def comparable(row: PageRow) -> PageRow:
    return replace(row, **dict.fromkeys(NOT_COMPARED, 0.0))


def test_every_page_is_read_once_and_a_rerun_reads_none(options, bundled_model):
    seen = []
    summary = infer(options, model=bundled_model, watch=seen.append)
    assert (summary.documents, summary.total, summary.read_now) == (9, 10, 10)
    assert summary.statuses["blank"] == 1 and sum(summary.statuses.values()) == 10
    assert summary.stopped is None
    assert [done for done, _ in groupby(progress.done for progress in seen)] == list(range(11))
    assert seen[-1].seconds_left == 0
    rows = rows_of(options.output_dir)
    assert {row.status for row in rows.values() if row.page_index == 1} == {"blank"}
    assert all(row.text and row.mean_prob for row in rows.values() if row.status == "ok")
    assert len(list((options.output_dir / "documents").iterdir())) == 9
    again = infer(options)  # loads no model either
    assert (again.total, again.read_now) == (10, 0)
    assert rows_of(options.output_dir) == rows


def test_new_documents_are_read_and_settings_are_kept(options, collection, bundled_model):
    infer(options, model=bundled_model)
    Image.new("RGB", (200, 200), "white").save(collection / "new.png")
    assert infer(options, model=bundled_model).read_now == 1
    with pytest.raises(ValueError, match="other max_tokens"):
        infer(replace(options, max_tokens=41), model=bundled_model)
    run = json.loads((options.output_dir / "run.json").read_text())
    assert run["model_id"] == str(options.model_id) and len(run["weights_sha256"]) == 64
    assert {"torch", "transformers"} <= run["versions"].keys()


def test_truncated_pages_are_read_again_when_asked(options, bundled_model):
    short = replace(options, max_tokens=3)
    assert infer(short, model=bundled_model).statuses["truncated"] == 9
    with pytest.raises(ValueError, match="retry takes statuses"):
        replace(options, retry=["lost"])
    again = infer(replace(short, max_tokens=60, retry="truncated,failed"), model=bundled_model)
    assert again.read_now == 9 and again.statuses == {"ok": 9, "blank": 1}
    attempts = [row.attempts for row in rows_of(options.output_dir).values() if row.attempts]
    assert {each[-1].max_tokens for each in attempts} == {60}
    assert infer(short, model=bundled_model).read_now == 0  # the folder's own limits are as before
    longer = replace(short, output_dir=options.output_dir.with_name("b"), retry_max_tokens=60)
    assert infer(longer, model=bundled_model).statuses["ok"] == 9


def test_a_retry_that_cannot_load_its_model_takes_nothing_away(options, bundled_model):
    short = replace(options, max_tokens=3)
    infer(short, model=bundled_model)
    rows = rows_of(options.output_dir)
    with pytest.raises(ModelLoadError):
        infer(replace(short, retry="truncated", device_map="cuda:99"))
    assert rows_of(options.output_dir) == rows
    assert len(list((options.output_dir / "documents").iterdir())) == 9


def test_a_retry_that_is_interrupted_leaves_every_page_its_row(options, bundled_model):
    def interrupt(progress):
        if progress.read_now == 4:
            raise KeyboardInterrupt

    infer(replace(options, max_tokens=3), model=bundled_model)
    retry = replace(options, retry="truncated")
    stopped = infer(retry, model=bundled_model, watch=interrupt)
    assert stopped.read_now == 4 and stopped.statuses["truncated"] == 5
    assert len(rows_of(options.output_dir)) == 10
    assert infer(retry, model=bundled_model).read_now == 5
    assert {row.status for row in rows_of(options.output_dir).values()} == {"ok", "blank"}
    assert len(list((options.output_dir / "documents").iterdir())) == 9


def test_what_does_not_open_has_its_row_and_its_reason(options, collection, bundled_model):
    writer = PdfWriter(clone_from=SAMPLES / "ordinances/of_ale.pdf")
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(collection / "locked.pdf")
    (collection / "empty.pdf").write_bytes(b"")
    options = replace(options, max_tokens=8)
    summary = infer(options, model=bundled_model)
    assert (summary.statuses["encrypted"], summary.statuses["unreadable"]) == (1, 1)
    reasons = {row.status: row.reason for row in read_rows(options.output_dir)}
    assert "locked.pdf" in reasons["encrypted"] and "0 bytes" in reasons["unreadable"]
    assert infer(options, model=bundled_model).read_now == 0
    opened = infer(replace(options, password="secret"), model=bundled_model)
    assert opened.read_now == 2 and opened.statuses["encrypted"] == 0


def test_a_page_that_fails_alone_does_not_stop_the_others(options, bundled_model, monkeypatch):
    """Memory runs out for steps of more than two pages, and always for the widest page."""
    widest, together = max_width(options.input_path), []
    enter, step = PageReader.enter_together, PageReader.step

    def enter_little(reader, pages):
        is_wide = any(page.page.width_px >= widest for _, page, _ in pages)
        if len(reader) + len(pages) > 4 or is_wide:
            raise RuntimeError("CUDA out of memory. Tried to allocate")
        enter(reader, pages)

    def step_little(reader):
        together.append(len(reader))
        if len(reader) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return step(reader)

    with Image.open(options.input_path / "d0_p0001.png") as image:
        image.resize((widest, image.height)).save(options.input_path / "d0_p0001.png")
    alone = rows_of(infer(replace(options, batch_size=1), model=bundled_model).folder)
    monkeypatch.setattr(PageReader, "enter_together", enter_little)
    monkeypatch.setattr(PageReader, "step", step_little)
    elsewhere = replace(options, output_dir=options.output_dir.with_name("little"))
    summary = infer(elsewhere, model=bundled_model)
    assert summary.statuses["failed"] == 1 and summary.total == sum(summary.statuses.values())
    rows = rows_of(elsewhere.output_dir)
    [failed] = [row for row in rows.values() if row.status == "failed"]
    assert "memory ran out for this page alone" in failed.reason
    # it does not try large ones again and again; none at all if the widest page came before them
    assert [size for size in together if size > 2] in ([], [3], [4], [4, 3])
    for key, row in rows.items():
        assert row is failed or row.text == alone[key].text


def test_a_page_that_cannot_be_prepared_does_not_stop_the_others(
    options, collection, bundled_model
):
    """The image processor refuses a page that is more than 200 times as wide as high."""
    Image.new("RGB", (9000, 30), "white").save(collection / "blank_strip.png")
    strip = Image.new("RGB", (9000, 30), "white")
    strip.paste("black", (100, 8, 8000, 20))
    strip.save(collection / "strip.png")
    summary = infer(options, model=bundled_model)
    assert summary.stopped is None and summary.total == sum(summary.statuses.values())
    rows = rows_of(options.output_dir).values()
    [failed] = [row for row in rows if row.status == "failed"]
    assert failed.document_path.endswith("/strip.png") and "aspect ratio" in failed.reason


def test_pages_of_a_pass_that_fails_are_tried_one_by_one(options, bundled_model, monkeypatch):
    """A pass that the page of a certain width takes part in fails, for no lack of memory."""
    guilty, step = max_width(options.input_path), PageReader.step

    def step_without(reader):
        if any(page.width_px == guilty for page, *_ in reader._under_way.values()):
            raise RuntimeError("the size of tensor a must match")
        return step(reader)

    with Image.open(options.input_path / "d0_p0001.png") as image:
        image.resize((guilty, image.height)).save(options.input_path / "d0_p0001.png")
    monkeypatch.setattr(PageReader, "step", step_without)
    summary = infer(options, model=bundled_model)
    [failed] = [row for row in rows_of(options.output_dir).values() if row.status == "failed"]
    assert failed.document_path.endswith("d0_p0001.png") and "size of tensor" in failed.reason
    assert summary.total == sum(summary.statuses.values())


def max_width(folder: Path) -> int:
    return max(Image.open(path).width for path in folder.iterdir()) + 100


def test_too_many_failures_stop_the_run(options, bundled_model, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(PageReader, "enter_together", broken)
    monkeypatch.setattr(run, "MIN_PAGES_TO_JUDGE", 4)
    summary = infer(options, model=bundled_model)
    assert summary.read_now < summary.total
    assert "device-side assert" in summary.stopped and "max_failure_rate" in summary.stopped


def test_failures_that_begin_late_stop_the_run_soon(options, bundled_model, monkeypatch):
    """Of the whole run half the pages are read, of the last four hardly one."""
    entered, enter = [], PageReader.enter_together

    def break_down(reader, pages):
        entered.extend(pages)
        if len(entered) > 5:
            raise RuntimeError("device-side assert triggered")
        enter(reader, pages)

    monkeypatch.setattr(PageReader, "enter_together", break_down)
    monkeypatch.setattr(run, "MIN_PAGES_TO_JUDGE", 2)
    monkeypatch.setattr(run, "MAX_PAGES_TO_JUDGE", 4)
    summary = infer(replace(options, batch_size=1), model=bundled_model)
    assert summary.statuses["failed"] == 3
    assert "75% of the last 4 pages failed, looped" in summary.stopped


def test_a_page_at_another_scale_than_the_model_was_trained_at_is_reported(options, bundled_model):
    trained = replace(bundled_model, trained_for=TrainedFor(scale=3.0))
    page = replace(options, input_path=SAMPLES / "ordinances/of_ale.pdf", max_tokens=2, scale=1.0)
    with pytest.warns(UserWarning, match="scale 1, and the model was trained at 3"):
        infer(page, model=trained)


def test_ctrl_c_keeps_what_was_read_and_the_next_start_resumes(options, bundled_model):
    def interrupt(progress):
        if progress.read_now == 4:
            raise KeyboardInterrupt

    summary = infer(options, model=bundled_model, watch=interrupt)
    assert "interrupted" in summary.stopped and summary.read_now == 4
    assert len(rows_of(options.output_dir)) == 4
    assert infer(options, model=bundled_model).read_now == 6


def test_mutilated_documents_have_a_row_and_good_ones_are_read(options, collection, bundled_model):
    rng = random.Random(3)
    sources = [(SAMPLES / f"ordinances/{name}.pdf").read_bytes() for name in ("of_ale", "of_fire")]
    for number in range(200):
        content = bytearray(rng.choice(sources))
        if number % 3 == 0:
            content = content[: rng.randrange(len(content))]
        elif number % 3 == 1:
            for _ in range(60):
                content[rng.randrange(len(content))] = rng.randrange(256)
        else:
            cut = rng.randrange(len(content))
            content = content[:cut] + rng.choice(sources)[rng.randrange(9000) :]
        (collection / f"bad{number:03d}.pdf").write_bytes(content)
    summary = infer(replace(options, max_tokens=2), model=bundled_model)
    assert summary.documents == 209
    assert sum(summary.statuses.values()) == summary.total == len(rows_of(options.output_dir))
    assert len({row.document_path for row in read_rows(options.output_dir)}) == 209
    for row in read_rows(options.output_dir):
        name = Path(row.document_path).name
        if row.status in ("unreadable", "failed", "encrypted"):
            assert name in row.reason
        if not name.startswith("bad"):
            is_empty = name == "two.tiff" and row.page_index == 1
            assert row.status == ("blank" if is_empty else "truncated")


RUN = """
import sys
from glmocr_utils.mass_infer import InferOptions, infer, run_folder
run_folder.ROWS_A_PART = 2
infer(InferOptions(sys.argv[1], model_id=sys.argv[2], max_tokens=40, batch_size=2,
                   output_dir=sys.argv[3]), watch=lambda progress: print(progress.done, flush=True))
"""


def test_killed_at_any_moment_it_ends_as_if_undisturbed(options, bundled_model, tmp_path):
    undisturbed = replace(options, batch_size=2, output_dir=tmp_path / "undisturbed")
    infer(undisturbed, model=bundled_model)
    rng = random.Random(5)
    command = [sys.executable, "-c", RUN, options.input_path, options.model_id, options.output_dir]
    for kill in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            for _ in range(rng.randint(2, 4)):
                run.stdout.readline()
            time.sleep(rng.random() * 0.05)
            run.send_signal(signal.SIGKILL)
        if kill == 0:  # in the middle of a write
            (Path(options.output_dir) / "pages/part-000077.parquet.partial").write_bytes(b"PAR1")
    infer(replace(options, batch_size=2), model=bundled_model)
    ours, theirs = rows_of(options.output_dir), rows_of(undisturbed.output_dir)
    assert ours.keys() == theirs.keys()
    for key, row in ours.items():
        assert row.text == theirs[key].text and row.status == theirs[key].status
    ours, theirs = (
        {path.name: path.read_text() for path in (Path(folder) / "documents").iterdir()}
        for folder in (options.output_dir, undisturbed.output_dir)
    )
    assert ours == theirs


@needs_server
def test_a_server_reads_the_same_and_may_start_again(options, bundled_model, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    infer(replace(options, output_dir=tmp_path / "local"), model=bundled_model)
    port = free_port()
    model = Path(options.model_id)
    served = replace(
        options, engine="server", base_url=f"http://127.0.0.1:{port}/v1", concurrency=2
    )
    stopped = []
    with transformers_serve(model, port, tmp_path / "first.log"):

        def stop(progress):
            if progress.read_now == 4:
                raise KeyboardInterrupt

        stopped.append(infer(served, watch=stop))
    assert stopped[0].read_now == 4
    monkeypatch.setattr("glmocr_utils.endpoint.asking.PATIENCE_S", 2.0)
    with pytest.warns(UserWarning, match="nothing answers at .*; asking again"):
        alone = infer(served)
    assert "nothing answers" in alone.stopped and "start the server" in alone.stopped
    with transformers_serve(model, port, tmp_path / "second.log"):
        assert infer(served).stopped is None
    local, server = rows_of(tmp_path / "local"), rows_of(options.output_dir)
    assert local.keys() == server.keys()
    for key, row in local.items():
        if row.status in ("ok", "blank"):
            assert (server[key].text, server[key].status) == (row.text, row.status)


def test_ray_reads_the_same_and_survives_the_loss_of_an_actor(options, bundled_model, tmp_path):
    ray = pytest.importorskip("ray", reason="ray is not installed; try: pip install ray")
    infer(replace(options, output_dir=tmp_path / "local"), model=bundled_model)
    pools = []
    start = RayPool._start

    def noted(pool, ray):
        start(pool, ray)
        pools.append(pool)

    def kill_an_actor(progress):
        if progress.read_now == 2:
            os.kill(ray.get(pools[0].actors[0].process_id.remote()), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RayPool, "_start", noted)
        ray_options = replace(options, engine="ray", num_actors=2, batch_size=2)
        summary = infer(ray_options, watch=kill_an_actor)
    assert summary.stopped is None and summary.statuses["failed"] == 0
    local, other = rows_of(tmp_path / "local"), rows_of(options.output_dir)
    assert {key: row.text for key, row in local.items()} == {
        key: row.text for key, row in other.items()
    }
    assert not ray.is_initialized()


def test_the_command_says_what_was_read_and_what_was_not(options, collection, capsys):
    (collection / "empty.pdf").write_bytes(b"")
    arguments = ["infer", str(collection), "--model", str(options.model_id), "--max-tokens", "40"]
    arguments += ["--output-dir", str(options.output_dir)]
    assert main(arguments) == 1
    printed, errors = capsys.readouterr()
    assert "10 documents, 11 pages: 11 done now" in printed and "1 unreadable" in printed
    assert "unreadable: " in errors and "empty.pdf" in errors and "0 bytes" in errors
    assert main([*arguments, "--retry", "unreadable"]) == 1
    assert "1 done now" in capsys.readouterr().out
    assert len(rows_of(options.output_dir)) == 11


def test_the_command_names_an_output_folder_that_is_a_file(options, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    arguments = ["infer", str(options.input_path), "--model", str(options.model_id)]
    assert main([*arguments, "--output-dir", str(tmp_path / "notes.txt")]) == 2
    said = capsys.readouterr().err
    assert str(tmp_path / "notes.txt") in said and "folder" in said


def test_options_that_cannot_work_are_refused_before_anything_is_read():
    for wrong, said in (
        ({"engine": "cloud"}, "engine is 'local' or 'server' or 'ray'"),
        ({"engine": "server"}, "needs base_url"),
        ({"batch_size": "many"}, "batch_size is a whole number or 'auto'"),
        ({"max_failure_rate": 0}, "max_failure_rate"),
        ({"scale": 0}, "scale"),
    ):
        with pytest.raises(ValueError, match=said):
            InferOptions("x", **wrong)


def test_pdf_pages_of_a_document_are_counted_as_pdfium_counts_them(options, bundled_model):
    one = replace(options, input_path=SAMPLES / "ordinances/of_bread.pdf", max_tokens=4, scale=1.0)
    summary = infer(one, model=bundled_model)
    pages = len(PdfReader(SAMPLES / "ordinances/of_bread.pdf").pages)
    assert summary.total == pages == 2


def test_a_run_says_what_a_million_pages_cost():
    """At 2 an hour and 4 pages a second: 250,000 seconds, 69.4 hours."""
    summary = RunSummary(Path("run"), 3, 40, 8, Counter(ok=40), 2.0, None)
    assert summary.pages_per_second == 4
    assert summary.cost_per_million_pages(2.0) == pytest.approx(138.9, abs=0.1)
    assert summary.speed_line(2.0) == "4 pages/s; a million pages cost 139 at 2 an hour"
    assert summary.speed_line(None) == "4 pages/s"
    nothing = replace(summary, read_now=0)
    assert nothing.cost_per_million_pages(2.0) is None
    assert "no page was read" in nothing.speed_line(2.0)


@pytest.mark.parametrize("price", [0, -1.5, float("nan")])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(ValueError, match=r"price_per_hour .* above 0"):
        InferOptions(price_per_hour=price)
