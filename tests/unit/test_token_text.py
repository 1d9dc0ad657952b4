"""The pieces of text that tokens add join to the text, whatever is in it."""

import random
from pathlib import Path

import pytest
from paths import BYTE_MODEL
from transformers import AutoTokenizer
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from glmocr_utils.token_text import (
    REPLACEMENT,
    alternative_texts,
    decode_ids,
    encode_text,
    token_texts,
)

TEXTS = [
    "plain",
    "Grüße, 12,50 €",
    "\U0001f600 four bytes \U0001f469\u200d\U0001f52c joined",
    "漢字とかな 请按下列JSON格式输出图中信息:",
    "u\u0308 o\u0301\u0323 combining",
    f"a real {REPLACEMENT} in the text",
    f"{REPLACEMENT}{REPLACEMENT}",
    "  spaces , kept .  \n\n\ttabs\r\n",
    "<|user|> <|endoftext|> [gMASK]<sop> on the page",
    "<|image|><|begin_of_image|> <think></think> /nothink",
    "<<|user|><|user|>|>",
]
FLAGGED_OR_NOT = ("<|user|>", "<|endoftext|>", "<|image|>", "<think>", "</think>", "/nothink")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(BYTE_MODEL)


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_tokens_join_to_the_text(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    ids = encode_text(tokenizer, text)
    texts = token_texts(tokenizer, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == text


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_becomes_characters_only(tokenizer: PreTrainedTokenizerBase, text: str) -> None:
    assert not set(encode_text(tokenizer, text)) & set(tokenizer.get_added_vocab().values())


def test_a_text_without_special_words_is_encoded_as_ever(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    text = "Grüße, 12,50 € for\n<b>all</b>"
    assert encode_text(tokenizer, text) == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_special_words_that_overlap_stay_characters(bundled_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bundled_folder)
    tokenizer.add_tokens(["abc", "bcd"])
    assert len(tokenizer("abcd")["input_ids"]) == 2
    assert len(encode_text(tokenizer, "abcd")) == 4


def test_an_empty_text_has_no_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    assert encode_text(tokenizer, "") == []
    assert token_texts(tokenizer, []) == []


def test_a_character_belongs_to_the_last_of_its_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = encode_text(tokenizer, "aü€\U0001f600b")
    expected = ["a", "", "ü", "", "", "€", "", "", "", "\U0001f600", "b"]
    assert token_texts(tokenizer, ids) == expected


def test_an_alternative_says_what_it_would_add_in_its_tokens_place(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    (first, u), (_, a), [x] = (encode_text(tokenizer, text) for text in "üäx")
    ids = [x, first, u, x]
    assert alternative_texts(tokenizer, ids, [[x, first], [first, x], [u, a, x], [a, x]]) == [
        ["x", REPLACEMENT],
        [REPLACEMENT, "x"],
        ["ü", "ä", f"{REPLACEMENT}x"],  # after the first byte of both
        [REPLACEMENT, "x"],
    ]


@pytest.mark.parametrize("missing_bytes", [1, 2, 3])
def test_a_text_that_ends_within_a_character(
    tokenizer: PreTrainedTokenizerBase, missing_bytes: int
) -> None:
    ids = encode_text(tokenizer, "ab\U0001f600")[:-missing_bytes]
    texts = token_texts(tokenizer, ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == decode_ids(tokenizer, ids)
    assert "".join(texts).startswith("ab" + REPLACEMENT)


def test_a_broken_character_does_not_swallow_the_next(tokenizer: PreTrainedTokenizerBase) -> None:
    ids = encode_text(tokenizer, "€")[:2] + encode_text(tokenizer, "xyz")
    assert token_texts(tokenizer, ids)[-2:] == ["y", "z"]
    assert "".join(token_texts(tokenizer, ids)) == decode_ids(tokenizer, ids)


@pytest.mark.parametrize("token", FLAGGED_OR_NOT)
def test_special_tokens_are_decoded_as_they_are(
    tokenizer: PreTrainedTokenizerBase, token: str
) -> None:
    ids = [*encode_text(tokenizer, "a"), tokenizer.convert_tokens_to_ids(token)]
    assert token_texts(tokenizer, ids) == ["a", token]


def random_text(rng: random.Random) -> str:
    alphabet = "ab .,\n\tüß€漢\u0308\u200d\ufffd\U0001f600<|>"
    pieces = [*alphabet, *FLAGGED_OR_NOT, "user|>", "<|"]
    return "".join(rng.choices(pieces, k=rng.randrange(12)))


def test_any_text_is_spelled_by_its_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    rng = random.Random(0)
    added = set(tokenizer.get_added_vocab().values())
    for _ in range(300):
        text = random_text(rng)
        ids = encode_text(tokenizer, text)
        assert not added & set(ids), repr(text)
        assert "".join(token_texts(tokenizer, ids)) == text


def test_any_tokens_join_to_what_they_decode_to(tokenizer: PreTrainedTokenizerBase) -> None:
    """A model may write any tokens, whole characters or not."""
    rng = random.Random(1)
    for _ in range(300):
        ids = rng.choices(range(len(tokenizer)), k=rng.randrange(20))
        texts = token_texts(tokenizer, ids)
        assert len(texts) == len(ids)
        assert "".join(texts) == decode_ids(tokenizer, ids), ids
