"""The review's keys in a browser: what is typed is text, whatever it says; nothing is done unseen.

Messages between the page and its kernel are carried by hand, so that a test decides when the kernel
answers.
"""

import pytest
from lab import WidgetAlone, screenshots
from make_results import page_of
from PIL import Image

from glmocr_utils.records import PageImage, read_decisions
from glmocr_utils.review import ReviewSession, ReviewWidget

SURE = [(f"word{number} ", 0.999) for number in range(30)]


def page_with_doubt(index: int, *words: str):
    doubtful = [
        token for word in words for token in ((word, 0.3, {f"{word}!": 0.2}), ("\n", 0.999))
    ]
    return page_of(*doubtful, *SURE, index=index)


def garbage(index: int):
    return page_of(*((f"x{number} ", 0.3) for number in range(40)), index=index)


class Review(WidgetAlone):
    def __init__(self, browser, folder, *results, scheme: str = "light", width: int = 1000) -> None:
        images = {
            result.page: PageImage(result.page, Image.new("RGB", (600, 200), "white"), 2.0)
            for result in results
        }
        self.session = ReviewSession(results, folder / "log.jsonl", images=images, num_audits=0)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        super().__init__(page, ReviewWidget(self.session))
        self.root = page.locator(".glmocr-review")
        page.wait_for_function("() => document.querySelector('.frame img')?.naturalWidth > 0")

    @property
    def decisions(self):
        return list(read_decisions(self.session.log_path))

    @property
    def actions(self) -> list[str]:
        return [decision.action for decision in self.decisions]

    @property
    def typed(self) -> str:
        return self.page.locator(".glmocr-review textarea").input_value()

    def says(self, words: str) -> bool:
        return words in self.root.inner_text()

    def wait_until_awake(self) -> None:
        self.page.wait_for_selector(".glmocr-review:not(.resting)")


@pytest.fixture
def review(browser, tmp_path):
    opened = []

    def open_review(*results, **options) -> Review:
        opened.append(Review(browser, tmp_path, *results, **options))
        return opened[-1]

    yield open_review
    for each in opened:
        each.page.close()


@pytest.mark.parametrize("word", ["APPEAL", "ARTICLE", "Yard", "Rx", "1984", "? a", "+5-", " of"])
def test_what_is_typed_is_text(review, word):
    desk = review(page_with_doubt(0, "appcal", "b", "appcal"), page_with_doubt(1, "c"))
    desk.page.keyboard.type(word)
    desk.carry()
    assert desk.typed == word and desk.decisions == []
    desk.press("Enter")
    assert desk.actions == ["correct"] and desk.decisions[0].after == word
    desk.page.keyboard.type(word)
    desk.press("Escape")
    assert desk.actions == ["correct"]


@pytest.mark.parametrize("word", ["APPEAL", "ARTICLE", "Yard", "Rx"])
def test_typing_on_never_finishes_a_page_nor_touches_the_next(review, word):
    desk = review(page_with_doubt(0, "one"), page_with_doubt(1, "two"))
    desk.page.keyboard.press("Enter")  # the last flag, and the kernel takes its time
    desk.page.keyboard.type(f"{word}")
    desk.page.keyboard.press("Enter")
    desk.carry()
    assert desk.actions == ["accept"] and desk.says("page 1 of 2")
    desk.page.keyboard.type(word)  # the page is at its end
    desk.press("Enter", "Control+Shift+Enter")  # too soon
    assert desk.actions == ["accept"]
    desk.wait_until_awake()
    desk.page.keyboard.type(word)
    desk.carry()
    assert desk.actions == ["accept"]
    desk.page.keyboard.press("Enter")
    desk.page.keyboard.type(word)  # before the next page is seen
    desk.carry()
    assert desk.actions == ["accept", "finish"] and desk.decisions[-1].coverage == "flags_checked"
    assert desk.says("page 2 of 2") and desk.page.locator(".glmocr-review textarea").count() == 0


def test_many_at_once_are_accepted_when_it_is_said_twice(review):
    desk = review(page_with_doubt(0, "one", "two", "three"))
    desk.press("Control+Enter")
    assert desk.says("Accept all 3 flags left on this page?") and not desk.decisions
    desk.screenshot("review_keys_asking")
    desk.press("Escape", "Control+Enter", "Enter")  # another key isn't a second yes
    assert desk.actions == ["accept"]
    desk.press("Control+Enter", "Control+Enter")
    assert desk.actions == ["accept"] * 3
    desk.wait_until_awake()
    desk.press("Control+Shift+Enter")
    assert desk.decisions[-1].coverage == "fully_read"


def test_a_reading_is_chosen_by_arrows_or_with_a_modifier(review):
    desk = review(page_with_doubt(0, "one", "two", "three", "three"))
    desk.press("ArrowRight")
    assert desk.page.locator(".choices .chosen").inner_text().startswith("one!")
    desk.press("Enter", "ArrowRight", "ArrowLeft", "Enter")
    assert [d.after for d in desk.decisions] == ["one!", "two"]
    desk.press("Alt+1")
    assert desk.says("apply to 1 more?")
    desk.press("Alt+Enter")
    assert [d.after for d in desk.decisions[2:]] == ["three!", "three!"]


def test_shift_enter_is_cannot_tell_and_a_held_key_decides_once(review):
    desk = review(page_with_doubt(0, "one", "two", "three"))
    desk.press("Shift+Enter")
    desk.page.keyboard.down("Enter")
    desk.carry()
    for _ in range(5):
        desk.page.keyboard.down("Enter")  # as the keyboard repeats it
        desk.carry()
    desk.page.keyboard.up("Enter")
    assert desk.actions == ["unsure", "accept"]


def test_the_keys_are_shown(review):
    desk = review(page_with_doubt(0, "one"))
    desk.press("F1")
    assert "asks first" in desk.page.locator(".help").inner_text()
    desk.screenshot("review_keys_help")
    desk.press("F1")
    assert desk.page.locator(".help").count() == 0


class TestAPageThatWasNotRead:
    def test_it_is_typed(self, review):
        desk = review(garbage(0), page_with_doubt(1, "one"))
        assert desk.says("Page 1 of 2 was not read") and desk.says("about 2 minutes")
        assert desk.says("mean probability is 0.30") and not desk.says("flags to check")
        assert not desk.page.locator(".frame .mark").is_visible()
        desk.screenshot("review_not_read")
        desk.wait_until_awake()
        desk.page.keyboard.type("Resolved, That\nit be")
        desk.page.keyboard.press("Shift+Enter")
        desk.page.keyboard.type("so.")
        desk.screenshot("review_not_read_typing")
        desk.press("Control+Enter")
        assert desk.says("You typed this page.") and desk.session.pages[0].text.endswith("be\nso.")
        desk.wait_until_awake()
        desk.press("Enter")
        assert desk.decisions[-1].coverage == "fully_read" and desk.says("page 2 of 2")
        assert desk.session.text_files[desk.session.pages[0].result.page].read_text("utf-8") == (
            "Resolved, That\nit be\nso.\n"
        )

    @pytest.mark.parametrize(
        ("key", "outcome"),
        [("Delete", ("not_usable", None)), ("F8", ("read_again", "scale")),
         ("F9", ("read_again", "regions"))],
    )  # fmt: skip
    def test_it_is_put_aside(self, review, key, outcome):
        desk = review(garbage(0), page_with_doubt(1, "one"))
        desk.wait_until_awake()
        desk.press(key)
        assert (desk.decisions[-1].coverage, desk.decisions[-1].read_again) == outcome
        assert desk.says("page 2 of 2")
        assert not (desk.session.log_path.parent / "reviewed").exists()
        desk.press("Control+z")
        assert desk.says("was not read")

    def test_its_flags_can_be_checked_all_the_same(self, review):
        desk = review(garbage(0))
        desk.wait_until_awake()
        desk.press("Tab")
        assert desk.says("to check on page 1 of 1, about") and not desk.says("was not read")
        desk.press("Enter")
        assert desk.actions == ["accept"]

    def test_an_empty_text_asks(self, review):
        desk = review(garbage(0))
        desk.wait_until_awake()
        desk.press("F2")
        assert desk.typed.startswith("x0 x1")
        desk.press("Control+a", "Delete", "Control+Enter")
        assert desk.says("no text at all?") and desk.decisions == []
        desk.press("Control+Enter")
        assert desk.actions == ["type"] and desk.session.pages[0].text == ""


class TestAKernelThatIsGone:
    @pytest.fixture(params=["a message that cannot be sent", "restarting", "dead"])
    def desk(self, request, review):
        desk = review(page_with_doubt(0, "one", "two"))
        if request.param.startswith("a message"):
            desk.page.evaluate("() => { window.isDead = true; }")
            desk.press("Enter")
        else:
            desk.page.evaluate("(status) => window.kernelSays(null, status)", request.param)
        return desk

    def test_it_is_said_at_once_and_no_key_is_taken(self, desk):
        assert desk.says("The kernel has stopped or was restarted.")
        assert desk.page.locator(".glmocr-review.lost button:enabled").count() == 0
        desk.screenshot("review_kernel_gone")
        desk.page.evaluate("() => { window.isDead = false; }")
        desk.press("x", "Enter", "Control+Enter", "F1")
        assert desk.decisions == [] and desk.page.evaluate("() => window.sent.length") == 0
        assert desk.page.locator(".glmocr-review textarea, .help").count() == 0


def test_a_kernel_that_is_gone_leaves_what_was_typed_to_be_copied(review):
    desk = review(page_with_doubt(0, "one"))
    desk.page.keyboard.type("work")
    desk.page.evaluate("() => window.kernelSays(null, 'autorestarting')")
    desk.press("Enter", "x", "Escape")
    assert desk.typed == "work" and desk.decisions == []


@pytest.mark.skipif(screenshots() is None, reason="takes pictures; set GLMOCR_SCREENSHOTS")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 520])
def test_pictures(review, scheme, width):
    desk = review(page_with_doubt(0, "one", "two"), garbage(1), scheme=scheme, width=width)
    desk.press("ArrowRight")
    desk.screenshot(f"flag_{scheme}_{width}")
    desk.press("Control+Enter")
    desk.screenshot(f"asking_{scheme}_{width}")
    desk.press("Control+Enter")
    desk.screenshot(f"resting_{scheme}_{width}")
    desk.wait_until_awake()
    desk.screenshot(f"end_{scheme}_{width}")
    desk.press("Enter")
    desk.wait_until_awake()
    desk.screenshot(f"not_read_{scheme}_{width}")
    desk.press("F1")
    desk.screenshot(f"help_{scheme}_{width}")
    desk.press("F1", "F2")
    desk.screenshot(f"typing_{scheme}_{width}")
    desk.press("Escape", "PageUp")
    desk.page.evaluate("() => window.kernelSays(null, 'dead')")
    desk.screenshot(f"gone_{scheme}_{width}")
