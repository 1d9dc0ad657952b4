"""The words of a written text, as a person would point at them."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from glmocr_utils.markup.printed import KEPT_TEXTS, printed
from glmocr_utils.markup.scripts import (
    HAN,
    HIRAGANA,
    KATAKANA,
    SOUTHEAST_ASIAN,
    belong_together,
    unspaced_script,
)

LONGEST_WORD = 40  # characters
LONGEST_UNSPACED = {HAN: 4, HIRAGANA: 6, KATAKANA: 8, SOUTHEAST_ASIAN: 8}
LEADER = re.compile(r"([^\w\s])\1{3,}|_{4,}|…{2,}")  # dots or a rule that lead to something
OPENING = ("Ps", "Pi")  # categories of brackets and quotation marks


@lru_cache(KEPT_TEXTS)
def word_spans(written: str) -> tuple[tuple[int, int], ...]:
    """The words as (start, stop) in the written text, in order; every inked character is in one.

    A word ends at white space and at markup, where dots or a rule lead to something, and after 40
    characters. Where a script prints no spaces it ends at another script, after punctuation, and
    after a few characters. So two words may follow each other without white space between them.
    """
    page = printed(written)
    words: list[tuple[int, int]] = []
    for first, stop in _runs(page.text, page.spans):
        for begin, end in _parts(page.text[first:stop]):
            words.append((page.spans[first + begin][0], page.spans[first + end - 1][1]))
    return tuple(words)


def _runs(text: str, spans: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    """(first, stop) of characters without white space or markup between them."""
    first = 0
    for index in range(1, len(text) + 1):
        is_end = index == len(text) or text[index].isspace() or text[index - 1].isspace()
        # a command that prints several characters has one span for all of them
        if is_end or spans[index][0] not in (spans[index - 1][1], spans[index - 1][0]):
            if not text[first].isspace():
                yield first, index
            first = index


def _parts(run: str) -> Iterator[tuple[int, int]]:
    bounds = sorted({0, len(run), *(end for match in LEADER.finditer(run) for end in match.span())})
    for start, stop in pairwise(bounds):
        is_unspaced = any(unspaced_script(character) for character in run[start:stop])
        bounds_inside = _ends_unspaced(run, start, stop) if is_unspaced else ()
        for begin, end in pairwise((start, *bounds_inside, stop)):
            for first in range(begin, end, LONGEST_WORD):
                yield first, min(first + LONGEST_WORD, end)


def _ends_unspaced(run: str, start: int, stop: int) -> Iterator[int]:
    """Where words begin within a run that has characters of scripts without spaces."""
    begin, script, is_ended = start, None, False  # no script: nothing but signs so far
    for index in range(start, stop):
        character = run[index]
        if index > start and belong_together(run[index - 1], character):
            continue
        now = (unspaced_script(character) or "spaced") if character.isalnum() else None
        if now is None and unicodedata.category(character) not in OPENING:
            is_ended = script not in (None, "spaced")  # `。` goes with what it ends
            continue
        is_full = index - begin >= LONGEST_UNSPACED.get(script or "", LONGEST_WORD)
        if script and (is_ended or is_full or now != script):
            yield index
            begin, is_ended = index, False
        script = now
