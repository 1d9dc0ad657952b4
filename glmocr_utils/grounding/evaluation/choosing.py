"""Choose a model's heads on pages with known characters."""

import random
from collections.abc import Sequence

from glmocr_utils.grounding.choice import HeadChoice, describe_choice
from glmocr_utils.grounding.evaluation.drawn import scanned
from glmocr_utils.grounding.evaluation.heads import choose_heads, score_heads
from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.model import LoadedModel

STRENGTH = 0.5  # of every other page: a moderate office scan
MIN_PAGES = 3


def split_pages(
    pages: Sequence[KnownPage], seed: int
) -> tuple[list[KnownPage], list[KnownPage], list[KnownPage]]:
    """Half to score heads on, a quarter to combine them on, a quarter to judge the outcome by.

    Raises:
        ValueError: there are fewer than three pages.
    """
    if len(pages) < MIN_PAGES:
        raise ValueError(
            f"heads are chosen, combined and judged on different pages, so {MIN_PAGES} are the "
            f"least; there are {len(pages)}. Give a longer PDF, or none to choose on drawn pages"
        )
    order = random.Random(seed).sample(list(pages), len(pages))
    quarter = max(1, len(order) // 4)
    return order[2 * quarter :], order[quarter : 2 * quarter], order[:quarter]


def choose_for(
    model: LoadedModel,
    to_score: Sequence[KnownPage],
    to_combine: Sequence[KnownPage],
    *,
    chosen_on: str,
    batch_size: int = 1,
) -> HeadChoice:
    """Score all heads on some pages and combine the best on others; every other page is scanned.

    Args:
        chosen_on: what the pages are, in words, for the record.
    """
    scores = score_heads(model, _half_scanned(to_score), batch_size=batch_size)
    heads, score = choose_heads(model, scores, _half_scanned(to_combine), batch_size=batch_size)
    return describe_choice(model, heads, round(score, 4), chosen_on)


def _half_scanned(pages: Sequence[KnownPage]) -> list[KnownPage]:
    return [
        scanned(page, STRENGTH, seed=number) if number % 2 else page
        for number, page in enumerate(pages)
    ]
