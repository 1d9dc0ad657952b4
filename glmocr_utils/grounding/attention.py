"""Where the decoder looked when it wrote each token, in one teacher-forced pass.

What the 256 heads of GLM-OCR pay to the 2,520 image tokens of a page while 1,500 tokens of text are
predicted takes 4 GB. Here the layers are overheard while the pass goes by: of chosen heads alone,
queries and keys are computed once more, for a few positions at a time, and only what they pay to
the image is kept. Decoding knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from glmocr_utils.grounding.head import Head
from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle, encode_prompt

if TYPE_CHECKING:  # what it names takes seconds to import
    from transformers import BatchFeature
    from transformers.models.glm_ocr.modeling_glm_ocr import (
        GlmOcrModel,
        GlmOcrTextAttention,
    )

POSITIONS_AT_ONCE = 128  # the scores of so many text positions are in memory together


# What is done with the attention that a head pays to the image of a page:
# (number of the page, first token, head, (num_tokens from there on, num_image_tokens) float32)
Keep = Callable[[int, int, Head, torch.Tensor], None]


def attend(
    model: LoadedModel,
    images: Sequence[Image.Image],
    token_ids: Sequence[Sequence[int]],
    heads: Sequence[Head],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
) -> list[np.ndarray]:
    """The attention that is paid to the image where each token is predicted, mean over `heads`.

    Args:
        images: page images; all go through the model in one pass.
        token_ids: of each page, as the model wrote them.
        style: of the prompt; None takes the one that the model was trained with.

    Returns:
        For each page (num_tokens, rows, columns), float32, a row and a column an image token:
        shares of the attention to all that a token sees, so those of a token sum to less than 1.
    """
    batch = _encode(model, images, token_ids, prompt, style)
    kept = [
        torch.zeros(len(ids), rows * columns, device=model.device)
        for ids, (rows, columns) in zip(token_ids, batch.grids, strict=True)
    ]

    def keep(page: int, start: int, _head: Head, paid: torch.Tensor) -> None:
        kept[page][start : start + len(paid)] += paid / len(heads)

    _overhear(model, batch, heads, keep)
    return [
        weights.view(len(weights), *grid).cpu().numpy()
        for weights, grid in zip(kept, batch.grids, strict=True)
    ]


def strongest_cells(
    model: LoadedModel,
    images: Sequence[Image.Image],
    token_ids: Sequence[Sequence[int]],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
) -> list[tuple[np.ndarray, tuple[int, int]]]:
    """For every head, the image token that it looks at most where each token is predicted.

    Returns:
        For each page (num_layers, num_heads, num_tokens): the number of the image token in reading
        order; and (rows, columns) of the page's image tokens.
    """
    config = decoder_of(model).language_model.config
    shape = (config.num_hidden_layers, config.num_attention_heads)
    batch = _encode(model, images, token_ids, prompt, style)
    found = [np.zeros((*shape, len(ids)), np.int64) for ids in token_ids]

    def keep(page: int, start: int, head: Head, paid: torch.Tensor) -> None:
        found[page][*head, start : start + len(paid)] = paid.argmax(-1).cpu().numpy()

    _overhear(model, batch, [Head(*head) for head in np.ndindex(shape)], keep)
    return list(zip(found, batch.grids, strict=True))


def decoder_of(model: LoadedModel) -> GlmOcrModel:
    """Vision tower and decoder, without the output layer and without an adapter's wrapping."""
    whole = model.model
    return (whole.get_base_model() if model.adapter else whole).model


@dataclass(frozen=True, slots=True)
class _Batch:
    """Prompts, padded on the left, and behind them the texts, padded on the right.

    Attributes:
        inputs: of the model.
        text_start: the position of every page's first token.
        num_tokens: of each page's text.
        grids: (rows, columns) of each page's image tokens.
    """

    inputs: BatchFeature
    text_start: int
    num_tokens: list[int]
    grids: list[tuple[int, int]]


def _encode(
    model: LoadedModel,
    images: Sequence[Image.Image],
    token_ids: Sequence[Sequence[int]],
    prompt: str,
    style: PromptStyle | None,
) -> _Batch:
    inputs = encode_prompt(model.processor, images, prompt, style or model.prompt_style)
    num_tokens = [len(ids) for ids in token_ids]
    text = torch.zeros(len(images), max(num_tokens), dtype=torch.long)
    is_text = torch.zeros_like(text)
    for row, ids in enumerate(token_ids):
        text[row, : len(ids)] = torch.as_tensor(ids, dtype=torch.long)
        is_text[row, : len(ids)] = 1
    text_start = inputs["input_ids"].shape[1]
    for name, added in (
        ("input_ids", text),
        ("attention_mask", is_text),
        ("mm_token_type_ids", torch.zeros_like(text)),
    ):
        inputs[name] = torch.cat([inputs[name], added.to(inputs[name].dtype)], dim=1)
    merge = model.processor.image_processor.merge_size
    grids = [(height // merge, width // merge) for _, height, width in inputs["image_grid_thw"]]
    grids = [(int(rows), int(columns)) for rows, columns in grids]
    return _Batch(inputs.to(model.device), text_start, num_tokens, grids)


@torch.inference_mode()
def _overhear(model: LoadedModel, batch: _Batch, heads: Sequence[Head], keep: Keep) -> None:
    decoder = decoder_of(model)
    by_layer: dict[int, list[int]] = {}
    for layer, head in heads:
        by_layer.setdefault(layer, []).append(head)
    with _hooks(
        decoder, {layer: partial(_hear, batch, layer, by_layer[layer], keep) for layer in by_layer}
    ):
        decoder(**batch.inputs, use_cache=False)


@contextmanager
def _hooks(decoder: GlmOcrModel, hears: Mapping[int, Callable]) -> Iterator[None]:
    """Call `hears` of a layer with what goes into its attention."""
    layers = decoder.language_model.layers
    handles = [
        layers[layer].self_attn.register_forward_pre_hook(hear, with_kwargs=True)
        for layer, hear in hears.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hear(
    batch: _Batch,
    layer: int,
    heads: Sequence[int],
    keep: Keep,
    attention: GlmOcrTextAttention,
    _args: tuple,
    given: Mapping[str, Any],
) -> None:
    """What the layer's attention is about to compute, for these heads and text positions alone."""
    from transformers.models.glm_ocr.modeling_glm_ocr import apply_rotary_pos_emb

    is_image = batch.inputs["mm_token_type_ids"] == 1
    is_seen = batch.inputs["attention_mask"] > 0
    for page, num_tokens in enumerate(batch.num_tokens):
        hidden = given["hidden_states"][page]
        cos, sin = (turned[page] for turned in given["position_embeddings"])
        # a token is predicted one position before its own
        asking = slice(batch.text_start - 1, batch.text_start - 1 + num_tokens)
        shape = (-1, attention.head_dim)
        queries = attention.q_proj(hidden[asking]).unflatten(-1, shape)[:, heads].transpose(0, 1)
        groups = [head // attention.num_key_value_groups for head in heads]
        keys = attention.k_proj(hidden).unflatten(-1, shape)[:, groups].transpose(0, 1)
        queries, _ = apply_rotary_pos_emb(queries, queries, cos[asking], sin[asking], 0)
        keys, _ = apply_rotary_pos_emb(keys, keys, cos, sin, 0)
        positions = torch.arange(len(hidden), device=hidden.device)
        for start in range(0, num_tokens, POSITIONS_AT_ONCE):
            own = positions[asking][start : start + POSITIONS_AT_ONCE, None]
            is_hidden = (positions > own) | ~is_seen[page]
            for number, head in enumerate(heads):
                some = queries[number, start : start + POSITIONS_AT_ONCE].float()
                scores = some @ keys[number].float().T * attention.scaling
                paid = scores.masked_fill_(is_hidden, -torch.inf).softmax(-1)
                keep(page, start, Head(layer, head), paid[:, is_image[page]])
