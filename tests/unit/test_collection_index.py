"""All pages of a run at a glance: the file, its order and search, the files of the worst pages."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from make_results import page_of
from paths import SAMPLES

from glmocr_utils.cli import main
from glmocr_utils.display.collection import PageEntry, entries_of, index_html, write_index
from glmocr_utils.display.collection.search import find_words
from glmocr_utils.records import PageRef, write_results
from glmocr_utils.render.documents import file_sha256


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
    assert "page 2" in page and 'href="../index.html"' in page and "<b><u>L" not in page
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
    assert main(["search", str(results), "--words", "nowhere"]) == 1
    assert main(["index", str(results), "--worst-n", "0", "--thumbnails", "False"]) == 0
    assert str(results / "index.html") in capsys.readouterr().out
    assert main(["index", str(results / "missing")]) == 2
    assert "missing does not exist" in capsys.readouterr().err
