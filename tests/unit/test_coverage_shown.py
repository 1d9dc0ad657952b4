"""What coverage found, where a person meets it: HTML, ranking, review, labels."""

from dataclasses import replace

import pytest
from PIL import Image

from glmocr_utils.confidence import rank_pages
from glmocr_utils.display import page_html
from glmocr_utils.records import (
    Box,
    OcrResult,
    PageCoverage,
    PageImage,
    PageRef,
    TokenProb,
    UnreadInk,
    UnsupportedText,
    from_json,
    read_decisions,
    to_json,
)
from glmocr_utils.review import ReviewSession, find_flags
from glmocr_utils.review.static import review_html
from glmocr_utils.review.whereabouts import whereabouts

LINES = ("First line of the page", "Third line of it", "Last line, made up <b>")
WORDS = [word for line in LINES for word in [*line.replace(" ", " |").split("|"), "\n"]][:-1]
FIRST = 5 + 1  # tokens of the first line, with its end
COVERAGE = PageCoverage(
    True,
    (UnreadInk(Box(60, 100, 500, 130), 31.4, FIRST),),
    (UnsupportedText(len(WORDS) - 5, len(WORDS), 18, "nowhere"),),
)


def a_result(coverage: PageCoverage | None = COVERAGE, index: int = 0) -> OcrResult:
    tokens = tuple(TokenProb(7, word, -0.01) for word in WORDS)
    ref = PageRef("a.pdf", "0" * 64, index)
    return OcrResult(
        ref, "".join(WORDS), tokens, "stop", "p", "m", None, None, 2.0, 1.0, coverage=coverage
    )


def a_page(index: int = 0) -> PageImage:
    return PageImage(PageRef("a.pdf", "0" * 64, index), Image.new("RGB", (600, 800), "white"), 2.0)


@pytest.fixture
def session(tmp_path) -> ReviewSession:
    result = a_result()
    return ReviewSession([result], tmp_path / "review.jsonl", images={result.page: a_page()})


def flag_of(session: ReviewSession, kind: str):
    return next(flag for flag in session.pages[0].flags if flag.kind == kind)


def test_it_is_kept_with_the_reading():
    assert from_json(to_json(a_result())) == replace(
        a_result(), coverage=COVERAGE, tokens=a_result().tokens
    )
    assert from_json(to_json(a_result(None))).coverage is None


def test_a_page_that_lacks_something_warns_and_leads_the_ranking():
    assert "About 31 characters in 1 place were not read." in a_result().warning
    complete, lacking = a_result(None, 0), a_result(index=1)
    assert [result for result, _ in rank_pages([complete, lacking])] == [lacking, complete]


def test_unread_ink_is_outlined_and_unsupported_text_tinted_without_any_boxes():
    html = page_html(a_result(), a_page())
    assert '<div class="sides boxed">' in html
    assert 'class="unread"' in html and "--x:0.1000;--y:0.1667;--w:0.7333" in html
    [_, after] = html.split('<span class="unsupported"')
    tinted = after.split("</span>")[0]
    assert "line, made up &lt;b&gt;" in tinted and "Third" not in tinted
    complete = page_html(a_result(None), a_page())
    assert "unread" not in complete and "unsupported" not in complete


def test_what_was_left_out_is_a_flag_where_it_belongs():
    flags = {flag.kind: flag for flag in find_flags(a_result(), num_audits=0)}
    unread, unsupported = flags["unread"], flags["unsupported"]
    assert (unread.line_index, unread.start, unread.end) == (0, len(LINES[0]), len(LINES[0]))
    assert "About 31 characters" in unread.note and unread.box == COVERAGE.unread[0].box
    assert unsupported.line_index == 2 and unsupported.text.strip().endswith("made up <b>")
    assert len({flag.flag_id for flag in find_flags(a_result())}) == len(find_flags(a_result()))


def test_what_cannot_be_located_is_not_a_flag():
    unclear = replace(COVERAGE, is_clear=False, unsupported=())
    assert not find_flags(a_result(unclear), num_audits=0)
    assert "unclear" in a_result(unclear).warning


def test_a_page_is_not_done_before_they_are_decided(session, tmp_path):
    session.accept_rest(0)
    assert {flag.kind for flag in session.pages[0].open_flags} == {"unread", "unsupported"}
    for coverage in ("fully_read", "flags_checked"):
        with pytest.raises(ValueError, match="left out or made up"):
            session.finish(0, coverage)
    unread = flag_of(session, "unread")
    session.correct_line(0, unread, f"{LINES[0]}\nSecond line, typed")
    session.accept(0, flag_of(session, "unsupported"))
    session.finish(0, "fully_read")
    text = "\n".join([LINES[0], "Second line, typed", *LINES[1:]])
    assert session.pages[0].text == text
    decisions = list(read_decisions(tmp_path / "review.jsonl"))
    assert [each.kind for each in decisions if each.flag_id == unread.flag_id] == ["unread"]


def test_a_page_that_is_put_aside_or_typed_needs_no_decision(session):
    session.finish(0, "read_again", "regions")
    session.undo()
    session.type_page(0, "all of it")
    session.finish(0, "fully_read")
    assert session.pages[0].text == "all of it"


def test_unread_ink_is_marked_on_the_image_without_the_model(session):
    page = session.pages[0]
    found = whereabouts(page, None, (600, 800))
    flag_id = flag_of(session, "unread").flag_id
    assert found.boxes == found.strips == {flag_id: (0.1, 0.125, 500 / 600, 130 / 800)}
    assert found.lines == [None] * 3


def test_a_review_without_a_browser_says_it(session):
    html = review_html(session)
    assert "About 31 characters were not read here" in html and 'class="unread"' in html
