"""The bundled model with edited weights, so that a test knows what it will write."""

import contextlib
import copy
import dataclasses
import itertools
import math
from collections.abc import Iterator

import torch
from torch import nn
from transformers import BatchFeature

from glmocr_utils.model import LoadedModel


def scripted(model: LoadedModel, following: dict[int, int]) -> LoadedModel:
    """A copy of `model` that writes `following[token]` after `token`, whatever the page shows.

    The layers add nothing to the residual stream, so the output layer sees the last token's
    embedding alone. The first token follows the prompt's last, a line end.
    """
    network = copy.deepcopy(model.model)
    decoder = network.model.language_model
    embeddings = decoder.embed_tokens.weight
    with torch.no_grad():
        for layer in decoder.layers:
            layer.post_self_attn_layernorm.weight.zero_()
            layer.post_mlp_layernorm.weight.zero_()
        decoder.norm.weight.fill_(1)
        embeddings.normal_(generator=torch.Generator().manual_seed(0))
        network.lm_head.weight.zero_()
        for token, next_token in following.items():
            network.lm_head.weight[next_token] += embeddings[token]
    return dataclasses.replace(model, model=network)


def endless(model: LoadedModel) -> LoadedModel:
    """A copy of `model` that never ends a page, so that there is something to compare.

    The stop tokens score exactly as much as the vocabulary's first, which wins a tie.
    """
    network = copy.deepcopy(model.model)
    with torch.no_grad():
        network.lm_head.weight[model.stop_token_ids] = network.lm_head.weight[0].clone()
    return dataclasses.replace(model, model=network)


def chain(*token_ids: int) -> dict[int, int]:
    """Each of `token_ids` is followed by the next."""
    return dict(itertools.pairwise(token_ids))


def begun_with(inputs: BatchFeature, first_ids: list[int]) -> BatchFeature:
    """`inputs` as if row i of the batch had already written `first_ids[i]`."""
    added = torch.tensor(first_ids)[:, None]
    parts = {
        "input_ids": added,
        "attention_mask": torch.ones_like(added),
        "mm_token_type_ids": torch.zeros_like(added),
    }
    longer = {name: torch.cat([inputs[name], part], dim=1) for name, part in parts.items()}
    return BatchFeature({**inputs, **longer})


@contextlib.contextmanager
def not_finite_on(
    model: LoadedModel, num_patches: int, value: float = math.nan
) -> Iterator[LoadedModel]:
    """`model`, whose vision tower gives `value` for a page image of so many patches."""
    sizes: list[int] = []  # of the images of a pass

    def note(_module: nn.Module, _inputs: tuple, named: dict[str, torch.Tensor]) -> None:
        sizes[:] = named["grid_thw"].prod(dim=1).tolist()

    def spoil(_module: nn.Module, _inputs: tuple, hidden: torch.Tensor) -> torch.Tensor:
        images = hidden.split(sizes)
        return torch.cat([each * value if len(each) == num_patches else each for each in images])

    visual = model.model.model.visual
    before = visual.register_forward_pre_hook(note, with_kwargs=True)
    hook = visual.patch_embed.register_forward_hook(spoil)
    try:
        yield model
    finally:
        before.remove()
        hook.remove()
