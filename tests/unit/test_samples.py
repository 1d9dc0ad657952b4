"""The sample documents hold what `truth.jsonl` says, and can be made again."""

import hashlib
import json
import re
import unicodedata
from pathlib import Path
from string import ascii_letters

import numpy as np
import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from paths import SAMPLES
from PIL import Image

from glmocr_utils.records import read_decisions
from glmocr_utils.synth import families_found
from workshop.black_letter import STIX, write_black_letter
from workshop.tiny_model.corpus import LETTERS, ODD_CHARACTERS

pytestmark = pytest.mark.slow

PAGE_COUNTS = {
    "blank.pdf": 1,
    "decision.pdf": 2,
    "decision_scan.pdf": 2,
    "german.pdf": 1,
    "letter.pdf": 1,
    "long.pdf": 24,
    "receipt.png": 1,
    "rotated.pdf": 1,
}
BORN_DIGITAL = ("decision.pdf", "german.pdf", "letter.pdf", "long.pdf", "rotated.pdf")
ORDINANCES = sorted((SAMPLES / "ordinances").glob("*.pdf"))
IMAGE_ONLY = ("blank.pdf", "decision_scan.pdf")
COLUMNS = ("columns/bulletin.pdf", "columns/bulletin_scan.pdf")


def read_truth(folder: Path = SAMPLES) -> dict[str, list[str]]:
    truth: dict[str, list[str]] = {}
    for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        pages = truth.setdefault(row["file_name"], [])
        assert row["page_index"] == len(pages)
        pages.append(row["text"])
    return truth


def text_layer(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_range() for page in document]


def render(path: Path) -> list[Image.Image]:
    """Greyscale page images, 2 pixels per point."""
    if path.suffix == ".png":
        return [Image.open(path).convert("L")]
    with pypdfium2.PdfDocument(path) as document:
        return [page.render(scale=2, grayscale=True).to_pil() for page in document]


def test_truth_covers_every_page_of_every_document():
    assert {name: len(texts) for name, texts in read_truth().items()} == PAGE_COUNTS
    documents = [path for path in SAMPLES.iterdir() if path.suffix in (".pdf", ".png")]
    assert {path.name: len(render(path)) for path in documents} == PAGE_COUNTS


@pytest.mark.parametrize("name", BORN_DIGITAL)
def test_text_layer_is_the_truth(name):
    layer = [text.split() for text in text_layer(SAMPLES / name)]
    assert layer == [text.split() for text in read_truth()[name]]


@pytest.mark.parametrize("path", ORDINANCES, ids=lambda path: path.stem)
def test_the_text_layer_of_black_letter_is_plain_letters(path):
    blocks = (SAMPLES / "source" / "ordinances" / f"{path.stem}.txt").read_text(encoding="utf-8")
    pages = [page.removeprefix("# ").split() for page in blocks.split("\n===\n")]
    assert [text.split() for text in text_layer(path)] == pages


def test_there_is_a_chapter_for_every_source_of_the_ordinances():
    sources = sorted((SAMPLES / "source" / "ordinances").glob("*.txt"))
    assert [path.stem for path in ORDINANCES] == [path.stem for path in sources]
    assert len(sources) == 12


def test_black_letter_has_the_shapes_of_the_mathematical_alphabets(tmp_path):
    glyphs = TTFont(write_black_letter(tmp_path / "font.ttf")).getBestCmap()
    original = TTFont(STIX).getBestCmap()
    for letter in ascii_letters:
        shape = glyphs[ord(letter)]
        assert shape != original[ord(letter)]
        [fraktur] = [code for code, name in original.items() if name == shape]
        assert unicodedata.normalize("NFKC", chr(fraktur)) == letter
        assert re.search("FRAKTUR|BLACK-LETTER", unicodedata.name(chr(fraktur)))


@pytest.mark.parametrize("name", IMAGE_ONLY)
def test_images_have_no_text_layer(name):
    assert not any(text_layer(SAMPLES / name))


@pytest.mark.parametrize("name", PAGE_COUNTS)
def test_pages_are_upright_a6_sheets(name):
    assert {image.size for image in render(SAMPLES / name)} == {(596, 840)}


def test_the_scan_shows_the_same_pages():
    assert read_truth()["decision_scan.pdf"] == read_truth()["decision.pdf"]


def test_blank_page_is_grey_noise_without_text():
    assert read_truth()["blank.pdf"] == [""]
    [image] = render(SAMPLES / "blank.pdf")
    grey = np.asarray(image, float)
    assert 200 < grey.mean() < 250
    assert 1 < grey.std() < 15
    assert grey.min() > 150  # nothing as dark as ink


def test_rotated_page_is_upright_only_if_the_viewer_turns_it():
    with pypdfium2.PdfDocument(SAMPLES / "rotated.pdf") as document:
        page = document[0]
        assert page.get_rotation() == 90
        text = page.get_textpage()
        first, second = text.get_charbox(0), text.get_charbox(1)  # left, bottom, right, top
    # on the unturned, lying sheet the text starts at the bottom left and runs upwards
    assert max(first) < 60
    assert second[1] > first[3]
    assert abs(second[0] - first[0]) < 5


def test_the_bundled_model_knows_every_character():
    printed = {character for texts in read_truth().values() for character in "".join(texts)}
    assert printed - set(LETTERS + ODD_CHARACTERS) <= {" ", "\n"}


def test_truth_has_single_spaces_and_no_space_at_line_ends():
    lines = [line for texts in read_truth().values() for text in texts for line in text.split("\n")]
    assert lines == [" ".join(line.split()) for line in lines]


def test_every_page_of_the_long_document_is_different():
    pages = read_truth()["long.pdf"]
    paragraphs = [block for page in pages for block in page.split("\n\n")[1:]]
    assert len(set(paragraphs)) == len(paragraphs)


def test_the_review_log_is_of_these_documents_and_says_that_a_script_made_it():
    decisions = list(read_decisions(SAMPLES / "review.jsonl"))
    assert {decision.reviewer for decision in decisions} == {"sample script"}
    for decision in decisions:
        name = Path(decision.document_path).name
        content = (SAMPLES / name).read_bytes()
        assert decision.document_sha256 == hashlib.sha256(content).hexdigest()
        if decision.action == "finish":
            assert decision.after == read_truth()[name][decision.page_index]


def words_of(markdown: str) -> list[str]:
    """The words that are printed: without tags and signs of Markdown."""
    return re.sub(r"<[^>]*>|^#+ |^- ", " ", markdown, flags=re.MULTILINE).split()


def test_the_page_in_columns_has_its_text_and_its_regions_in_reading_order():
    lines = (SAMPLES / "columns/regions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    layer = text_layer(SAMPLES / COLUMNS[0])[0].replace("•", " ")
    layer = re.sub("[\ufffe\u00ad\u0002]\\s*|-\r\n", "", layer)  # words divided at line ends
    for name in COLUMNS:
        regions = [row for row in rows if f"columns/{row['file_name']}" == name]
        assert [row["index"] for row in regions] == list(range(len(regions)))
        assert {"table", "image", "footnote", "header"} <= {row["label"] for row in regions}
        markdown = "\n\n".join(row["text"] for row in regions if row["text"])
        assert markdown + "\n" == (SAMPLES / "columns/bulletin.md").read_text(encoding="utf-8")
        assert words_of(markdown) == layer.split()
        [page] = render(SAMPLES / name)
        for row in regions:
            x1, y1, x2, y2 = (round(side) for side in row["box"])
            assert np.asarray(page)[y1:y2, x1:x2].min() < 120, row


def test_samples_are_small():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 1_000_000


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory) -> Path:
    pytest.importorskip("fpdf", reason="fpdf2, which writes the sample PDFs, is not installed")
    if not {"Liberation Sans", "Liberation Serif"} <= {family.name for family in families_found()}:
        pytest.skip("the Liberation fonts (Debian: fonts-liberation) are not installed")
    from workshop.samples import build_samples

    folder = tmp_path_factory.mktemp("samples")
    build_samples(folder)
    return folder


def test_rebuilding_gives_the_same_bytes_each_time(rebuilt, tmp_path):
    from workshop.samples import build_samples

    build_samples(tmp_path)
    chapters = [f"ordinances/{path.name}" for path in ORDINANCES]
    for name in (*PAGE_COUNTS, *chapters, "truth.jsonl", "review.jsonl"):
        assert (tmp_path / name).read_bytes() == (rebuilt / name).read_bytes(), name


def test_rebuilding_gives_the_committed_truth(rebuilt):
    assert read_truth(rebuilt) == read_truth()
    for name in ("bulletin.md", "regions.jsonl"):
        assert (rebuilt / "columns" / name).read_text() == (SAMPLES / "columns" / name).read_text()


@pytest.mark.parametrize("name", [*PAGE_COUNTS, "ordinances/of_ale.pdf", *COLUMNS])
def test_rebuilding_gives_the_committed_pages(rebuilt, name):
    # pages rather than bytes: another version of zlib or of a font packs the same page otherwise
    for ours, theirs in zip(render(rebuilt / name), render(SAMPLES / name), strict=True):
        difference = np.abs(np.asarray(ours, float) - np.asarray(theirs, float))
        assert difference.mean() < 1  # grey levels of 255
