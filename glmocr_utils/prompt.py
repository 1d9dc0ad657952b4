"""The one place that builds GLM-OCR's prompt and knows its stop tokens.

Training and inference both come here, so that they use the same prompt, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:  # what names the prompt need not wait for Transformers
    from PIL import Image
    from transformers import BatchFeature, ProcessorMixin
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

TEXT_RECOGNITION = "Text Recognition:"
TABLE_RECOGNITION = "Table Recognition:"
FORMULA_RECOGNITION = "Formula Recognition:"

PromptStyle = Literal["default", "nothink"]

# The assistant's turn ends with the token that opens the next turn, or with the end of the text.
# The chat template itself never closes the last turn.
TURN_END = "<|user|>"
TEXT_END = "<|endoftext|>"

# Some checkpoints may write a thought before the text, empty as a rule; it isn't part of the page.
THOUGHT = re.compile(r"<think>.*?</think>\n{0,2}", re.DOTALL)


def render_prompt(
    processor: ProcessorMixin, prompt: str = TEXT_RECOGNITION, style: PromptStyle = "default"
) -> str:
    """The generation prompt for one image, as text; the image comes before the prompt's text.

    Args:
        prompt: the task, such as `Text Recognition:` or `Table Recognition:`.
        style: `default`, or `nothink`, which renders the template with `enable_thinking=False`.

    Returns:
        `[gMASK]<sop><|user|>\\n<|begin_of_image|><|image|><|end_of_image|>{prompt}<|assistant|>\\n`
        in the default style.
    """
    if style not in get_args(PromptStyle):
        raise ValueError(f"prompt style must be one of {get_args(PromptStyle)}, got {style!r}")
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    options = {"enable_thinking": False} if style == "nothink" else {}
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=False,
        add_generation_prompt=True,
        **options,
    )


def thought_length(text: str) -> int:
    """Characters of a thought at the beginning of an output, with up to two line ends after it."""
    thought = THOUGHT.match(text)
    return thought.end() if thought else 0


def encode_prompt(
    processor: ProcessorMixin,
    images: Sequence[Image.Image],
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle = "default",
) -> BatchFeature:
    """The model's inputs for a batch of page images, padded on the left.

    Returns:
        `input_ids`, `attention_mask`, `mm_token_type_ids`: (batch, num_tokens).
        `pixel_values`: (total patches of all images, 1176). `image_grid_thw`: (batch, 3).
    """
    inputs = processor(
        text=[render_prompt(processor, prompt, style)] * len(images),
        images=list(images),
        padding=True,
        padding_side="left",
        return_tensors="pt",
    )
    inputs.pop("token_type_ids", None)  # some tokenizers add them; the model takes none
    return inputs


def num_image_tokens(processor: ProcessorMixin, width_px: int, height_px: int) -> int:
    """How many tokens a page image of this size takes in the prompt.

    One token is 28 × 28 pixels. A page beyond the checkpoint's budget (6,144 tokens) is scaled
    down to it by the image processor, silently.
    """
    image_processor = processor.image_processor
    patches = image_processor.get_number_of_image_patches(
        height_px, width_px, {"size": image_processor.size}
    )
    return patches // image_processor.merge_size**2


def max_page_pixels(processor: ProcessorMixin) -> int:
    """The pixel budget of a page: a larger image is scaled down to it, silently."""
    image_processor = processor.image_processor
    return image_processor.size["longest_edge"] // image_processor.temporal_patch_size


def limit_page_pixels(processor: ProcessorMixin, max_pixels: int) -> None:
    """Set the pixel budget of a page; it is saved with the processor.

    The checkpoint's own number counts the two temporal frames that an image is made of, so it is
    twice as high.
    """
    image_processor = processor.image_processor
    longest_edge = max_pixels * image_processor.temporal_patch_size
    smallest = image_processor.size["shortest_edge"]
    if longest_edge < smallest:
        least = smallest // image_processor.temporal_patch_size
        raise ValueError(f"max_pixels must be at least {least:,}, got {max_pixels:,}")
    image_processor.size = {"shortest_edge": smallest, "longest_edge": longest_edge}


def stop_token_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids of the tokens that end a page: end of text and end of turn, in the checkpoint's order.

    Raises:
        ValueError: the tokenizer lacks one of them, so it is not GLM-OCR's.
    """
    ids = [tokenizer.convert_tokens_to_ids(token) for token in (TEXT_END, TURN_END)]
    if None in ids or tokenizer.unk_token_id in ids:
        raise ValueError(
            f"this tokenizer has no {TEXT_END} or {TURN_END} token: it is not GLM-OCR's. "
            "Pass the id or folder of a GLM-OCR model."
        )
    return ids
