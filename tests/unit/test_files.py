"""Files that survive a crash: whole or not there, line by line, and nothing left beside them."""

import pytest

from glmocr_utils.files import append_lines, replacing, same_name, whole_lines, write_file


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("content", ["Grüße\r\nan alle\n", b"\x00\xff"])
def test_a_file_has_what_was_written_and_nothing_is_beside_it(tmp_path, durable, content):
    path = tmp_path / "deeper" / "a.txt"
    assert write_file(path, content, durable=durable) == path
    expected = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == expected
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = write_file(tmp_path / "a.txt", "before")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_full_at_the_last_moment_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = write_file(tmp_path / "a.txt", "before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glmocr_utils.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    write_file(path, "after", durable=False)
    assert path.read_text() == "after"


def test_half_a_line_is_passed_over_and_cut_off_by_the_next_one(tmp_path):
    path = tmp_path / "log.jsonl"
    append_lines(path, "one")
    with path.open("ab") as file:
        file.write("zwölf, ha".encode()[:-3])
    assert list(whole_lines(path)) == ["one"]
    append_lines(path, "two")
    assert list(whole_lines(path)) == ["one", "two"]


def test_names_that_some_disks_take_for_one_are_equal():
    assert same_name("A\u0308.pdf") == same_name("ä.PDF")
    assert same_name("a.pdf") != same_name("b.pdf")
