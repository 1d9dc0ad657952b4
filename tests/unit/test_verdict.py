"""How well pages were read, in plain words, and the next step."""

import pytest
from make_results import page_of

from glmocr_utils.confidence import PageQuality, reading_verdict, verdict_of_results


def page(status: str = "ok", prob: float | None = 0.99, tokens: int = 500, loop: float = 0.0):
    return PageQuality(status, prob, tokens, loop)


def verdict(*pages: PageQuality, notebook: str = "02", model_id: str = "some/model"):
    return reading_verdict(pages, notebook=notebook, output_dir="out", model_id=model_id)


@pytest.mark.parametrize(
    ("quality", "given"),
    [
        ("well_read", page()),
        ("doubtful", page(prob=0.9)),
        ("not_read", page(prob=0.7)),
        ("doubtful", page(prob=0.7, tokens=3)),  # a page with its number alone
        ("doubtful", page("truncated")),
        ("not_read", page("truncated", prob=0.5)),
        ("doubtful", page("looped", loop=0.2)),
        ("not_read", page("looped", loop=0.6)),  # a loop is sure of itself
        ("not_read", page("empty", None, 0)),
        ("blank", page("blank", None, 0)),
        ("not_opened", page("encrypted", None, 0)),
        ("unknown", page(prob=None)),  # a server may give none
    ],
)
def test_a_page_has_a_quality_and_a_reason_where_it_was_not_read(quality, given):
    assert given.quality == quality
    assert (given.why_not_read is not None) == (quality == "not_read")


def test_a_loop_is_measured_by_how_much_of_the_text_it_is():
    start, loop = "The court grants the appeal. ", "la li lu " * 20
    looped = page_of((start, 0.99), (loop, 0.99), finish_reason="loop")
    share = PageQuality.of(looped).loop_share
    assert share == pytest.approx(len(loop) / len(start + loop), abs=0.02)
    assert PageQuality.of(page_of((start + loop, 0.99))).loop_share == 0  # it ended by itself


def test_results_and_rows_of_the_ledger_say_the_same():
    tokens = [(f"word{number} ", 0.6) for number in range(60)]
    result = page_of(*tokens)
    row = {"status": "ok", "mean_prob": 0.6, "text": result.text}
    assert PageQuality.of(result).quality == PageQuality.of_row(row).quality == "not_read"
    empty = {"status": "empty", "mean_prob": float("nan"), "text": ""}
    assert PageQuality.of_row(empty).quality == PageQuality.of(page_of()).quality == "not_read"


def test_pages_that_this_model_cannot_read():
    pages = [page()] * 3 + [page("empty", None, 0)] + [page("truncated", 0.5)] * 9
    pages += [page("looped", 0.5)] * 4 + [page(prob=0.3)] * 5 + [page("blank", None, 0)]
    found = verdict(*pages)
    assert found.sentence == (
        "3 of 22 pages look well read, 5 read as garbage, 1 empty, 9 cut by the token limit, "
        "4 looped, 1 blank: this model cannot read these pages as they are"
    )
    assert "scale=3.0, start_over=True" in str(found)
    assert "model_id='zai-org/GLM-OCR'" in str(found) and "max_tokens=4096" in str(found)
    assert "--scale 3.0 --start-over" in found.for_terminal()
    assert "zai-org" not in str(verdict(*pages, model_id="zai-org/GLM-OCR"))


def test_pages_that_were_read_well_lead_to_the_review():
    found = verdict(*[page()] * 9, page(prob=0.9))
    assert found.sentence.endswith("1 in need of a check: this model reads these pages")
    [step] = found.next_steps
    assert step.as_parameters() == "To check the unsure words: notebook 03 with results='out'"


def test_some_pages_that_were_not_read_are_counted():
    assert "1 page was not read" in verdict(*[page()] * 9, page(prob=0.2)).sentence
    assert verdict(page()).sentence.startswith("1 of 1 page looks well read")
    assert "not known" in verdict(page(prob=None)).sentence


def test_a_run_reads_on_in_its_own_folder_and_tries_other_settings_outside_it():
    found = verdict(page("truncated", 0.5), page(prob=0.3), notebook="06")
    assert "--retry truncated --max-tokens 4096 --output-dir out" in found.for_terminal()
    said = found.for_terminal("'my pdfs'")
    assert "glmocr infer 'my pdfs' --retry truncated" in said and "--model-id" in said
    assert "glmocr ocr 'my pdfs' --" in said and "…" not in said
    assert "start_over" not in str(found) and "scale=3.0, pages='1-3'" in str(found)


def test_a_review_leads_to_labels():
    found = verdict_of_results([page_of(("a", 0.99))], notebook="03", output_dir="out")
    assert "review_log='out/review.jsonl'" in str(found)


def test_nothing_to_judge():
    for pages in ((), (page("blank", None, 0),), (page("encrypted", None, 0),)):
        assert verdict(*pages).sentence == "No page with ink was read."
