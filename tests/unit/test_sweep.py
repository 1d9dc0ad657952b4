"""`make sweep`: what it prints of a folder with sound and with faulty documents."""

import shutil
from pathlib import Path

import pytest
from test_undrawn import TEXT, in_unknown_font, pdf_bytes

from workshop.sweep import sweep

needs_poppler = pytest.mark.skipif(
    shutil.which("pdftoppm") is None, reason="poppler's pdftoppm is not installed"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sound.pdf").write_bytes(pdf_bytes(in_unknown_font("", TEXT % 100)))
    return tmp_path


def test_a_sound_folder_prints_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(sweep(folder)) == []
    assert capsys.readouterr().err.startswith("1 pages")


@needs_poppler
def test_a_page_that_poppler_draws_and_this_project_does_not_is_printed(folder: Path) -> None:
    (folder / "font.pdf").write_bytes(pdf_bytes(in_unknown_font("ሀለሐመሠ")))
    (line,) = sweep(folder)
    assert line.startswith("poppler draws ink, and here it is unreadable: ")
