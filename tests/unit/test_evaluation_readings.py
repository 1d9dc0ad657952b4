"""Readings and references in other programs' forms, and what is wrong with them."""

import json

import pytest
from make_results import page_of

from glmocr_utils.display import evaluation_html, evaluation_record
from glmocr_utils.evaluation import load_texts, score
from glmocr_utils.evaluation.breakdown import by_region, by_script
from glmocr_utils.evaluation.page_text import PageText, text_set
from glmocr_utils.records import Region


def pages_of(texts):
    return {key: page.text for key, page in texts.pages.items()}


HOCR = """<!DOCTYPE html><html><head><meta name="ocr-system" content="t"></head><body>
<div class='ocr_page' title='image "a.png"; ppageno {page}'>
 <div class='ocr_carea'><p class='ocr_par'>
  <span class='ocr_line' title='bbox 0 0 9 9'><span class='ocrx_word'>The</span>
   <span class='ocrx_word'><strong>Court</strong></span></span>
  <span class='ocr_line'><span class='ocrx_word'>of&nbsp;Appeal</span></span></p></div>
 <div class='ocr_carea'><p class='ocr_par'>
  <span class='ocr_header'><span class='ocrx_word'>R&amp;D</span><br></span></p></div>
 <div class='ocr_photo'>not text</div>
</div></body></html>"""
ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout>
<Page><PrintSpace><TextBlock>
<TextLine><String CONTENT="one"/><SP/><String CONTENT="two"/></TextLine></TextBlock>
</PrintSpace></Page>
<Page><PrintSpace><TextBlock><TextLine><String CONTENT="three"/></TextLine></TextBlock></PrintSpace>
</Page></Layout></alto>"""
PAGE = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"><Page>
<TextRegion id="r"><TextLine><TextEquiv><Unicode>typed by hand</Unicode></TextEquiv></TextLine>
<TextLine>{more}</TextLine></TextRegion></Page></PcGts>"""


class TestForms:
    def test_hocr_gives_lines_and_blocks_with_the_page_that_it_names(self, tmp_path):
        (tmp_path / "a.hocr").write_text(HOCR.format(page=4))
        assert pages_of(load_texts(tmp_path)) == {("a", 4): "The Court\nof Appeal\n\nR&D"}

    def test_several_hocr_pages_in_one_file(self, tmp_path):
        body = HOCR.format(page=0) + HOCR.replace("ppageno {page}", "bbox 0 0 1 1")
        (tmp_path / "b.html").write_text(body)
        assert list(pages_of(load_texts(tmp_path))) == [("b", 0), ("b", 1)]

    def test_alto_and_page_xml_beside_other_xml(self, tmp_path):
        (tmp_path / "book.alto.xml").write_text(ALTO)
        line = "<TextEquiv><Unicode>and more</Unicode></TextEquiv>"
        (tmp_path / "letter_p0003.page.xml").write_text(PAGE.format(more=line))
        (tmp_path / "mets.xml").write_text("<mets/>")
        assert pages_of(load_texts(tmp_path)) == {
            ("book", 0): "one two",
            ("book", 1): "three",
            ("letter", 2): "typed by hand\nand more",
        }

    def test_a_page_with_a_line_that_is_not_transcribed_is_not_a_reference_and_is_named(
        self, tmp_path
    ):
        (tmp_path / "a.xml").write_text(PAGE.format(more=""))
        (tmp_path / "b.xml").write_text(ALTO)
        readings = text_set("run", [PageText("a.pdf", 0, "x"), PageText("b.pdf", 0, "one two")])
        scored = score(readings, load_texts(tmp_path))
        assert [page.reference.document for page in scored.pages] == ["b", "b"]
        assert any("without text" in each and "a, page 1" in each for each in scored.problems)

    def test_xml_that_is_broken_or_of_another_kind_is_refused_by_name(self, tmp_path):
        (tmp_path / "a.xml").write_text("<alto><Page>")
        with pytest.raises(ValueError, match=r"a\.xml is not sound XML"):
            load_texts(tmp_path / "a.xml")
        (tmp_path / "a.xml").write_text("<tei/>")
        with pytest.raises(ValueError, match="nothing under"):
            load_texts(tmp_path / "a.xml")

    def test_olmocr_documents_are_cut_into_their_pages(self, tmp_path):
        text = "first page\n\nsecond"
        record = {
            "id": "1", "text": text, "metadata": {"Source-File": "s3://b/x.pdf"},
            "attributes": {"pdf_page_numbers": [[0, 12, 1], [12, 18, 2]]},
        }  # fmt: skip
        (tmp_path / "output.jsonl").write_text(json.dumps(record) + "\n")
        assert pages_of(load_texts(tmp_path)) == {("x", 0): "first page", ("x", 1): "second"}

    def test_mineru_content_lists_have_page_numbers_where_their_markdown_has_none(self, tmp_path):
        blocks = [
            {"type": "text", "text": "Title", "text_level": 1, "page_idx": 0},
            {"type": "table", "table_caption": ["T 1"], "table_body": "<table></table>",
             "page_idx": 1},
            {"type": "text", "text": "body", "page_idx": 0},
        ]  # fmt: skip
        (tmp_path / "doc_content_list.json").write_text(json.dumps(blocks))
        (tmp_path / "doc_middle.json").write_text("{}")
        (tmp_path / "doc.md").write_text("# Title")
        assert pages_of(load_texts(tmp_path)) == {
            ("doc", 0): "# Title\n\nbody",
            ("doc", 1): "T 1\n\n<table></table>",
        }

    def test_json_of_unknown_form_is_refused(self, tmp_path):
        (tmp_path / "x.json").write_text("[1, 2]")
        with pytest.raises(ValueError, match="neither a content_list"):
            load_texts(tmp_path / "x.json")


class TestWhatIsWrong:
    def test_empty_texts_are_counted_and_named(self):
        readings = text_set(
            "run",
            [PageText("a.pdf", 0, ""), PageText("a.pdf", 1, "made up"), PageText("a.pdf", 2, "b")],
        )
        references = text_set(
            "true",
            [PageText("a.pdf", 0, "x"), PageText("a.pdf", 1, ""), PageText("a.pdf", 2, None)],
        )
        scored = score(readings, references)
        assert [page.edits for page in scored.pages] == [1, len("made up")]
        problems = " ".join(scored.problems)
        assert "1 page read as nothing in run: counted as empty (a.pdf, page 1)" in problems
        assert "1 page with an empty text in true" in problems
        assert "1 page without text in true: not compared (a.pdf, page 3)" in problems

    def test_a_text_without_a_status_that_repeats_itself_is_looped(self):
        loop = "a fine page. " + "and again and again " * 40
        readings = text_set("md", [PageText("a.md", 0, loop), PageText("b.md", 0, "fine")])
        references = text_set(
            "true", [PageText("a.md", 0, "a fine page."), PageText("b.md", 0, "")]
        )
        assert score(readings, references).statuses == {"looped": 1, "ok": 1}


class TestBreakdown:
    def score_one(self, read, true, **fields):
        result = page_of(*[(character, 0.9) for character in read], **fields)
        readings = text_set("run", [PageText("a.pdf", 0, result.text, "ok", result)])
        return score(readings, text_set("true", [PageText("a.pdf", 0, true)]))

    def test_edits_belong_to_the_script_of_the_true_character(self):
        scored = self.score_one("Aiph was 13 αβx", "Alpha was 12 αβγ")
        groups = by_script(scored.pages)
        assert {name: (g.characters, g.edits) for name, g in groups.items()} == {
            "Latin": (8, 2), "Greek": (3, 1), "signs": (3, 0), "digits": (2, 1),
        }  # fmt: skip
        assert sum(group.edits for group in groups.values()) == scored.pages[0].edits

    def test_edits_belong_to_the_region_that_was_read(self):
        text = "Titel\n\nbody text"
        regions = (
            Region(0, "doc_title", (0, 0, 9, 9), token_stop=7, status="ok"),
            Region(1, "text", (0, 9, 9, 18), token_start=7, token_stop=len(text), status="ok"),
        )
        scored = self.score_one(text, "Title\n\nbody texts", regions=regions)
        groups = by_region(scored.pages)
        assert (groups["doc_title"].edits, groups["text"].edits) == (2, 1)
        assert sum(g.characters for g in groups.values()) == len("Titel body text")
        assert "Kinds of region" in evaluation_html([scored])
        assert evaluation_record([scored])["readings"][0]["regions"]["text"]["edits"] == 1

    def test_pages_without_regions_have_no_kinds(self):
        scored = self.score_one("abc", "abd")
        assert by_region(scored.pages) == {}
        assert "Kinds of region" not in evaluation_html([scored])
