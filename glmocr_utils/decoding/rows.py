"""The state of each page that a step needs."""

from typing import NamedTuple

import torch

from glmocr_utils.decoding.buckets import row_bucket


class RowState(NamedTuple):
    """Of some rows, each (rows,) and int64, as views: what is written to them stays.

    Attributes:
        last_ids: the token that was written last.
        counts: tokens written.
        ends: keys and values in the cache.
        offsets: from `ends` to the M-RoPE position of the next token.
        limits: tokens that may be written.
        is_live: 1 until a stop token or the limit; a row at 0 goes nowhere.
    """

    last_ids: torch.Tensor
    counts: torch.Tensor
    ends: torch.Tensor
    offsets: torch.Tensor
    limits: torch.Tensor
    is_live: torch.Tensor

    def advance(self, chosen: torch.Tensor, stops: torch.Tensor) -> None:
        """Count a token.

        Args:
            chosen: (rows,).
            stops: the tokens that end a page, (num_stops,).
        """
        is_stop = (chosen[:, None] == stops).any(dim=1)
        self.last_ids.copy_(chosen)
        self.counts.add_(self.is_live)
        self.ends.add_(self.is_live)
        self.is_live.mul_((self.counts < self.limits) & ~is_stop)


class Rows:
    """The state of all rows, on the device, so that no step needs anything from the host."""

    def __init__(self, device: torch.device | str) -> None:
        self.buffer = torch.zeros(len(RowState._fields), 0, dtype=torch.long, device=device)

    def __getitem__(self, rows: slice) -> RowState:
        return RowState(*self.buffer[:, rows].unbind())

    def begin(self, row: int, length: int, offset: torch.Tensor, max_tokens: int) -> None:
        """A page whose prompt has `length` tokens; its first token comes with `advance`.

        Args:
            offset: of no dimension, on any device.
        """
        begun = RowState(0, 0, length - 1, 0, max_tokens, 1)
        self.buffer[:, row] = torch.tensor(begun)
        self[row : row + 1].offsets.copy_(offset)

    def move(self, row: int, to: int) -> None:
        """Move one row's state into another row; the first is free then."""
        self.buffer[:, to] = self.buffer[:, row]
        self.buffer[:, row].zero_()

    def make_room(self, rows: int) -> None:
        """Have at least so many rows."""
        if rows <= self.buffer.shape[1]:
            return
        larger = self.buffer.new_zeros(len(self.buffer), row_bucket(rows))
        larger[:, : self.buffer.shape[1]] = self.buffer
        self.buffer = larger
