"""Greedy decoding of many pages at a time, which records probabilities as it goes."""

from glmocr_utils.decoding.decoder import DecodedPage, PageDecoder
from glmocr_utils.decoding.not_finite import NotFiniteError
from glmocr_utils.decoding.repetition import (
    CHECK_EVERY_TOKENS,
    MAX_PERIOD_TOKENS,
    MIN_CHARACTERS_WITHOUT_LETTERS,
    MIN_LOOP_CHARACTERS,
    MIN_REPEATS,
    has_repeating_tail,
)

__all__ = [
    "CHECK_EVERY_TOKENS",
    "MAX_PERIOD_TOKENS",
    "MIN_CHARACTERS_WITHOUT_LETTERS",
    "MIN_LOOP_CHARACTERS",
    "MIN_REPEATS",
    "DecodedPage",
    "NotFiniteError",
    "PageDecoder",
    "has_repeating_tail",
]
