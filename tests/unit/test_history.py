"""A text that is partly wrong where it is read back, and true where it is to be written."""

import random

import pytest
import torch

from glmocr_utils.finetune.examples import IGNORED, collate, encode_example
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font
from workshop.tiny_model.history import LONGEST_RUN, UNTOUCHED, misremember

pytestmark = pytest.mark.slow

FONT = find_font("DejaVu Sans")
TEXTS = ("", "A", "one two three four five six seven eight nine ten " * 12)


@pytest.fixture(scope="module")
def batch(bundled_model):
    processor = bundled_model.processor
    image = draw_page([Block("Text")], PageStyle(FONT, FONT, width_px=112, height_px=112)).image
    examples = [encode_example(processor, image, text) for text in TEXTS]
    return collate(examples, processor.tokenizer.pad_token_id)


def changed(batch: dict, misread: dict) -> torch.Tensor:
    return batch["input_ids"] != misread["input_ids"]


@pytest.mark.parametrize("seed", range(20))
def test_only_text_that_was_written_before_is_changed(batch, seed):
    misread = misremember(batch, random.Random(seed), 0.9)
    assert misread["labels"] is batch["labels"]
    kept = batch["labels"].shape[1]
    differs = changed(batch, misread)
    assert not differs[:, :-kept].any()  # prompt, image and padding
    assert not differs[:, -1].any()  # the stop token is never looked back at
    assert not differs[:, -kept:][batch["labels"] == IGNORED].any()
    found = set(batch["input_ids"][2, -kept:].tolist())
    assert set(misread["input_ids"][2, -kept:].tolist()) <= found  # characters of the page


def test_some_pages_stay_and_others_are_wrong_up_to_the_share(batch):
    share, length = 0.2, int((batch["labels"][2] != IGNORED).sum())
    shares = [
        changed(batch, misremember(batch, random.Random(seed), share))[2].sum().item() / length
        for seed in range(300)
    ]
    untouched = sum(each == 0 for each in shares) / len(shares)
    assert abs(untouched - UNTOUCHED) < 0.1
    assert max(shares) < share + 8 * LONGEST_RUN / length  # and some runs
    assert max(shares) > share / 2


def test_the_same_seed_errs_the_same(batch):
    one, other = (misremember(batch, random.Random(3), 0.5) for _ in range(2))
    assert torch.equal(one["input_ids"], other["input_ids"])
