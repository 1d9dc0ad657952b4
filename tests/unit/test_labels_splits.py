"""Splits part documents, stay as they are, and are searched for leaks."""

import hashlib
import logging
from pathlib import Path

import pytest
from label_inputs import a_label, a_page

from glmocr_utils.labels.leaks import find_leaks
from glmocr_utils.labels.splits import Split, read_split, split_by_document, write_split
from glmocr_utils.records import Label, PageRef

TEXT = "The appellant runs a grain store on the east quay and pays its dues. "


def documents(count: int, pages_each: int = 3) -> list[Label]:
    """Labels of documents whose hashes are as unlike as real ones."""
    labels = []
    for number in range(count):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        for index in range(pages_each):
            page = a_page()
            page = type(page)(
                PageRef(f"{number}.pdf", sha256, index),
                Path(f"{number}_p{index}.png"),
                hashlib.sha256(f"{number} {index}".encode()).hexdigest(),
            )
            labels.append(a_label(f"text {number} {index}", page=page))
    return labels


def in_test(split: Split) -> set[str]:
    return {name for name, side in split.of_group.items() if side == "test"}


@pytest.mark.parametrize("test_size", [0.3, 9])
def test_pages_of_a_document_stay_together(test_size: float | int) -> None:
    labels = documents(20)
    split = split_by_document(labels, test_size)
    sides = {}
    for label in labels:
        sides.setdefault(label.page.document_sha256, set()).add(split.of(label))
    assert all(len(side) == 1 for side in sides.values())
    assert set(split.of_group.values()) == {"train", "test"}


def test_a_share_is_met_on_average() -> None:
    split = split_by_document(documents(1000, 1), 0.2)
    assert 160 <= len(in_test(split)) <= 240


@pytest.mark.parametrize(("test_size", "documents_tested"), [(1, 1), (3, 1), (4, 2), (9, 3)])
def test_a_count_of_pages_is_reached_with_whole_documents(
    test_size: int, documents_tested: int
) -> None:
    assert len(in_test(split_by_document(documents(10), test_size))) == documents_tested


@pytest.mark.parametrize("test_size", [0.3, 9])
def test_the_seed_decides_and_order_does_not(test_size: float | int) -> None:
    labels = documents(30)
    split = split_by_document(labels, test_size, seed=1)
    assert split == split_by_document(labels[::-1], test_size, seed=1)
    assert split != split_by_document(labels, test_size, seed=2)


def test_added_documents_move_none() -> None:
    before = split_by_document(documents(30), 0.3).of_group
    after = split_by_document(documents(60), 0.3).of_group
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("test_size", [0.1, 5])
def test_an_earlier_split_is_kept(tmp_path: Path, test_size: float | int) -> None:
    few = documents(4)
    split = split_by_document(few, test_size)
    write_split(split, few, tmp_path)
    before = read_split(tmp_path)
    assert before == split.of_group
    for count in (8, 40):
        after = split_by_document(documents(count), test_size, before=before)
        assert {name: after.of_group[name] for name in before} == before
    assert len(in_test(split_by_document(documents(40), 5, before=before))) >= len(in_test(split))


def test_a_split_made_with_other_settings_is_not_taken_over(tmp_path: Path) -> None:
    labels = documents(4)
    split = split_by_document(labels, 0.5)
    write_split(split, labels, tmp_path, {"seed": 1})
    assert read_split(tmp_path, {"seed": 1}) == split.of_group
    assert read_split(tmp_path, {"seed": 2}) == read_split(tmp_path) == {}


def test_a_document_that_is_gone_from_the_set_is_gone_from_the_split() -> None:
    split = split_by_document(documents(3), 0.3, before={"gone": "test"})
    assert "gone" not in split.of_group


@pytest.mark.parametrize("count", [2, 3])
def test_few_documents_still_have_something_to_test_on(count: int) -> None:
    for seed in range(20):
        split = split_by_document(documents(count), 0.01, seed)
        assert len(in_test(split)) == 1


def test_one_document_is_for_training() -> None:
    for seed in range(20):
        assert in_test(split_by_document(documents(1), 0.5, seed)) == set()


def test_a_share_leaves_something_to_train_on() -> None:
    for seed in range(20):
        assert len(in_test(split_by_document(documents(2), 0.9, seed))) == 1


def test_pages_can_be_kept_together_by_something_else() -> None:
    labels = documents(20, 1)
    split = split_by_document(labels, 0.4, group=lambda label: label.text.split()[1][-1])
    assert set(split.of_group) == set("0123456789")
    assert split.of(labels[3]) == split.of(labels[13])


@pytest.mark.parametrize("test_size", [0, -1, 0.0, 1.0, 1.5])
def test_a_size_out_of_range_is_refused(test_size: float) -> None:
    with pytest.raises(ValueError, match="test_size"):
        split_by_document(documents(3), test_size)


def test_a_size_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(ValueError, match="none is left to train on"):
        split_by_document(documents(3), 9)


def test_the_lists_name_each_image_once(tmp_path: Path) -> None:
    labels = documents(10)
    write_split(split_by_document(labels, 6), [*labels, labels[0]], tmp_path)
    train = (tmp_path / "train.txt").read_text().splitlines()
    test = (tmp_path / "test.txt").read_text().splitlines()
    assert len(test) == 6
    assert sorted(train + test) == sorted(str(label.file.image_file) for label in labels)


def test_no_split_was_written_yet(tmp_path: Path) -> None:
    assert read_split(tmp_path) == {}


# Leaks

SPLIT = Split({document * 64: side for document, side in [("a", "train"), ("b", "test")]})


def train_and_test(train_text: str, test_text: str, **images: str) -> list[Label]:
    return [
        a_label(train_text, page=a_page("a", 0, images.get("train"))),
        a_label(test_text, page=a_page("b", 0, images.get("test"))),
    ]


def test_the_same_image_is_a_leak_whatever_its_texts(caplog: pytest.LogCaptureFixture) -> None:
    labels = train_and_test("one", "quite another", train="1", test="1")
    with caplog.at_level(logging.WARNING):
        (leak,) = find_leaks(labels, SPLIT)
    assert (leak.kind, leak.train, leak.test) == ("image", *labels)
    assert "1 of 1 test pages are in the training split too" in caplog.text
    assert "b_p0001.png" in caplog.text


def test_nearly_the_same_text_is_a_leak_also_with_other_line_ends() -> None:
    labels = train_and_test(3 * TEXT, 3 * TEXT.replace(" ", "\n").replace("grain", "groin"))
    (leak,) = find_leaks(labels, SPLIT)
    assert leak.kind == "text"
    assert 0.98 < leak.similarity < 1


def test_other_and_short_texts_are_not_leaks(caplog: pytest.LogCaptureFixture) -> None:
    other = "Fees fall due on the last day of March; a surcharge is added after it. " * 3
    assert find_leaks(train_and_test(3 * TEXT, other), SPLIT) == []
    assert find_leaks(train_and_test("Page 2", "Page 2"), SPLIT) == []
    assert find_leaks(train_and_test("", ""), SPLIT) == []
    assert caplog.text == ""


def test_a_leak_is_reported_once() -> None:
    assert len(find_leaks(train_and_test(3 * TEXT, 3 * TEXT, train="1", test="1"), SPLIT)) == 1


def test_pages_of_the_same_split_may_be_alike() -> None:
    labels = [a_label(3 * TEXT, page=a_page("a", index, "1")) for index in range(3)]
    assert find_leaks(labels, SPLIT) == []


def test_leaks_are_found_in_every_stretch_of_a_large_set() -> None:
    labels = [a_label(3 * TEXT, page=a_page("a"))]
    labels += [a_label(f"{number} " * 60, page=a_page("b", number)) for number in range(600)]
    labels += [a_label(3 * TEXT, page=a_page("b", 600))]
    (leak,) = find_leaks(labels, SPLIT)
    assert leak.test == labels[-1]
