"""Pages of regions as HTML: drawn, rendered, tinted; whatever a model writes stays harmless."""

import dataclasses
import re
from html import unescape
from html.parser import HTMLParser

import pytest
from PIL import Image

from glmocr_utils.display import page_html, regions_html, text_html
from glmocr_utils.markdown import as_markdown_table
from glmocr_utils.markup import printed
from glmocr_utils.ocr.by_region import assemble
from glmocr_utils.options import Tasks
from glmocr_utils.records import OcrResult, PageImage, PageRef, Region, TokenProb

REF = PageRef("a.png", "0" * 64, 0)
TABLE = (
    '<table onclick="x()"><tr><td colspan="2" style="color:red">a &lt; b</td></tr>'
    "<tr><td>1<br>2</td><td><script>alert(1)</script></td></tr></table>"
)


def a_reading(text: str) -> OcrResult:
    tokens = tuple(TokenProb(1, part, -0.9) for part in re.findall(r"<[^>]*>|[^<]{1,3}|<", text))
    return OcrResult(REF, text, tokens, "stop", "p", "m", None, None, 2.0, 0.5, 10)


def page_of(*regions: tuple[str, str]) -> OcrResult:
    found = [
        Region(index, label, (5, 20 * index, 90, 20 * index + 15), 0.9, Tasks().of(label))
        for index, (label, _) in enumerate(regions)
    ]
    readings = {
        index: a_reading(text) for index, (label, text) in enumerate(regions) if Tasks().of(label)
    }
    return assemble(a_reading(""), found, readings, "apart", (100, 100))


def image() -> PageImage:
    return PageImage(REF, Image.new("RGB", (100, 100), "white"), 2.0)


def tags_of(html: str) -> set[str]:
    return set(re.findall(r"<(\w+)", html))


@pytest.mark.parametrize("show", [text_html, regions_html])
def test_of_the_models_html_nothing_but_cells_and_spans_survives(show) -> None:
    html = show(page_of(("table", TABLE), ("text", "<img src=x onerror=y> words")))
    assert '<td colspan="2">' in html and "script" not in tags_of(html)
    assert "onclick" not in html and "style=" not in html and "onerror=y>" not in html
    assert "img" not in tags_of(html)
    plain = re.sub(r"<[^>]+>", "", html)
    assert "alert(1)" in plain and "&lt;img src=x" in plain


def test_a_tables_cells_have_their_tinted_tokens() -> None:
    html = text_html(page_of(("table", "<table><tr><td>abc</td><td>de</td></tr></table>")))
    cells = re.findall(r"<td>(.*?)</td>", html)
    assert [re.sub(r"<[^>]+>", "", cell) for cell in cells] == ["abc", "de"]
    assert all("aria-label" in cell for cell in cells)  # exp(-0.9) is below 0.5


def test_text_beside_a_table_or_a_table_cut_off_is_shown_as_written() -> None:
    html = text_html(page_of(("table", "before <table><tr><td>a</td></tr></table>")))
    assert "before &lt;table&gt;" in re.sub(r"<[^>]+>", "", html)
    assert "<td>a" in regions_html(page_of(("table", "before <table><tr><td>a")))


def test_regions_are_drawn_in_order_and_coloured_by_kind() -> None:
    result = page_of(("header", "H"), ("doc_title", "T"), ("image", ""), ("text", "body"))
    html = regions_html(result, image())
    assert [int(n) for n in re.findall(r'font-family="sans-serif">(\d+)<', html)] == [1, 2, 3, 4]
    kinds = re.findall(r'<p class="kind (\w+)">', html)
    assert kinds == ["furniture", "title", "picture", "text"]
    assert "<h3>T</h3>" in html and "<svg" in html
    assert regions_html(dataclasses.replace(result, regions=())).count("as a whole") == 1


def test_a_formula_is_one_and_cannot_be_more() -> None:
    html = regions_html(page_of(("display_formula", "x < y"), ("display_formula", r"\href{a}{b}")))
    assert html.count("mathjax_process") == 1 and "x &lt; y" in html
    assert r"\href{a}{b}" in html


def test_a_failed_region_shows_its_mark_in_every_view() -> None:
    found = [Region(0, "text", (0, 0, 9, 9), 0.9, "Text Recognition:")]
    result = assemble(a_reading(""), found, {0: ValueError("why")}, "apart", (100, 100))
    for html in (page_html(result, image()), regions_html(result, image())):
        assert "[text: not read]" in html and "text: failed" in html


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('<td onclick="alert(1)" style="x" rowspan="999999" colspan="200">a</td>', "<td>a</td>"),
        ('<th rowspan="2">a</th></tr><tr><td>b</td>', '<th rowspan="2">a</th></tr><tr><td>b</td>'),
        ("<td><script>alert(1)</script></td>", "<td>&lt;script&gt;alert(1)"),
        ("<td>&lt;img src=x onerror=alert(1)&gt;</td>", "<td>&lt;img src=x onerror=alert(1)&gt;"),
        ("<td>a<table><tr><td onclick=1>in</td></tr></table></td>", "in&lt;/td&gt;"),
        ("<td>a<td>b<tr><td>c", "<td>a</td><td>b</td></tr><tr><td>c</td>"),
        ("<caption onclick=1>Of 2020</caption><td>a</td>", "Of 2020"),
        ('<td title="</td><script>alert(1)</script>">loose</td>', "loose"),
    ],
)
def test_nothing_of_a_models_table_survives_but_its_cells_spans_and_texts(written, shown) -> None:
    result = page_of(("table", f"<table onload=x><tr onclick=1>{written}</tr></table>"))
    for html in (regions_html(result), page_html(result)):
        found = Tags(html)
        assert not found.names & {"script", "img", "caption"}
        assert found.attributes <= OWN_ATTRIBUTES
        assert printed(result.text).text.split()[0] in unescape(found.text)
    assert shown in regions_html(result)


OWN_ATTRIBUTES = {"rowspan", "colspan", "class", "id", "tabindex", "aria-label"}


class Tags(HTMLParser):
    """The elements of an HTML text, their attributes, and the text that is seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names, self.attributes, self.text = set(), set(), ""
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attributes}


def test_text_of_a_table_in_no_cell_is_in_every_output() -> None:
    html = "<table><caption>Of 2020</caption><tr><td>a</td></tr>and more</table>"
    assert as_markdown_table(html) is None
    result = page_of(("table", html))
    for html in (regions_html(result), page_html(result)):
        shown = Tags(html).text
        assert "Of 2020" in shown and "and more" in shown
