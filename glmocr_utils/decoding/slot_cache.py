"""Keys and values of pages of different length that come and go."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

from glmocr_utils.decoding.buckets import column_bucket, row_bucket
from glmocr_utils.decoding.cpu_attention import new_keys


class SlotCache(Cache):
    """A row for each page, filled from its first column on, each as far as its page has come.

    The caches of Transformers pad rows on the left to one length, so that all of a batch begin and
    end together. Here a page can be put in and taken out while others are still decoded. Where each
    row ends is on the device, and `open` gets it from there; the host knows lengths of its own, at
    which the device may have stopped short.

    Attributes:
        lengths: tokens of each row, at most.
    """

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[_SlotLayer(self) for _ in range(num_layers)])
        self.lengths: list[int] = []
        self.ends: torch.Tensor  # (rows, 1, 1, 1)
        self.columns = 0

    @property
    def longest(self) -> int:
        return max(self.lengths, default=0)

    @property
    def num_bytes(self) -> int:
        """Memory that it holds."""
        return sum(layer.num_bytes for layer in self.layers)

    def append(self, pages: Cache, lengths: Sequence[int]) -> None:
        """Add a row for each page of a cache that is padded on the right.

        Args:
            lengths: tokens of each page.
        """
        first, longest = len(self.lengths), max(*lengths, self.longest)
        for layer, filled in zip(self.layers, pages.layers, strict=True):
            layer.make_room(first + len(lengths), longest, like=filled.keys)
            for number, length in enumerate(lengths):
                row = first + number
                layer.keys[row, :, :length] = filled.keys[number, :, :length]
                layer.values[row, :, :length] = filled.values[number, :, :length]
                layer.clear(row, length)
        self.lengths.extend(lengths)

    def make_room(self, rows: int, columns: int) -> None:
        """Have at least so many rows and columns."""
        for layer in self.layers:
            layer.make_room(rows, columns, like=layer.keys)

    def open(self, ends: torch.Tensor, columns: int) -> None:
        """Take one more token in the first rows, for which there is room.

        Args:
            ends: the column of each row's new token, (rows,).
            columns: so many are attended to.
        """
        self.ends, self.columns = ends[:, None, None, None], columns

    def finish_step(self) -> None:
        """Count the token that was added; a step that failed before is simply made again."""
        self.lengths = [length + 1 for length in self.lengths]

    def remove(self, row: int) -> None:
        """Take a row out; the last one moves into its place. Without rows no memory is held."""
        length = self.lengths.pop()
        last = len(self.lengths)
        if last == 0:
            for layer in self.layers:
                layer.keys = layer.values = None
        if row == last:
            return
        self.lengths[row] = length
        for layer in self.layers:
            layer.keys[row, :, :length] = layer.keys[last, :, :length]
            layer.values[row, :, :length] = layer.values[last, :, :length]
            layer.clear(row, length)


class _SlotLayer(CacheLayerMixin):
    keys: Any  # a tensor, or None while there are no rows
    values: Any

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()
        self._cache = cache

    @property
    def num_bytes(self) -> int:
        return 0 if self.keys is None else self.keys.nbytes + self.values.nbytes

    def make_room(self, rows: int, columns: int, like: torch.Tensor) -> None:
        """Hold at least so many rows and columns, of which no others are in use.

        What grows drops the rest, so that fewer pages take less memory once it has run out.
        """
        old_rows, old_columns = (0, 0) if self.keys is None else self.keys.shape[::2]
        if rows <= old_rows and columns <= old_columns:
            return
        shape = row_bucket(rows), like.shape[1], column_bucket(columns), like.shape[3]
        # zeros, because what is masked must still be a number
        values = like.new_zeros(shape)
        on_cpu = like.device.type == "cpu"
        keys = new_keys(like, shape[0], shape[2]) if on_cpu else torch.zeros_like(values)
        if self.keys is not None:
            kept = slice(min(rows, old_rows)), slice(None), slice(min(columns, old_columns))
            keys[kept], values[kept] = self.keys[kept], self.values[kept]
        self.keys, self.values = keys, values

    def clear(self, row: int, begin: int) -> None:
        """Drop what an earlier page left in a row: NaN times a weight of 0 is NaN."""
        self.keys[row, :, begin:] = 0
        self.values[row, :, begin:] = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: object, **_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        # key_states: (num_rows, heads, 1, head_dim)
        num_rows, columns = len(key_states), self._cache.columns
        ends = self._cache.ends.to(self.keys.device).expand_as(key_states)
        keys, values = self.keys[:num_rows], self.values[:num_rows]
        keys.scatter_(2, ends, key_states)
        values.scatter_(2, ends, value_states)
        return keys[:, :, :columns], values[:, :, :columns]

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing to do: `make_room` comes first."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._cache.columns, 0

    def get_seq_length(self) -> int:
        return self._cache.longest

    def get_max_length(self) -> int:
        return -1
