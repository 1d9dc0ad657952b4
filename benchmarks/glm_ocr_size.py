"""GLM-OCR's real sizes, for a model of random weights: the class's own defaults are smaller."""

import torch
from transformers import GlmOcrConfig, GlmOcrForConditionalGeneration

TEXT_SIZES = {
    "vocab_size": 59_392,
    "hidden_size": 1536,
    "intermediate_size": 4608,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10_000.0,
        "mrope_section": [16, 24, 24],
        "partial_rotary_factor": 1.0,
    },
}
VISION_SIZES = {
    "depth": 24,
    "hidden_size": 1024,
    "num_heads": 16,
    "intermediate_size": 4096,
    "out_hidden_size": 1536,
}
NUM_PARAMETERS = 1_107_405_824


def glm_ocr_config(image_token_id: int, layers: int | None = None) -> GlmOcrConfig:
    """The configuration of GLM-OCR, for the tokens of another processor.

    Args:
        image_token_id: of the processor that is used; below the vocabulary's size.
        layers: of decoder and vision tower; None is all of them.
    """
    text, vision = dict(TEXT_SIZES), dict(VISION_SIZES)
    if layers is not None:
        text["num_hidden_layers"] = vision["depth"] = layers
    return GlmOcrConfig(text_config=text, vision_config=vision, image_token_id=image_token_id)


def random_model(
    image_token_id: int, device: str, dtype: torch.dtype, layers: int | None = None
) -> GlmOcrForConditionalGeneration:
    """A model of GLM-OCR's size with random weights, made on the device itself."""
    torch.manual_seed(0)
    with torch.device(device):
        model = GlmOcrForConditionalGeneration(glm_ocr_config(image_token_id, layers))
    return model.to(dtype).eval()
