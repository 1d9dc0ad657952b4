"""How well tokens are located, on pages with known characters: the table of `ground`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from glmocr_utils.grounding.attention import attend
from glmocr_utils.grounding.evaluation.drawn import scanned
from glmocr_utils.grounding.evaluation.known import (
    BoxScore,
    KnownPage,
    reflowed,
    score_centres,
    score_layout,
    true_boxes,
)
from glmocr_utils.grounding.head import Head
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import num_image_tokens
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.token_text import encode_text, token_texts

SCAN_STRENGTHS = {"clean": None, "scanned": 0.5}
HEAD = (
    "| pages | text | number | tokens | right line | within one cell | unclear |\n"
    "|---|---|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True, slots=True)
class BoxRow:
    """A line of the table.

    Attributes:
        pages: `clean` or `scanned`.
        text: whose tokens were placed: `true text`, `true text, reflowed`, `read text`,
            `read text, reflowed`, or `n-th token at n-th position`.
        num_pages: how many pages.
        score: over all of them.
    """

    pages: str
    text: str
    num_pages: int
    score: BoxScore

    def __str__(self) -> str:
        score, tokens = self.score, max(self.score.tokens, 1)
        return (
            f"| {self.pages} | {self.text} | {self.num_pages} | {score.tokens:,} | "
            f"{score.right_line / tokens:.1%} | {score.near / tokens:.1%} | "
            f"{score.unclear / tokens:.1%} |"
        )


BoxTable = Iterator[BoxRow]


def evaluate_boxes(
    model: LoadedModel,
    heads: Sequence[Head],
    pages: Sequence[KnownPage],
    *,
    max_tokens: int = 2048,
    batch_size: int = 1,
    with_reading: bool = True,
) -> BoxTable:
    """Place the tokens of pages, clean and scanned, and compare with where they are.

    Args:
        with_reading: also read the pages, and place what was read; tokens that were read wrongly
            have no true box and are left out.

    Yields:
        For clean and for scanned pages: the true text; the same with each paragraph on one line,
        which the model is given so; what was read; the same with its line ends taken for spaces,
        the attention being that of the reading; and the baseline, which takes the n-th of N tokens
        to be at n/N of the page's image tokens, in reading order.
    """
    for name, strength in SCAN_STRENGTHS.items():
        seen = [
            page if strength is None else scanned(page, strength, seed=1000 + number)
            for number, page in enumerate(pages)
        ]
        true = [encode_text(model.processor.tokenizer, page.text) for page in seen]
        placed = _score(model, heads, seen, true, batch_size)
        yield BoxRow(name, "true text", len(seen), placed)
        texts = [reflowed(page.text) for page in seen]
        ids = [encode_text(model.processor.tokenizer, text) for text in texts]
        placed = _score(model, heads, seen, ids, batch_size)
        yield BoxRow(name, "true text, reflowed", len(seen), placed)
        if with_reading:
            read = _read(model, seen, max_tokens, batch_size)
            placed = _score(model, heads, seen, read, batch_size)
            yield BoxRow(name, "read text", len(seen), placed)
            placed = _score(model, heads, seen, read, batch_size, is_reflowed=True)
            yield BoxRow(name, "read text, reflowed", len(seen), placed)
        yield BoxRow(name, "n-th token at n-th position", len(seen), _baseline(model, seen, true))


def _read(
    model: LoadedModel, pages: Sequence[KnownPage], max_tokens: int, batch_size: int
) -> list[list[int]]:
    images = [
        PageImage(PageRef(page.name, None, number), page.image, scale=1.0)
        for number, page in enumerate(pages)
    ]
    results = read_pages(model, images, max_tokens=max_tokens, batch_size=batch_size)
    return [[token.token_id for token in result.tokens] for result in results]


def _score(
    model: LoadedModel,
    heads: Sequence[Head],
    pages: Sequence[KnownPage],
    token_ids: Sequence[Sequence[int]],
    batch_size: int,
    *,
    is_reflowed: bool = False,
) -> BoxScore:
    total = BoxScore()
    for start in range(0, len(pages), batch_size):
        batch, ids = pages[start : start + batch_size], token_ids[start : start + batch_size]
        attention = attend(model, [page.image for page in batch], ids, heads)
        for page, own, paid in zip(batch, ids, attention, strict=True):
            texts = token_texts(model.processor.tokenizer, own)
            texts = _reflowed_tokens(texts) if is_reflowed else texts
            layout = lay_out(PageRef(page.name, None, 0), page.image, texts, paid)
            total += score_layout(layout, true_boxes(texts, page), page)
    return total


def _reflowed_tokens(texts: Sequence[str]) -> list[str]:
    """The same tokens with spaces for line ends within paragraphs."""
    text = reflowed("".join(texts))
    ends = np.cumsum([len(token) for token in texts]).tolist()
    return [text[start:stop] for start, stop in pairwise([0, *ends])]


def _baseline(
    model: LoadedModel, pages: Sequence[KnownPage], token_ids: Sequence[Sequence[int]]
) -> BoxScore:
    total = BoxScore()
    for page, ids in zip(pages, token_ids, strict=True):
        texts = token_texts(model.processor.tokenizer, ids)
        centres = _nth_position(model, page.image, len(texts))
        total += score_centres(centres, true_boxes(texts, page), page)
    return total


def _nth_position(model: LoadedModel, image: Image.Image, num_tokens: int) -> np.ndarray:
    """The middle of the n-th of so many positions on a page, (num_tokens, 2)."""
    cells = num_image_tokens(model.processor, image.width, image.height)
    rows = max(1, round((cells * image.height / image.width) ** 0.5))
    along = (np.arange(num_tokens) + 0.5) / max(num_tokens, 1) * rows
    row = np.floor(along)
    return np.stack([(along - row) * image.width, (row + 0.5) / rows * image.height], axis=1)
