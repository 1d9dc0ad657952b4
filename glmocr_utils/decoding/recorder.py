"""What is kept of each step's logits."""

import numpy as np
import torch

TOKENS_AT_ONCE = 512  # so many tokens of room are added when a page needs more


class Recorder:
    """Chosen tokens, their log probabilities and the best others, a row for each page.

    Everything stays on the model's device until a page is done, so that no step waits for a copy.

    Args:
        top_k: how many of the best tokens are recorded at each position.

    Attributes:
        token_ids: (rows, tokens), of which the first `num_pages` rows are in use.
        is_finite: (rows,), whether all log probabilities of a row are numbers.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k
        self.num_pages = 0
        self.token_ids = torch.empty(0, 0, dtype=torch.long)
        self.is_finite = torch.empty(0, dtype=torch.bool)
        self._logprobs = torch.empty(0, 0)
        self._top_ids = torch.empty(0, 0, top_k, dtype=torch.long)
        self._top_logprobs = torch.empty(0, 0, top_k)

    def append(self, logits: torch.Tensor) -> None:
        """Add a page, with the logits of its first token, (vocabulary,)."""
        self._make_room(self.num_pages + 1, 1, logits.device)
        self.is_finite[self.num_pages] = True
        self.write(logits[None], [self.num_pages], [0])
        self.num_pages += 1

    def write(self, logits: torch.Tensor, rows: list[int], columns: list[int]) -> None:
        """Choose the tokens at the given positions, and record them.

        Args:
            logits: (num_positions, vocabulary), raw: before any penalty or temperature.
        """
        self._make_room(max(rows) + 1, max(columns) + 1, logits.device)
        positions = tuple(torch.tensor(each, device=logits.device) for each in (rows, columns))
        logits = logits.float()
        total = logits.logsumexp(dim=-1, keepdim=True)
        chosen = logits.argmax(dim=-1, keepdim=True)
        top = logits.topk(self._top_k, dim=-1)
        logprobs = (logits.gather(-1, chosen) - total)[:, 0]
        self.is_finite[positions[0]] &= logprobs.isfinite()
        self.token_ids[positions] = chosen[:, 0]
        # rounding may lift a certain token's log probability just above 0
        self._logprobs[positions] = logprobs.clamp(max=0)
        self._top_ids[positions] = top.indices
        self._top_logprobs[positions] = (top.values - total).clamp(max=0)

    def last(self, counts: list[int]) -> torch.Tensor:
        """The token that each page wrote last, (num_pages,); it has written `counts[row]`."""
        rows = torch.arange(self.num_pages, device=self.token_ids.device)
        return self.token_ids[rows, torch.tensor(counts, device=rows.device) - 1]

    def take(self, row: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """A page's first `count` tokens: ids, log probabilities, best ids and theirs."""
        return tuple(each[row, :count].cpu().numpy().copy() for each in self._all())

    def remove(self, row: int) -> None:
        """Take a page out; the last one moves into its place."""
        self.num_pages -= 1
        for each in (*self._all(), self.is_finite):
            each[row] = each[self.num_pages]

    def _all(self) -> tuple[torch.Tensor, ...]:
        return self.token_ids, self._logprobs, self._top_ids, self._top_logprobs

    def _make_room(self, rows: int, columns: int, device: torch.device) -> None:
        old_rows, old_columns = self.token_ids.shape
        if rows <= old_rows and columns <= old_columns:
            return
        if columns > old_columns:
            columns = old_columns + TOKENS_AT_ONCE
        shape = max(rows, old_rows), max(columns, old_columns)
        is_finite = self.is_finite.new_ones(shape[0], device=device)
        is_finite[:old_rows] = self.is_finite
        self.is_finite = is_finite
        grown = []
        for each in self._all():
            larger = each.new_zeros((*shape, *each.shape[2:]), device=device)
            larger[:old_rows, :old_columns] = each
            grown.append(larger)
        self.token_ids, self._logprobs, self._top_ids, self._top_logprobs = grown
