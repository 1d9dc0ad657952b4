"""The part of each step's logits that is kept."""

import numpy as np
import torch

from glmocr_utils.decoding.buckets import row_bucket

TOKENS_AT_ONCE = 512  # so many tokens of room are added when a page needs more


class Recorder:
    """Chosen tokens, their log probabilities and the best others, a row for each page.

    Everything stays on the device until a page is done, and where a token is written is known
    there, so that no step waits for a copy.

    Args:
        top_k: how many of the best tokens are recorded at each position.
        device: of the logits.

    Attributes:
        token_ids: (rows, tokens).
        is_finite: (rows,), whether all log probabilities of a row are numbers.
    """

    def __init__(self, top_k: int, device: torch.device | str = "cpu") -> None:
        self._top_k = top_k
        self.token_ids = torch.empty(0, 0, dtype=torch.long, device=device)
        self.is_finite = torch.empty(0, dtype=torch.bool, device=device)
        self._logprobs = torch.empty(0, 0, device=device)
        self._top_ids = torch.empty(0, 0, top_k, dtype=torch.long, device=device)
        self._top_logprobs = torch.empty(0, 0, top_k, device=device)

    def begin(self, row: int) -> None:
        """Forget what an earlier page left in a row."""
        self.is_finite[row : row + 1].fill_(True)

    def write(self, logits: torch.Tensor, rows: slice, columns: torch.Tensor) -> torch.Tensor:
        """Choose the token at a position of each row, and record it.

        Args:
            logits: (num_rows, vocabulary), raw: before any penalty or temperature.
            rows: as many, in one piece.
            columns: where in each row, (num_rows,); on the device.

        Returns:
            The chosen tokens, (num_rows,).
        """
        logits = logits.float()
        total = logits.logsumexp(dim=-1, keepdim=True)
        chosen = logits.argmax(dim=-1, keepdim=True)
        top = logits.topk(self._top_k, dim=-1)
        logprobs = logits.gather(-1, chosen) - total
        columns = columns[:, None]
        self.is_finite[rows] &= logprobs[:, 0].isfinite()
        self.token_ids[rows].scatter_(1, columns, chosen)
        # rounding may lift a certain token's log probability just above 0
        self._logprobs[rows].scatter_(1, columns, logprobs.clamp(max=0))
        columns = columns[:, None].expand(-1, 1, self._top_k)
        self._top_ids[rows].scatter_(1, columns, top.indices[:, None])
        self._top_logprobs[rows].scatter_(1, columns, (top.values - total).clamp(max=0)[:, None])
        return chosen[:, 0]

    def take(self, row: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A page's first `count` tokens: ids, log probabilities, best ids and theirs."""
        return tuple(each[row, :count].cpu().numpy().copy() for each in self._recorded())

    def move(self, row: int, to: int) -> None:
        """Move one row's record into another row."""
        for each in self.buffers():
            each[to] = each[row]

    def buffers(self) -> tuple[torch.Tensor, ...]:
        """Everything that `write` writes to."""
        return *self._recorded(), self.is_finite

    def make_room(self, rows: int, columns: int) -> None:
        """Have at least so many rows and columns."""
        old_rows, old_columns = self.token_ids.shape
        if rows <= old_rows and columns <= old_columns:
            return
        if columns > old_columns:
            columns = old_columns + TOKENS_AT_ONCE * -(-(columns - old_columns) // TOKENS_AT_ONCE)
        shape = max(row_bucket(rows), old_rows), max(columns, old_columns)
        is_finite = self.is_finite.new_ones(shape[0])
        is_finite[:old_rows] = self.is_finite
        grown = []
        for each in self._recorded():
            larger = each.new_zeros((*shape, *each.shape[2:]))
            larger[:old_rows, :old_columns] = each
            grown.append(larger)
        self.is_finite = is_finite
        self.token_ids, self._logprobs, self._top_ids, self._top_logprobs = grown

    def _recorded(self) -> tuple[torch.Tensor, ...]:
        return self.token_ids, self._logprobs, self._top_ids, self._top_logprobs
