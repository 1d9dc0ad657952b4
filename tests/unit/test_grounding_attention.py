"""The attention that is overheard: the model's own, for one page and for many, in little memory."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GlmOcrConfig, GlmOcrForConditionalGeneration

from glmocr_utils.grounding.attention import attend, strongest_cells
from glmocr_utils.grounding.head import Head
from glmocr_utils.model import load_model
from glmocr_utils.prompt import encode_prompt
from glmocr_utils.token_text import encode_text

pytestmark = pytest.mark.slow

TEXTS = (
    "One line.",
    "Grüße an alle, die lesen.",
    "A page that is wider and higher than the others",
)


@pytest.fixture(scope="module")
def eager_model(bundled_folder):
    """A model that gives its attention away."""
    return load_model(str(bundled_folder), attn="eager", device_map="cpu")


@pytest.fixture(scope="module")
def wide_model(eager_model):
    """Heads, groups and M-RoPE sections as GLM-OCR has them; fewer layers, random weights."""
    config = GlmOcrConfig(**eager_model.model.config.to_dict())
    text = config.text_config
    text.num_hidden_layers, text.num_attention_heads, text.num_key_value_heads = 2, 16, 8
    text.head_dim, text.rope_parameters["mrope_section"] = 128, [16, 24, 24]
    config._attn_implementation = "eager"
    torch.manual_seed(0)
    return replace(eager_model, model=GlmOcrForConditionalGeneration(config).eval())


def own_attention(model, image, ids, head):
    """What the model itself says that a head pays to the image, (num_tokens, num_image_tokens)."""
    inputs = encode_prompt(model.processor, [image])
    start = inputs["input_ids"].shape[1]
    added = torch.tensor([ids])
    inputs["input_ids"] = torch.cat([inputs["input_ids"], added], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    types = inputs["mm_token_type_ids"]
    inputs["mm_token_type_ids"] = torch.cat([types, torch.zeros_like(added, dtype=types.dtype)], 1)
    with torch.inference_mode():
        output = model.model.model(**inputs, output_attentions=True, use_cache=False)
    paid = output.attentions[head.layer][0, head.head, start - 1 : start - 1 + len(ids)]
    return paid[:, inputs["mm_token_type_ids"][0] == 1].numpy()


@pytest.mark.parametrize("which", ["eager_model", "wide_model"])
@pytest.mark.parametrize("head", [Head(0, 0), Head(1, 3), Head(1, 5)])
def test_it_is_the_models_own_attention(which, head, request, page_images):
    model = request.getfixturevalue(which)
    image = page_images[2].image
    ids = encode_text(model.processor.tokenizer, TEXTS[2])
    (paid,) = attend(model, [image], [ids], [head])
    expected = own_attention(model, image, ids, head)
    np.testing.assert_allclose(paid.reshape(len(ids), -1), expected, atol=1e-5)
    assert paid.shape == (len(ids), round(image.height / 28), round(image.width / 28))


def test_pages_of_a_batch_are_as_alone(any_model, page_images):
    ids = [encode_text(any_model.processor.tokenizer, text) for text in TEXTS]
    images = [page.image for page in page_images]
    heads = [Head(2, 0), Head(3, 5)]
    together = attend(any_model, images, ids, heads)
    for image, own, paid in zip(images, ids, together, strict=True):
        (alone,) = attend(any_model, [image], [own], heads)
        np.testing.assert_allclose(paid, alone, atol=1e-5)


def test_of_several_heads_it_is_the_mean(any_model, page_images):
    image = page_images[0].image
    ids = encode_text(any_model.processor.tokenizer, TEXTS[0])
    first, second = Head(2, 0), Head(4, 1)
    (both,) = attend(any_model, [image], [ids], [first, second])
    ((a,), (b,)) = (attend(any_model, [image], [ids], [head]) for head in (first, second))
    np.testing.assert_allclose(both, (a + b) / 2, atol=1e-6)


def test_strongest_cells_of_all_heads(any_model, page_images):
    image = page_images[1].image
    ids = encode_text(any_model.processor.tokenizer, TEXTS[1])
    ((cells, grid),) = strongest_cells(any_model, [image], [ids])
    decoder = any_model.model.config.text_config
    heads = decoder.num_hidden_layers, decoder.num_attention_heads
    assert cells.shape == (*heads, len(ids))
    (paid,) = attend(any_model, [image], [ids], [Head(2, 4)])
    assert paid.shape[1:] == grid
    np.testing.assert_array_equal(cells[2, 4], paid.reshape(len(ids), -1).argmax(-1))


def test_a_page_without_text_has_no_attention(any_model, page_images):
    paid, other = attend(
        any_model, [page.image for page in page_images[:2]], [[], [72]], [Head(2, 0)]
    )
    assert len(paid) == 0
    assert len(other) == 1


def test_half_precision_looks_at_the_same_place(any_model, page_images):
    half = replace(any_model, model=copy.deepcopy(any_model.model).to(torch.bfloat16))
    ids = encode_text(any_model.processor.tokenizer, TEXTS[0])
    image = page_images[0].image
    exact, rough = (attend(m, [image], [ids], [Head(2, 0)])[0] for m in (any_model, half))
    assert rough.dtype == np.float32
    exact, rough = (paid.reshape(len(ids), -1) for paid in (exact, rough))
    there = rough[range(len(ids)), exact.argmax(-1)]
    assert (there > 0.8 * rough.max(-1)).all()  # two cells may be nearly as bright


class LargestTensor(TorchDispatchMode):
    """Remembers the bytes of the largest tensor that anything makes."""

    def __init__(self) -> None:
        super().__init__()
        self.num_bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.num_bytes = max(self.num_bytes, made.untyped_storage().nbytes())
        return made


def test_no_square_of_the_page_is_ever_made(any_model, page_images):
    """Listening adds what is kept, and the scores of 128 positions at a time."""
    image = page_images[2].image.resize((1190, 1190))  # 42 × 42 image tokens
    ids = [72] * 1000
    heads = [Head(2, 0), Head(3, 5), Head(4, 0)]
    with LargestTensor() as without:
        attend(any_model, [image], [ids], [])
    with LargestTensor() as listening:
        attend(any_model, [image], [ids], heads)
    kept = len(ids) * 42 * 42 * 4
    assert listening.num_bytes <= max(without.num_bytes, kept)
    assert kept < 8e6
