"""Labels from the log of a review: what was finished, by whom, and what was finished again."""

from dataclasses import replace
from pathlib import Path

import pytest
from label_inputs import a_page

from glmocr_utils.labels import LabelRun, LabelStore
from glmocr_utils.labels.sources.review_log import label_from_review_log
from glmocr_utils.records import Decision, append_decisions

PAGE = a_page()
PAGES = [PAGE, a_page("b")]
MORNING, NOON, EVENING = (f"2026-03-01T{hour:02d}:00:00+01:00" for hour in (9, 12, 18))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "review.jsonl"


def decision(action: str = "finish", step: int = 0, **fields: object) -> Decision:
    made = Decision(
        action=action,
        step=step,
        document_path=PAGE.page.document_path,
        document_sha256=PAGE.page.document_sha256,
        page_index=0,
        image_sha256=None,
        model_id="some/model",
        revision=None,
        adapter=None,
        prompt="Text Recognition:",
        text_sha256="1" * 64,
        reviewer="Ada",
        time=MORNING,
        seconds=1.0,
        after="as it is  \n" if action == "finish" else "a line",
        coverage="fully_read" if action == "finish" else None,
    )
    return replace(made, **fields)


def take(store: LabelStore, log: Path, *decisions: Decision, **options: object) -> LabelRun:
    append_decisions(log, decisions)
    return label_from_review_log(store, PAGES, log, progress=False, **options)


def test_a_page_that_was_read_in_full_is_gold(store: LabelStore, log: Path) -> None:
    run = take(store, log, decision("accept", adapter="lora"), decision(step=1, adapter="lora"))
    assert (run.labelled, run.left_out) == (1, ())
    (label,) = store.labels()
    assert (label.status, label.source, label.text) == ("gold", "review", "as it is")
    assert (label.raw_text, str(label.file.image_file)) == ("as it is  \n", "a_p0001.png")
    assert (label.reviewer, label.model_id, label.time) == ("Ada", "some/model+lora", MORNING)


def test_a_page_whose_flags_were_checked_is_silver_unless_it_is_trusted(
    store: LabelStore, log: Path
) -> None:
    take(store, log, decision(coverage="flags_checked"))
    assert store.current(PAGE.key).status == "silver"
    trusting = LabelStore(log.parent / "trusting")
    take(trusting, log, flags_checked="gold")
    assert trusting.current(PAGE.key).status == "gold"


@pytest.mark.parametrize(
    ("outcome", "why"),
    [({"coverage": "not_usable"}, "not usable"),
     ({"coverage": "read_again", "read_again": "scale"}, "read again")],
)  # fmt: skip
def test_a_page_that_was_put_aside_is_left_out(
    store: LabelStore, log: Path, outcome: dict, why: str
) -> None:
    run = take(store, log, decision(**outcome))
    assert run.labelled == 0 and why in run.left_out[0].reason


@pytest.mark.parametrize(
    "unfinished",
    [
        [decision("accept")],
        [decision(), decision("undo", step=0)],
        [decision(), decision("correct", step=1)],
    ],
    ids=["begun", "finish undone", "gone on after the finish"],
)
def test_what_is_not_finished_is_left_out(
    store: LabelStore, log: Path, unfinished: list[Decision]
) -> None:
    run = take(store, log, *unfinished)
    assert store.labels() == []
    assert "not finished" in run.left_out[0].reason
    assert run.left_out[0].image_file == "a_p0001.png"
    assert take(store, log, decision(step=5, time=NOON)).labelled == 1
    assert store.left_out() == []


def test_an_undone_correction_leaves_the_finish(store: LabelStore, log: Path) -> None:
    take(store, log, decision(), decision("correct", step=1), decision("undo", step=1))
    assert len(store.labels()) == 1


def test_a_rerun_adds_nothing_and_a_new_review_another_label(store: LabelStore, log: Path) -> None:
    take(store, log, decision())
    assert take(store, log).already_there == 1
    run = take(store, log, decision(step=1, time=NOON, after="better", reviewer="Grace"))
    assert (run.labelled, run.already_there) == (1, 0)
    assert [label.text for label in LabelStore(store.directory).labels()] == ["as it is", "better"]
    assert store.current(PAGE.key).reviewer == "Grace"


def test_reviews_of_two_readings_of_a_page_both_count_in_the_order_of_their_times(
    store: LabelStore, log: Path
) -> None:
    other = decision(time=EVENING, after="later", text_sha256="2" * 64, model_id="other/model")
    in_utc = decision(time="2026-03-01T10:00:00+00:00", after="in between", text_sha256="3" * 64)
    take(store, log, other, in_utc, decision(time=MORNING, after="first"))
    assert [label.text for label in store.labels()] == ["first", "in between", "later"]


def test_the_task_is_what_the_model_was_asked(store: LabelStore, log: Path) -> None:
    take(store, log, decision(prompt="Table Recognition:"))
    assert store.labels()[0].file.task == "Table Recognition:"


def test_a_reviewed_page_without_its_image_is_named(store: LabelStore, log: Path) -> None:
    run = take(store, log, decision(document_sha256="f" * 64, document_path="gone.pdf"))
    assert run.labelled == 0
    assert "not among the page images" in run.left_out[0].reason
    assert LabelStore(store.directory).left_out()[0].page.document_path == "gone.pdf"


def test_a_reviewer_without_a_name_is_still_one(store: LabelStore, log: Path) -> None:
    take(store, log, decision(reviewer=""))
    assert store.labels()[0].reviewer == "unnamed"


def test_no_log(store: LabelStore, log: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no review log"):
        label_from_review_log(store, PAGES, log)


def test_a_file_that_is_not_a_log_is_refused(store: LabelStore, log: Path) -> None:
    log.write_text("# A heading\n\nand a sentence.\n")
    with pytest.raises(ValueError, match=r"review\.jsonl isn't a review log; give"):
        label_from_review_log(store, PAGES, log)
