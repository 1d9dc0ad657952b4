"""Pages of the test split that the model has seen in training: they make it look too good."""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rapidfuzz import fuzz, process

from glmocr_utils.labels.splits import Split
from glmocr_utils.records import Label

ROWS_AT_A_TIME = 256  # keeps the matrix of similarities small

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Leak:
    """A test page that is also in training.

    Attributes:
        train, test: the two labels.
        kind: `image` (the same file) or `text` (nearly the same text).
        similarity: of the texts, 0 to 1: characters in common over all characters.
    """

    train: Label
    test: Label
    kind: Literal["image", "text"]
    similarity: float


def find_leaks(
    labels: Sequence[Label],
    split: Split,
    *,
    min_similarity: float = 0.9,
    min_characters: int = 40,
) -> list[Leak]:
    """Find test pages that are in training too, and warn of them in the log.

    Args:
        min_similarity: from which two texts count as nearly the same, white space left aside.
        min_characters: shorter texts, such as that of a blank page, are alike by chance.
    """
    train = [label for label in labels if split.of(label) == "train"]
    test = [label for label in labels if split.of(label) == "test"]
    leaks = _same_images(train, test)
    found = {(id(leak.train), id(leak.test)) for leak in leaks}
    leaks += [
        leak
        for leak in _similar_texts(train, test, min_similarity, min_characters)
        if (id(leak.train), id(leak.test)) not in found
    ]
    if leaks:
        pages = {id(leak.test) for leak in leaks}
        first = leaks[0]
        logger.warning(
            "%d of %d test pages are in the training split too, such as %r and %r: what is "
            "measured on them says nothing. Give both documents the same group, or leave one out",
            len(pages),
            len(test),
            str(first.test.file.image_file),
            str(first.train.file.image_file),
        )
    return leaks


def _same_images(train: list[Label], test: list[Label]) -> list[Leak]:
    of_image = defaultdict(list)
    for label in train:
        of_image[label.file.image_sha256].append(label)
    return [
        Leak(twin, label, "image", fuzz.ratio(_words(twin), _words(label)) / 100)
        for label in test
        for twin in of_image[label.file.image_sha256]
    ]


def _similar_texts(
    train: list[Label], test: list[Label], min_similarity: float, min_characters: int
) -> list[Leak]:
    train = [label for label in train if len(_words(label)) >= min_characters]
    test = [label for label in test if len(_words(label)) >= min_characters]
    train_texts = [_words(label) for label in train]
    leaks = []
    for start in range(0, len(test), ROWS_AT_A_TIME):
        rows = test[start : start + ROWS_AT_A_TIME]
        # (rows, train) from 0 to 100; 0 below the cut-off
        ratios = process.cdist(
            [_words(label) for label in rows],
            train_texts,
            scorer=fuzz.ratio,
            score_cutoff=100 * min_similarity,
        )
        leaks += [
            Leak(train[column], rows[row], "text", float(ratios[row, column]) / 100)
            for row, column in zip(*ratios.nonzero(), strict=True)
        ]
    return leaks


def _words(label: Label) -> str:
    return " ".join(label.text.split())
