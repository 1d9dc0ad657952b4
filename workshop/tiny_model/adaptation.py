"""A model that writes bytes → one that writes pieces of words, with all that it has learned.

Vision tower, projector and decoder layers stay as they are. Only the rows of the embedding and of
the head change: what is neither byte nor special token gets rows made from those of its bytes.
"""

import torch
from transformers import Glm46VProcessor, GlmOcrForConditionalGeneration, PreTrainedTokenizerBase

from workshop.tiny_model.architecture import build_model

# A piece is read as the text that it ends, so later bytes weigh more; it is chosen by how it
# begins, which is where the decoder looks when it is due.
NEXT_BYTE_WEIGHS = 1.6  # times the byte before it, in the embedding
FIRST_BYTE_WEIGHS = 0.8  # in the head; the rest is shared equally by all bytes


def adapt(
    model: GlmOcrForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    processor: Glm46VProcessor,
) -> GlmOcrForConditionalGeneration:
    """A model of the vocabulary of `processor` that reads as `model` does, byte by byte at first.

    Args:
        model: one of this project's architecture whose `tokenizer` has all bytes as tokens.

    Returns:
        A new float32 model. A token that `tokenizer` has keeps its rows.
    """
    adapted = build_model(processor)
    own = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name not in ("model.language_model.embed_tokens.weight", "lm_head.weight")
    }
    adapted.load_state_dict(own, strict=False)
    known = tokenizer.get_vocab()
    old_rows, old_head = (
        layer.weight.detach().float()
        for layer in (model.get_input_embeddings(), model.get_output_embeddings())
    )
    with torch.no_grad():
        for token, row in processor.tokenizer.get_vocab().items():
            spelled = [known[token]] if token in known else [known[byte] for byte in token]
            adapted.get_input_embeddings().weight[row] = (
                ending_weights(len(spelled)) @ (old_rows[spelled])
            )
            adapted.get_output_embeddings().weight[row] = (
                beginning_weights(len(spelled)) @ (old_head[spelled])
            )
    return adapted


def deepen(
    model: GlmOcrForConditionalGeneration, processor: Glm46VProcessor, num_layers: int
) -> GlmOcrForConditionalGeneration:
    """A model with more layers at the decoder's end.

    The new ones have random weights, so the model first reads worse. Layers that begin as if they
    weren't there (the weights of their last norms at 0, or at 0.2) were tried: they lost nothing
    and had won nothing after 200 and 350 batches. These were 1.6 % of the loss behind by then.
    """
    deeper = build_model(processor, num_layers=num_layers)
    deeper.load_state_dict(model.state_dict(), strict=False)
    return deeper


def ending_weights(num_bytes: int) -> torch.Tensor:
    """(num_bytes,), sums to 1, each `NEXT_BYTE_WEIGHS` times the one before."""
    weights = NEXT_BYTE_WEIGHS ** torch.arange(num_bytes, dtype=torch.float32)
    return weights / weights.sum()


def beginning_weights(num_bytes: int) -> torch.Tensor:
    """(num_bytes,), sums to 1: `FIRST_BYTE_WEIGHS` for the first, the rest in equal shares."""
    weights = torch.full((num_bytes,), (1 - FIRST_BYTE_WEIGHS) / num_bytes)
    weights[0] += FIRST_BYTE_WEIGHS
    return weights
