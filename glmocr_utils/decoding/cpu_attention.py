"""Attention of one new token per row, as a CPU computes it fastest: two batched matrix products.

The heads that share keys and values are the rows of one matrix, and the keys lie in memory by
dimension (`new_keys`), so that the products read each key and value once, in order. PyTorch's own
attention works in blocks that a single token hardly fills.
"""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

NAME = "glmocr_cpu_decoding"  # among the implementations of Transformers


def register() -> str:
    """Let Transformers know it.

    Returns:
        Its name there.
    """
    from transformers import AttentionInterface  # takes seconds

    AttentionInterface.register(NAME, attend)
    return NAME


def new_keys(like: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Zeros, (rows, heads, columns, head_dim), whose columns are next to each other in memory."""
    _, heads, _, head_dim = like.shape
    return like.new_zeros(rows, heads, head_dim, columns).transpose(2, 3)


def attend(
    _module: "nn.Module",
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    scaling: float,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """What each row's token takes from the columns.

    Args:
        query: (rows, heads, 1, head_dim).
        key, value: (rows, key_heads, columns, head_dim).
        attention_mask: added to the scores, (rows, 1, 1, columns).

    Returns:
        (rows, 1, heads, head_dim), and no weights.
    """
    rows, heads, _one, head_dim = query.shape
    key_heads = key.shape[1]
    grouped = (query * scaling).reshape(rows, key_heads, heads // key_heads, head_dim)
    scores = torch.matmul(grouped, key.transpose(2, 3)).add_(attention_mask)
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    return torch.matmul(weights, value).reshape(rows, 1, heads, head_dim), None
