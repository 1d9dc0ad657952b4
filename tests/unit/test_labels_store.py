"""The label set: what counts, what is kept, what a crash costs."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from label_inputs import a_label, a_page, image_pages

from glmocr_utils.labels import LabelStore, LeftOut, find_duplicates, find_pages
from glmocr_utils.labels.pages import make_label
from glmocr_utils.labels.text_rules import clean_text
from glmocr_utils.records import Label, PageFile, label_from_json, label_to_json

KEY = a_page().key


def current_text(store: LabelStore) -> str | None:
    label = store.current(KEY)
    return label and label.text


# The record


def test_a_label_survives_json() -> None:
    label = a_label("ü\u2028\n€", reviewer="me", model_id="m", prompt="read\nit")
    line = label_to_json(label)
    assert "\n" not in line
    assert label_from_json(line) == label


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "golden"}, "status must be one of gold, silver, draft, rejected"),
        ({"source": ""}, "needs its source"),
        ({"text": "a\r\nb"}, "text rules"),
        ({"time": "2026-01-01T00:00:00"}, "time zone"),
        ({"time": "yesterday"}, "yesterday"),
    ],
)
def test_a_wrong_label_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(a_label(), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_sha256": "abc"}, "64 hex digits"),
        ({"image_file": Path("")}, "needs its image_file"),
        ({"task": ""}, "needs its task"),
        ({"angle": 45}, "0, 90, 180 or 270"),
    ],
)
def test_a_wrong_page_image_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(a_page(), **changes)


def test_a_label_keeps_its_image_with_scale_and_angle() -> None:
    turned = replace(a_page(), scale=2.0, angle=90, missing="A picture is missing.")
    label = a_label(page=turned, angle=180)
    assert label.angle == 90  # half of the turn is in the image already
    again = label_from_json(label_to_json(label))
    assert again == label and again.file == turned


def test_a_label_of_an_older_file_is_read() -> None:
    record = json.loads(label_to_json(a_label(page=replace(a_page(), scale=2.0))))
    for name in ("image_angle", "missing"):
        del record[name]
    (again,) = [label_from_json(json.dumps(record))]
    assert again == a_label(page=replace(a_page(), scale=2.0), time=again.time)


def test_a_label_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        a_label().text = "other"


@pytest.mark.parametrize("line", ["", "5", "{}", '{"document_path": "a"}', '{"colour": "red"}'])
def test_what_is_not_a_label_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a label"):
        label_from_json(line)


# Text rules


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("u\u0308", "ü"),
        ("a \r\nb\t\rc\u00a0\n", "a\nb\nc"),
        ("\n\n  indented\n\nend\n\n", "  indented\n\nend"),
        ("a  b", "a  b"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_text_rules(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean
    assert clean_text(clean) == clean


def test_the_raw_text_is_kept() -> None:
    label = a_label("u\u0308 \r\n")
    assert (label.text, label.raw_text) == ("ü", "u\u0308 \r\n")


def test_half_a_surrogate_pair_reaches_the_disk(store: LabelStore) -> None:
    store.add(a_label("a\ud800b"))
    assert LabelStore(store.directory).current(KEY).text == "a?b"


# What counts


def test_gold_goes_before_silver_before_draft_in_whatever_order(store: LabelStore) -> None:
    assert store.current(KEY) is None
    for status, text, expected in [
        ("draft", "first draft", "first draft"),
        ("silver", "silver", "silver"),
        ("draft", "second draft", "silver"),
        ("gold", "gold", "gold"),
        ("silver", "late silver", "gold"),
    ]:
        store.add(a_label(text, status))
        assert current_text(store) == expected
    assert [label.text for label in store.history(KEY)][:2] == ["first draft", "silver"]
    assert LabelStore(store.directory).current(KEY) == store.current(KEY)


def test_among_equals_a_person_goes_before_the_later(store: LabelStore) -> None:
    store.add(a_label("old", "gold"))
    store.add(a_label("new", "gold"))
    assert current_text(store) == "new"
    store.add(a_label("checked", "gold", reviewer="me"))
    store.add(a_label("newest", "gold", "text_layer"))
    assert current_text(store) == "checked"
    store.add(a_label("checked again", "gold", reviewer="you"))
    assert current_text(store) == "checked again"


def test_a_rejection_takes_away_its_text_only(store: LabelStore) -> None:
    good, bad = a_label("good", "draft"), a_label("bad", "gold")
    for label in (good, bad):
        store.add(label)
    store.reject(bad, reviewer="me")
    assert current_text(store) == "good"
    assert len(store.history(KEY)) == 3
    store.reject(good, reviewer="me")
    assert store.current(KEY) is None
    assert store.current_labels() == []
    store.add(a_label("bad", "gold", reviewer="me"))  # a change of mind comes after the rejection
    assert current_text(store) == "bad"


def test_tasks_of_one_page_are_apart(store: LabelStore) -> None:
    table = replace(a_page(), task="Table Recognition:")
    store.add(a_label("text"))
    store.add(a_label("<table>", page=table))
    assert current_text(store) == "text"
    assert store.current(table.key).text == "<table>"


def test_current_labels_are_chosen_by_status(store: LabelStore) -> None:
    store.add(a_label("gold"))
    store.add(a_label("draft", "draft", page=a_page("b")))
    assert [label.text for label in store.current_labels(["gold", "silver"])] == ["gold"]


# Recording and crashes


def read_aloud(pages):
    """A source that gives each page its file name, but leaves out page 2."""
    for page in pages:
        if page.image_file.name == "page002.png":
            yield LeftOut(page.page, str(page.image_file), "names", "it is page 2")
        else:
            yield make_label(page, page.image_file.name, "draft", "names")


def test_a_rerun_labels_only_what_is_missing(store: LabelStore, tmp_path: Path) -> None:
    pages = image_pages(tmp_path / "pages", 5)
    run = store.record("names", pages[:3], read_aloud, progress=False)
    assert (run.labelled, run.already_there, len(run.left_out)) == (2, 0, 1)
    again = LabelStore(store.directory)
    run = again.record("names", pages, read_aloud, progress=False)
    assert (run.labelled, run.already_there) == (2, 2)
    assert [left_out.reason for left_out in again.left_out()] == ["it is page 2"]
    lines = (store.directory / "left_out.jsonl").read_text().splitlines()
    assert len(lines) == 1  # the same reason is not written twice


def test_a_page_labelled_later_is_no_longer_left_out(store: LabelStore, tmp_path: Path) -> None:
    pages = image_pages(tmp_path / "pages", 3)
    store.record("names", pages, read_aloud, progress=False)
    store.add(make_label(pages[2], "two", "draft", "other"))
    assert len(store.left_out()) == 1
    store.add(make_label(pages[2], "two", "draft", "names"))
    assert LabelStore(store.directory).left_out() == []


def test_sources_and_prompts_do_not_hide_each_other(store: LabelStore) -> None:
    store.add(a_label("one", "silver", "llm:m", prompt="read"))
    assert store.has(a_page(), "llm:m", "read")
    assert not store.has(a_page(), "llm:m", "read well")
    assert not store.has(a_page(), "llm:other", "read")


def test_an_error_keeps_what_was_labelled_before(store: LabelStore, tmp_path: Path) -> None:
    def failing(pages):
        yield make_label(next(pages), "first", "draft", "names")
        raise RuntimeError("fell over")

    with pytest.raises(RuntimeError, match="fell over"):
        store.record("names", image_pages(tmp_path / "pages", 2), failing, progress=False)
    assert len(LabelStore(store.directory).labels()) == 1


def test_a_torn_last_line_is_passed_over_and_cut_off_by_who_writes_next(
    store: LabelStore,
) -> None:
    labels = [a_label("eins"), a_label("zwei ü€", page=a_page("b"))]
    for label in labels:
        store.add(label)
    path = store.directory / "labels.jsonl"
    content = path.read_bytes()
    first_line = content.index(b"\n") + 1
    for torn in range(first_line, len(content)):
        path.write_bytes(content[:torn])
        opened = LabelStore(store.directory)
        assert opened.labels() == labels[:1]
        assert path.read_bytes() == content[:torn]  # it may be half of what is being written now
        opened.add(labels[1])
        assert path.read_bytes() == content
        assert opened.labels() == labels


def test_damage_elsewhere_is_an_error_that_names_the_line(store: LabelStore) -> None:
    store.add(a_label())
    path = store.directory / "labels.jsonl"
    path.write_bytes(b"{broken}\n" + path.read_bytes())
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"labels\.jsonl', line 1, is damaged.*repair or delete"):
        LabelStore(store.directory)
    assert path.read_bytes() == before


# Two writers


@pytest.mark.skipif(os.name != "posix", reason="fork and SIGKILL")
def test_a_second_writer_learns_who_is_in_its_way_and_can_read(store: LabelStore) -> None:
    """The child stands for another process; it is killed while it writes."""
    store.add(a_label("before"))
    ready, tell = os.pipe()

    def stuck(pages: Iterator[PageFile]) -> Iterator[Label]:
        os.write(tell, b"!")
        time.sleep(60)
        yield from ()

    child = os.fork()
    if child == 0:
        LabelStore(store.directory).record("slow", [a_page("b")], stuck, progress=False)
        os._exit(0)
    try:
        os.read(ready, 1)
        with pytest.raises(BlockingIOError, match=r"another process writes to .*labels'; wait"):
            store.add(a_label("refused"))
        with pytest.raises(BlockingIOError):
            store.record("names", [], read_aloud, progress=False)
        assert LabelStore(store.directory).labels() == store.labels()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    store.add(a_label("after"))  # what a killed process held is free
    assert [label.text for label in store.labels()] == ["before", "after"]


def test_who_writes_takes_in_what_others_wrote_in_between(
    store: LabelStore, tmp_path: Path
) -> None:
    pages = image_pages(tmp_path / "pages", 3)
    other = LabelStore(store.directory)
    other.record("names", pages[:2], read_aloud, progress=False)
    run = store.record("names", pages, read_aloud, progress=False)
    assert (run.labelled, run.already_there) == (0, 2)
    other.add(a_label("more"))
    assert len(other.labels()) == 3
    assert LabelStore(store.directory).labels() == other.labels()


# Pages


def test_pages_of_a_rendered_folder_know_their_documents(tmp_path: Path) -> None:
    (tmp_path / "a_p0001.png").write_bytes(b"png")
    row = {"document": "a.pdf", "document_sha256": "d" * 64, "page_index": 0, "sha256": "e" * 64}
    rows = [{**row, "file_name": name} for name in ("a_p0001.png", "gone.png")]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"half'
    (tmp_path / "metadata.jsonl").write_text(text)
    (page,) = find_pages(tmp_path)
    assert page.page.document_path == "a.pdf"
    assert page.image_sha256 == "e" * 64


def test_a_metadata_file_of_another_kind_leaves_the_images(tmp_path: Path) -> None:
    image_pages(tmp_path, 2)
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "page000.png", "text": "a"}\n')
    assert len(find_pages(tmp_path)) == 2
    (tmp_path / "metadata.jsonl").write_text("file_name\tpage000.png\n")
    with pytest.raises(ValueError, match="run notebook 01 again"):
        find_pages(tmp_path)


def test_images_alone_are_their_own_documents(tmp_path: Path) -> None:
    first, second = image_pages(tmp_path / "pages", 2)
    assert first.page.document_sha256 == first.image_sha256 != second.image_sha256
    assert find_pages(first.image_file) == [first]


@pytest.mark.parametrize("path", ["empty", "missing", "notes.txt"])
def test_no_pages_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match="no page images"):
        find_pages(tmp_path / path)


def test_duplicates_are_found_by_image() -> None:
    pages = [a_page("a", 0, "1"), a_page("a", 1, "2"), a_page("b", 0, "1"), a_page("a", 0, "1")]
    assert find_duplicates(pages) == [[pages[0], pages[2]]]
