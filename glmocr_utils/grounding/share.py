"""How much of a model's attention goes to where its text is, over stretches of the text."""

from collections.abc import Sequence

import numpy as np

from glmocr_utils.markup import ink
from glmocr_utils.records import PageLayout

STRETCH = 16  # characters: a single one may look elsewhere
REACHED = 0.75  # of all stretches of a text; in the others it may be lost on a difficult page


def mean_around(values: np.ndarray, num_characters: np.ndarray) -> np.ndarray:
    """The mean over the stretch around the first character of each token.

    Args:
        values: (num_tokens,).
        num_characters: (num_tokens,) with ink, of each.

    Returns:
        (num_tokens,).
    """
    of_characters = np.repeat(values, num_characters)
    wide = min(STRETCH, len(of_characters))
    until = np.concatenate([[0], of_characters.cumsum()])
    first = num_characters.cumsum() - num_characters
    start = (first - wide // 2).clip(0, len(of_characters) - wide)
    return (until[start + wide] - until[start]) / wide


def characters_with_ink(token_texts: Sequence[str]) -> np.ndarray:
    """(num_tokens,) how many characters with ink each writes."""
    seen = np.concatenate([[0], np.cumsum(ink("".join(token_texts)))]).astype(int)
    lengths = np.array([len(text) for text in token_texts], int)
    stops = lengths.cumsum()
    starts = stops - lengths
    return seen[stops] - seen[starts]


def reached_share(pages: Sequence[tuple[PageLayout, Sequence[str]]]) -> float:
    """The share that three quarters of the stretches of text reach; 0 without text.

    Args:
        pages: texts that are on their pages, each as its layout and its tokens.
    """
    means = []
    for layout, token_texts in pages:
        number_of = characters_with_ink(token_texts)
        found = [
            (each.looked_at, number)
            for each, number in zip(layout.found, number_of, strict=True)
            if each is not None and each.looked_at is not None and number
        ]
        if found:
            values, numbers = zip(*found, strict=True)
            means.append(mean_around(np.array(values), np.array(numbers)))
    return float(np.quantile(np.concatenate(means), 1 - REACHED)) if means else 0.0
