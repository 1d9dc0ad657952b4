"""`glmocr review` in a browser: the same review, from a small server instead of a kernel."""

from threading import Thread

import pytest
from lab import screenshots, wait_for
from make_results import page_of
from PIL import Image, ImageDraw

from glmocr_utils.records import PageImage, read_decisions
from glmocr_utils.review import ReviewSession
from glmocr_utils.review.server import ReviewServer


def pages():
    tokens = [("It is therefore ", 0.99), ("ord", 0.6, {"orb": 0.2}), ("cred", 0.4, {"ered": 0.3})]
    sure = [(f"\nthat line {number} of the decree is read", 0.98) for number in range(25)]
    return [page_of(*tokens, *sure, index=0), page_of(("a ", 0.99), ("pagc", 0.3), index=1)]


@pytest.fixture
def served(tmp_path):
    read = pages()
    images = {}
    for result in read:
        image = Image.new("RGB", (900, 1200), "white")
        for number, line in enumerate(result.text.split("\n")):
            ImageDraw.Draw(image).text((80, 80 + 40 * number), line, fill="black", font_size=26)
        images[result.page] = PageImage(result.page, image, 2.0)
    session = ReviewSession(read, tmp_path / "review.jsonl", images=images, num_audits=0)
    with ReviewServer(session) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server, session
        server.shutdown()


@pytest.fixture(params=[("light", 1300), ("dark", 480)])
def page(request, browser, served):
    scheme, width = request.param
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(served[0].url)
    page.wait_for_selector(".glmocr-review[aria-busy=false]")
    page.wait_for_function("() => document.querySelector('.frame img')?.naturalWidth > 0")
    page.shot = f"{scheme}_{width}"
    yield page
    assert [each for each in problems if "ERR_CONNECTION_REFUSED" not in each] == []
    page.close()


def picture(page, name):
    if folder := screenshots():
        page.screenshot(path=folder / f"alone_{name}_{page.shot}.png")


def test_a_page_is_reviewed_by_keys(page, served):
    _, session = served
    log = session.log_path
    picture(page, "flag")
    assert page.locator(".glmocr-review mark").inner_text() == "ordcred"
    assert "ordered" in page.locator(".choices button").first.inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_for(lambda: log.exists())
    [decision] = read_decisions(log)
    assert decision.after == "It is therefore ordered"
    page.wait_for_function("() => document.body.innerText.includes('Nothing left to check')")
    page.wait_for_selector(".glmocr-review:not(.resting)")
    picture(page, "end")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.body.innerText.includes('page 2 of 2')")
    page.keyboard.type("a page")
    page.keyboard.press("Enter")
    wait_for(lambda: len(list(read_decisions(log))) == 3)
    page.reload()
    page.wait_for_function("() => document.body.innerText.includes('2 of 2 in all')")


def test_a_review_that_has_ended_says_so_and_takes_no_key(page, served):
    server, session = served
    server.shutdown()
    server.server_close()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.body.innerText.includes('glmocr review has stopped')")
    assert page.locator(".glmocr-review.lost button:enabled").count() == 0
    picture(page, "stopped")
    assert not session.log_path.exists()
