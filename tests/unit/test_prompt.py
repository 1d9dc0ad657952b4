"""The prompt is GLM-OCR's, byte for byte, and the model's inputs fit it."""

import copy
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models
from transformers import BatchFeature, Glm46VImageProcessor, PreTrainedTokenizerFast

from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import encode_prompt, num_image_tokens, render_prompt, stop_token_ids
from glmocr_utils.records import PageImage

USER_TURN = "[gMASK]<sop><|user|>\n<|begin_of_image|><|image|><|end_of_image|>Text Recognition:"


def test_the_default_prompt_byte_for_byte(bundled_model: LoadedModel) -> None:
    assert render_prompt(bundled_model.processor) == USER_TURN + "<|assistant|>\n"


def test_the_nothink_prompt_byte_for_byte(bundled_model: LoadedModel) -> None:
    rendered = render_prompt(bundled_model.processor, style="nothink")
    assert rendered == USER_TURN + "/nothink<|assistant|>\n<think></think>\n"


def test_the_template_writes_a_past_turn_with_a_thought_and_no_end(
    bundled_model: LoadedModel,
) -> None:
    """Why training does not render the template: it would teach the thought and no stop."""
    question = [{"type": "image"}, {"type": "text", "text": "Text Recognition:"}]
    turns = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": [{"type": "text", "text": " Some text \n"}]},
    ]
    rendered = bundled_model.processor.apply_chat_template(turns, tokenize=False)
    assert rendered == USER_TURN + "<|assistant|>\n<think></think>\nSome text"


def test_the_task_is_right_behind_the_image(bundled_model: LoadedModel) -> None:
    rendered = render_prompt(bundled_model.processor, "请按下列JSON格式输出图中信息:\n{}")
    assert "<|end_of_image|>请按下列JSON格式输出图中信息:\n{}<|assistant|>\n" in rendered


def test_an_unknown_style_is_refused(bundled_model: LoadedModel) -> None:
    with pytest.raises(ValueError, match=r"'default', 'nothink'.*got 'think'"):
        render_prompt(bundled_model.processor, style="think")


def test_a_batch_is_padded_on_the_left(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    processor = copy.deepcopy(bundled_model.processor)
    processor.tokenizer.padding_side = "right"  # what a checkpoint may say
    batch = encode_prompt(processor, [page.image for page in page_images])
    lengths = []
    for row, page in enumerate(page_images):
        alone = encode_prompt(processor, [page.image])
        length = alone["input_ids"].shape[1]
        lengths.append(length)
        for name in ("input_ids", "attention_mask", "mm_token_type_ids"):
            assert torch.equal(batch[name][row, -length:], alone[name][0]), name
        assert (batch["attention_mask"][row, :-length] == 0).all()
        assert (batch["input_ids"][row, :-length] == processor.tokenizer.pad_token_id).all()
    assert len(set(lengths)) == 3  # else there was nothing to pad
    assert batch["input_ids"].shape[1] == max(lengths)


def test_image_tokens_are_a_quarter_of_the_patches(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    inputs = encode_prompt(bundled_model.processor, [page.image for page in page_images])
    patches = inputs["image_grid_thw"].prod(dim=1)
    image_tokens = (inputs["input_ids"] == bundled_model.model.config.image_token_id).sum(dim=1)
    assert (image_tokens * 4).tolist() == patches.tolist()
    assert inputs["pixel_values"].shape == (int(patches.sum()), 3 * 2 * 14 * 14)


def test_image_positions_are_marked(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    inputs = encode_prompt(bundled_model.processor, [page.image for page in page_images])
    is_image = inputs["input_ids"] == bundled_model.model.config.image_token_id
    assert torch.equal(inputs["mm_token_type_ids"] == 1, is_image)
    assert set(inputs) == {
        "input_ids",
        "attention_mask",
        "mm_token_type_ids",
        "pixel_values",
        "image_grid_thw",
    }


def test_token_type_ids_are_dropped_where_a_processor_makes_them(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    class Making(type(bundled_model.processor)):  # as some versions do by default
        def __call__(self, *args: object, **options: object) -> BatchFeature:
            inputs = super().__call__(*args, **options)
            inputs["token_type_ids"] = inputs["input_ids"] * 0
            return inputs

    processor = copy.copy(bundled_model.processor)
    processor.__class__ = Making
    inputs = encode_prompt(processor, [page_images[0].image])
    assert "token_type_ids" not in inputs
    assert "mm_token_type_ids" in inputs


def test_prompt_tokens_spell_the_prompt(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    processor = bundled_model.processor
    inputs = encode_prompt(processor, [page_images[0].image], style="nothink")
    image_tokens = int(inputs["mm_token_type_ids"].sum())
    expected = render_prompt(processor, style="nothink").replace(
        "<|image|>", "<|image|>" * image_tokens
    )
    assert processor.tokenizer.decode(inputs["input_ids"][0]) == expected


def test_there_are_two_stop_tokens_in_a_list(bundled_model: LoadedModel) -> None:
    tokenizer = bundled_model.processor.tokenizer
    stops = stop_token_ids(tokenizer)
    assert isinstance(stops, list)
    assert tokenizer.convert_ids_to_tokens(stops) == ["<|endoftext|>", "<|user|>"]


@pytest.mark.parametrize("unk_token", [None, "<unk>"])
def test_a_foreign_tokenizer_is_refused(unk_token: str | None) -> None:
    vocabulary = {"<unk>": 0, "a": 1, "<|endoftext|>": 2}  # one of the two is not enough
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token=unk_token)
    with pytest.raises(ValueError, match=r"<\|user\|> token: it is not GLM-OCR's"):
        stop_token_ids(tokenizer)


def test_the_pixel_budget_is_the_checkpoints(
    bundled_model: LoadedModel, bundled_folder: Path
) -> None:
    config = json.loads((bundled_folder / "processor_config.json").read_text())
    longest_edge = config["image_processor"]["size"]["longest_edge"]
    assert bundled_model.processor.image_processor.size["longest_edge"] == longest_edge
    assert Glm46VImageProcessor().size["longest_edge"] != longest_edge
    large = encode_prompt(bundled_model.processor, [Image.new("RGB", (1500, 2000))])
    # two temporal frames are counted, and one token shows 28 × 28 pixels
    budget = longest_edge // 2 // 28**2
    assert 0.95 * budget < int(large["mm_token_type_ids"].sum()) <= budget


def test_image_tokens_are_foretold_from_the_size_of_the_page(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    processor = bundled_model.processor
    for image in [page.image for page in page_images] + [Image.new("RGB", (1500, 2000))]:
        inputs = encode_prompt(processor, [image])
        foretold = num_image_tokens(processor, image.width, image.height)
        assert foretold == int(inputs["mm_token_type_ids"].sum())


PUBLISHED_SIZE = {"shortest_edge": 12_544, "longest_edge": 9_633_792}


@pytest.mark.parametrize(
    ("width_px", "height_px", "expected"),
    [
        (1190, 1684, 2520),  # A4 in whole points, 595 × 842, at scale 2.0
        (1191, 1684, 2580),  # A4 in millimetres, 595.28 × 841.89 points, sides rounded up
        (1654, 2339, 4956),  # 200 DPI
        (1792, 2688, 6144),  # exactly the ceiling
        (3584, 5376, 6144),  # four times as many pixels: scaled down to it
    ],
)
def test_image_tokens_of_a_page_at_the_published_budget(
    width_px: int, height_px: int, expected: int
) -> None:
    processor = Glm46VImageProcessor(size=PUBLISHED_SIZE)
    assert processor.get_number_of_image_patches(height_px, width_px) == 4 * expected


def test_no_page_exceeds_the_published_ceiling() -> None:
    processor = Glm46VImageProcessor(size=PUBLISHED_SIZE)
    sizes = [(round(3000 * ratio), 3000) for ratio in (0.2, 0.5, 0.707, 1.0, 1.414, 2.0, 5.0)]
    patches = [processor.get_number_of_image_patches(*size) for size in sizes]
    assert max(patches) <= 4 * 6144
