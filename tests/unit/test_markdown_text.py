"""Plain text as Markdown: what a viewer shows is what was read."""

import html
import re

import mistune
import pytest

from glmocr_utils.markdown import RegionText, page_markdown, text_markdown
from glmocr_utils.markup import printed
from glmocr_utils.records import Region


def shown(markdown: str) -> str:
    """What a viewer shows of Markdown, as lines."""
    page = mistune.create_markdown(escape=False, plugins=["strikethrough", "table"])(markdown)
    page = re.sub(r"<br\s*/?>\n?", "\n", str(page))
    return html.unescape(re.sub(r"<[^>]*>", "", page)).strip()


@pytest.mark.parametrize(
    "read",
    [
        "APPLAL_ and _APPEAL_",
        "Name: ______ Date: ____",
        "costs $5 and $10",
        "2 * 3 * 4, *note and a*b",
        "a <b and c> d <seq> </x",
        "#\nTitle",
        "> quoted\nnot",
        "Total\n-----\n12",
        "Total\n===\n12",
        "one\ntwo\n\nthree\n    four",
        "`code` and ``",
        "~~gone~~ ~x~",
        "[a](b) and [c]: d",
        "C:\\new\\; \\",
        "+ 49 30",
        "***\nNotes",
        "- - -\nend",
        "AT&T, R&D;",
    ],
)
def test_a_viewer_shows_the_signs_and_lines_that_were_read(read: str) -> None:
    lines = [line.strip() for line in read.split("\n")]
    assert [line.strip() for line in shown(text_markdown(read)).split("\n") if line] == [
        line for line in lines if line
    ]
    # and `evaluate` reads the same
    assert printed(text_markdown(read)).text.split() == printed(read).text.split()


def test_signs_are_escaped_only_where_they_would_be_markup() -> None:
    plain = "Read snake_case, 2 * 3, a < b, AT&T, C:\\new, #5 - (1)."
    assert text_markdown(plain) == plain


def test_markup_that_the_model_wrote_stays() -> None:
    formula = "with $x_1^2 < *y*$ and **bold** text"
    assert text_markdown(formula) == formula
    assert text_markdown("# A title\n- one\n- two") == "# A title\n- one\n- two"
    assert text_markdown("it \\$5 said") == "it \\$5 said"
    table = "<table><tr><td>a_b</td><td>$1</td></tr><tr><td>c</td><td>d</td></tr></table>"
    assert text_markdown(f"before\n{table}\nafter") == (
        "before\n\n| a_b | $1 |\n| --- | --- |\n| c | d |\n\nafter"
    )


def test_regions_are_escaped_in_the_same_way() -> None:
    region = Region(0, "text", (0, 0, 9, 9), 0.9, status="ok")
    page = [RegionText(region, "costs $5 *net*\nand $10 a_")]
    assert page_markdown(page) == "costs \\$5 *net*\nand \\$10 a\\_"
