"""What a written text prints: HTML, Markdown, LaTeX and entities, and words in any script."""

from itertools import pairwise

import pytest

from glmocr_utils.markup import ink, printed, tables, word_spans

TABLE = (
    '<table border="1"><tr><th colspan="2">Item &amp; price</th></tr>'
    '<tr><td rowspan="2">Bread</td><td>1,20</td></tr><tr><td>2,40</td></tr></table>'
)
WRITTEN = [
    "",
    " \n ",
    "Plain text, 12,50 €",
    TABLE,
    "<table><tr><td>cut off",
    "| a | b |\n|---|:-:|\n| 1 | **2** |\nafter",
    "# Title\n\nSome **bold** and *slanted* words\\*",
    r"$$\frac{a+b}{\sqrt{c}} = \sin x \tag{3}$$",
    r"\begin{array}{cc} a & b \\ c & d \end{array}",
    "中华人民共和国国务院令第123号。关于。Hello世界",
    "ひらがなカタカナ漢字です",
    "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน",
    "Chapter 1.......12 ____________ name",
    "soft\u00adhyphen zero\u200bwidth e\u0301",
    "x" * 95,
    "H<sub>2</sub>O &#8364; &nbsp; &unknown;",
]


@pytest.mark.parametrize(
    ("written", "prints"),
    [
        ("<td>a &amp; b</td><td>c</td>", "a & b\tc"),
        ("<tr><td>a</td></tr><tr><td>b</td></tr>", "a\nb"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("H<sub>2</sub>O", "H2O"),
        ("<!-- no print -->text", "text"),
        ('<img src="x.png" alt="photo"/>caption', "caption"),
        ("# Title\n\ntext", "Title\ntext"),
        ("**Total** 12 **标题**内容", "Total 12 标题内容"),
        ("some *slanted words*.", "some slanted words."),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a\tb\n1\t2"),
        ("```html\n<b>x</b>\n```", "x"),
        ("![](page_3.png)\ntext", "text"),
        (r"\*not bold\*", "*not bold*"),
        ("$\\alpha^2 \\leq \\beta_{i}$", "α2 ≤ βi"),
        (r"\frac{1}{2} m", "12 m"),
        (r"\begin{array}{cc} a & b \\ c & d \end{array}", "a\tb\nc\td"),
        ("let $x$ be", "let x be"),
        ("a&nbsp;&lt; b &#8364;", "a < b €"),
    ],
)
def test_markup_prints_nothing_and_what_it_encloses_is_printed(written, prints):
    assert printed(written).text == prints


@pytest.mark.parametrize(
    "text",
    [
        "a < b > c, a <b and c> d, <Name>",
        "5 * 3 * 2 * x",
        "$5 and $10, US$5/CA$6, from $3-$4",
        "Smith* and Jones*, **p < .01",
        "#1 of 10",
        "snake_case_name, __init__, ___ Name ______",
        "AT&T, R&D; &unknown;",
        r"C:\Users\name, \n",
        "a | b | c",
        "***",
        "- item\n- item",
        "1. item",
        "[12](note)",
        "!important [x]",
    ],
)
def test_what_only_looks_like_markup_is_print(text):
    assert printed(text).text == text


@pytest.mark.parametrize("written", WRITTEN)
def test_each_printed_character_is_written_where_it_says(written):
    page = printed(written)
    assert len(page.text) == len(page.spans)
    assert all(start < stop for start, stop in page.spans)
    assert all(first[0] <= second[0] for first, second in pairwise(page.spans))
    inked = {i for (start, stop), c in zip(page.spans, page.text, strict=True) if c.strip()
             for i in range(start, stop)}  # fmt: skip
    assert {i for i, has_ink in enumerate(ink(written)) if has_ink} <= inked
    assert len(ink(written)) == len(written)


@pytest.mark.parametrize("written", WRITTEN)
def test_words_hold_all_ink_once_and_no_markup(written):
    words = word_spans(written)
    covered = [i for start, stop in words for i in range(start, stop)]
    assert covered == sorted(set(covered))
    assert {i for i, has_ink in enumerate(ink(written)) if has_ink} <= set(covered)
    for start, stop in words:
        word = written[start:stop]
        assert not any(map(str.isspace, word))
        assert "<" not in word and "**" not in word
        assert stop - start <= 40


def words(written: str) -> list[str]:
    return [written[start:stop] for start, stop in word_spans(written)]


def test_words_end_at_cells_leaders_scripts_and_after_a_sensible_length():
    assert words("<td>a &amp; b</td><td>c</td>") == ["a", "&amp;", "b", "c"]
    assert words("AT&amp;T **bold**.") == ["AT&amp;T", "bold", "."]
    assert words("Chapter 1.......12") == ["Chapter", "1", ".......", "12"]
    assert words("国务院令第123号。关于Hello") == ["国务院令", "第", "123", "号。", "关于", "Hello"]
    assert words("（漢字）です") == ["（漢字）", "です"]
    assert words("soft\u00adhyphen") == ["soft\u00adhyphen"]
    assert [len(word) for word in words("x" * 95)] == [40, 40, 15]


def test_no_word_begins_with_a_mark_of_the_character_before():
    thai = words("ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน")
    assert len(thai) > 3
    assert not {"\u0e31", "\u0e34", "\u0e48", "\u0e33"} & {word[0] for word in thai}
    assert not any(word[-1] in "เแโใไ" for word in thai)


def test_html_tables_have_their_cells_with_spans():
    [table] = tables(f"before {TABLE} after")
    cells = [
        (
            cell.row,
            cell.column,
            cell.rowspan,
            cell.colspan,
            f"before {TABLE}"[cell.start : cell.stop],
        )
        for cell in table.cells
    ]
    assert cells == [
        (0, 0, 1, 2, "Item &amp; price"),
        (1, 0, 2, 1, "Bread"),
        (1, 1, 1, 1, "1,20"),
        (2, 1, 1, 1, "2,40"),
    ]
    assert (table.num_rows, table.num_columns) == (3, 2)
    assert [cell.is_header for cell in table.cells] == [True, False, False, False]


def test_markdown_tables_have_their_cells_too():
    written = "text\n| a | b |\n|---|---|\n| 1 |  |\nafter"
    [table] = tables(written)
    assert [written[cell.start : cell.stop] for cell in table.cells] == ["a", "b", "1", ""]
    assert written[table.start : table.stop] == "| a | b |\n|---|---|\n| 1 |  |"


def test_a_table_that_was_cut_off_keeps_what_was_written():
    written = "<table><tr><td>a</td><td>cut"
    [table] = tables(written)
    assert [written[cell.start : cell.stop] for cell in table.cells] == ["a", "cut"]


def test_a_made_up_span_fills_no_memory():
    [table] = tables('<table><tr><td rowspan="999" colspan="999">x</td></tr></table>')
    assert table.num_rows == table.num_columns == 200


def test_a_table_within_a_cell_is_part_of_it():
    written = "<table><tr><td><table><tr><td>in</td></tr></table></td><td>b</td></tr></table>"
    [table] = tables(written)
    assert len(table.cells) == 2
