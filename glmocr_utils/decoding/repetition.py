"""A page that repeats itself.

A repetition penalty would prevent loops, and corrupt tables and numbers that repeat rightly; so
nothing is changed: the page only ends early and says so.
"""

import numpy as np

# A page counts as looping when its tail repeats at least so many times over so many tokens.
MIN_REPEATS = 4
MIN_LOOP_TOKENS = 160
MAX_PERIOD_TOKENS = 256
CHECK_EVERY_TOKENS = 16


def has_repeating_tail(token_ids: np.ndarray) -> bool:
    """Whether `token_ids`, (num_tokens,), ends in at least `MIN_REPEATS` repeats of one piece.

    The repeats must cover `MIN_LOOP_TOKENS`; the piece may be `MAX_PERIOD_TOKENS` long.
    """
    longest = min(MAX_PERIOD_TOKENS, len(token_ids) // MIN_REPEATS)
    for period in range(1, longest + 1):
        covered = max(MIN_LOOP_TOKENS, MIN_REPEATS * period)
        if covered > len(token_ids):
            return False
        tail = token_ids[-covered:]
        if np.array_equal(tail[period:], tail[:-period]):
            return True
    return False


def loop_end(token_ids: np.ndarray, checked: int) -> int | None:
    """The length at which a page is stopped for looping, or None.

    Looked at are the lengths that `CHECK_EVERY_TOKENS` divides, beyond `checked`; so a page ends at
    the same place however often it is asked about.
    """
    first = max(checked // CHECK_EVERY_TOKENS + 1, -(-MIN_LOOP_TOKENS // CHECK_EVERY_TOKENS))
    for length in range(first * CHECK_EVERY_TOKENS, len(token_ids) + 1, CHECK_EVERY_TOKENS):
        if has_repeating_tail(token_ids[:length]):
            return length
    return None
