"""What is seen of the label set: disagreements, numbers, and the pages to label next."""

import math
from pathlib import Path

import pytest
from label_inputs import a_label, a_page
from paths import BYTE_MODEL
from transformers import AutoTokenizer

from glmocr_utils.labels import LabelStore, LeftOut
from glmocr_utils.labels.disagreements import find_disagreements
from glmocr_utils.labels.next_pages import Candidate, choose_next_pages
from glmocr_utils.labels.report import report
from glmocr_utils.metrics import diff_segments

# Disagreements


@pytest.mark.parametrize(
    ("first", "second"),
    [("kitten", "sitting"), ("", "a"), ("a", ""), ("", ""), ("ü\nb", "u\n\nb"), ("same", "same")],
)
def test_segments_join_to_both_texts(first: str, second: str) -> None:
    segments = diff_segments(first, second)
    assert "".join(segment.first for segment in segments) == first
    assert "".join(segment.second for segment in segments) == second
    assert all(
        (segment.first == segment.second) == (segment.kind == "equal") for segment in segments
    )


def test_each_two_sources_are_compared_by_their_last_labels(store: LabelStore) -> None:
    for text, source in [
        ("very old", "llm:m"),
        ("exactly this", "text_layer"),
        ("exactly  this", "sidecar"),
        ("exactly that", "llm:m"),
    ]:
        store.add(a_label(text, source=source))
    store.add(a_label("lone", page=a_page("b")))
    found = find_disagreements(store)
    assert [{item.first.source, item.second.source} for item in found] == [
        {"llm:m", "text_layer"},
        {"llm:m", "sidecar"},
    ]
    assert found[0].cer == pytest.approx(2 / 12)
    assert find_disagreements(store, min_cer=0.5) == []
    assert len(store.labels()) == 5  # none is overwritten


def test_the_worst_disagreement_comes_first_and_rejected_texts_are_settled(
    store: LabelStore,
) -> None:
    for document, text in [("a", "exactly that"), ("b", "nothing like it")]:
        store.add(a_label("exactly this", page=a_page(document)))
        store.add(a_label(text, source="llm:m", page=a_page(document)))
    worst, other = find_disagreements(store)
    assert worst.first.page.document_path == "b.pdf"
    store.reject(worst.second, reviewer="me")
    assert find_disagreements(store) == [other]


def test_the_more_trusted_text_is_the_reference(store: LabelStore) -> None:
    store.add(a_label("thic", "draft", "a:model"))
    store.add(a_label("this", "gold", "text_layer"))
    store.add(a_label("thissss", "silver", "llm:m"))
    pairs = {(item.first.source, item.second.source) for item in find_disagreements(store)}
    assert pairs == {("text_layer", "llm:m"), ("text_layer", "a:model"), ("llm:m", "a:model")}


# The report


def test_the_report_counts(store: LabelStore) -> None:
    store.add(a_label("Grüße", "draft", "model:m"))
    store.add(a_label("Grüsse", "silver", "llm:m"))
    store.add(a_label("A longer text", "gold", page=a_page("b", 0, "1")))
    store.add(a_label("A longer text", "gold", page=a_page("c", 0, "1")))
    store.record(
        "text_layer",
        [a_page("d")],
        lambda pages: [LeftOut(page.page, "d.png", "text_layer", "it is a scan") for page in pages],
        progress=False,
    )
    tokenizer = AutoTokenizer.from_pretrained(BYTE_MODEL)
    numbers = report(store, tokenizer, budget=112, image_tokens=lambda label: 100)
    assert numbers.pages == {("llm:m", "silver"): 1, ("sidecar", "gold"): 2}
    assert [left_out.reason for left_out in numbers.left_out] == ["it is a scan"]
    (agreement,) = numbers.agreements
    assert (agreement.first, agreement.second, agreement.num_pages) == ("llm:m", "model:m", 1)
    assert agreement.cer == pytest.approx(2 / 6)
    assert numbers.characters["s"] == 2
    assert numbers.characters["ü"] == 1
    assert numbers.split_characters == {"ü": 2}  # the model spells in bytes
    assert numbers.num_tokens == (107, 113, 113)
    assert [label.page.document_path for label in numbers.over_budget] == ["b.pdf", "c.pdf"]
    (twins,) = numbers.duplicates
    assert [twin.page.document_path for twin in twins] == ["b.pdf", "c.pdf"]


def test_sources_are_measured_against_the_more_trusted_one(
    store: LabelStore, bundled_folder: Path
) -> None:
    for document in "bc":
        store.add(a_label("t", "draft", "a:model", page=a_page(document)))
        store.add(a_label("text", "gold", "text_layer", page=a_page(document)))
    (agreement,) = report(store, AutoTokenizer.from_pretrained(bundled_folder)).agreements
    assert (agreement.first, agreement.second, agreement.num_pages) == ("text_layer", "a:model", 2)
    assert agreement.cer == pytest.approx(6 / 8)


def test_the_report_of_an_empty_set(store: LabelStore, bundled_folder: Path) -> None:
    numbers = report(store, AutoTokenizer.from_pretrained(bundled_folder))
    assert numbers.num_tokens == ()
    assert numbers.over_budget == ()


# What to label next

DUES = "Whoever thinks a sum is wrong may object in writing within one month of the notice."
BOATS = "The harbour master counts open boats, barges and fishing vessels every morning at six."


def candidate(text: str, errors: float, document: str = "a", page_index: int = 0) -> Candidate:
    return Candidate(a_page(document, page_index).page, text, errors)


def test_pages_with_more_expected_errors_come_first() -> None:
    pages = [candidate(BOATS, 2, "a"), candidate(DUES, 9, "b"), candidate("1985 $ 41", 5, "c")]
    chosen = choose_next_pages(pages, budget=3)
    assert [page.expected_errors for page in chosen] == [9, 5, 2]
    assert "about 9.0 errors expected" in chosen[0].why
    assert "unlike any page known" in chosen[0].why


def test_a_page_like_one_chosen_before_waits() -> None:
    pages = [candidate(DUES, 9, "a"), candidate(DUES + " Yes.", 8, "b"), candidate(BOATS, 3, "c")]
    chosen = choose_next_pages(pages, budget=3)
    assert [page.expected_errors for page in chosen] == [9, 3, 8]
    assert "much like a page known already" in chosen[2].why


def test_a_page_like_a_labelled_one_waits() -> None:
    pages = [candidate(DUES, 9, "a"), candidate(BOATS, 3, "b")]
    (first,) = choose_next_pages(pages, budget=1, labelled_texts=[DUES])
    assert first.expected_errors == 3
    assert 0 < first.novelty < 1


def test_documents_take_turns() -> None:
    texts = [BOATS, DUES, "Seit 1998 geben die Archive unserer Städte jährlich Berichte heraus."]
    pages = [
        candidate(texts[0], 6, "a", 0),
        candidate(texts[1], 6, "a", 1),
        candidate(texts[2], 5, "b", 0),
    ]
    chosen = choose_next_pages(pages, budget=3)
    assert [page.page.document_path for page in chosen] == ["a.pdf", "b.pdf", "a.pdf"]
    assert "1 of its document before it" in chosen[2].why


def test_pages_without_expected_errors_and_text_are_still_chosen_once_each() -> None:
    pages = [candidate("", 0, "a", index) for index in range(3)] + [candidate(DUES, 0, "b")]
    chosen = choose_next_pages(pages, budget=9)
    assert len({(page.page.document_path, page.page.page_index) for page in chosen}) == 4


def test_nothing_to_choose_from() -> None:
    assert choose_next_pages([], budget=3) == []


def test_pages_of_which_nothing_was_read_come_first() -> None:
    pages = [candidate(DUES, 9), candidate("", math.inf, "b"), candidate("", math.inf, "c")]
    *empty, last = choose_next_pages(pages, budget=3)
    assert last.page == pages[0].page
    assert all("nothing was read" in page.why for page in empty)


def test_every_fourth_page_is_drawn_at_random_and_always_the_same() -> None:
    pages = [candidate(f"{DUES} {n}", 9 if n < 20 else 0, f"d{n}") for n in range(80)]
    chosen = choose_next_pages(pages, budget=20)
    drawn = [number for number, page in enumerate(chosen, 1) if "at random" in page.why]
    assert drawn == [4, 8, 12, 16, 20]
    assert {page.expected_errors for page in chosen if "at random" not in page.why} == {9}
    assert 0 in {chosen[number - 1].expected_errors for number in drawn}
    assert len({page.page.document_path for page in chosen}) == 20
    assert choose_next_pages(pages, budget=20) == chosen
    every = choose_next_pages(pages, budget=20, draw_every=None)
    assert {page.expected_errors for page in every} == {9}


def test_a_budget_is_a_number_of_pages() -> None:
    with pytest.raises(ValueError, match="budget"):
        choose_next_pages([candidate(DUES, 1)], budget=0)
    with pytest.raises(ValueError, match="expected_errors"):
        candidate(DUES, float("nan"))
