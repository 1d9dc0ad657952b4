"""The regions of a page as Markdown, and as the official SDK's JSON."""

import re

import pytest

from glmocr_utils.markdown import (
    RegionText,
    as_markdown_table,
    page_markdown,
    sdk_page,
    text_markdown,
)
from glmocr_utils.markdown.tables import safe_html
from glmocr_utils.records import Region

HTML = "<table><tr><th>a</th><th>b|c</th></tr><tr><td>1 &amp; 2</td><td></td></tr></table>"


def regions(*texts: tuple[str, str], **values: object) -> list[RegionText]:
    return [
        RegionText(
            Region(index, label, (10, 10 * index, 110, 10 * index + 8), 0.9, status="ok"), text
        )
        for index, (label, text) in enumerate(texts)
    ]


def test_kinds_of_regions_have_their_marks() -> None:
    page = regions(
        ("doc_title", "# A\nTitle"),
        ("paragraph_title", "Part"),
        ("text", "· one\n• two\n* three"),
        ("table", HTML),
        ("display_formula", "\\[ x^2 \\]"),
        ("image", ""),
    )
    page[5] = RegionText(Region(5, "image", (0, 0, 9, 9), 0.9, status="picture"), "")
    assert page_markdown(page, link=lambda region: f"p/{region.index}.png").split("\n\n") == [
        "# A Title",
        "## Part",
        "- one\n- two\n- three",
        "| a | b\\|c |\n| --- | --- |\n| 1 & 2 |  |",
        "$$\nx^2\n$$",
        "![image](p/5.png)",
    ]
    assert page_markdown(page[5:]) == "<!-- image -->"


@pytest.mark.parametrize(
    "html",
    [
        '<table><tr><td colspan="2">a</td></tr><tr><td>b</td><td>c</td></tr></table>',
        "<table><tr><td><b>a</b></td></tr></table>",
        "<table><tr><td>a</td></tr></table> and more",
        "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
        "no table",
        "",
    ],
)
def test_what_a_markdown_table_cannot_say_stays_html(html: str) -> None:
    assert as_markdown_table(html) is None
    assert page_markdown(regions(("table", html))) == html


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ('<td onclick="f()" ROWSPAN=2>a</td>', '<td rowspan="2">a</td>'),
        ("<td style='x' colspan='3' id=b>a<br/>b", '<td colspan="3">a<br>b'),
        ("a < b <img src=x onerror=f() <b>c</b>", "a &lt; b &lt;img src=x onerror=f() <b>c</b>"),
        ("<script>f()</script>", "&lt;script&gt;f()&lt;/script&gt;"),
        ("<svg/onload=f()><!-- x -->", "&lt;svg/onload=f()&gt;&lt;!-- x -->"),
        ("</td onclick=f()>", "</td>"),
    ],
)
def test_html_in_a_markdown_file_does_nothing(html: str, shown: str) -> None:
    assert safe_html(html) == shown


@pytest.mark.parametrize("label", ["table", "text", "paragraph_title"])
def test_attributes_of_the_models_tags_reach_no_markdown_file(label: str) -> None:
    text = '<table id=t><tr><td onclick="f()" rowspan=2>a</td></tr></table> <b style="x">b</b> c'
    for written in (page_markdown(regions((label, text))), text_markdown(text)):
        assert "a" in written and "b" in written
        assert not re.search(r"(?<!\\)<[^>]*\b(onclick|style|id)\s*=", written)


def test_escaped_tags_of_a_cell_stay_text() -> None:
    table = "<table><tr><td>&lt;img src=x onerror=f()&gt;</td></tr></table>"
    assert as_markdown_table(table) == "| &lt;img src=x onerror=f()> |\n| --- |"


def test_a_table_of_one_cell() -> None:
    assert as_markdown_table("<table><tr><td>a</td></tr></table>") == "| a |\n| --- |"


@pytest.mark.parametrize(
    "texts",
    [
        [("display_formula", "x = 1"), ("formula_number", "(3.2)")],
        [("formula_number", "（3.2）"), ("display_formula", "$$x = 1$$")],
    ],
)
def test_a_formula_has_its_number(texts) -> None:
    assert page_markdown(regions(*texts)) == "$$\nx = 1 \\tag{3.2}\n$$"


def test_a_number_without_a_formula_is_not_lost() -> None:
    assert page_markdown(regions(("text", "a"), ("formula_number", "(1)"))) == "a\n\n(1)"


def test_words_that_a_hyphen_divides_are_whole_in_markdown() -> None:
    page = regions(
        ("text", "The ap-\npeal of a well-\nKnown Ber-\nlin court is dis-"),
        ("image", ""),
        ("text", "missed. Page 3-"),
        ("text", "4 and A-"),
        ("text", "Z stay."),
    )
    page[1] = RegionText(Region(1, "image", (0, 0, 9, 9), 0.9, status="picture"), "")
    assert page_markdown(page).split("\n\n") == [
        "The appeal of a well-\nKnown Berlin court is dismissed. Page 3-".replace("-\n", "-"),
        "<!-- image -->",
        "4 and A-",
        "Z stay.",
    ]
    assert page[0].text.count("-") == 4  # as it was read


def test_furniture_is_never_thrown_away() -> None:
    page = regions(
        ("header", "Report --> 2020"), ("text", "body"), ("footnote", "1 A note."), ("number", "7")
    )
    apart = page_markdown(page)
    assert apart.split("\n\n")[:2] == ["body", "1 A note."]
    assert apart.count("-->") == 2 and "Report" in apart and "number: 7" in apart
    assert page_markdown(page, furniture="in").startswith("Report --> 2020\n\nbody")
    assert page_markdown(page, furniture="out") == "body"


def test_what_went_wrong_is_said() -> None:
    looped = Region(0, "text", (0, 0, 9, 9), 0.9, status="looped", reason="It looped.")
    failed = Region(1, "table", (0, 9, 9, 18), 0.9, status="failed", reason="why")
    text = page_markdown([RegionText(looped, "la la"), RegionText(failed, failed.mark)])
    assert "<!-- region 1 (text): looped: It looped. -->\n\nla la" in text
    assert "<!-- region 2 (table): failed: why -->\n\n[table: not read]" in text


def test_json_as_the_official_sdk_writes_it() -> None:
    page = [
        RegionText(Region(0, "doc_title", (50, 40, 100, 80), 0.5, status="ok"), "A"),
        RegionText(Region(1, "chart", (0, 0, 200, 400), 0.5, status="picture"), ""),
        RegionText(Region(2, "table", (-1, 0, 201, 400), None, status="ok"), HTML),
    ]
    first, second, third = sdk_page(page, (200, 400), link=lambda region: "x.png")
    assert first == {
        "index": 0,
        "label": "text",
        "native_label": "doc_title",
        "content": "# A",
        "bbox_2d": [250, 100, 500, 200],
        "score": 0.5,
        "status": "ok",
    }
    assert (second["label"], second["content"], second["image_path"]) == ("image", None, "x.png")
    assert (third["content"], third["bbox_2d"]) == (HTML, [0, 0, 1000, 1000])
