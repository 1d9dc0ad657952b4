"""Options, page ranges, and finding documents."""

import os
from pathlib import Path

import pytest

from glmocr_utils.render import RenderOptions, find_documents, parse_pages


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6]),
        ("1-3,7", [0, 1, 2, 6]),
        ("5-", [4, 5, 6]),
        ("7-", [6]),
        (" 2 , 4 - 5 ", [1, 3, 4]),
        ("7,1", [6, 0]),
        ("2,1-3,2", [1, 0, 2]),
    ],
)
def test_parse_pages(spec: str | None, expected: list[int]) -> None:
    assert parse_pages(spec, num_pages=7) == expected


@pytest.mark.parametrize("spec", ["8", "6-8", "8-", "1,999999999", "1-999999999"])
def test_page_beyond_the_end_names_the_page_count(spec: str) -> None:
    with pytest.raises(ValueError, match="has only 7 pages"):
        parse_pages(spec, num_pages=7)


@pytest.mark.parametrize(
    "spec", ["", "0", "0-2", "3-1", "-3", "a", "1,,2", "1;2", "1.5", "٣", "1-2-3"]
)
def test_what_is_not_a_page_range_is_refused_when_options_are_built(spec: str) -> None:
    with pytest.raises(ValueError, match="is not a page range"):
        RenderOptions(pages=spec)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0},
        {"scale": -1},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"max_pixels": 0},
        {"timeout": 0},
    ],
)
def test_options_refuse_impossible_values(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        RenderOptions(**wrong)


def test_the_password_is_not_printed() -> None:
    assert "secret" not in repr(RenderOptions(password="secret"))


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_gives_documents_of_all_depths_in_order(tmp_path: Path) -> None:
    wanted = [tmp_path / name for name in ("a.PDF", "b/c/d.tiff", "b/e.jpeg", "z.webp")]
    touch(*reversed(wanted))
    touch(tmp_path / "notes.md", tmp_path / ".hidden.pdf", tmp_path / ".trash/old.pdf")
    assert find_documents(tmp_path) == wanted
    assert find_documents(str(tmp_path)) == wanted


def test_a_file_is_itself_whatever_its_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "scan.bin")
    assert find_documents(tmp_path / "scan.bin") == [tmp_path / "scan.bin"]


def test_a_list_holds_paths_relative_to_itself(tmp_path: Path) -> None:
    list_path = tmp_path / "list.txt"
    list_path.write_bytes("\ufeffa b.pdf\r\n\r\nsub/ü.png\n/elsewhere/c.pdf\na b.pdf\n".encode())
    assert find_documents(list_path) == [
        tmp_path / "a b.pdf",
        tmp_path / "sub/ü.png",
        Path("/elsewhere/c.pdf"),
    ]


def test_a_list_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ValueError, match=r"list\.txt' is not UTF-8 text"):
        find_documents(tmp_path / "list.txt")


def test_nothing_found_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.pdf' does not exist; give a PDF"):
        find_documents(tmp_path / "missing.pdf")
    with pytest.raises(FileNotFoundError, match=r"no PDF or image in .*\.webp files"):
        find_documents(tmp_path)
    touch(tmp_path / "empty.txt")
    with pytest.raises(FileNotFoundError, match="write one path"):
        find_documents(tmp_path / "empty.txt")


def test_a_subfolder_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "a.pdf", tmp_path / "locked/b.pdf")
    list_folder = os.scandir

    def locked(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(PermissionError, match="locked"):
        find_documents(tmp_path)
