"""What is trained is label and stop token, behind the very prompt that inference uses."""

import pytest
import torch

from glmocr_utils.finetune.examples import IGNORED, TrainingExample, collate, encode_example
from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import PromptStyle, encode_prompt
from glmocr_utils.records import PageImage

pytestmark = pytest.mark.slow

LABELS = ("Grüße, 12,50 €", "A second and longer label.\nOf two lines.", "")
STYLES: tuple[PromptStyle, ...] = ("default", "nothink")


def encode(
    model: LoadedModel, page: PageImage, label: str, style: PromptStyle = "default"
) -> TrainingExample:
    return encode_example(model.processor, page.image, label, style=style)


def collated(model: LoadedModel, examples: list[TrainingExample]) -> dict:
    return collate(examples, model.processor.tokenizer.pad_token_id)


@pytest.fixture
def examples(bundled_model: LoadedModel, page_images: list[PageImage]) -> list[TrainingExample]:
    return [
        encode(bundled_model, page, label) for page, label in zip(page_images, LABELS, strict=True)
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("label", [*LABELS, " kept spaces \n"])
def test_what_is_unmasked_is_the_label_and_the_stop_token(
    bundled_model: LoadedModel, page_images: list[PageImage], label: str, style: PromptStyle
) -> None:
    example = encode(bundled_model, page_images[0], label, style)
    [row] = collated(bundled_model, [example])["labels"]
    trained = row[row != IGNORED]
    decoded = bundled_model.processor.tokenizer.decode(trained, skip_special_tokens=False)
    assert decoded == label + "<|user|>"


@pytest.mark.parametrize("style", STYLES)
def test_the_prompt_is_the_one_that_inference_uses(
    bundled_model: LoadedModel, page_images: list[PageImage], style: PromptStyle
) -> None:
    page = page_images[1]
    example = encode(bundled_model, page, "Some label", style)
    inference = encode_prompt(bundled_model.processor, [page.image], style=style)
    for name in ("input_ids", "mm_token_type_ids"):
        prompt_part = getattr(example, name)[: -example.num_label_tokens]
        assert torch.equal(prompt_part, inference[name][0]), name
    for name in ("pixel_values", "image_grid_thw"):
        assert torch.equal(getattr(example, name), inference[name]), name
    assert (example.mm_token_type_ids[-example.num_label_tokens :] == 0).all()


def test_an_empty_label_trains_exactly_the_stop_token(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    example = encode(bundled_model, page_images[0], "")
    turn_end = bundled_model.stop_token_ids[1]
    assert example.num_label_tokens == 1
    assert example.input_ids[-1] == turn_end
    labels = collated(bundled_model, [example])["labels"]
    assert labels.tolist() == [[IGNORED, turn_end]]


@pytest.mark.parametrize("style", STYLES)
def test_no_thought_is_trained(
    bundled_model: LoadedModel, page_images: list[PageImage], style: PromptStyle
) -> None:
    example = encode(bundled_model, page_images[0], "Some label", style)
    tokenizer = bundled_model.processor.tokenizer
    thought = set(tokenizer.convert_tokens_to_ids(["<think>", "</think>"]))
    assert not thought & set(example.input_ids[-example.num_label_tokens :].tolist())


def test_special_words_in_a_label_stay_characters(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    """One `<|user|>` in a label would teach to stop there; an `<|image|>` would have no image."""
    label = "a <|user|><|endoftext|> <|image|> <think></think> /nothink [gMASK] b"
    example = encode(bundled_model, page_images[0], label)
    tokenizer = bundled_model.processor.tokenizer
    *written, stop = example.input_ids[-example.num_label_tokens :].tolist()
    assert stop == bundled_model.stop_token_ids[1]
    assert not set(written) & set(tokenizer.get_added_vocab().values())
    assert tokenizer.decode(written) == label
    batch = collated(bundled_model, [example])
    with torch.inference_mode():
        assert torch.isfinite(bundled_model.model(**batch).loss)


def test_nothing_is_cut_however_long(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    longest = bundled_model.processor.tokenizer.model_max_length
    label = "x" * (longest + 10)
    example = encode(bundled_model, page_images[0], label)
    assert example.num_label_tokens == len(label) + 1  # the bundled model's tokens are bytes
    batch = collated(bundled_model, [example])
    assert batch["input_ids"].shape[1] == len(example.input_ids) > longest
    assert int((batch["labels"] != IGNORED).sum()) == len(label) + 1


def test_a_batch_is_padded_on_the_left_and_padding_is_masked(
    bundled_model: LoadedModel, examples: list[TrainingExample]
) -> None:
    batch = collated(bundled_model, examples)
    longest = max(len(example.input_ids) for example in examples)
    assert batch["input_ids"].shape == (3, longest)
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        assert torch.equal(batch["input_ids"][row, -length:], example.input_ids)
        assert torch.equal(batch["mm_token_type_ids"][row, -length:], example.mm_token_type_ids)
        assert batch["attention_mask"][row].tolist() == [0] * (longest - length) + [1] * length
        assert (batch["mm_token_type_ids"][row, : longest - length] == 0).all()
    assert len({len(example.input_ids) for example in examples}) == 3


def test_shorter_labels_are_masked_before_their_beginning(
    bundled_model: LoadedModel, examples: list[TrainingExample]
) -> None:
    batch = collated(bundled_model, examples)
    kept = 1 + max(example.num_label_tokens for example in examples)
    assert batch["logits_to_keep"] == kept
    assert batch["labels"].shape == (3, kept)
    for labels, example in zip(batch["labels"], examples, strict=True):
        trained = example.input_ids[-example.num_label_tokens :].tolist()
        assert labels.tolist() == [IGNORED] * (kept - len(trained)) + trained


def test_image_patches_of_all_pages_follow_each_other(
    bundled_model: LoadedModel, examples: list[TrainingExample]
) -> None:
    batch = collated(bundled_model, examples)
    patches = batch["image_grid_thw"].prod(dim=1).tolist()
    assert patches == [len(example.pixel_values) for example in examples]
    parts = batch["pixel_values"].split(patches)
    for part, example in zip(parts, examples, strict=True):
        assert torch.equal(part, example.pixel_values)


@pytest.mark.parametrize("num_pages", [1, 2, 3])
def test_the_loss_is_that_of_full_length_labels(
    bundled_model: LoadedModel, examples: list[TrainingExample], num_pages: int
) -> None:
    batch = collated(bundled_model, examples[:num_pages])
    full = torch.full_like(batch["input_ids"], IGNORED)
    for row, example in enumerate(examples[:num_pages]):
        full[row, -example.num_label_tokens :] = example.input_ids[-example.num_label_tokens :]
    plain = {name: batch[name] for name in batch if name not in ("labels", "logits_to_keep")}
    with torch.inference_mode():
        short_output = bundled_model.model(**batch)
        full_output = bundled_model.model(**plain, labels=full)
    assert short_output.loss.item() == pytest.approx(full_output.loss.item(), abs=1e-5)
    # the point of it: logits for the labels' positions alone
    assert short_output.logits.shape[1] == batch["logits_to_keep"]
    assert full_output.logits.shape[1] == batch["input_ids"].shape[1]


def test_the_loss_of_a_batch_weighs_all_its_tokens_alike(
    bundled_model: LoadedModel, examples: list[TrainingExample]
) -> None:
    def loss(chosen: list[TrainingExample]) -> float:
        with torch.inference_mode():
            return bundled_model.model(**collated(bundled_model, chosen)).loss.item()

    counts = [example.num_label_tokens for example in examples]
    alone = sum(loss([example]) * n for example, n in zip(examples, counts, strict=True))
    assert loss(examples) == pytest.approx(alone / sum(counts), abs=1e-4)
