"""Collections with known text, of which one document in four is in a font that is hard to read."""

import hashlib
import random
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font
from workshop.black_letter import write_black_letter, write_script
from workshop.tiny_model.corpus import Words, load_words, sentence

HARD = {"black letter": write_black_letter, "script": write_script}
ORDINARY = ("DejaVu Sans", "DejaVu Serif")
HARD_ONE_IN = 4
LINES_ON_A_PAGE = 8
UNITS_A_DOCUMENT = {"lines": 6, "pages": 3}
HELD_OUT_FROM = 1000  # number of the first held-out document


@dataclass(frozen=True, slots=True)
class Unit:
    """A line or a page of a drawn document."""

    image: PageImage
    text: str
    is_hard: bool


def collection(font: str, form: str, seed: int, documents: int, first: int = 0) -> list[Unit]:
    """Documents of a few lines or pages each, every fourth in the hard font.

    Args:
        font: a name of `HARD`; form: `lines` or `pages`.
        first: number of the first document; other numbers give other texts.
    """
    rng = random.Random(f"{seed} {first} {form}")
    words = load_words("en")
    units = []
    for number in range(first, first + documents):
        is_hard = number % HARD_ONE_IN == 0
        path = _hard_font(font) if is_hard else find_font(rng.choice(ORDINARY))
        style = PageStyle(
            path, path, font_px=rng.randint(20, 24), width_px=560, height_px=None, margin_px=14
        )
        sha256 = hashlib.sha256(f"{font} {form} {seed} {number}".encode()).hexdigest()
        for index in range(UNITS_A_DOCUMENT[form]):
            lines = LINES_ON_A_PAGE if form == "pages" else 1
            text = "\n".join(_line(rng, words) for _ in range(lines))
            page = draw_page([Block(line, tight=True) for line in text.split("\n")], style)
            ref = PageRef(f"d{number}.pdf", sha256, index)
            units.append(Unit(PageImage(ref, page.image, scale=2.0), page.text, is_hard))
    return units


@cache
def _hard_font(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fonts"))
    return HARD[name](folder / "hard.ttf")


def _line(rng: random.Random, words: Words, longest: int = 34) -> str:
    line = ""
    for word in sentence(rng, words).split():
        if len(line) + len(word) + 1 > longest:
            break
        line = f"{line} {word}".strip()
    return line or "and so on"
