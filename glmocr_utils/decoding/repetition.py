"""A page that repeats itself.

A repetition penalty would prevent loops, and corrupt tables and numbers that repeat rightly; so
nothing is changed: the page only ends early and says so.

What repeats is found in the tokens, which is cheap; whether it is a loop is judged by its
characters, which is only done while something repeats. Dotted leaders, rules and the empty cells of
a form repeat rightly and have no letter or digit, so they may be long.
"""

from collections.abc import Callable, Iterator

import numpy as np

from glmocr_utils.markup import printed
from glmocr_utils.token_text import REPLACEMENT

# A tail is a loop when it repeats at least so many times and prints so many characters,
MIN_REPEATS = 4
MIN_LOOP_CHARACTERS = 320
# or writes so many, markup included, without a letter or digit.
MIN_CHARACTERS_WITHOUT_LETTERS = 4000
MAX_PERIOD_TOKENS = 256
CHECK_EVERY_TOKENS = 16

Spell = Callable[[np.ndarray], str]  # token ids → their text


def has_repeating_tail(token_ids: np.ndarray, spell: Spell) -> bool:
    """Whether `token_ids`, (num_tokens,), ends in a loop.

    Args:
        spell: gives the text of some of the tokens.
    """
    return any(
        _is_loop(spell(token_ids[-MIN_REPEATS * period :]), covered / period)
        for period, covered in _repeating_tails(token_ids)
    )


def loop_end(token_ids: np.ndarray, checked: int, spell: Spell) -> int | None:
    """The length at which a page is stopped for looping, or None.

    Looked at are the lengths that `CHECK_EVERY_TOKENS` divides, beyond `checked`; so a page ends at
    the same position however often it is asked about.
    """
    first = (checked // CHECK_EVERY_TOKENS + 1) * CHECK_EVERY_TOKENS
    for length in range(first, len(token_ids) + 1, CHECK_EVERY_TOKENS):
        if has_repeating_tail(token_ids[:length], spell):
            return length
    return None


def _repeating_tails(token_ids: np.ndarray) -> Iterator[tuple[int, int]]:
    """Each period that the tail has, in tokens, and how many tokens it covers."""
    longest = min(MAX_PERIOD_TOKENS, len(token_ids) // MIN_REPEATS)
    if not longest:
        return
    [positions] = (token_ids[-1 - longest : -1] == token_ids[-1]).nonzero()
    covered: dict[int, int] = {}
    for period in (longest - positions[::-1]).tolist():
        least = MIN_REPEATS * period
        if any(period % other == 0 and covered[other] >= least for other in covered):
            continue  # the shorter one covers as much
        tail = token_ids[-least:]
        if np.array_equal(tail[period:], tail[:-period]):
            [others] = (token_ids[period:] != token_ids[:-period]).nonzero()
            covered[period] = len(token_ids) - (int(others[-1]) + 1 if len(others) else 0)
            yield period, covered[period]


def _is_loop(text: str, repeats: float) -> bool:
    """Whether `MIN_REPEATS` repeats, which are `text`, are a loop when there are `repeats`."""
    more = repeats / MIN_REPEATS
    whole = text.strip(REPLACEMENT)
    length = len(whole) + (whole != text)  # the text may begin and end in the midst of a character
    if length * more < MIN_LOOP_CHARACTERS:  # it prints no more than it writes
        return False
    shown = printed(text).text
    # a tag in whose midst the text begins may look like a letter or two
    if sum(map(str.isalnum, shown)) >= MIN_REPEATS:
        return len(shown) * more >= MIN_LOOP_CHARACTERS
    return length * more >= MIN_CHARACTERS_WITHOUT_LETTERS
