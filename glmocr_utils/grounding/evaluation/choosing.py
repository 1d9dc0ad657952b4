"""Choose a model's heads on pages with known characters."""

import random
from collections.abc import Iterator, Sequence

from glmocr_utils.grounding.attention import attend
from glmocr_utils.grounding.choice import HeadChoice, describe_choice
from glmocr_utils.grounding.evaluation.drawn import scanned
from glmocr_utils.grounding.evaluation.heads import choose_heads, score_heads
from glmocr_utils.grounding.evaluation.known import KnownPage, reflowed
from glmocr_utils.grounding.head import Head
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.grounding.share import reached_share
from glmocr_utils.model import LoadedModel
from glmocr_utils.records import PageLayout, PageRef
from glmocr_utils.token_text import encode_text, token_texts

STRENGTH = 0.5  # of every other page: a moderate office scan
MIN_PAGES = 3
LEAST_SHARE = 0.01  # of a model whose heads look nowhere: the unit of a share isn't 0


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

    On the latter, it is measured which share of the attention usually goes to the text, as printed
    lines or as paragraphs, whichever the model finds better.

    Args:
        chosen_on: what the pages are, in words, for the record.
    """
    scores = score_heads(model, _half_scanned(to_score), batch_size=batch_size)
    pages = _half_scanned(to_combine)
    heads, score = choose_heads(model, scores, pages, batch_size=batch_size)
    usual = max(
        reached_share(list(_laid_out(model, heads, pages, texts, batch_size)))
        for texts in ([page.text for page in pages], [reflowed(page.text) for page in pages])
    )
    usual = max(round(usual, 4), LEAST_SHARE)
    return describe_choice(model, heads, round(score, 4), chosen_on, usual)


def _laid_out(
    model: LoadedModel,
    heads: Sequence[Head],
    pages: Sequence[KnownPage],
    texts: Sequence[str],
    batch_size: int,
) -> Iterator[tuple[PageLayout, list[str]]]:
    """Where these texts are on their pages, and their tokens."""
    tokenizer = model.processor.tokenizer
    for start in range(0, len(pages), batch_size):
        batch = pages[start : start + batch_size]
        ids = [encode_text(tokenizer, text) for text in texts[start : start + batch_size]]
        attention = attend(model, [page.image for page in batch], ids, heads)
        for page, own, paid in zip(batch, ids, attention, strict=True):
            tokens = token_texts(tokenizer, own)
            yield lay_out(PageRef(page.name, None, 0), page.image, tokens, paid), tokens


def _half_scanned(pages: Sequence[KnownPage]) -> list[KnownPage]:
    return [
        scanned(page, STRENGTH, seed=number) if number % 2 else page
        for number, page in enumerate(pages)
    ]
