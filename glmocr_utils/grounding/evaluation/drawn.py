"""Pages drawn at random, clean or as a scanner leaves them."""

import random

import numpy as np

from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.synth import (
    Block,
    PageStyle,
    Scan,
    degrade,
    draw_page,
    families_found,
    find_font,
    skew_boxes,
)
from glmocr_utils.synth.page import BlockKind

SIZES_PX = (18, 26)
WORDS_A_BLOCK = (3, 45)
BLOCKS = 7
STARTS = "b br c ch d dr f fl g gr h j k l m n p pl pr qu r s sh st t tr v w z".split()
MIDDLES = "a e i o u ai au ea ei ie oo ou ä ö ü".split()
ENDS = ("", "", "n", "r", "s", "t", "l", "nd", "rt", "ng", "ck", "m")


def draw_pages(num_pages: int, seed: int, *, unusual_fonts: bool = False) -> list[KnownPage]:
    """A6 sheets of made-up words and figures: paragraphs, headings, rows of a table.

    Args:
        unusual_fonts: take the families that nothing is trained on, where any are installed; so
            pages to judge by can have other letters than pages to choose by.
    """
    families = [family.name for family in families_found(trained=not unusual_fonts)]
    families = families or [family.name for family in families_found()]
    rng = random.Random(f"{seed} {unusual_fonts}")
    pages = []
    for number in range(num_pages):
        font = find_font(families[number % len(families)])
        style = PageStyle(
            font,
            font,
            font_px=rng.randint(*SIZES_PX),
            line_spacing=rng.uniform(1.15, 1.6),
            margin_px=rng.randint(24, 64),
            justify=rng.random() < 0.4,
        )
        page = draw_page([_block(rng) for _ in range(BLOCKS)], style)
        name = f"drawn page {number + 1}, {families[number % len(families)]}"
        pages.append(KnownPage(name, page.image, page.text, page.boxes))
    return pages


def scanned(page: KnownPage, strength: float, seed: int) -> KnownPage:
    """The page as a scanner leaves it.

    Args:
        strength: 0 is nearly clean, 0.5 a moderate office scan, 1 a bad copy.
    """
    rng = np.random.default_rng(seed)
    scan = Scan.draw(rng, strength)
    boxes = skew_boxes(page.boxes, page.image.size, scan.skew_degrees)
    return KnownPage(page.name, degrade(page.image, scan, rng), page.text, boxes)


def _block(rng: random.Random) -> Block:
    kinds: tuple[BlockKind, ...] = ("paragraph", "row", "heading", "item")
    kind = rng.choices(kinds, (6, 2, 1, 2))[0]
    if kind == "row":
        return Block(f"{_words(rng, rng.randint(1, 3))}\t{_figure(rng)}", "row")
    if kind == "heading":
        return Block(_words(rng, rng.randint(1, 3)).title(), "heading")
    return Block(_words(rng, rng.randint(*WORDS_A_BLOCK)), kind)


def _words(rng: random.Random, number: int) -> str:
    return " ".join(_figure(rng) if rng.random() < 0.08 else _word(rng) for _ in range(number))


def _word(rng: random.Random) -> str:
    word = "".join(
        rng.choice(STARTS) + rng.choice(MIDDLES) + rng.choice(ENDS)
        for _ in range(rng.choice((1, 1, 2, 2, 3)))
    )
    word = word.capitalize() if rng.random() < 0.15 else word
    return word + rng.choices(("", ",", ".", ";"), (12, 1, 1, 0.3))[0]


def _figure(rng: random.Random) -> str:
    return rng.choice((f"{rng.randint(1, 2030)}", f"§ {rng.randint(1, 99)}", f"{rng.random():.2f}"))
