"""Labels edited by hand: what is saved, and what the browser receives."""

import io
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from IPython.display import HTML
from label_inputs import image_pages
from PIL import Image

from glmocr_utils.labels import LabelStore, PageFile
from glmocr_utils.labels.pages import make_label
from glmocr_utils.review import label_editor
from glmocr_utils.review.attended import is_attended
from glmocr_utils.review.label_editor import LabelEditing, LabelEditor, show_editor


@pytest.fixture
def pages(tmp_path: Path) -> list[PageFile]:
    return image_pages(tmp_path / "pages", 3)


class Browser:
    """Receives what the editor sends, and sends what a browser would."""

    def __init__(self, editing: LabelEditing) -> None:
        self.messages: list[dict] = []
        self.buffers: list = []
        self.editor = LabelEditor(editing)
        self.editor.send = self._received
        self.do("open", number=0)

    def _received(self, message: dict, buffers: list | None = None) -> None:
        self.messages.append(message)
        self.buffers = buffers or []

    def do(self, name: str, **fields: object) -> None:
        self.editor._receive(self.editor, {"do": name, **fields}, [])

    @property
    def page(self) -> dict:
        return next(m for m in reversed(self.messages) if m["show"] == "page")


@pytest.fixture
def browser(store: LabelStore, pages: list[PageFile]) -> Browser:
    store.add(make_label(pages[0], "draft", "draft", "model:m", model_id="m"))
    return Browser(LabelEditing(store, pages, reviewer="Ada"))


# Without a screen


def test_a_saved_text_is_gold_and_on_the_disk(store: LabelStore, pages: list[PageFile]) -> None:
    store.add(make_label(pages[0], "draft", "draft", "model:m", model_id="m"))
    editing = LabelEditing(store, pages, reviewer="Ada")
    editing.save(0, "rıght  \r\nas typed")
    label = LabelStore(store.directory).current(pages[0].key)
    assert (label.text, label.status, label.source) == ("rıght\nas typed", "gold", "hand")
    assert (label.reviewer, label.model_id) == ("Ada", "m")
    assert store.history(pages[0].key)[0].text == "draft"
    assert str(editing) == "1 of 3 pages have a gold label"


def test_a_rejected_label_no_longer_counts(store: LabelStore, pages: list[PageFile]) -> None:
    editing = LabelEditing(store, pages)
    for text, status in (("draft", "draft"), ("wrong", "gold")):
        store.add(make_label(pages[0], text, status, "sidecar"))
    assert editing.reject(0)
    assert editing.label(0).text == "draft"
    assert store.labels()[-1].reviewer == "unnamed"
    assert not editing.reject(1)


def test_no_page_is_an_error(store: LabelStore) -> None:
    with pytest.raises(ValueError, match="no page to edit"):
        LabelEditing(store, [])


# On a screen


def test_it_opens_on_the_first_page(browser: Browser) -> None:
    page = browser.page
    assert (page["number"], page["num_pages"], page["num_gold"]) == (0, 3, 0)
    assert (page["text"], page["status"], page["source"]) == ("draft", "draft", "model:m")
    assert page["saved_at"] is None


def test_saving_opens_the_next_page_and_shows_the_time(browser: Browser, store: LabelStore) -> None:
    browser.do("save", number=0, text="right")
    assert (browser.page["number"], browser.page["saved"]) == (1, 0)
    assert browser.page["saved_at"] and browser.page["num_gold"] == 1
    assert browser.page["status"] is None and browser.page["text"] == ""
    browser.do("save", number=2, text="last")
    assert browser.page["number"] == 2
    assert sorted(label.text for label in store.current_labels(["gold"])) == ["last", "right"]


def test_a_save_is_of_the_page_that_it_names(browser: Browser, pages: list[PageFile]) -> None:
    browser.do("open", number=2)
    browser.do("save", number=1, text="one")
    assert browser.editor.editing.store.current(pages[1].key).text == "one"


def test_moving_beyond_the_ends_stays(browser: Browser) -> None:
    for number, expected in ((-1, 0), (3, 2), (1, 1)):
        browser.do("open", number=number)
        assert browser.page["number"] == expected


def test_rejecting_shows_what_counts_now(browser: Browser) -> None:
    browser.do("reject", number=0)
    assert (browser.page["number"], browser.page["status"], browser.page["text"]) == (0, None, "")


def test_an_image_comes_when_it_is_asked_for(browser: Browser) -> None:
    assert not [m for m in browser.messages if m["show"] == "image"]
    browser.do("image", number=1)
    assert Image.open(io.BytesIO(browser.buffers[0])).size == (8, 8)


def test_what_cannot_be_done_is_said_and_nothing_looks_saved(
    browser: Browser, pages: list[PageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise BlockingIOError("another process writes to the label set")

    monkeypatch.setattr(LabelStore, "add", busy)
    before = browser.page
    browser.do("save", number=0, text="right")
    refused = browser.messages[-1]
    assert refused["show"] == "refused" and "another process" in refused["reason"]
    assert browser.page is before
    pages[2].image_file.unlink()
    browser.do("image", number=2)
    assert "Not done" in browser.messages[-1]["reason"]


def test_messages_of_another_kind_are_passed_over(browser: Browser) -> None:
    count = len(browser.messages)
    browser.do("rm -rf", number=0)
    browser.do(None)
    assert len(browser.messages) == count


def test_a_saved_notebook_holds_no_text_and_no_image(browser: Browser) -> None:
    kept = {key for key in browser.editor.get_state() if not key.startswith("_")}
    assert kept <= {"layout", "tabbable", "tooltip"}


def test_its_script_puts_no_text_into_markup() -> None:
    script = Path(label_editor.__file__).with_suffix(".js").read_text(encoding="utf-8")
    for door in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http"):
        assert door not in script


# Headless


def test_headless_it_shows_the_first_page_and_does_not_block(
    store: LabelStore, pages: list[PageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    editing = LabelEditing(store, pages)
    shown = show_editor(editing)
    assert isinstance(shown, HTML) and "no label yet" in shown.data
    assert isinstance(show_editor(editing, True), LabelEditor)
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook")
    assert isinstance(show_editor(editing), LabelEditor)
    assert not is_attended(False)
    with pytest.raises(ValueError, match="wanted True, False"):
        is_attended("maybe")


@pytest.mark.parametrize(("kind", "shown"), [("Interactive", True), ("Batch", False)])
def test_kaggle_shows_widgets_to_a_person_alone(
    monkeypatch: pytest.MonkeyPatch, kind: str, shown: bool
) -> None:
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", kind)
    assert is_attended() is shown


def test_colab_shows_widgets_of_other_packages_once_they_are_switched_on(
    store: LabelStore, pages: list[PageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JPY_SESSION_NAME", "VSCODE_PID", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    assert not is_attended()
    calls: list[str] = []
    output = SimpleNamespace(enable_custom_widget_manager=lambda: calls.append("on"))
    monkeypatch.setitem(sys.modules, "google", ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    shell = type("Shell", (), {"__module__": "google.colab._shell"})()
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    assert isinstance(show_editor(LabelEditing(store, pages)), LabelEditor)
    assert calls == ["on"]


# Undo


@pytest.mark.parametrize("text", ["right", "draft"])  # also a draft that was saved as it was
def test_undo_reaches_the_former_label(store: LabelStore, pages: list[PageFile], text: str) -> None:
    store.add(make_label(pages[0], "draft", "draft", "model:m", model_id="m"))
    editing = LabelEditing(store, pages, reviewer="Ada")
    editing.save(0, text)
    editing.save(0, "once more")
    editing.save(1, "other page")
    assert editing.undo() == 1 and editing.label(1) is None
    assert editing.undo() == 0 and (editing.label(0).text, editing.label(0).status) == (
        text,
        "gold",
    )
    assert editing.undo() == 0
    assert (editing.label(0).text, editing.label(0).status) == ("draft", "draft")
    assert editing.label(0).source == "model:m" and editing.undo() is None


def test_a_rejection_is_taken_back(store: LabelStore, pages: list[PageFile]) -> None:
    editing = LabelEditing(store, pages)
    for text, status in (("draft", "draft"), ("good", "gold")):
        store.add(make_label(pages[0], text, status, "sidecar"))
    editing.reject(0)
    assert editing.label(0).text == "draft"
    editing.undo()
    assert (editing.label(0).text, editing.label(0).status) == ("good", "gold")
