"""The sizes in which room for pages and their tokens is made.

Few sizes mean that what grows is seldom copied, and that a step is captured for few shapes.
"""

ROWS_AT_ONCE = 8
COLUMNS_AT_ONCE = 256


def row_bucket(rows: int) -> int:
    """1, 2, 4, 8, 16, 24, 32, …: the least of them that is enough."""
    if rows <= ROWS_AT_ONCE:
        return 1 << max(rows - 1, 0).bit_length()
    return -(-rows // ROWS_AT_ONCE) * ROWS_AT_ONCE


def column_bucket(columns: int) -> int:
    """The least multiple of `COLUMNS_AT_ONCE` that is enough."""
    return max(1, -(-columns // COLUMNS_AT_ONCE)) * COLUMNS_AT_ONCE
