"""Which heads of a decoder look at the text they read, measured on pages with known characters."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from glmocr_utils.grounding.attention import attend, strongest_cells
from glmocr_utils.grounding.evaluation.known import KnownPage, TrueBoxes, true_boxes
from glmocr_utils.grounding.head import Head
from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.token_text import encode_text, token_texts

NUM_CANDIDATES = 4
MAX_HEADS = 3
WORTH_A_HEAD = 0.002  # a further head must find so much more


def score_heads(
    model: LoadedModel,
    pages: Sequence[KnownPage],
    *,
    prompt: str = TEXT_RECOGNITION,
    batch_size: int = 1,
) -> np.ndarray:
    """How often each head's strongest image token touches the character that is read there.

    One teacher-forced pass over the pages' true texts.

    Returns:
        (num_layers, num_heads), 0 to 1.

    Raises:
        ValueError: there is no character on the pages.
    """
    hits, tokens = 0, 0
    for batch in _batches(pages, batch_size):
        images = [page.image for page in batch]
        ids = [encode_text(model.processor.tokenizer, page.text) for page in batch]
        found = strongest_cells(model, images, ids, prompt=prompt)
        for page, own, (cells, grid) in zip(batch, ids, found, strict=True):
            truth = true_boxes(token_texts(model.processor.tokenizer, own), page)
            hits = hits + _touches(cells[..., truth.known], grid, truth, page).sum(axis=-1)
            tokens += len(truth.known)
    if not tokens:
        raise ValueError(
            "the pages have no text that could show where a head looks; give other pages"
        )
    return np.asarray(hits / tokens)


def choose_heads(
    model: LoadedModel,
    scores: np.ndarray,
    pages: Sequence[KnownPage],
    *,
    prompt: str = TEXT_RECOGNITION,
    batch_size: int = 1,
) -> tuple[tuple[Head, ...], float]:
    """The heads whose mean attention shows best where a token is: one, two or three.

    Args:
        scores: of `score_heads`.
        pages: others than those that the scores are from.

    Returns:
        The heads, the best first; and how often the strongest image token of their mean touches
        what is read, 0 to 1.
    """
    order = np.argsort(-scores, axis=None)[:NUM_CANDIDATES]
    candidates = [Head(*map(int, np.unravel_index(index, scores.shape))) for index in order]
    choices = [
        choice for size in range(1, MAX_HEADS + 1) for choice in combinations(candidates, size)
    ]
    hits, tokens = np.zeros(len(choices)), 0
    for batch in _batches(pages, batch_size):
        images = [page.image for page in batch]
        ids = [encode_text(model.processor.tokenizer, page.text) for page in batch]
        by_head = {head: attend(model, images, ids, [head], prompt=prompt) for head in candidates}
        for number, (page, own) in enumerate(zip(batch, ids, strict=True)):
            truth = true_boxes(token_texts(model.processor.tokenizer, own), page)
            tokens += len(truth.known)
            for nth, choice in enumerate(choices):
                paid = sum(by_head[head][number][truth.known] for head in choice)
                cells = paid.reshape(len(paid), -1).argmax(axis=-1)
                hits[nth] += _touches(cells, paid.shape[1:], truth, page).sum()
    if not tokens:
        raise ValueError(
            "the pages have no text that could show where heads look; give other pages"
        )
    shares = hits / tokens
    best = max(range(len(choices)), key=lambda n: shares[n] - WORTH_A_HEAD * len(choices[n]))
    return choices[best], float(shares[best])


def _batches(pages: Sequence[KnownPage], batch_size: int) -> Iterator[Sequence[KnownPage]]:
    return (pages[start : start + batch_size] for start in range(0, len(pages), batch_size))


def _touches(
    cells: np.ndarray, grid: tuple[int, int], truth: TrueBoxes, page: KnownPage
) -> np.ndarray:
    """Whether image tokens, (…, num_known_tokens), share a part with what is read there."""
    rows, columns = grid
    width, height = page.image.width / columns, page.image.height / rows
    left, top = cells % columns * width, cells // columns * height
    boxes = truth.boxes[truth.known].T
    return (
        (left < boxes[2]) & (left + width > boxes[0]) & (top < boxes[3]) & (top + height > boxes[1])
    )
