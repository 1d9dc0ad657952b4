"""Pages as HTML: what is said about tokens, and that OCR text stays text."""

import base64
import io
import math
import re
from html.parser import HTMLParser
from itertools import accumulate

import pytest
from bpe_readings import bpe_reading, bpe_readings
from make_results import page_of
from PIL import Image

from glmocr_utils.confidence import mark_tokens, worst_tokens
from glmocr_utils.display import (
    document_html,
    errors_found_table,
    escape,
    expected_errors_table,
    page_html,
    ranking_html,
    show,
    text_html,
    visible,
    worst_tokens_html,
    worst_tokens_table,
    write_documents,
)
from glmocr_utils.records import (
    Alternative,
    Box,
    OcrResult,
    PageImage,
    PageLayout,
    PageRef,
    TokenBox,
    TokenProb,
)

HOSTILE = (
    "<script>window.hit=1</script>",
    '<img src=x onerror="window.hit=1">',
    "\"><svg onload='window.hit=1'>",
    "</pre></textarea></style><script>window.hit=1</script>",
    "' onfocus='window.hit=1' autofocus='",
    "javascript:window.hit=1",
    "\u202eesrever\u202c",
    "\x1b[2J\x00",
)
OUR_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "div", "section", "h1", "h2", "h3"),
    *("p", "b", "u", "i", "pre", "span", "img", "table", "thead", "tbody", "tr", "th", "td"),
    *("code", "a"),
}


class Tree(HTMLParser):
    """Tags, attributes, and the text outside the style sheet."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._in_style = tag == "style"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if not self._in_style:
            self.text += data

    def spans(self) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == "span"]


def test_five_steps_of_tint_and_the_worst_is_bold_and_underlined():
    html = text_html(page_of(("a", 1.0), ("b", 0.97), ("c", 0.9), ("d", 0.6), ("e", 0.2)))
    assert [span.get("class") for span in Tree(html).spans()] == ["p1", "p2", "p3", "p4"]
    assert re.findall(r"<b><u>(.*?)</u></b>", html) == ["e"]


def test_the_text_is_whole():
    tokens = (("Gr", 0.9), ("", 0.4), ("ü", 0.99), (" <", 0.3), ("\n", 0.2), ("\n\n", 0.7))
    result = page_of(*tokens)
    assert Tree(text_html(result)).text == result.text


def test_a_note_shows_probability_alternatives_and_their_words():
    html = text_html(page_of(("c", 1.0), ("a", 0.45, {"o": 0.4, " ": 0.1}), ("t", 1.0)))
    [note] = Tree(html).spans()
    assert note["aria-label"] == "a  0.4500\n0.40  o  → cot\n0.10  ␣  → c␣t"
    assert note["tabindex"] == "0"


def test_sure_tokens_are_plain_text():
    assert "<span" not in text_html(page_of(("a", 0.995), ("\n", 0.99, {" ": 0.01})))


TABLE = "".join(f"<tr><td>Position {n}</td><td>{17 * n},50</td><td></td></tr>" for n in range(85))


@pytest.mark.parametrize("doubt", [0.1, 1.0])
@pytest.mark.parametrize("is_boxed", [False, True])
def test_the_html_of_a_long_table_stays_small(doubt, is_boxed):
    others = dict.fromkeys(["<td>", "th", " 12", "ab\n"], 0.05)
    by_letter = [(c, 0.6 if n < doubt * len(TABLE) else 0.999, others) for n, c in enumerate(TABLE)]
    for result in (page_of(*by_letter), bpe_reading(TABLE, doubt=doubt)):
        boxes = tuple(TokenBox(Box(1, 2, 3, 4), 0.9, 0) for _ in result.tokens)
        layout = PageLayout(result.page, 100, 100, boxes, (None,))
        image = PageImage(result.page, Image.new("RGB", (100, 100)), 1.0)
        options = {"layouts": {result.page: layout}} if is_boxed else {}
        html = document_html([result], {result.page: image}, **options)
        without_image = re.sub(r"data:image/jpeg;base64,[^\"]+", "", html)
        assert len(TABLE) > 4400 and len(without_image.encode()) < 300_000
        assert Tree(text_html(result, layout if is_boxed else None)).text == TABLE


@pytest.mark.parametrize("result", bpe_readings(), ids=lambda result: result.text[:9])
def test_words_in_notes_and_tables_are_parts_of_the_text_with_that_token_replaced(result):
    assert Tree(text_html(result)).text == result.text
    table = worst_tokens_table([result], worst_n=30)
    notes = "\n".join(span["aria-label"] for span in Tree(text_html(result)).spans())
    starts = list(accumulate((len(token.text) for token in result.tokens), initial=0))
    count = 0
    for worst in worst_tokens([result], worst_n=30):
        for choice in worst.choices:
            start, stop = starts[worst.index : worst.index + 2]
            text = f"{result.text[:start]}{choice.other.text}{result.text[stop:]}"
            assert choice.after in text
            after = choice.after or "(nothing)"
            assert f"{after} ({choice.other.prob:.2f})" in table.alternatives[count]
            assert choice.other.prob < 0.01 or f"→ {visible(choice.after)}" in notes
        count += 1
    assert count > 5


def test_a_note_shows_whole_words_of_tokens_with_spaces_and_no_word_for_a_special_token():
    others = {" by": 0.3, "by": 0.05, "<|user|>": 0.04, " b": 0.001}
    html = text_html(page_of(("<td>Served", 1.0), (" bx", 0.45, others), (" K.</td>", 1.0)))
    [note] = Tree(html).spans()
    assert note["aria-label"].split("\n") == [
        "␣bx  0.4500",
        "0.30  ␣by  → by",
        "0.05  by  → Servedby",
        "0.04  <|user|>",
    ]


def test_a_character_of_several_tokens_is_as_unsure_as_the_least_sure_of_them():
    [span] = Tree(text_html(page_of(("", 0.3), ("ü", 0.999)))).spans()
    assert span["class"] == "p4" and span["aria-label"].startswith("part of a character")


def test_a_page_says_what_to_expect_of_it():
    text = Tree(page_html(page_of(("a", 0.5), ("b", 0.5)))).text
    assert "a.pdf, page 1" in text and "2 tokens" in text
    assert "uncalibrated sum of doubt: 1 ± 1" in text


@pytest.mark.parametrize(("reason", "word"), [("length", "cut off"), ("loop", "repeated itself")])
def test_a_page_that_did_not_end_by_itself_warns(reason, word):
    assert word in page_html(page_of(("a", 0.9), finish_reason=reason))
    assert "warning" not in page_html(page_of(("a", 0.9)))


def test_an_empty_page_says_so():
    assert "no text" in page_html(page_of()) and "wrote nothing" in page_html(page_of())
    assert "no ink" in page_html(page_of(is_blank=True))


def test_the_image_is_a_jpeg_of_at_most_1200_pixels():
    result = page_of(("a", 0.9))
    page = PageImage(result.page, Image.new("RGB", (3000, 1500), "white"), 4.0)
    data = re.search(r"data:image/jpeg;base64,([^\"]+)", page_html(result, page))[1]
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (1200, 600)


def test_worst_tokens_are_shown_in_their_context_with_the_words_they_could_be():
    html = worst_tokens_html(
        [page_of(("the ", 1.0), ("c", 0.9), ("a", 0.3, {"o": 0.2, "u": 0.004}), ("t", 0.9))],
        worst_n=1,
    )
    assert '<code>the c<b class="worst"><u>a</u></b>t</code>' in html
    assert "0.3000" in html and "cot (0.20)" in html and "cut" not in html


def test_pages_are_ranked_and_link_to_themselves():
    pages = [page_of(("a", 0.99), index=0), page_of(("a", 0.3), index=1)]
    tree = Tree(document_html(pages))
    links = [attributes["href"] for tag, attributes in tree.tags if tag == "a"]
    assert [link.rpartition("-")[2] for link in links] == ["2", "1"]
    assert {link[1:] for link in links} <= {attributes.get("id") for _, attributes in tree.tags}
    assert "looped" in ranking_html([page_of(("a", 0.9), finish_reason="loop")])
    empty = ranking_html([page_of()])
    assert "empty" in empty and "not known" in empty


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text_everywhere(text):
    path = f"{text.replace('/', '')}.pdf"
    result = page_of((text, 0.2, {text: 0.1}), ("x", 0.9, {text: 0.1}), prompt=text, model_id=text)
    object.__setattr__(result.page, "document_path", path)
    html = document_html([result])
    tree = Tree(html)
    assert {tag for tag, _ in tree.tags} <= OUR_TAGS
    assert not [name for _, attributes in tree.tags for name in attributes if name[:2] == "on"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", html)
    assert escape(text) in html


def test_what_cannot_be_seen_is_shown():
    assert visible("a b\n\t\u202e") == "a␣b⏎⇥⟨U+202E⟩"
    assert escape("a\u00adb") == "a\u00adb"  # a soft hyphen is ordinary text


def test_a_file_is_self_contained(tmp_path):
    [path] = write_documents([page_of(("a", 0.3)), page_of(("b", 0.3), index=1)], tmp_path / "new")
    html = path.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>") and "Content-Security-Policy" in html
    assert not re.search(r"https?:|<script|<link|@import|url\(", html)
    assert [file.name for file in path.parent.iterdir()] == ["a.html"]


def test_two_documents_of_one_name_have_two_files(tmp_path):
    pages = [
        page_of(("a", 0.3), page=PageRef(path, digest * 64, 0))
        for path, digest in (("x/a.pdf", "1"), ("y/A.pdf", "2"))
    ]
    files = write_documents(pages, tmp_path)
    assert [file.name for file in files] == ["a.html", "A_22222222.html"]


def test_the_worst_tokens_as_a_table():
    table = worst_tokens_table([page_of(("a", 0.9), ("b\n", 0.2), ("c", 0.5))], worst_n=2)
    assert list(table.token) == ["b\n", "c"] and list(table.line) == [1, 2]


def test_how_many_errors_the_first_tokens_hold():
    page = mark_tokens(page_of(("a", 0.9), ("x", 0.1), ("c", 0.8), ("y", 0.2)), "abcd")
    table = errors_found_table([page], shares=(0.25, 0.5))
    assert list(table.columns) == ["first 25 %", "first 50 %"]
    assert table.loc["probability"].tolist() == [0.5, 1.0]
    assert list(table.index) == ["probability", "margin", "entropy", "word"]
    assert errors_found_table([]).empty
    assert errors_found_table([mark_tokens(page_of(("a", 0.9)), "a")]).empty


def test_expected_errors_beside_the_true_ones():
    read = page_of(*((character, 0.5) for character in "abxdeyghzj"))
    pages = [mark_tokens(read, "abcdefghijk"), mark_tokens(page_of(("a", 0.9)), "a")]
    table = expected_errors_table(pages)
    assert table.wrong.tolist() == [3, 0] and table.left_out.tolist() == [1, 0]
    assert table.stated.tolist() == table.expected.tolist() == [5.0, 0.1]
    assert table.calibrated.tolist() == [False, False]  # fewer than five wrong tokens elsewhere


def test_a_fragment_brings_its_style_and_is_not_a_formula():
    html = show(text_html(page_of(("a", 0.3)))).data
    assert 'class="glmocr mathjax_ignore"' in html
    assert html.count("<style>") == 1 and ".glmocr .p4" in html


def test_tints_stay_where_a_host_takes_the_style_sheet_away():
    html = show(text_html(page_of(("a", 1.0), ("b", 0.97), ("c\n", 0.9), ("e", 0.2)))).data
    tints = [span.get("style") for span in Tree(html).spans()]
    assert [tint[:18] for tint in tints] == ["background:#ff9632"] * 3
    assert len(set(tints)) == 3  # stronger from step to step
    assert "!important" in html  # so that a dark theme has its own
    many = page_of(*[("a", 0.5), ("b", 0.97)] * 2000)
    assert "style=" not in show(text_html(many)).data.partition("</style>")[2]


def test_each_located_token_has_its_box_on_the_image():
    result = page_of(("a", 0.9), ("b", 0.3), (" ", 0.99), ("c", 0.99))
    boxes = [TokenBox(Box(10 * n, 5, 10 * n + 10, 25), 0.9, 0) for n in range(4)]
    layout = PageLayout(result.page, 100, 50, (*boxes[:3], None), (None,))
    image = PageImage(result.page, Image.new("RGB", (100, 50), "white"), scale=2.0)
    html = page_html(result, image, layout=layout)
    # a space, and a token whose box is unclear, have none; lengths are shares of the width
    spots = [attributes["style"] for tag, attributes in Tree(html).tags if tag == "i"]
    assert spots == [
        "--x:0.0000;--y:0.0500;--w:0.1000;--h:0.2000",
        "--x:0.1000;--y:0.0500;--w:0.1000;--h:0.2000",
    ]
    assert 'class="sides boxed"' in html
    assert "<i" not in page_html(result, None, layout=layout)  # without an image there is no box
    document = document_html([result], {result.page: image}, layouts={result.page: layout})
    assert document.count("<i style") == 2
    assert "<script" not in document


def test_an_alternative_that_leaves_a_word_out_is_seen() -> None:
    alternatives = (Alternative(5, " up", math.log(0.5)), Alternative(6, " ", math.log(0.3)))
    tokens = (
        TokenProb(4, "asks", math.log(0.99)),
        TokenProb(5, " up", math.log(0.5), alternatives),
        TokenProb(7, " on.", math.log(0.99)),
    )
    page = PageRef("a.pdf", "0" * 64, 0)
    result = OcrResult(page, "asks up on.", tokens, "stop", "p", "m", None, None, 2.0, 1.0)
    assert "(nothing) (0.30)" in worst_tokens_html([result])
    assert "→ (nothing)" in text_html(result)
