"""Inputs of single pages → those of one pass."""

from collections.abc import Sequence

import torch
from transformers import BatchFeature

OF_TOKENS = ("input_ids", "mm_token_type_ids")  # (1, num_tokens)
OF_IMAGES = ("pixel_values", "image_grid_thw")


def padded_on_the_right(inputs: Sequence[BatchFeature]) -> BatchFeature:
    """The inputs of several pages, without a mask.

    Attention is causal, so a page never sees the padding that follows it; and padding counts as
    text, which leaves the M-RoPE positions of the page, and of what it will write, as they are.
    """
    longest = max(each["input_ids"].shape[1] for each in inputs)

    def padded(ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(ids, (0, longest - ids.shape[1]))

    return BatchFeature(
        {name: torch.cat([padded(each[name]) for each in inputs]) for name in OF_TOKENS}
        | {name: torch.cat([each[name] for each in inputs]) for name in OF_IMAGES}
    )
