"""Reviewing without a screen: flags, decisions, undo, resuming after a stop."""

import json
import math
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from make_results import page_of
from PIL import Image

from glmocr_utils.records import PageImage, PageRef, read_decisions
from glmocr_utils.review import (
    ReviewSession,
    ReviewWidget,
    find_flags,
    read_again_steps,
    show_review,
)
from glmocr_utils.review.estimates import seconds_left, seconds_to_type


def words(text: str, unsure: dict[str, float], choices: dict[str, dict[str, float]] | None = None):
    """A page of one token a word or gap; words in `unsure` have that probability."""
    tokens = []
    for number, line in enumerate(text.split("\n")):
        tokens += [("\n", 0.999)] if number else []
        for number, word in enumerate(line.split(" ")):
            tokens += [(" ", 0.999)] if number else []
            tokens.append((word, unsure.get(word, 0.999), (choices or {}).get(word, {})))
    return page_of(*tokens)


PAGE = words(
    "The quick brovvn fox\njumps over thc lazy dog\nthc end",
    {"brovvn": 0.3, "thc": 0.4},
    {"brovvn": {"brown": 0.2, "brawn": 0.1}, "thc": {"the": 0.39}},
)


@pytest.fixture
def session(tmp_path):
    return ReviewSession([PAGE], tmp_path / "review.jsonl", reviewer="ada", num_audits=0)


def reopened(session):
    return ReviewSession(
        [page.result for page in session.pages], session.log_path, reviewer="ada", num_audits=0
    )


class TestFlags:
    def test_doubtful_words_in_reading_order(self):
        flags = find_flags(PAGE, num_audits=0)
        assert [(flag.line_index, flag.start, flag.text) for flag in flags] == [
            (0, 10, "brovvn"),
            (1, 11, "thc"),
            (2, 0, "thc"),
        ]
        assert flags[0].choices == (("brown", pytest.approx(0.2)), ("brawn", pytest.approx(0.1)))

    def test_tokens_of_a_word_are_one_flag_with_the_lowest_probability(self):
        result = page_of(("a", 0.99), (" ", 0.99), ("b", 0.6), ("c", 0.3, {"e": 0.2}), ("d", 0.9))
        [flag] = find_flags(result, num_audits=0)
        assert (flag.text, flag.start, flag.end) == ("bcd", 2, 5)
        assert flag.prob == pytest.approx(0.3) and flag.choices == (("bed", pytest.approx(0.2)),)

    def test_doubtful_words_side_by_side_are_one_flag_and_lines_part_them(self):
        result = words("one two\nthree", {"one": 0.2, "two": 0.3, "three": 0.4})
        assert [flag.text for flag in find_flags(result, num_audits=0)] == ["one two", "three"]

    def test_the_least_sure_flags_are_kept(self):
        result = words("a b c d e", {"a": 0.5, "c": 0.1, "e": 0.3})
        flags = find_flags(result, max_flags=2, num_audits=0)
        assert [flag.text for flag in flags] == ["c", "e"]

    def test_audits_are_sure_words_and_always_the_same(self):
        flags = find_flags(PAGE, num_audits=3)
        audits = [flag for flag in flags if flag.kind == "audit"]
        assert len(audits) == 3 and not {a.text for a in audits} & {"brovvn", "thc", " "}
        assert find_flags(PAGE, num_audits=3) == flags

    @pytest.mark.parametrize("reason", ["loop", "length"])
    def test_an_end_that_did_not_come_by_itself_is_a_flag(self, reason):
        *_, last = find_flags(replace(PAGE, finish_reason=reason), num_audits=0)
        assert (last.kind, last.line_index, last.start) == (reason, 2, 7)

    def test_every_flag_has_its_own_name_and_is_where_it_says(self):
        result = page_of(
            ("", 0.2), ("ü", 0.9), (" x", 0.3), ("\n", 0.1), ("\n", 0.2), (" y ", 0.4), ("z", 0.99)
        )
        flags = find_flags(replace(result, finish_reason="loop"))
        assert len({flag.flag_id for flag in flags}) == len(flags)
        lines = result.text.split("\n")
        for flag in flags:
            assert lines[flag.line_index][flag.start : flag.end] == flag.text.strip("\n")

    def test_an_empty_page_has_nothing_to_check(self):
        assert find_flags(page_of()) == []


class TestDecisions:
    def test_accepting_goes_from_flag_to_flag(self, session):
        flag = session.next_open(0)
        session.accept(0, flag)
        after = session.next_open(0, flag)
        assert (flag.text, after.text, after.line_index) == ("brovvn", "thc", 1)
        assert session.summary()["reviewed"] == 1 and session.pages[0].text == PAGE.text

    def test_a_choice_replaces_the_word(self, session):
        session.choose(0, session.next_open(0), "brown")
        assert session.pages[0].lines[0] == "The quick brown fox"

    def test_two_flags_of_a_line_keep_their_spots_when_one_grows(self, tmp_path):
        page = words("aa bb cc", {"aa": 0.1, "cc": 0.2})
        session = ReviewSession([page], tmp_path / "log", num_audits=0)
        first, second = session.pages[0].flags
        session.choose(0, first, "a long beginning")
        session.choose(0, second, "ß")
        assert session.pages[0].text == "a long beginning bb ß"

    def test_the_worst_flag_can_come_first(self, session):
        assert next(p.text for p in session.queue(0, "worst")) == "brovvn"
        assert [p.prob for p in session.queue(0, "worst")] == sorted(
            p.prob for p in session.pages[0].flags
        )

    def test_undo_takes_back_a_step(self, session):
        flag = session.next_open(0)
        session.choose(0, flag, "brown")
        session.accept_rest(0)
        assert not session.pages[0].open_flags
        assert session.undo() == (0, session.pages[0].flags[1])
        assert len(session.pages[0].open_flags) == 2
        assert session.pages[0].lines[0] == "The quick brown fox"
        assert session.undo() == (0, flag) and session.pages[0].text == PAGE.text
        assert session.undo() is None

    def test_undo_takes_back_what_was_done_last_on_whatever_page(self, tmp_path):
        second = replace(PAGE, page=replace(PAGE.page, page_index=1))
        session = ReviewSession([PAGE, second], tmp_path / "log", num_audits=0)
        session.accept(1, session.next_open(1))
        session.finish(0, "fully_read")
        assert session.undo() == (0, None) and session.pages[0].coverage is None
        number, flag = session.undo()
        assert (number, flag.text) == (1, "brovvn")
        assert session.summary()["reviewed"] == 0

    def test_the_same_correction_is_offered_and_made_only_when_asked(self, session):
        flag = session.pages[0].flags[1]
        offer = session.choose(0, flag, "the")
        assert (offer.before, offer.after, len(offer.flags)) == ("thc", "the", 1)
        assert session.pages[0].lines[2] == "thc end"
        assert session.apply_offer(offer) == 1
        assert session.pages[0].lines[2] == "the end"
        session.undo()
        assert session.pages[0].lines[1:] == ["jumps over the lazy dog", "thc end"]

    def test_a_correction_on_several_pages_is_undone_as_one(self, tmp_path):
        second = replace(PAGE, page=replace(PAGE.page, page_index=1))
        session = ReviewSession([PAGE, second], tmp_path / "log", num_audits=0)
        offer = session.choose(0, session.pages[0].flags[1], "the")
        assert session.apply_offer(offer) == 3
        assert session.pages[1].text.count("the") == 2 and "thc" not in session.pages[0].text
        session.undo()
        assert session.pages[1].text == PAGE.text
        assert session.pages[0].text.count("thc") == 1

    def test_an_offer_is_made_in_cells_and_leaves_the_rest_of_the_line(self, tmp_path):
        cell, sure = ("thc", 0.3, {"the": 0.2}), ("thc", 0.999)
        tags = ("</td><td>", 0.999)
        page = page_of(cell, tags, sure, tags, cell, tags, cell, (" end", 0.999))
        session = ReviewSession([page], tmp_path / "log", num_audits=0)
        offer = session.choose(0, session.pages[0].flags[0], "the")
        assert session.apply_offer(offer) == 2
        assert session.pages[0].text == "the</td><td>thc</td><td>the</td><td>the end"

    def test_a_correction_of_more_than_a_word_is_not_offered(self, session):
        assert session.correct_line(0, session.pages[0].flags[1], "leaps over the cat") is None

    def test_a_line_left_as_it_is_counts_as_accepted(self, session):
        flag = session.next_open(0)
        session.correct_line(0, flag, "The quick brovvn fox")
        assert session.summary()["corrected"] == 0 and session.summary()["reviewed"] == 1

    def test_a_missing_line_is_put_in_and_one_that_is_not_on_the_page_taken_out(self, session):
        first, second, third = session.pages[0].flags
        session.correct_line(0, first, "The quick brown fox\nthat was left out")
        session.choose(0, second, "the")
        session.correct_line(0, third, "")
        assert session.pages[0].text == (
            "The quick brown fox\nthat was left out\njumps over the lazy dog"
        )

    def test_an_empty_line_of_the_page_stays(self, tmp_path):
        session = ReviewSession([words("a\n\nb", {"a": 0.1})], tmp_path / "log")
        assert session.pages[0].text == "a\n\nb"

    def test_a_line_without_a_doubtful_flag_can_be_corrected(self, session):
        page = session.pages[0]
        session.correct_line(0, page.line_flag(1), "jumps over the lazy fox")
        assert page.lines[1] == "jumps over the lazy fox" and len(page.open_flags) == 3
        assert session.summary()["reviewed"] == 0
        assert page.span_of(page.line_flag(1)) == (23, 23)
        assert reopened(session).pages[0].text == page.text
        assert session.undo() == (0, page.line_flag(1)) and page.text == PAGE.text

    def test_checked_and_read_are_kept_apart(self, session):
        session.accept_rest(0)
        session.finish(0, "flags_checked")
        assert session.summary()["pages_flags_checked"] == 1
        session.finish(0, "fully_read")
        summary = session.summary()
        assert (summary["pages_flags_checked"], summary["pages_fully_read"]) == (0, 1)

    def test_continuing_with_a_finished_page_reopens_it(self, session):
        session.finish(0, "fully_read")
        session.accept(0, session.next_open(0))
        assert session.pages[0].coverage is None


class TestLog:
    def test_a_line_says_who_what_where_and_how_long(self, tmp_path, monkeypatch):
        now = [100.0]
        clock = SimpleNamespace(monotonic=lambda: now[0])
        monkeypatch.setattr("glmocr_utils.review.decision_log.time", clock)
        image = PageImage(PAGE.page, Image.new("RGB", (10, 10)), 2.0)
        session = ReviewSession(
            [PAGE], tmp_path / "log", images={PAGE.page: image}, reviewer="ada", num_audits=0
        )
        now[0] = 107.5
        session.choose(0, session.next_open(0), "braün")
        record = json.loads((tmp_path / "log").read_text(encoding="utf-8"))
        assert record["action"] == "correct" and record["reviewer"] == "ada"
        assert (record["before"], record["after"]) == (
            "The quick brovvn fox",
            "The quick braün fox",
        )
        assert record["document_path"] == "a.pdf" and record["page_index"] == 0
        assert record["model_id"] == "some/model" and len(record["image_sha256"]) == 64
        assert math.isclose(record["prob"], 0.3) and record["seconds"] == 7.5
        assert "T" in record["time"] and record["time"][-6] in "+-"

    def test_a_log_that_calls_flags_places_is_read(self, session):
        session.choose(0, session.next_open(0), "brown")
        log = session.log_path.read_text(encoding="utf-8")
        assert "flag_id" in log
        session.log_path.write_text(log.replace("flag_id", "place_id"), encoding="utf-8")
        again = reopened(session)
        assert again.pages[0].decided == session.pages[0].decided != {}
        assert again.pages[0].text == session.pages[0].text

    def test_it_resumes_where_it_was(self, session):
        session.choose(0, session.next_open(0), "brown")
        session.unsure(0, session.next_open(0))
        session.undo()
        again = reopened(session)
        assert again.pages[0].text == session.pages[0].text
        assert again.summary() == session.summary()
        assert abs(again.saved_at - session.saved_at) < timedelta(seconds=2)
        assert again.undo() and again.pages[0].text == PAGE.text

    def test_a_log_from_before_choices_were_of_tokens_gives_the_same_text(self, session):
        """It has the whole line, and flags that may not be flags any more."""
        page = session.pages[0]
        session.correct_line(0, page.flags[0], "The quick brown fox")
        session.finish(0, "fully_read")
        log = session.log_path.read_text(encoding="utf-8")
        assert "token_start" not in log
        session.log_path.write_text(log.replace('"0:10-16"', '"0:9-17"'), encoding="utf-8")
        again = reopened(session).pages[0]
        assert again.text == PAGE.text.replace("brovvn", "brown") and again.coverage == "fully_read"

    def test_a_line_torn_by_a_crash_is_left_out_and_does_not_spoil_the_next(self, session):
        session.accept(0, session.next_open(0))
        with session.log_path.open("ab") as file:
            file.write(b'{"action": "acc')
        again = reopened(session)
        assert again.summary()["reviewed"] == 1
        again.accept(0, again.next_open(0))
        assert reopened(session).summary()["reviewed"] == 2

    def test_decisions_about_another_reading_do_not_count(self, session):
        session.accept_rest(0)
        for other in (
            replace(PAGE, adapter="other"),
            words("Another text thc", {"thc": 0.1}),
            replace(PAGE, page=replace(PAGE.page, page_index=1)),
        ):
            assert ReviewSession([other], session.log_path).summary()["reviewed"] == 0

    def test_fewer_flags_than_before_are_counted_as_they_are(self, session):
        session.accept_rest(0)
        fewer = ReviewSession([PAGE], session.log_path, max_flags=1, num_audits=0)
        assert (fewer.summary()["reviewed"], fewer.summary()["flags"]) == (1, 1)

    def test_a_file_of_something_else_is_named(self, tmp_path):
        (tmp_path / "log").write_text('{"a": 1}\n')
        with pytest.raises(ValueError, match="log, line 1 isn't a review decision"):
            list(read_decisions(tmp_path / "log"))

    def test_nothing_to_review_is_said(self, tmp_path):
        with pytest.raises(ValueError, match="no page to review"):
            ReviewSession([], tmp_path / "log")


class TestFinishedTexts:
    """`reviewed/`, one file for each finished page."""

    @pytest.fixture
    def file(self, session):
        return session.log_path.parent / "reviewed/a_p0001.txt"

    def test_finishing_writes_the_text_and_nothing_else_does(self, session, file):
        session.choose(0, session.next_open(0), "braün")
        assert not file.parent.exists()
        session.finish(0, "flags_checked")
        assert file.read_text(encoding="utf-8") == session.pages[0].text + "\n"
        assert [path.name for path in file.parent.iterdir()] == ["a_p0001.txt"]

    def test_undoing_the_finish_or_continuing_takes_it_away(self, session, file):
        session.finish(0, "fully_read")
        session.undo()
        assert not file.exists()
        session.finish(0, "fully_read")
        session.accept(0, session.next_open(0))
        assert not file.exists()

    def test_a_lost_text_comes_back_with_the_log(self, session, file):
        session.finish(0, "fully_read")
        file.unlink()
        reopened(session)
        assert file.exists()

    def test_the_text_of_another_reading_stays_until_this_one_is_finished(self, session, file):
        session.finish(0, "fully_read")
        other = ReviewSession([replace(PAGE, adapter="other")], session.log_path, num_audits=0)
        other.choose(0, other.next_open(0), "brown")
        assert "brovvn" in file.read_text(encoding="utf-8")
        other.finish(0, "fully_read")
        assert "brown" in file.read_text(encoding="utf-8")

    def test_two_documents_of_one_name_have_two_files(self, tmp_path):
        pages = [
            replace(PAGE, page=PageRef(path, digest * 64, 0))
            for path, digest in (("x/a.pdf", "1"), ("y/A.pdf", "2"))
        ]
        session = ReviewSession(pages, tmp_path / "log")
        names = [session.text_files[page.page].name for page in pages]
        assert names == ["a_p0001.txt", "A_22222222_p0001.txt"]


def test_without_a_screen_the_review_says_what_is_to_be_checked(session):
    html = show_review(session, review=False).data
    assert "0 of 3 flags reviewed, 0 of 1 pages finished" in html
    assert 'The quick <b class="worst"><u>brovvn</u></b> fox' in html
    assert "brown, brawn" in html
    assert not session.log_path.exists()


def test_a_review_is_shown_where_a_person_can_use_it(session, monkeypatch):
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    assert not isinstance(show_review(session), ReviewWidget)
    monkeypatch.setenv("VSCODE_PID", "1")
    assert isinstance(show_review(session), ReviewWidget)
    with pytest.raises(ValueError, match=r"True, False or .auto., got '1'"):
        show_review(session, "1")


class TestPagesThatWereNotRead:
    GARBAGE = page_of(*((f"x{number} ", 0.3) for number in range(40)))

    @pytest.fixture
    def session(self, tmp_path):
        return ReviewSession([self.GARBAGE, replace(PAGE, page=PageRef("b.pdf", "1" * 64, 4))],
                             tmp_path / "review.jsonl", num_audits=0)  # fmt: skip

    def test_a_typed_page_is_its_text_and_has_no_flags(self, session):
        assert "mean probability is 0.30" in session.why_not_read(0)
        assert session.why_not_read(1) is None
        session.type_page(0, "what\nis printed")
        again = reopened(session)
        for each in (session, again):
            assert each.pages[0].text == "what\nis printed" and not each.pages[0].open_flags
            assert each.why_not_read(0) is None
        session.finish(0, "fully_read")
        assert session.text_files[self.GARBAGE.page].read_text("utf-8") == "what\nis printed\n"
        session.undo()
        assert session.undo() == (0, None) and session.pages[0].text == self.GARBAGE.text

    def test_a_page_that_is_put_aside_is_finished_and_has_no_text(self, session):
        session.finish(1, "flags_checked")
        session.finish(0, "read_again", "scale")
        assert session.unfinished == [] and session.pages[0].read_again == "scale"
        assert not session.text_files[self.GARBAGE.page].exists()
        [step] = read_again_steps(session)
        assert step.parameters["input_path"] == "a.pdf" and step.parameters["pages"] == "1"
        assert step.parameters["scale"] != self.GARBAGE.scale
        session.finish(1, "not_usable")
        assert not session.text_files[session.pages[1].result.page].exists()
        summary = session.summary()
        assert (summary["pages_not_usable"], summary["pages_to_read_again"]) == (1, 1)

    def test_typing_takes_as_long_as_the_page_and_flags_as_long_as_their_words(self, session):
        assert seconds_to_type(session.pages[0]) >= 120
        assert seconds_left(session.pages[1]) == 10 * len(session.pages[1].flags)
        assert seconds_left(session.pages[0]) > 10 * len(session.pages[0].flags)
