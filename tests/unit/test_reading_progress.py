"""While pages are read, a line shows which, how far, how fast and how long."""

import io
from dataclasses import replace

import pytest
from paths import SAMPLES

from glmocr_utils.ocr import ReadingProgress, progress, read_documents, show_reading
from glmocr_utils.ocr.progress import Line
from glmocr_utils.records import PageRef

PAGE = PageRef("in/scan.pdf", "0" * 64, 1)
HALF_WAY = ReadingProgress(
    PAGE, 100, "that he held", done=5, pages=12, read_now=2, tokens_now=500, seconds=20
)


def test_a_line_names_page_speed_time_left_and_what_is_being_written():
    assert str(HALF_WAY) == (
        "scan.pdf, page 2 · page 6 of 12 · 100 tokens, 25 tokens/s · 0:01:10 left · … that he held"
    )
    assert HALF_WAY.share == pytest.approx(5.5 / 12)


def test_before_the_first_page_has_ended_no_time_is_made_up():
    first = replace(HALF_WAY, read_now=0, done=0, tokens=0, tail="", tokens_now=0)
    assert str(first) == "scan.pdf, page 2 · page 1 of 12 · looking at it"
    assert str(replace(first, pages=None)) == "scan.pdf, page 2 · page 1 · looking at it"


def test_a_shorter_line_leaves_nothing_of_the_longer_one():
    file = io.StringIO()
    line = Line(file)
    line(HALF_WAY)
    line(replace(HALF_WAY, tail=""))
    line(replace(HALF_WAY, page=None, done=12))
    first, second, last = file.getvalue().split("\r")[1:]
    assert len(first) == len(second) and "▕" in first
    assert last.rstrip() == "▕████████████▏ 12 pages · 500 tokens, 25 tokens/s · 0:00:20"
    assert last.endswith("\n")


def test_logs_get_no_moving_line(capsys):
    shown = show_reading()
    shown(HALF_WAY)
    shown(replace(HALF_WAY, page=None))
    assert capsys.readouterr().err == "5 pages · 500 tokens, 25 tokens/s · 0:00:20\n"


@pytest.mark.slow
def test_readings_are_watched_page_by_page(any_model, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LOOK_EVERY_S", 0)
    seen: list[ReadingProgress] = []
    documents = [SAMPLES / "decision.pdf", tmp_path / "missing.pdf"]
    read = list(
        read_documents(any_model, documents, tmp_path / "out", max_tokens=6, watch=seen.append)
    )
    assert len(read) == 3
    of_second = [each for each in seen if each.page and each.page.page_index == 1]
    assert {each.page.page_index for each in seen if each.page} == {0, 1}
    assert [each.tokens for each in of_second] == [0, *range(2, 6)]
    assert all(each.page.document_name == "decision.pdf" for each in of_second)
    assert of_second[-1].done >= 1 and of_second[-1].read_now == 1
    assert read[1].text.startswith(of_second[1].tail)
    last = seen[-1]
    assert last.page is None and (last.done, last.pages, last.tokens_now) == (3, 3, 12)
    seen.clear()
    list(read_documents(any_model, documents, tmp_path / "out", max_tokens=6, watch=seen.append))
    assert [(each.done, each.read_now) for each in seen] == [(3, 0)]
