"""An attention head, which may be chosen to locate tokens."""

from typing import NamedTuple


class Head(NamedTuple):
    """An attention head of the decoder; both numbers count from 0."""

    layer: int
    head: int
