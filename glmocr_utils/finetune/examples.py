"""A label → the sequence that trains it: generation prompt + label + stop token; and batches.

The chat template never closes the assistant's turn, so a sequence that only renders the template
trains no stop token. Here the sequence is built from the very prompt that inference uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from transformers import ProcessorMixin

from glmocr_utils.prompt import TEXT_RECOGNITION, TURN_END, PromptStyle, encode_prompt
from glmocr_utils.token_text import encode_text

IGNORED = -100  # the label that the loss skips


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One page, ready for the model.

    Attributes:
        input_ids: (num_tokens,) prompt, label and stop token.
        num_label_tokens: how many at the end of `input_ids` are trained: label and stop token.
        mm_token_type_ids: (num_tokens,) 1 at image tokens, 0 otherwise.
        pixel_values: (num_patches, 1176).
        image_grid_thw: (1, 3), in patches.
    """

    input_ids: torch.Tensor
    num_label_tokens: int
    mm_token_type_ids: torch.Tensor
    pixel_values: torch.Tensor
    image_grid_thw: torch.Tensor


def encode_example(
    processor: ProcessorMixin,
    image: Image.Image,
    label: str,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle = "default",
) -> TrainingExample:
    """Build the sequence for one page. An empty label still trains the stop token."""
    inputs = encode_prompt(processor, [image], prompt, style)
    tokenizer = processor.tokenizer
    stop = tokenizer.convert_tokens_to_ids(TURN_END)
    trained = torch.tensor([*encode_text(tokenizer, label), stop])
    return TrainingExample(
        input_ids=torch.cat([inputs["input_ids"][0], trained]),
        num_label_tokens=len(trained),
        mm_token_type_ids=torch.cat([inputs["mm_token_type_ids"][0], torch.zeros_like(trained)]),
        pixel_values=inputs["pixel_values"],
        image_grid_thw=inputs["image_grid_thw"],
    )


def collate(
    examples: Sequence[TrainingExample], pad_token_id: int
) -> dict[str, torch.Tensor | int]:
    """Pad on the left, so that all labels are at the end and logits are needed only there.

    Returns:
        The model's inputs, (batch, num_tokens) and as in `encode_prompt`; `logits_to_keep`, the
        number of last positions that get logits; and `labels`, (batch, logits_to_keep), in which
        everything but label and stop token is -100. With them the memory of the logits grows with
        the labels, not with image tokens × vocabulary.
    """
    longest = max(len(example.input_ids) for example in examples)
    # one position more: the logits that predict a label's first token are before it
    kept = 1 + max(example.num_label_tokens for example in examples)
    shape = (len(examples), longest)
    input_ids = torch.full(shape, pad_token_id)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    mm_token_type_ids = torch.zeros(shape, dtype=torch.long)
    labels = torch.full((len(examples), kept), IGNORED)
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        input_ids[row, -length:] = example.input_ids
        attention_mask[row, -length:] = 1
        mm_token_type_ids[row, -length:] = example.mm_token_type_ids
        labels[row, -example.num_label_tokens :] = example.input_ids[-example.num_label_tokens :]
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "mm_token_type_ids": mm_token_type_ids,
        "pixel_values": torch.cat([example.pixel_values for example in examples]),
        "image_grid_thw": torch.cat([example.image_grid_thw for example in examples]),
        "labels": labels,
        "logits_to_keep": kept,
    }
