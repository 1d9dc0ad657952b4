"""The review widget's side in the kernel: what the browser receives, and what its keys do."""

import io

import pytest
from bpe_readings import bpe_readings
from make_results import page_of
from PIL import Image

from glmocr_utils.records import PageImage
from glmocr_utils.review import ReviewSession, ReviewWidget


def page(index: int, *tokens):
    return page_of(*tokens, index=index)


FIRST = page(
    0,
    ("Grüße, ", 0.999),
    ("x", 0.4, {"y": 0.3, "z": 0.2}),
    ("\n", 0.999),
    ("w", 0.97),
    ("v", 0.3, {"u": 0.2}),
)
SECOND = page(1, ("sure", 0.999))


class Browser:
    """Receives what a widget sends, and sends what a browser would."""

    def __init__(self, results, folder, **options):
        self.messages: list[dict] = []
        self.buffers: list = []
        images = {FIRST.page: PageImage(FIRST.page, Image.new("RGB", (2600, 1300)), 4.0)}
        session = ReviewSession(results, folder / "log", images=images, num_audits=0, **options)
        self.widget = ReviewWidget(session)
        self.widget.send = self._received
        self.do("open")

    def _received(self, message, buffers=None):
        self.messages.append(message)
        self.buffers = buffers or []

    def do(self, name, **fields):
        self.widget._receive(self.widget, {"do": name, **fields}, [])

    def last(self, kind):
        return next(m for m in reversed(self.messages) if m["show"] == kind)

    @property
    def state(self):
        return self.last("state")


@pytest.fixture
def browser(tmp_path):
    return Browser([FIRST, SECOND], tmp_path)


def test_it_opens_on_the_first_flag_of_the_first_unfinished_page(browser, tmp_path):
    shown, state = browser.last("page"), browser.state
    assert (shown["number"], shown["num_pages"], shown["has_image"]) == (0, 2, True)
    assert [flag["text"] for flag in shown["flags"]] == ["x", "wv"]
    assert state["flag"] == shown["flags"][0] | {"readers": ("", "")}
    assert state["seconds_left"] == 20
    assert shown["errors"].startswith("uncalibrated sum of doubt: ")
    assert state["saved"] is None
    browser.widget.session.finish(0, "flags_checked")
    again = Browser([FIRST, SECOND], tmp_path)
    assert again.last("page")["number"] == 1


def test_tints_are_given_line_by_line(browser):
    assert browser.last("page")["steps"] == [[(7, 0), (1, 4)], [(1, 1), (1, 4)]]
    assert browser.last("page")["original"] == ["Grüße, x", "wv"]


def test_tints_fit_lines_of_tokens_with_line_ends(tmp_path):
    result = bpe_readings()[0]
    browser = Browser([result], tmp_path)
    shown = browser.last("page")
    lengths = [sum(length for length, _ in line) for line in shown["steps"]]
    assert lengths == [len(line) for line in shown["original"]]


def test_enter_goes_to_the_next_flag_and_is_on_disk(browser):
    first = browser.state["flag"]
    browser.do("accept")
    assert browser.state["decided"] == {first["id"]: "accept"} and browser.state["flag"] != first
    assert browser.state["saved"] and browser.widget.session.log_path.read_bytes().count(b"\n") == 1


def test_a_choice_a_line_and_undo(browser):
    browser.do("choose", index=1)
    assert browser.state["lines"] == ["Grüße, z", "wv"]
    browser.do("line", text="ändern")
    assert browser.state["lines"] == ["Grüße, z", "ändern"] and browser.state["flag"] is None
    browser.do("undo")
    assert browser.state["lines"] == ["Grüße, z", "wv"] and browser.state["flag"]


def test_of_a_long_line_a_part_is_shown_and_edited(tmp_path):
    row = "<tr><td>Bread</td><td>1,20</td></tr>"
    tokens = ((f"<table>{row * 9}<tr><td>", 0.999), ("Bred", 0.4, {"Bread": 0.3, "Brot": 0.2}))
    browser = Browser(
        [page(0, *tokens, (f"</td><td>x</td></tr>{row * 9}</table>", 0.999))], tmp_path
    )
    [line], (first, last) = browser.state["lines"], browser.state["window"]
    assert line[first:last] == "Bred</td><td>x"
    browser.do("line", text="Bread</td><td>1,20")
    assert browser.state["lines"] == [f"<table>{row * 19}</table>"]
    browser.do("undo")
    browser.do("choose", index=1)
    assert browser.state["lines"] == [line.replace("Bred", "Brot")]


def test_choices_for_two_tokens_of_a_flag_add_up(tmp_path):
    tokens = (("b", 0.4, {"h": 0.3}), ("a", 0.999), ("d", 0.4, {"t": 0.25}))
    browser = Browser([page(0, *tokens)], tmp_path)
    assert [text for text, _ in browser.state["flag"]["choices"]] == ["had", "bat", "hat"]
    assert list(browser.state["flag"]["readers"]) == ["", "", ""]
    first = browser.state["flag"]["id"]
    browser.do("choose", index=0)
    browser.do("flag", flag_id=first)
    assert [text for text, _ in browser.state["flag"]["choices"]] == ["had", "hat"]
    browser.do("choose", index=1)
    assert browser.state["lines"] == ["hat"]


def test_a_choice_that_is_not_there_changes_nothing(browser):
    before = browser.state
    browser.do("choose", index=7)
    assert browser.state is before


def test_undo_goes_to_the_page_that_it_changed(browser):
    browser.do("rest")
    browser.do("finish", coverage="flags_checked")
    assert browser.state["number"] == 1
    browser.do("undo")
    assert (browser.last("page")["number"], browser.state["coverage"]) == (0, None)
    assert browser.state["flag"] is None and len(browser.state["decided"]) == 2
    browser.do("undo")
    assert browser.state["flag"]["text"] == "x" and browser.state["decided"] == {}


def test_a_page_is_read_line_by_line_and_any_line_corrected(browser):
    browser.do("rest")
    browser.do("line_at", line=0)
    assert browser.state["flag"]["is_line"] and browser.state["span"] == (8, 8)
    browser.do("accept")
    assert browser.state["flag"]["line"] == 1 and len(browser.state["decided"]) == 2
    browser.do("line", text="wv\nund noch eine")
    assert browser.state["flag"] is None  # after the last line: the end of the page
    assert browser.state["lines"] == ["Grüße, x", "wv\nund noch eine"]
    browser.do("line_at", line=1)
    browser.do("line", text="wv\nund noch eine")  # nothing changed, so nothing is decided
    assert browser.widget.session.log_path.read_bytes().count(b"\n") == 3
    before = browser.state["flag"]
    browser.do("line_at", line=2)
    assert browser.state["flag"] == before


def test_from_a_line_back_to_the_flags(browser):
    first = browser.state["flag"]
    browser.do("line_at", line=1)
    browser.do("open_flag")
    assert browser.state["flag"] == first


def test_skipping_goes_round_without_deciding(browser):
    first = browser.state["flag"]
    browser.do("skip")
    second = browser.state["flag"]
    browser.do("skip")
    assert browser.state["flag"] == first != second
    browser.do("skip", back=True)
    assert browser.state["flag"] == second and browser.state["decided"] == {}


def test_finishing_goes_to_the_next_open_page_and_stays_after_the_last(browser):
    browser.do("rest")
    assert browser.state["flag"] is None
    browser.do("finish", coverage="fully_read")
    assert browser.last("page")["number"] == 1
    browser.do("finish", coverage="flags_checked")
    assert browser.state["summary"]["pages_fully_read"] == 1
    assert browser.state["number"] == 1 and browser.state["coverage"] == "flags_checked"


def test_pages_are_turned_within_the_document(browser):
    for number, expected in ((1, 1), (2, 1), (-3, 0)):
        browser.do("page", number=number)
        assert browser.last("page")["number"] == expected


def test_the_worst_first(browser):
    browser.do("order", order="worst")
    assert [flag["text"] for flag in browser.last("page")["flags"]] == ["wv", "x"]


def test_an_offer_is_made_and_taken(tmp_path):
    tokens = (("thc", 0.3, {"the": 0.2}), (" a", 0.999), ("\n", 0.999), ("thc", 0.4))
    browser = Browser([page(0, *tokens)], tmp_path)
    browser.do("choose", index=0)
    assert browser.state["offer"] == {"before": "thc", "after": "the", "count": 1}
    browser.do("apply")
    assert browser.state["lines"] == ["the a", "the"]
    assert browser.state["offer"] is None and browser.state["flag"] is None


def test_images_come_when_asked_for_as_jpegs_of_bounded_width(browser):
    assert not [m for m in browser.messages if m["show"] == "image"]
    browser.do("image", number=0)
    assert Image.open(io.BytesIO(browser.buffers[0])).size == (2000, 1000)


def test_what_cannot_be_saved_is_said(browser, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("glmocr_utils.review.decision_log.append_decisions", full)
    before = browser.state
    browser.do("accept")
    assert browser.state is before and browser.last("refused")["reason"].startswith("Not saved")


def test_a_saved_notebook_holds_no_text_and_no_image(browser):
    state = browser.widget.get_state()
    kept = {key: value for key, value in state.items() if not key.startswith("_")}
    assert set(kept) <= {"layout", "tabbable", "tooltip"}


def test_unknown_messages_are_ignored(browser):
    count = len(browser.messages)
    browser.do("send_image; drop")
    assert len(browser.messages) == count
