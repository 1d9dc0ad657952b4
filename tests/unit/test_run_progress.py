"""While a run reads, a line shows pages, speed, time left and the page that is being written."""

import html
import io
import os
from collections import Counter
from dataclasses import replace

import pytest
from IPython.display import HTML

from glmocr_utils.figures import collection
from glmocr_utils.mass_infer import InferOptions, Progress, infer
from glmocr_utils.ocr import ReadingProgress, progress
from glmocr_utils.ocr.progress import Line
from glmocr_utils.records import PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

PAGE = PageRef("in/a<b.pdf", "0" * 64, 1)
READING = ReadingProgress(PAGE, 100, "he & she", 5, None, 5, 900, 20.0)
HALF_WAY = Progress(
    done=6,
    total=12,
    read_now=2,
    seconds=20.0,
    statuses=Counter(ok=5, looped=1),
    last=None,
    reading=READING,
    tokens_now=900,
)


def test_the_line_shows_pages_speed_time_left_and_the_page_under_way():
    assert str(HALF_WAY) == (
        "6 of 12 pages, 0.1 pages/s, 45 tokens/s, 0:01:00 left · ok 5, looped 1 · "
        "a<b.pdf, page 2: 100 tokens · … he & she"
    )


def test_after_a_resume_earlier_pages_count_as_done_and_no_speed_is_made_up():
    resumed = replace(HALF_WAY, read_now=0, tokens_now=0, reading=None, doing="loading the model")
    assert str(resumed) == "6 of 12 pages · ok 5, looped 1 · loading the model"
    assert not replace(resumed, done=12).is_over


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_it_need_not_break(monkeypatch):
    monkeypatch.setattr(
        "shutil.get_terminal_size", lambda *_: os.terminal_size((60, 24)), raising=True
    )
    terminal = Terminal()
    line = Line(terminal)
    line(HALF_WAY)
    written = terminal.getvalue().removeprefix("\r")
    assert len(written) == 59 and written.endswith("…") and "\n" not in written


def test_a_notebook_gets_a_bar_and_the_text_as_it_is(monkeypatch):
    shown = []
    monkeypatch.setattr(collection, "display", lambda each, display_id: shown.append(each))
    collection.LiveView()(HALF_WAY)
    assert isinstance(shown[0], HTML)
    assert html.unescape(shown[0].data) == f"<b>▕██████░░░░░░▏ {HALF_WAY}</b>"
    assert "a&lt;b.pdf" in shown[0].data


@pytest.mark.slow
def test_each_token_is_seen_also_after_a_resume(
    bundled_model, bundled_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 0)
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, width_px=420, height_px=300)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        draw_page([Block(f"Ship {name} left with salt. " * 3)], style).image.save(
            folder / f"{name}.png"
        )
    options = InferOptions(
        folder,
        model_id=str(bundled_folder),
        max_tokens=6,
        batch_size=1,
        output_dir=tmp_path / "run",
    )
    seen: list[Progress] = []

    def until_the_second(now: Progress) -> None:
        seen.append(now)
        if now.done == 1 and now.reading and now.reading.tokens == 3:
            raise KeyboardInterrupt

    summary = infer(options, model=bundled_model, watch=until_the_second)
    assert summary.read_now == 1 and summary.stopped
    first = [each.reading.tokens for each in seen if each.reading and each.done == 0]
    assert first[:4] == [0, 2, 3, 4]
    assert all(each.reading.page for each in seen if each.reading)
    seen.clear()
    infer(options, model=bundled_model, watch=seen.append)
    within = [each for each in seen if each.reading]
    assert {each.reading.page.document_name for each in within} == {"b.png"}
    assert [each.done for each in within if each.last is None][:3] == [1, 1, 1]
    tokens = [each.tokens_now for each in seen]
    assert tokens == sorted(tokens) and tokens[-1] >= 5
    assert seen[-1].is_over and seen[-1].last
