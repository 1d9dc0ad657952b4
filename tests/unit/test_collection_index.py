"""All pages of a run at a glance: the file, its order and search, the files of the worst pages."""

import io
import json
import re
from base64 import b64decode
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from make_results import page_of
from paths import SAMPLES
from PIL import Image

from glmocr_utils.cli import main
from glmocr_utils.display.collection import PageEntry, entries_of, index_html, write_index
from glmocr_utils.display.collection.heights import InkHeights, height_of, ink_heights
from glmocr_utils.display.collection.search import find_words
from glmocr_utils.ocr import score_text
from glmocr_utils.records import PageImage, PageRef, write_results
from glmocr_utils.render.documents import file_sha256
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font


def reading(document, index, *tokens):
    path = SAMPLES / document
    page = PageRef(str(path), file_sha256(path), index)
    return replace(page_of(*tokens), page=page)


@pytest.fixture
def results(tmp_path):
    """Two sure pages, one in doubt."""
    sure = reading("decision.pdf", 0, ("The court", 0.99), ("\nof ", 0.99), ("Appeal.", 0.98))
    doubtful = reading(
        "decision.pdf", 1, ("THE ", 0.9), ("APP", 0.8), ("L", 0.5, {"E": 0.44}), ("AL", 0.9)
    )
    receipt = reading("receipt.png", 0, ("Bread </script><b>1,20", 0.99))
    write_results([sure, doubtful, receipt], tmp_path / "read/all.jsonl")
    return tmp_path / "read"


def data_of(html):
    return json.loads(re.search(r'id="pages">(.*?)</script>', html)[1])


def test_the_index_has_every_page_and_files_of_the_worst(results):
    path = write_index(results, worst_n=1)
    html = path.read_text(encoding="utf-8")
    assert [page["name"] for page in data_of(html)] == [
        "decision.pdf, page 1",
        "decision.pdf, page 2",
        "receipt.png, page 1",
    ]
    assert html.count("data:image/jpeg") == 3
    [link] = re.findall('<a class="card" href="([^"]*)"', html)
    page = (path.parent / link).read_text(encoding="utf-8")
    assert "page 2" in page and 'href="../index.html#page-1"' in page and "<b><u>L" not in page
    assert html.count("<script") == 2 and "sha256-" in html
    assert "</script><b>" not in html and "Bread </script>" in data_of(html)[2]["text"]


def test_of_a_large_collection_the_pages_in_doubt_are_kept(results, tmp_path):
    path = write_index(results, tmp_path / "out", most_pages=1, with_thumbnails=False, worst_n=0)
    html = path.read_text(encoding="utf-8")
    assert [page["name"] for page in data_of(html)] == ["decision.pdf, page 2"]
    assert "The 1 pages with most doubt, of 3" in html


def test_a_page_without_text_leads_and_one_that_did_not_open_has_its_reason():
    page = PageRef("a.pdf", "0" * 64, 0)
    empty = PageEntry("a.pdf", page, "empty", "", None, reason="There is ink on it.")
    closed = PageEntry("<b>.pdf", None, "encrypted", "", None, reason="It needs a password.")
    assert empty.doubt > PageEntry("a.pdf", page, "ok", "x" * 10_000, 0.1).doubt
    html = index_html([empty, closed])
    assert [row["reason"] for row in data_of(html)] == [empty.reason, closed.reason]
    assert "<b>.pdf" not in html and "<b>.pdf" in unescape(html)


def test_words_are_found_across_lines_and_among_the_alternatives(results):
    hits = list(find_words(entries_of(results), "court of APPEAL"))
    assert [(hit.found, hit.line_number) for hit in hits] == [("court\nof Appeal", 1)]
    [read, possible] = find_words(entries_of(results), "appeal")
    assert (read.found, read.instead) == ("Appeal", None)
    assert (possible.found, possible.instead) == ("APPLAL", "APPEAL")
    assert possible.prob == pytest.approx(0.44)
    with pytest.raises(ValueError, match="name the words"):
        list(find_words(entries_of(results), "  "))


def test_the_commands(results, capsys):
    assert main(["search", str(results), "--words", "appeal"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("decision.pdf, page 1, line 2: The court of Appeal.")
    assert lines[1].endswith("line 1: THE APPLAL  [could be APPEAL, 0.44]")
    assert lines[2] == "2 hits on 2 pages"
    assert not list(results.glob("*.html"))
    assert main(["search", str(results), "--words", "nowhere"]) == 1
    assert main(["index", str(results), "--worst-n", "0", "--thumbnails", "False"]) == 0
    assert str(results / "index.html") in capsys.readouterr().out
    assert main(["index", str(results / "missing")]) == 2
    assert "missing does not exist" in capsys.readouterr().err


def cut_outs(html):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', html)
    return [Image.open(io.BytesIO(b64decode(data))) for data in found]


def test_hits_are_shown_on_their_pages(results, tmp_path, capsys):
    arguments = ["--words", "appeal", "--output-dir", str(tmp_path / "hits")]
    assert main(["search", str(results), *arguments]) == 0
    assert "search.html in a browser" in capsys.readouterr().out
    html = (tmp_path / "hits/search.html").read_text(encoding="utf-8")
    assert html.count('<div class="hit">') == 2 and "<mark>APPLAL</mark>" in html
    assert "could be APPEAL, 0.44" in html
    images = cut_outs(html)
    assert len(images) == 2
    for image in images:  # a part of a page, with ink on it
        assert image.width > 3 * image.height and min(image.convert("L").getdata()) < 100
    arguments += ["--most-hits", "1"]
    assert main(["search", str(results), *arguments]) == 0
    assert "it shows the first 1" in capsys.readouterr().out
    assert len(cut_outs((tmp_path / "hits/search.html").read_text(encoding="utf-8"))) == 1


@pytest.mark.slow
def test_located_words_are_framed_in_their_line(bundled_model, tmp_path):
    font = find_font("DejaVu Sans")
    lines = ["The court of appeal", "sat at Leeds", "on a Monday"]
    style = PageStyle(font, font, 20, width_px=308, height_px=196, margin_px=20)
    drawn = draw_page([Block(line) for line in lines], style)
    path = tmp_path / "court.png"
    drawn.image.save(path)
    tokens = score_text(bundled_model, drawn.image, drawn.text)
    page = PageRef(str(path), file_sha256(path), 0)
    fields = {"scale": 1.0, "model_id": bundled_model.model_id}
    result = page_of(page=page, text=drawn.text, tokens=tokens, **fields)
    write_results([result], tmp_path / "court.jsonl")
    arguments = ["--words", "leeds", "--boxes", "True", "--output-dir", str(tmp_path / "hits")]
    assert main(["search", str(tmp_path / "court.jsonl"), *arguments]) == 0
    [image] = cut_outs((tmp_path / "hits/search.html").read_text(encoding="utf-8"))
    assert image.height < 75  # one line of three
    red = np.argwhere((np.asarray(image) - np.array([176, 0, 32])).__abs__().max(axis=2) < 60)
    assert len(red) > 40
    dark = np.argwhere(np.asarray(image.convert("L")) < 40)
    assert abs(red[:, 1].max() - dark[:, 1].max()) < 25  # the last word of its line
    at = drawn.text.index("Leeds")
    width = np.ptp(drawn.boxes[at : at + 5][:, [0, 2]])
    assert abs(np.ptp(red[:, 1]) - width) < 30


def test_where_words_are_about_is_known_by_lines_or_by_how_much_text_is_before():
    ink = InkHeights(0.2, 0.8)
    lines = "\n".join(f"line {number}" for number in range(10))
    assert height_of(lines, lines.index("line 0"), ink) == pytest.approx(0.23)
    assert height_of(lines, lines.index("line 9"), ink) == pytest.approx(0.77)
    paragraph = "word " * 200
    assert height_of(paragraph, 500, ink) == pytest.approx(0.5)
    blank = PageImage(PageRef("a.png", None, 0), Image.new("RGB", (100, 200), "white"), 1.0)
    assert ink_heights(blank) == InkHeights(0.0, 1.0)
    blank.image.paste("black", (10, 50, 90, 100))
    assert ink_heights(blank) == InkHeights(0.25, 0.5)


def test_the_index_knows_the_images_of_the_page_files(results):
    path = write_index(results, worst_n=1)
    with_image = [page for page in data_of(path.read_text(encoding="utf-8")) if "image" in page]
    [page] = with_image
    assert page["name"] == "decision.pdf, page 2" and (path.parent / page["image"]).exists()
    top, bottom = page["ink"]
    assert 0 < top < bottom < 1
