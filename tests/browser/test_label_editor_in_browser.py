"""A person writes labels by hand: what a browser does with the editor.

The page's script runs in Chromium; the kernel's side is the real one, and messages between them are
carried by hand, so that a test decides when the kernel answers.
"""

import os

import pytest
from lab import WidgetAlone
from PIL import Image

from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.pages import make_label
from glmocr_utils.review.label_editor import LabelEditing, LabelEditor

HOSTILE = '</textarea><img src=x onerror="window.hit=1"><script>window.hit=1</script> \u202etxet'


class Desk(WidgetAlone):
    """The editor in a browser, with its kernel."""

    def __init__(self, page, editing: LabelEditing) -> None:
        super().__init__(page, LabelEditor(editing))
        self.editor = self.widget
        self.area = page.locator("textarea")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.area.press(key)
            self.carry()

    @property
    def text(self) -> str:
        return self.area.input_value()

    def says(self, words: str) -> bool:
        return words in self.page.locator(".glmocr-editor").inner_text()


@pytest.fixture
def desk(browser, tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (300, 400), (255, 255, 200 + number)).save(folder / f"{number}.png")
    pages = find_pages(folder)
    store = LabelStore(tmp_path / "labels")
    for page, text in zip(pages, ("first draft", HOSTILE, "third"), strict=True):
        store.add(make_label(page, text, "draft", "model:m"))
    page = browser.new_page()
    yield Desk(page, LabelEditing(store, pages, reviewer="Ada"))
    page.close()


def gold(desk: Desk) -> list[str | None]:
    editing = desk.editor.editing
    labels = [editing.store.current(page.key) for page in editing.pages]
    return [label.text if label.status == "gold" else None for label in labels]


def test_typing_and_ctrl_enter_make_gold_and_open_the_next_page(desk):
    assert desk.text == "first draft" and desk.says("Page 1 of 3") and desk.says("draft: model:m")
    desk.area.fill("what is\nprinted")
    assert desk.says("changed, not saved")
    desk.press("Control+Enter")
    assert gold(desk) == ["what is\nprinted", None, None]
    assert desk.says("Page 2 of 3") and desk.says("1 of 3 pages are gold") and desk.says("saved ")


def test_what_was_not_saved_is_there_again_and_esc_restores(desk):
    desk.area.fill("half done")
    for there, back in (("PageDown", "PageUp"), ("Alt+ArrowRight", "Alt+ArrowLeft")):
        desk.press(there)
        assert desk.says("Page 2 of 3")
        desk.press(back)
        assert desk.text == "half done"
    desk.press("Escape")
    assert desk.text == "first draft" and not desk.says("changed, not saved")
    assert gold(desk) == [None, None, None]
    desk.press("Escape")  # nothing to restore: the keys go back to the notebook
    assert not desk.area.evaluate("area => area === document.activeElement")


def test_nothing_is_typed_into_a_page_that_is_about_to_go(desk):
    desk.area.press("Control+Enter")  # and the kernel takes its time
    desk.area.press("x")
    desk.carry()
    assert gold(desk) == ["first draft", None, None]
    assert desk.text == HOSTILE  # of the next page, without the x


def test_a_refusal_is_said_and_the_text_stays(desk, monkeypatch):
    def busy(*_):
        raise BlockingIOError("another process writes to the label set")

    monkeypatch.setattr(LabelStore, "add", busy)
    desk.area.fill("work of an hour")
    desk.press("Control+Enter")
    assert desk.text == "work of an hour" and desk.says("another process writes")
    assert desk.says("nothing saved yet")
    desk.area.press("!")
    assert "!" in desk.text  # it can be worked on


def test_a_label_is_text_whatever_it_says(desk):
    desk.press("PageDown")
    assert desk.text == HOSTILE
    assert desk.page.evaluate("() => window.hit") is None
    assert desk.says("U+202E")


def test_rejecting_shows_that_there_is_no_label(desk):
    desk.page.get_by_role("button", name="Reject this label").click()
    desk.carry()
    assert desk.text == "" and desk.says("no label yet")


def test_the_page_image_comes_and_can_be_enlarged(desk):
    image = desk.page.locator("img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 300
    before = image.bounding_box()["width"]
    desk.page.get_by_role("button", name="+", exact=True).click()
    assert image.bounding_box()["width"] > before


def test_a_notebooks_own_keys_are_kept_away(desk):
    desk.page.evaluate(
        "() => document.addEventListener('keydown', (event) => { window.outside = event.key; })"
    )
    desk.press("a", "Control+Enter", "Escape")
    assert desk.page.evaluate("() => window.outside") is None
    assert desk.page.locator("[data-lm-suppress-shortcuts=true] textarea").count() == 1


def test_an_empty_text_asks_before_it_is_gold(desk):
    desk.area.fill(" \n")
    desk.press("Control+Enter")
    assert desk.says("has no text?") and gold(desk) == [None, None, None]
    desk.press("Escape")
    assert not desk.says("has no text?") and desk.text == " \n"
    desk.press("Control+Enter", "x", "Backspace", "Control+Enter")  # typing isn't a second yes
    assert gold(desk) == [None, None, None]
    desk.press("Control+Enter")
    assert gold(desk) == ["", None, None]


def test_ctrl_z_reaches_the_former_label_once_nothing_is_unsaved(desk):
    desk.area.fill("wrong")
    desk.press("Control+Enter")
    desk.area.press("x")
    desk.press("Control+z")  # the text area's own
    assert desk.text == HOSTILE and gold(desk) == ["wrong", None, None]
    desk.press("Control+z")
    assert desk.text == "first draft" and desk.says("Page 1 of 3") and desk.says("draft")
    assert gold(desk) == [None, None, None]


def test_labels_newer_than_the_exported_data_set_are_counted(desk):
    metadata = desk.editor.editing.store.directory / "dataset/metadata.jsonl"
    metadata.parent.mkdir()
    metadata.touch()
    os.utime(metadata, (0, 0))
    desk.press("Control+Enter")
    assert desk.says("1 label is newer than the exported data set: run the cells below.")
    desk.screenshot("editor_newer")
    metadata.touch()
    os.utime(metadata, (2**32, 2**32))
    desk.press("PageDown")
    assert not desk.says("newer than")


def test_a_kernel_that_is_gone_is_said_at_once_and_the_text_can_be_copied(desk):
    desk.area.fill("work of an hour")
    desk.page.evaluate("() => window.kernelSays(null, 'restarting')")
    assert desk.says("The kernel has stopped or was restarted.")
    desk.screenshot("editor_kernel_gone")
    desk.press("x", "Control+Enter", "PageDown")
    assert desk.text == "work of an hour" and gold(desk) == [None, None, None]
    assert desk.page.evaluate("() => window.sent.length") == 0
