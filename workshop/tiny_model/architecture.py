"""An untrained small GLM-OCR: real classes, byte-level vocabulary, GLM's special tokens."""

from collections.abc import Sequence

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    Glm46VImageProcessor,
    Glm46VProcessor,
    GlmOcrConfig,
    GlmOcrForConditionalGeneration,
    PreTrainedTokenizerFast,
)
from transformers.models.glm46v.video_processing_glm46v import Glm46VVideoProcessor

from glmocr_utils.prompt import TEXT_END, TURN_END
from workshop.tiny_model.vocabulary import Merge, split

SPECIAL_TOKENS = (
    TEXT_END,
    "[MASK]",
    "[gMASK]",
    "[sMASK]",
    "<sop>",
    "<eop>",
    "<|system|>",
    TURN_END,
    "<|assistant|>",
    "<|observation|>",
    "<|begin_of_image|>",
    "<|end_of_image|>",
    "<|begin_of_video|>",
    "<|end_of_video|>",
    "/nothink",
)
# As in GLM-OCR, these are whole tokens but not flagged special: decoding keeps them.
PLAIN_TOKENS = ("<think>", "</think>", "<|image|>", "<|video|>")

# One page of text, at most: 1.5 megapixels, that is 1,900 image tokens of 28 × 28 pixels. The
# image processor counts two temporal frames, hence the factor.
MAX_PAGE_PIXELS = 1_500_000
MIN_PAGE_PIXELS = 56 * 56

# White paper is 0 and black ink about -3. With the usual means white is about +2 everywhere, the
# ink drowns in it, and the first letters take several times as many steps to learn.
IMAGE_MEAN = (1.0, 1.0, 1.0)
IMAGE_STD = (0.3, 0.3, 0.3)

NUM_LAYERS = 5  # of the decoder, to begin with

CHAT_TEMPLATE = """\
{{- '[gMASK]<sop>' -}}
{%- for message in messages -%}
{%- if message.role == 'assistant' -%}
{{- '<|assistant|>\\n<think></think>\\n' -}}
{%- else -%}
{{- '<|' + message.role + '|>\\n' -}}
{%- endif -%}
{%- if message.content is string -%}
{{- message.content.strip() if message.role == 'assistant' else message.content -}}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}
{{- '<|begin_of_image|><|image|><|end_of_image|>' -}}
{%- elif part.type == 'video' -%}
{{- '<|begin_of_video|><|video|><|end_of_video|>' -}}
{%- else -%}
{{- part.text.strip() if message.role == 'assistant' else part.text -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- if message.role == 'user' and enable_thinking is defined and not enable_thinking -%}
{{- '/nothink' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|assistant|>\\n' -}}
{%- if enable_thinking is defined and not enable_thinking -%}
{{- '<think></think>\\n' -}}
{%- endif -%}
{%- endif -%}
"""


def build_tokenizer(merges: Sequence[Merge] = ()) -> PreTrainedTokenizerFast:
    """256 bytes, GLM-OCR's special tokens and the pieces that `merges` make of the bytes.

    Any text can be written, and nothing is unknown. Without merges a token is a byte.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *map("".join, merges)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=list(merges)))
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = split() if merges else by_bytes
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL_TOKENS])
    tokenizer.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token in PLAIN_TOKENS]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TEXT_END,
        pad_token=TEXT_END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_input_names=["input_ids", "attention_mask"],
        extra_special_tokens={"image_token": "<|image|>", "video_token": "<|video|>"},
        model_max_length=131_072,
    )


def build_processor(merges: Sequence[Merge] = ()) -> Glm46VProcessor:
    """The tokenizer of `merges`, GLM-OCR's image processor and chat template."""
    size = {"shortest_edge": 2 * MIN_PAGE_PIXELS, "longest_edge": 2 * MAX_PAGE_PIXELS}
    return Glm46VProcessor(
        image_processor=Glm46VImageProcessor(size=size, image_mean=IMAGE_MEAN, image_std=IMAGE_STD),
        tokenizer=build_tokenizer(merges),
        video_processor=Glm46VVideoProcessor(size=size),
        chat_template=CHAT_TEMPLATE,
    )


def build_model(
    processor: Glm46VProcessor, seed: int = 0, num_layers: int = NUM_LAYERS
) -> GlmOcrForConditionalGeneration:
    """Random weights, about 3.6 million with bytes alone and 5 layers in the decoder, in float32.

    At the class's default `initializer_range` of 0.02 a model this small never starts to learn.
    """
    tokenizer = processor.tokenizer
    ids = {
        token: tokenizer.convert_tokens_to_ids(token) for token in (*SPECIAL_TOKENS, *PLAIN_TOKENS)
    }
    config = GlmOcrConfig(
        text_config={
            "vocab_size": 64 * -(-len(tokenizer) // 64),
            "hidden_size": 192,
            "intermediate_size": 576,
            "num_hidden_layers": num_layers,
            "num_attention_heads": 6,
            "num_key_value_heads": 3,
            "head_dim": 32,
            "initializer_range": 0.06,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [4, 6, 6],
                "partial_rotary_factor": 1.0,
            },
            "max_position_embeddings": 131_072,
            "pad_token_id": ids[TEXT_END],
            "eos_token_id": [ids[TEXT_END], ids[TURN_END]],
        },
        vision_config={
            "depth": 3,
            "hidden_size": 128,
            "num_heads": 4,
            "intermediate_size": 384,
            "out_hidden_size": 192,
            "initializer_range": 0.06,
        },
        image_token_id=ids["<|image|>"],
        video_token_id=ids["<|video|>"],
        image_start_token_id=ids["<|begin_of_image|>"],
        image_end_token_id=ids["<|end_of_image|>"],
        video_start_token_id=ids["<|begin_of_video|>"],
        video_end_token_id=ids["<|end_of_video|>"],
    )
    torch.manual_seed(seed)
    model = GlmOcrForConditionalGeneration(config)
    model.generation_config.eos_token_id = [ids[TEXT_END], ids[TURN_END]]
    model.generation_config.pad_token_id = ids[TEXT_END]
    return model
