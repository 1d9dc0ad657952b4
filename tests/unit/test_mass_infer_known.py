"""A run knows its documents, whatever their path is spelled like, and has one writer."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from glmocr_utils.mass_infer import InferOptions, infer, looking, run_lock
from glmocr_utils.mass_infer.known_documents import KNOWN, KnownDocuments, locate
from glmocr_utils.mass_infer.run_folder import RunFolder
from glmocr_utils.records import FailedPage
from glmocr_utils.records.page_row import parts_of, read_rows
from glmocr_utils.render import Inspected, find_documents

pytestmark = pytest.mark.slow

SETTINGS = {"model_id": "m", "revision": None, "adapter": None, "prompt": "Text Recognition:"}


@pytest.fixture
def collection(tmp_path, monkeypatch) -> Path:
    """Three pages without ink, of which two are alike, and a file that does not open."""
    folder = tmp_path / "desk/pdfs"
    (folder / "deeper").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "deeper/b.png")):
        Image.new("RGB", (200 + min(number, 1), 100), "white").save(folder / name)
    (folder / "empty.pdf").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "desk")
    return folder


@pytest.fixture
def read(tmp_path, bundled_folder):
    """Reads an input into one run; returns how many pages that added."""

    def read(input_path: str | Path, output: str = "run") -> int:
        options = InferOptions(
            input_path, model_id=str(bundled_folder), output_dir=tmp_path / output
        )
        summary = infer(options)
        assert summary.stopped is None
        assert summary.total == sum(summary.statuses.values()) == 4
        return summary.read_now

    return read


def test_another_spelling_of_the_input_reads_nothing_again(collection, read, monkeypatch):
    assert read("pdfs") == 4
    (collection.parent / "link").symlink_to(collection)
    for spelled in ("./pdfs", "pdfs/", collection, f"{collection}/.", "../desk/pdfs", "link"):
        assert read(spelled) == 0, spelled
    monkeypatch.chdir(collection)
    assert read(".") == 0
    monkeypatch.chdir("deeper")
    assert read("..") == 0
    names = "".join(f"{path.relative_to(collection)}\n" for path in find_documents(collection))
    (collection / "list.txt").write_text(names)
    assert read(collection / "list.txt") == 0


def test_a_moved_collection_and_a_folder_above_read_nothing_again(collection, read, tmp_path):
    assert read("pdfs") == 4
    assert read(tmp_path / "desk") == 0
    collection.rename(tmp_path / "elsewhere")
    assert read(tmp_path / "elsewhere") == 0
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "copy", copy_function=shutil.copyfile)
    assert read(tmp_path / "copy") == 0


def test_a_run_without_notes_still_knows_its_documents(collection, read, tmp_path):
    assert read("pdfs") == 4
    for spelled in ("pdfs", collection, tmp_path / "moved"):
        (tmp_path / "run" / KNOWN).unlink()
        if not Path(spelled).exists():
            collection.rename(spelled)
        assert read(spelled) == 0


def test_the_same_content_twice_is_two_documents_with_a_text_each(collection, read, tmp_path):
    read("pdfs")
    rows = [row for row in read_rows(tmp_path / "run") if row.status == "blank"]
    assert sorted(row.document_path for row in rows) == [
        "pdfs/a.png", "pdfs/b.png", "pdfs/deeper/b.png",
    ]  # fmt: skip
    assert len(list((tmp_path / "run/documents").iterdir())) == 3


def test_a_restart_opens_what_is_new_or_changed_alone(collection, read, monkeypatch, tmp_path):
    read("pdfs")
    opened = []
    inspect = looking.inspect_documents

    def noted(paths, options):
        opened.extend(Path(path).name for path in paths)
        return inspect(paths, options)

    monkeypatch.setattr(looking, "inspect_documents", noted)
    assert read("pdfs") == 0
    assert opened == ["empty.pdf"]  # what did not open is tried again
    Image.new("RGB", (300, 300), "white").save(collection / "empty.pdf", "PNG")
    assert read("pdfs") == 1
    os.utime(collection / "a.png", ns=(1, 1))
    assert read(collection) == 0
    assert opened == ["empty.pdf", "empty.pdf", "a.png"]
    with (tmp_path / "run" / KNOWN).open("ab") as file:
        file.write(b'{"name": "half')  # as a crash leaves it
    assert read(collection) == 0 and read(collection) == 0
    assert len(opened) == 3


def test_pages_are_missed_before_every_document_was_looked_at(tmp_path):
    paths = []
    for number in range(2):
        paths.append(tmp_path / f"{number}.png")
        Image.new("RGB", (50, 50), "white").save(paths[-1])
    (tmp_path / "run").mkdir()
    with KnownDocuments(tmp_path / "run", ()) as known:
        first, second = located = locate(tmp_path, paths)
        known.note(first, Inspected(first.path, "0" * 64, 7), "0.png")
        looks = looking.look_at(located[::-1], known, InferOptions("x").render_options())
        assert next(looks)[1].num_pages == 7  # known, so it comes first
        assert next(looks)[0] == second
        assert list(looks) == []


def test_names_of_documents_that_did_not_open_are_kept(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"")
    failed = FailedPage("a.pdf", None, "unreadable", "a.pdf is empty")
    with KnownDocuments(tmp_path, [("old/a.pdf", None)]) as known:
        [document] = locate(tmp_path, [tmp_path / "a.pdf"])
        assert known.name(document, failed) == "old/a.pdf"


# One writer


def note(folder: Path, **values: object) -> Path:
    folder.mkdir(exist_ok=True)
    writer = {"host": "gpu-2", "boot": "another", "pid": 7, "since": 0.0, **values}
    (folder / run_lock.NOTE).write_text(json.dumps(writer))
    return folder / run_lock.NOTE


def test_a_writer_on_another_machine_is_named_with_what_to_do(tmp_path):
    left = note(tmp_path / "run")
    with pytest.raises(BlockingIOError, match=r"process 7 on gpu-2 writes .* delete") as error:
        RunFolder(tmp_path / "run", SETTINGS)
    assert str(left) in str(error.value)
    left.unlink()
    with RunFolder(tmp_path / "run", SETTINGS):
        assert left.exists()
    assert not left.exists()


def test_a_writer_on_another_machine_that_is_silent_for_long_is_taken_over(tmp_path, caplog):
    os.utime(note(tmp_path / "run"), (1, 1))
    with RunFolder(tmp_path / "run", SETTINGS):
        assert "process 7 on gpu-2 gave no sign of life" in caplog.text


@pytest.mark.parametrize("same", ["host", "boot"])
def test_a_dead_writer_on_this_machine_is_taken_over(tmp_path, same):
    note(tmp_path / "run", **{same: run_lock._this_machine()[same]})
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        assert not folder.done


def test_half_a_note_stops_no_run(tmp_path):
    note(tmp_path / "run").write_text('{"host": "gp')
    with RunFolder(tmp_path / "run", SETTINGS) as folder:
        assert not folder.done


def test_who_was_taken_over_writes_no_more(tmp_path, bundled_folder):
    Image.new("RGB", (200, 100), "white").save(tmp_path / "a.png")
    options = InferOptions(
        tmp_path / "a.png", model_id=str(bundled_folder), output_dir=tmp_path / "run"
    )

    def take_over(progress):
        note(tmp_path / "run")

    with pytest.raises(BlockingIOError, match="process 7 on gpu-2 has taken over"):
        infer(options, watch=take_over)
    assert not parts_of(tmp_path / "run")
    assert (tmp_path / "run" / run_lock.NOTE).exists()  # the other's
