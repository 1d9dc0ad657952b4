"""What a review corrected, in every format: `glmocr convert` with a review log."""

from pathlib import Path
from xml.etree import ElementTree

import pypdfium2 as pdfium
import pytest
from make_results import page_of

from glmocr_utils.cli import main
from glmocr_utils.ocr import score_text
from glmocr_utils.ocr_formats.alto import NAMESPACE as ALTO
from glmocr_utils.ocr_formats.page_xml import NAMESPACE as PAGE
from glmocr_utils.records import PageRef, write_results
from glmocr_utils.render.documents import file_sha256
from glmocr_utils.review import ReviewSession, corrected_texts
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

pytestmark = pytest.mark.slow

DRAWN = "Court of appeal\nat Leeds"
READ = ["Court of appcal\nat Leeds", "Xxxx xx yyyyyy\nzz zzzzz", "Court of appeal\nat Leeds", DRAWN]


@pytest.fixture(scope="module")
def results(bundled_model, tmp_path_factory):
    """Readings of a PDF of four like pages: one word wrong, nonsense, right, and right."""
    folder = tmp_path_factory.mktemp("read")
    font = find_font("DejaVu Sans")
    blocks = [Block("Court of appeal"), Block("at Leeds")]
    drawn = draw_page(blocks, PageStyle(font, font, 20, width_px=252, height_px=140, margin_px=20))
    path = folder / "court.pdf"
    drawn.image.save(path, save_all=True, append_images=[drawn.image] * 3, resolution=72)
    sha256 = file_sha256(path)
    results = [
        page_of(
            page=PageRef(str(path), sha256, number),
            text=text,
            tokens=score_text(bundled_model, drawn.image, text),
            scale=1.0,
            model_id=bundled_model.model_id,
        )
        for number, text in enumerate(READ)
    ]
    write_results(results, folder / "court.jsonl")
    return results, folder


@pytest.fixture(scope="module")
def log(results, tmp_path_factory):
    """A word typed, a page typed again, a page cleared, a page without a decision."""
    pages, _ = results
    path = tmp_path_factory.mktemp("review") / "review.jsonl"
    session = ReviewSession(pages, path, num_audits=0)
    session.correct_line(0, session.pages[0].line_flag(0), "Court of appeal")
    session.finish(0, "flags_checked")
    session.type_page(1, "Court of Appeal\nat Leeds")
    session.finish(1, "fully_read")
    session.type_page(2, "")
    return path


TEXTS = [["Court", "of", "appeal", "at", "Leeds"], ["Court", "of", "Appeal", "at", "Leeds"], [],
         ["Court", "of", "appeal", "at", "Leeds"]]  # fmt: skip


@pytest.fixture(scope="module")
def written(results, log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    formats = "hocr,alto,page,pdf,txt"
    arguments = ["--formats", formats, "--review-log", str(log), "--output-dir", str(folder)]
    assert main(["convert", str(results[1] / "court.jsonl"), *arguments]) == 0
    return folder


def test_hocr_and_alto_have_the_corrected_words_with_boxes(written):
    root = ElementTree.parse(written / "court.hocr").getroot()
    pages = [e for e in root.iter() if e.get("class") == "ocr_page"]
    words = [[e for e in page.iter() if e.get("class") == "ocrx_word"] for page in pages]
    assert [[word.text for word in of_page] for of_page in words] == TEXTS
    assert all("bbox" in word.get("title") for word in words[0])
    root = ElementTree.parse(written / "court.alto.xml").getroot()
    words = list(root.iter(f"{{{ALTO}}}String"))
    assert [word.get("CONTENT") for word in words] == [word for page in TEXTS for word in page]
    corrected = words[2]
    before, after = words[1], words[3]
    assert corrected.get("CS") == "true" and before.get("CS") is None
    end = float(before.get("HPOS")) + float(before.get("WIDTH"))
    assert float(corrected.get("HPOS")) >= end - 5
    assert float(after.get("VPOS")) > float(corrected.get("VPOS"))


def test_page_xml_has_the_corrected_lines(written):
    texts = []
    for path in sorted(written.glob("court.page/*.xml")):
        lines = ElementTree.parse(path).getroot().iter(f"{{{PAGE}}}TextLine")
        found = [line.find(f"{{{PAGE}}}TextEquiv/{{{PAGE}}}Unicode").text for line in lines]
        texts.append([word for line in found for word in line.split()])
    assert texts == TEXTS


def test_the_pdf_is_searched_for_what_was_corrected(written):
    pdf = pdfium.PdfDocument(written / "court.searchable.pdf")
    texts = [page.get_textpage().get_text_bounded().split() for page in pdf]
    assert texts == TEXTS


def test_the_combined_text_has_a_page_after_the_other(written):
    text = Path(written / "court.txt").read_text(encoding="utf-8")
    assert text.split("\f") == ["Court of appeal\nat Leeds", "Court of Appeal\nat Leeds", "", DRAWN]


def test_text_alone_needs_no_model(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("glmocr_utils.cli.own_model.load_model", None)
    assert main(["convert", str(results[1]), "--output-dir", str(tmp_path)]) == 0
    assert (tmp_path / "court.txt").read_text(encoding="utf-8").split("\f") == READ
    code = main(["convert", str(results[1]), "--review-log", "nowhere", "--output-dir", "x"])
    assert code == 2 and "review_log: nowhere does not exist" in capsys.readouterr().err


class TestTextsOfAReview:
    def pages(self):
        tokens = [("The ", 0.99), ("qvick", 0.3, {"quick": 0.2}), (" fox", 0.99)]
        return [page_of(*tokens, index=index) for index in range(5)]

    def test_choices_undone_steps_and_pages_put_aside(self, tmp_path):
        pages = self.pages()
        log = tmp_path / "review.jsonl"
        session = ReviewSession(pages, log, num_audits=0)
        for number in (0, 1):
            session.choose(number, session.next_open(number), "quick")
        session.undo()
        session.accept(2, session.next_open(2))
        session.finish(3, "not_usable")
        texts = corrected_texts(pages, log)
        assert [texts.get(page.page) for page in pages] == [
            "The quick fox", None, "The qvick fox", "", None,
        ]  # fmt: skip

    def test_decisions_about_another_reading_do_not_count(self, tmp_path):
        pages = self.pages()
        log = tmp_path / "review.jsonl"
        ReviewSession(pages, log, num_audits=0).type_page(0, "typed")
        other = [page_of(("The fox", 0.9), index=0)]
        assert corrected_texts(other, log) == {}


def test_a_page_image_that_is_gone_leaves_its_text(tmp_path):
    page = page_of(("Some text", 0.9))
    write_results([page], tmp_path / "a.jsonl")
    assert main(["convert", str(tmp_path / "a.jsonl"), "--output-dir", str(tmp_path / "o")]) == 0
    assert (tmp_path / "o/a.txt").read_text() == "Some text"
