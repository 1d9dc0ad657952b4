"""Printed lines of a text layer as paragraphs, which is how the model writes them."""

import json
from itertools import pairwise
from pathlib import Path
from random import Random

import pypdfium2 as pdfium
import pytest
from paths import SAMPLES

from glmocr_utils.metrics import headline_cer
from glmocr_utils.text_layer.characters import TextLine, read_page_text
from glmocr_utils.text_layer.paragraphs import in_paragraphs
from glmocr_utils.text_layer.reading_order import in_reading_order

EM = 10.0
STEP = 12.0
PROSE = (
    "A ship that stays in the harbour for",
    "longer than ninety days pays the full",
    "dues of a year, and no less.",
)


def at(text: str, row: float, left: float = 0.0, em: float = EM) -> TextLine:
    """A line whose characters are half an em wide."""
    width, top = em / 2, row * STEP
    boxes = tuple(
        (left + n * width, top, left + (n + 1) * width, top + em) for n in range(len(text))
    )
    return TextLine(text, left, top, left + len(text) * width, top + em, False, boxes)


def lines(*texts: str, first: float = 0, left: float = 0.0) -> list[TextLine]:
    return [at(text, first + number, left) for number, text in enumerate(texts)]


def test_a_paragraph_is_one_line_and_the_next_one_another():
    text = in_paragraphs([*lines(*PROSE), *lines(*PROSE, first=4.5)])
    assert text == f"{' '.join(PROSE)}\n\n{' '.join(PROSE)}"


def test_lines_that_end_early_on_purpose_stay():
    address = ("Harbour Office, Room 3", "7 Quay Street", "Lowmarsh", "first floor, back")
    text = in_paragraphs([*lines(*address), *lines(*PROSE, first=5.5)])
    assert text == "\n".join(address) + "\n\n" + " ".join(PROSE)
    assert in_paragraphs(lines(*address)) == "\n".join(address)  # without any prose on the page


def test_a_ragged_margin_is_one():
    ragged = ("Nobody had seen the keeper since the", "evening on which the lamp", "went out.")
    assert in_paragraphs(lines(*ragged)) != " ".join(ragged)  # `went` would have fitted
    longer = (ragged[0], "evening on which the whole lamp-house", "went out.")
    assert in_paragraphs(lines(*longer)) == " ".join(longer)


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("The friars built for themselves a for-", "tress.", "a fortress."),
        ("Read the note of the Society on Anglo-", "Saxon.", "Anglo-Saxon."),
        ("Der Rat nannte auf der Sitzung die Vor-", "und Nachteile.", "Vor- und Nachteile."),
        ("A chart of the sound for the years 1914-", "1918.", "1914-1918."),
        ("The lamp went out, and nobody knew why -", "it was dark.", "why - it was dark."),
    ],
)
def test_a_word_that_a_line_end_divides_is_whole(first, second, joined):
    assert in_paragraphs(lines(first, second)).endswith(joined)


def test_items_and_what_hangs_under_them():
    items = [
        *lines("1. The lamp is lit at dusk, and it stays"),
        *lines("lit until the sun is up.", first=1, left=15.0),
        *lines("2. The door is shut, and nobody leaves it", first=2),
        *lines("open.", first=3, left=15.0),
    ]
    assert in_paragraphs(items) == (
        "1. The lamp is lit at dusk, and it stays lit until the sun is up.\n"
        "2. The door is shut, and nobody leaves it open."
    )


def test_an_indented_line_begins_a_paragraph_without_any_gap():
    second = ("Nobody had seen the keeper since", "the lamp went out, and nobody asked")
    text = in_paragraphs([
        *lines(PROSE[0], PROSE[1]),
        at(second[0], 2, left=20.0),
        at(second[1], 3),
    ])  # fmt: skip
    assert text == f"{PROSE[0]} {PROSE[1]}\n{second[0]} {second[1]}"


def test_a_heading_and_a_centred_title_are_not_of_the_text():
    heading = at("On Ships in the Harbour in a Storm", 0, em=16.0)
    assert in_paragraphs([heading, *lines(*PROSE, first=1.5)]).split("\n")[0] == heading.text
    title = [at("The Society for the History of Lamps", 0, 20), at("and of Harbours", 1, 70)]
    assert in_paragraphs([*title, *lines(*PROSE, first=3)]).count("\n") == 3


def test_rows_of_a_table_stay_also_where_a_row_is_drawn_as_one_line():
    cells = [("Open boat, small", "64.00"), ("Fishing vessel, large", "210.50")]
    apart = [part for row, (name, sum_) in enumerate(cells)
             for part in (at(name, row), at(sum_, row, left=180.0))]  # fmt: skip
    expected = "\n".join(" ".join(row) for row in cells)
    assert in_paragraphs(apart) == expected
    together = []
    for first, second in zip(apart[::2], apart[1::2], strict=True):
        space = ((first.right, first.top, first.right + 5, first.bottom),)
        boxes = first.boxes + space + second.boxes
        text = f"{first.text} {second.text}"
        together.append(
            TextLine(text, first.left, first.top, second.right, first.bottom, False, boxes)
        )
    assert in_paragraphs(together) == expected


def test_columns_are_paragraphs_of_their_own():
    left = lines(*PROSE[:2], "dues of a year, and no less. Twice a y")
    right = lines(*PROSE, left=250.0)
    text = in_paragraphs([*left, *right])
    assert text == " ".join(line.text for line in left) + "\n" + " ".join(PROSE)


def test_a_note_number_is_no_line_of_another_size():
    raised = TextLine("1", 160.0, -2.0, 164.0, 4.0, False, ((160.0, -2.0, 164.0, 4.0),))
    text = in_paragraphs([at("A ship that stays in the harbour", 0), raised, *lines(
        "longer than ninety days pays the full", "dues.", first=1)])  # fmt: skip
    assert text == "A ship that stays in the harbour 1 longer than ninety days pays the full dues."
    over = in_reading_order([at(PROSE[0], 0), raised, *lines(*PROSE[1:], first=1)])
    assert "\n\n" not in over  # the next line isn't further from its line


def test_nothing_and_scripts_without_spaces():
    assert in_paragraphs([]) == ""
    japanese = ("灯台の守り手は夜明けまで灯をともし続けた。彼は誰にも会わず", "何も知らない。")
    assert in_paragraphs(lines(*japanese)) == "".join(japanese)


@pytest.mark.parametrize("seed", range(200))
def test_nothing_is_lost_of_lines_anywhere(seed: int) -> None:
    random = Random(seed)
    scattered = []
    for _ in range(random.randint(0, 25)):
        text = random.choice(["a", "- b", "1.", "Word-", "灯台" * 9, "und", "x " * 30]).strip()
        left, top = random.uniform(0, 300), random.uniform(0, 400)
        right = left + len(text) * random.uniform(0, 8)
        bottom = top + random.choice([0.0, 5.0, 10.0, 20.0])  # some fonts give no height
        aside = random.random() < 0.1
        scattered.append(TextLine(text, left, top, right, bottom, aside))
    kept, printed = in_paragraphs(scattered), in_reading_order(scattered)
    assert "".join(kept.split()).replace("-", "") == "".join(printed.split()).replace("-", "")


@pytest.mark.parametrize("name", ["decision.pdf", "german.pdf", "letter.pdf", "rotated.pdf"])
def test_the_samples_have_the_same_text_in_paragraphs(name: str) -> None:
    truth = [json.loads(row) for row in (SAMPLES / "truth.jsonl").open(encoding="utf-8")]
    pdf = pdfium.PdfDocument(SAMPLES / name)
    for row in (row for row in truth if row["file_name"] == name):
        text = in_paragraphs(read_page_text(pdf, row["page_index"]).lines)
        assert headline_cer(text, row["text"]) == 0
        blocks, printed = text.split("\n\n"), row["text"].split("\n\n")
        assert len(blocks) == len(printed)
        for block, of_lines in zip(blocks, printed, strict=True):
            lengths = [len(line) for line in of_lines.split("\n")]
            if len(lengths) > 2 and min(lengths[:-1]) > 40:  # prose
                assert "\n" not in block


def test_rows_of_a_bill_stay(tmp_path: Path) -> None:
    pdf = pdfium.PdfDocument(SAMPLES / "letter.pdf")
    text = in_paragraphs(read_page_text(pdf, 0).lines)
    rows = ["Atlas, new spine €85.00", "Account books, both €312.50", "Total €416.25"]
    assert all(f"{row}\n" in text for row in rows)
    assert "Yours faithfully,\nJ. Marlow" in text
    assert all(first != second for first, second in pairwise(text.split("\n\n")))
