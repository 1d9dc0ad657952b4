"""A second reader: what it disagrees about, by text and by place; the programs themselves."""

import importlib.util
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from glmocr_utils.records import (
    Box,
    Disagreement,
    OcrResult,
    PageLayout,
    PageRef,
    SecondReading,
    TokenBox,
    TokenProb,
    from_json,
    to_json,
)
from glmocr_utils.second_reader import ReadWord, compare, load_reader, second_reading
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

TEXT = "The court grants\nthe appeal of 1998"


def a_result(text: str = TEXT) -> OcrResult:
    tokens = tuple(TokenProb(0, character, -0.1) for character in text)
    ref = PageRef("a.pdf", "0" * 64, 0)
    return OcrResult(ref, text, tokens, "stop", "p", "m", None, None, 2.0, 1.0)


def read(text: str) -> list[ReadWord]:
    """Words of a reader, a line below the other, ten pixels a character."""
    words = []
    for row, line in enumerate(text.split("\n")):
        x = 0
        for word in line.split(" "):
            box = Box(10 * x, 30 * row, 10 * (x + len(word)), 30 * row + 20)
            words.append(ReadWord(word, box, 0.9))
            x += len(word) + 1
    return words


def disagreements(second: str, first: str = TEXT) -> list[tuple[str, str, str]]:
    """(kind, our words, theirs) of each disagreement."""
    found = compare(first, read(second))
    return [(each.kind, first[each.start : each.stop], each.text) for each in found]


def test_readers_that_agree():
    assert disagreements(TEXT) == []
    assert disagreements("The court grants the\nappeal of 1998") == []  # other line ends


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("The court grants\nthe appeal of 1993", ("other", "1998", "1993")),
        ("The c0urt grants\nthe appeal of 1998", ("other", "court", "c0urt")),
        ("The court grants\nthe “appeal” of 1998", ("other", "appeal", "“appeal”")),
        ("The court grants\nthe of 1998", ("made_up", "appeal", "")),
        ("The court grants\nthe app eal of 1998", ("other", "appeal", "app eal")),
        ("The high court grants\nthe appeal of 1998", ("left_out", "", "high")),
        ("The court grants\nthe appeal of 1998 and more", ("left_out", "", "and more")),
    ],
)
def test_disagreements_are_typed(second, expected):
    assert disagreements(second) == [expected]


def test_signs_that_look_alike_are_a_disagreement_of_their_own():
    assert disagreements("“It’s” 1998–2004", '"It\'s" 1998-2004') == [
        ("sign", '"It\'s"', "“It’s”"),
        ("sign", "1998-2004", "1998–2004"),
    ]
    sign, other = Disagreement("sign", 0, 4, "x"), Disagreement("other", 5, 6, "y")
    assert SecondReading("tesseract", (sign, other)).num_disagreements == 1


def test_a_word_left_out_is_where_it_belongs_and_has_its_box():
    [left_out] = compare(TEXT, read("The high court grants\nthe appeal of 1998"))
    assert left_out.start == left_out.stop == TEXT.index("court")
    assert left_out.box == Box(40, 0, 80, 20)


def test_words_in_another_order_are_not_another_reading():
    first = "alpha bravo charlie delta echo foxtrot"
    kinds = {kind for kind, _, _ in disagreements("delta echo foxtrot alpha bravo charlie", first)}
    assert kinds == {"order"}


def test_two_columns_are_compared_by_place():
    """The second reader reads across both columns, the first one after the other."""
    left, right = ("one two", "three four"), ("five six", "seven eight")
    text = "\n".join([*left, *right])
    words, tokens = [], []
    for column, lines in enumerate((left, right)):
        for row, line in enumerate(lines):
            for number in range(len(line)):
                x = 300 * column + 10 * number
                tokens.append(
                    TokenBox(Box(x, 30 * row, x + 10, 30 * row + 20), 1.0, 2 * column + row)
                )
            tokens.append(None)
    for row in range(2):
        for column, lines in enumerate((left, right)):
            x = 300 * column
            for word in lines[row].split(" "):
                box = Box(x, 30 * row, x + 10 * len(word), 30 * row + 20)
                words.append(ReadWord(word, box, 0.9))
                x += 10 * (len(word) + 1)
    result = a_result(text)
    layout = PageLayout(result.page, 600, 100, tuple(tokens[:-1]), ())
    assert compare(text, words, layout) == []
    assert {each.kind for each in compare(text, words)} == {"order"}


def test_second_readings_are_kept_with_the_reading():
    second = SecondReading(
        "tesseract",
        (
            Disagreement("other", 4, 9, "c0urt", Box(1, 2, 3, 4)),
            Disagreement("made_up", 10, 16, ""),
        ),
        0.5,
    )
    result = replace(a_result(), second_readings=(second,))
    assert from_json(to_json(result)).second_readings == (second,)


def test_a_reader_that_does_not_exist():
    with pytest.raises(ValueError, match="tesseract or rapidocr"):
        load_reader("abbyy")


def drawn() -> Image.Image:
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, 24, height_px=300)
    return draw_page([Block("The court grants"), Block("the appeal of 1998")], style).image


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_tesseract_reads_a_page():
    check_reads(load_reader("tesseract"))
    with pytest.raises(RuntimeError, match="tesseract failed"):
        load_reader("tesseract:no_such_language").read(drawn())


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("rapidocr") is None, reason="rapidocr is not installed"
)
def test_rapidocr_reads_a_page():
    check_reads(load_reader("rapidocr"))


def check_reads(reader) -> None:
    words = reader.read(drawn())
    assert [word.text for word in words] == TEXT.split()
    assert all(0 < word.confidence <= 1 for word in words)
    assert words[0].box.left < words[1].box.left and words[0].box.bottom < words[3].box.top
    second = second_reading(reader, TEXT.replace("1998", "1993"), drawn())
    assert [(each.kind, each.text) for each in second.disagreements] == [("other", "1998")]
    assert second.seconds > 0
