"""Documents to files: order, names, failures in between."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from make_results import page_of
from paths import SAMPLES
from PIL import Image

from glmocr_utils.ocr import (
    PAGE_BREAK,
    PageImages,
    PageReader,
    default_input,
    load_results,
    read_documents,
)
from glmocr_utils.records import (
    FailedPage,
    OcrResult,
    PageRef,
    from_json,
    read_results,
    to_json,
    write_results,
)
from glmocr_utils.render import RenderOptions, input_documents, render_documents

pytestmark = pytest.mark.slow

FEW_TOKENS = {"max_tokens": 8}


def test_pages_come_in_order_and_each_document_gets_its_files(bundled_model, tmp_path):
    paths = [SAMPLES / "decision.pdf", SAMPLES / "letter.pdf"]
    results = list(read_documents(bundled_model, paths, tmp_path, batch_size=2, **FEW_TOKENS))
    pages = [(Path(r.page.document_path).name, r.page.page_index) for r in results]
    assert pages == [("decision.pdf", 0), ("decision.pdf", 1), ("letter.pdf", 0)]
    assert [r.text for r in read_results(tmp_path / "decision.jsonl")] == [
        r.text for r in results[:2]
    ]
    text = (tmp_path / "decision.txt").read_text(encoding="utf-8")
    assert text == PAGE_BREAK.join(r.text for r in results[:2])
    assert (tmp_path / "letter.txt").is_file()


def test_failures_keep_their_place_among_the_pages(bundled_model, tmp_path):
    """Documents that do not open, a page that the model does not take, and pages read before."""
    broken = tmp_path / "broken.pdf"
    broken.write_bytes((SAMPLES / "letter.pdf").read_bytes()[:900])
    strip = Image.new("RGB", (9000, 30), "white")
    strip.paste("black", (100, 10, 200, 20))
    page = Image.new("RGB", (280, 280), "white")
    page.paste("black", (100, 100, 180, 110))
    page.save(tmp_path / "book.tiff", save_all=True, append_images=[strip, page])
    paths = [
        SAMPLES / "letter.pdf",
        tmp_path / "missing.pdf",
        tmp_path / "book.tiff",
        broken,
        SAMPLES / "decision.pdf",
    ]
    expected = [
        ("letter.pdf", 0, OcrResult),
        ("missing.pdf", None, FailedPage),
        ("book.tiff", 0, OcrResult),
        ("book.tiff", 1, FailedPage),
        ("book.tiff", 2, OcrResult),
        ("broken.pdf", None, FailedPage),
        ("decision.pdf", 0, OcrResult),
        ("decision.pdf", 1, OcrResult),
    ]
    list(read_documents(bundled_model, paths[-1:], tmp_path / "some", **FEW_TOKENS))
    for output_dir in (None, tmp_path / "some", tmp_path / "some"):  # read, read in part, again
        pages = read_documents(bundled_model, paths, output_dir, batch_size=3, **FEW_TOKENS)
        assert [named(page) for page in pages] == expected
    assert (tmp_path / "some/book.txt").read_text(encoding="utf-8").count(PAGE_BREAK) == 1


def named(page: OcrResult | FailedPage) -> tuple[str, int | None, type]:
    where = page if isinstance(page, FailedPage) else page.page
    return Path(where.document_path).name, where.page_index, type(page)


def test_a_page_without_ink_is_blank_and_the_model_is_not_asked(
    bundled_model, tmp_path, monkeypatch
):
    white = Image.new("RGB", (400, 400), "white")
    ink = white.copy()
    ink.paste("black", (100, 100, 180, 110))
    white.save(tmp_path / "a.tiff", save_all=True, append_images=[white, ink, white])
    pages = list(read_documents(bundled_model, [tmp_path / "a.tiff"], **FEW_TOKENS))
    assert [page.page.page_index for page in pages] == [0, 1, 2, 3]
    assert [page.is_blank for page in pages] == [True, True, False, True]
    assert pages[0].status == "blank" and pages[0].num_image_tokens == 0


def test_a_page_that_the_model_does_not_take_does_not_stop_the_others(
    bundled_model, tmp_path, monkeypatch
):
    """A strip is refused before the model, and the second page of the decision finds no room."""
    strip = Image.new("RGB", (9000, 30), "white")
    strip.paste("black", (100, 10, 200, 20))
    strip.save(tmp_path / "strip.png")
    enter = PageReader.enter_together

    def enter_or_fail(reader, pages):
        if any(page.page.page.page_index == 1 for _, page, _ in pages):
            raise torch.OutOfMemoryError("CUDA out of memory")
        enter(reader, pages)

    monkeypatch.setattr(PageReader, "enter_together", enter_or_fail)
    paths = [tmp_path / "strip.png", SAMPLES / "decision.pdf", SAMPLES / "letter.pdf"]
    pages = list(read_documents(bundled_model, paths, tmp_path / "out", **FEW_TOKENS))
    reasons = {Path(p.document_path).name: p.reason for p in pages if isinstance(p, FailedPage)}
    assert "page 1" in reasons["strip.png"] and "aspect ratio" in reasons["strip.png"]
    assert "page 2" in reasons["decision.pdf"] and "lower batch_size" in reasons["decision.pdf"]
    files = {file.name.partition(".")[0] for file in (tmp_path / "out").iterdir()}
    assert files == {"decision", "letter"}


def test_a_name_that_is_not_unicode_comes_back_as_it_was(bundled_model, tmp_path):
    path = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))
    Image.new("RGB", (280, 280), "white").save(path)
    [result] = read_documents(bundled_model, [path], tmp_path / "out", **FEW_TOKENS)
    [again] = load_results(tmp_path / "out")
    assert again.page == result.page and Path(again.page.document_path) == path


def test_a_later_run_leaves_the_files_of_another_document(bundled_model, tmp_path):
    paths = [tmp_path / folder / "same.pdf" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        shutil.copy(SAMPLES / "letter.pdf", path)
        for _ in range(2):  # the same document again replaces its own
            list(read_documents(bundled_model, [path], tmp_path / "out", **FEW_TOKENS))
    read = sorted(result.page.document_path for result in load_results(tmp_path / "out"))
    assert read == [str(path) for path in paths]


def test_two_documents_of_one_name_keep_their_files(bundled_model, tmp_path):
    paths = []
    for folder, sample in (("a", "letter.pdf"), ("b", "german.pdf")):
        (tmp_path / folder).mkdir()
        paths.append(shutil.copy(SAMPLES / sample, tmp_path / folder / "Same.pdf"))
    list(read_documents(bundled_model, paths, tmp_path / "out", **FEW_TOKENS))
    files = sorted((tmp_path / "out").glob("*.jsonl"))
    assert len(files) == 2
    assert {next(read_results(file)).page.document_path for file in files} == set(map(str, paths))


@pytest.fixture
def entered(monkeypatch) -> list[PageRef]:
    """The pages that are given to the model."""
    pages = []
    enter = PageReader.enter_together

    def note(reader, entries):
        pages.extend(page.page.page for _, page, _ in entries)
        enter(reader, entries)

    monkeypatch.setattr(PageReader, "enter_together", note)
    return pages


class TestResuming:
    """What was read is kept, and the next start reads what is missing."""

    DOCUMENTS = (SAMPLES / "decision.pdf", SAMPLES / "letter.pdf")

    @pytest.fixture
    def read(self, bundled_model, tmp_path):
        def read(*documents, **options):
            return read_documents(
                bundled_model, documents or self.DOCUMENTS, tmp_path, **FEW_TOKENS | options
            )

        return read

    def test_an_interrupted_reading_resumes(self, read, entered, tmp_path):
        pages = read()
        first = next(pages)
        pages.close()
        assert list(read_results(tmp_path / "decision.jsonl")) == [rounded(first)]
        assert (tmp_path / "decision.txt").read_text(encoding="utf-8") == first.text
        assert not (tmp_path / "letter.txt").exists()
        del entered[:]
        again = list(read())
        assert [page.page.page_index for page in again] == [0, 1, 0]
        assert [page.page for page in again[1:]] == entered
        text = (tmp_path / "decision.txt").read_text(encoding="utf-8")
        assert text == PAGE_BREAK.join(page.text for page in again[:2])
        del entered[:]
        assert list(map(rounded, again)) == list(read()) and entered == []

    def test_half_a_line_is_cut_off(self, read, entered, tmp_path):
        whole = list(read())
        path = tmp_path / "decision.jsonl"
        path.write_bytes(path.read_bytes()[:-100])  # killed while the second page was written
        del entered[:]
        assert list(read_results(path)) == [rounded(whole[0])]
        texts = [page.text for page in read()]
        assert texts == [page.text for page in whole] and entered == [whole[1].page]
        assert len(list(read_results(path))) == 2

    def test_pages_asked_for_later_are_added_in_their_place(self, read, entered, tmp_path):
        for pages, expected in (("2", [1]), ("1-", [0, 1]), ("2", [1])):
            options = RenderOptions(pages=pages)
            given = list(read(SAMPLES / "decision.pdf", options=options))
            assert [page.page.page_index for page in given] == expected
        kept = read_results(tmp_path / "decision.jsonl")
        assert [page.page.page_index for page in kept] == [0, 1]
        assert len(entered) == 2

    def test_other_settings_are_refused_and_start_over_replaces(self, read, entered, tmp_path):
        list(read(options=RenderOptions(scale=1.0)))
        before = (tmp_path / "letter.jsonl").read_bytes()
        with pytest.raises(ValueError, match=r"other max_tokens and scale\. Set start_over=True"):
            next(read(max_tokens=9))
        assert (tmp_path / "letter.jsonl").read_bytes() == before
        del entered[:]
        again = list(read(start_over=True))
        assert len(entered) == 3 and {page.scale for page in again} == {2.0}
        assert len(list(read_results(tmp_path / "decision.jsonl"))) == 2
        list(read(batch_size=2))  # the text does not depend on it
        assert len(entered) == 3

    def test_readings_without_recorded_settings_are_not_mixed_with_others(self, read, tmp_path):
        list(read(SAMPLES / "letter.pdf"))
        (tmp_path / "letter.settings.json").unlink()
        with pytest.raises(ValueError, match="settings that were not recorded"):
            next(read(SAMPLES / "letter.pdf"))

    def test_a_document_that_changed_is_read_again(self, read, entered, tmp_path):
        document = tmp_path / "in/a.pdf"
        document.parent.mkdir()
        for sample in ("letter.pdf", "german.pdf"):
            shutil.copy(SAMPLES / sample, document)
            list(read(document))
        assert len(entered) == 2
        assert len(list(read_results(tmp_path / "a.jsonl"))) == 1

    def test_folders_below_the_input_are_kept_and_names_never_meet(self, read, tmp_path):
        root = tmp_path / "in"
        names = ["v1.2/letter.pdf", "v1.2/Letter.pdf", "V1.2/letter.pdf", "letter.pdf"]
        for number, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (80 + number, 80), "white").save(root / name, "PNG")
        for _ in range(2):
            list(read(*(root / name for name in names), roots=[root]))
        files = list(tmp_path.rglob("*.jsonl"))
        assert {path.parent.name.lower() for path in files} == {"v1.2", tmp_path.name}
        assert len({str(path).casefold() for path in files}) == len(names)
        assert sorted(page.page.document_path for page in load_results(tmp_path)) == sorted(
            str(root / name) for name in names
        )


def rounded(result: OcrResult) -> OcrResult:
    """As it comes back from a file."""
    return from_json(to_json(result))


def test_pages_are_chosen_and_scaled(bundled_model):
    options = RenderOptions(scale=1.0, pages="2")
    (result,) = read_documents(
        bundled_model, [SAMPLES / "decision.pdf"], options=options, **FEW_TOKENS
    )
    assert result.page.page_index == 1
    assert result.scale == 1.0
    assert result.num_image_tokens == 15 * 11  # 420 × 298 points, in cells of 28 pixels


def test_default_input_is_the_first_pdf_under_data_and_a_sample_without_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/samples").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="no PDF or image in"):
        default_input(None)
    for name in ("samples/blank.pdf", "samples/decision.pdf"):
        (tmp_path / "data" / name).write_bytes(b"")
    assert default_input(None) == Path("data/samples/decision.pdf")
    (tmp_path / "data/a.png").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="no PDF under data/"):
        default_input(None)
    (tmp_path / "data/z.pdf").write_bytes(b"")
    assert default_input(None) == Path("data/z.pdf")
    assert input_documents(None) == [Path("data/a.png"), Path("data/z.pdf")]
    assert default_input("x.pdf") == Path("x.pdf")


def test_page_images_are_those_that_were_read():
    names = ("decision.pdf", "letter.pdf")
    options = RenderOptions(scale=1.0)
    results = [
        replace(page_of(index=page.page.page_index), page=page.page, scale=1.0)
        for page in render_documents([SAMPLES / name for name in names], options)
    ]
    images = PageImages(results)
    assert [images[result.page].page for result in results] == list(images)
    first = results[0].page
    assert images[first].page == first  # going back renders again
    assert images[first].scale == 1.0 and images[first] is images[first]
    gone = replace(first, document_path="gone.pdf")
    assert PageImages([replace(results[0], page=gone)]).get(gone) is None


LOOK_AT_THE_FIRST_PAGE = """
import sys
from glmocr_utils.ocr import PageImages, load_results
images = PageImages(load_results(sys.argv[1]))
images[next(iter(images))]
"""


def test_a_document_that_was_looked_into_leaves_no_notice_at_the_end(tmp_path):
    pages = render_documents([SAMPLES / "decision.pdf"], RenderOptions(scale=0.5))
    results = [replace(page_of(), page=page.page, scale=0.5) for page in pages]
    write_results(results, tmp_path / "read.jsonl")
    command = [sys.executable, "-c", LOOK_AT_THE_FIRST_PAGE, str(tmp_path / "read.jsonl")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(results) > 1 and "still open" not in ended.stderr


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_a_page_that_was_turned_to_be_read_is_shown_turned(angle):
    [page] = render_documents([SAMPLES / "letter.pdf"], RenderOptions(scale=1.0))
    result = replace(page_of(), page=page.page, scale=1.0, angle=angle)
    [shown] = PageImages([result]).values()
    turned_back = shown.image.rotate(angle, expand=True)  # Pillow turns counter-clockwise
    assert turned_back.tobytes() == page.image.tobytes()


def test_results_are_loaded_from_a_file_or_a_folder(tmp_path):
    for number in (0, 1):
        write_results([page_of(("a", 0.5), index=number)], tmp_path / f"{number}.jsonl")
    assert [page.page.page_index for page in load_results(tmp_path)] == [0, 1]
    assert len(load_results(tmp_path / "1.jsonl")) == 1
    with pytest.raises(FileNotFoundError, match="notebook 02 writes"):
        load_results(tmp_path / "none.jsonl")
