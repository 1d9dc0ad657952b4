"""Greedy decoding of many pages at a time, which records probabilities as it goes."""

from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
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

_HOME = {
    "CHECK_EVERY_TOKENS": "repetition",
    "MAX_PERIOD_TOKENS": "repetition",
    "MIN_CHARACTERS_WITHOUT_LETTERS": "repetition",
    "MIN_LOOP_CHARACTERS": "repetition",
    "MIN_REPEATS": "repetition",
    "DecodedPage": "decoder",
    "NotFiniteError": "not_finite",
    "PageDecoder": "decoder",
    "has_repeating_tail": "repetition",
}
__all__ = list(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
