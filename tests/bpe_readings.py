"""Readings by tokens such as the real model's: words with their leading space, `.\\n\\n`, tags.

The vocabulary is a byte-level BPE learnt from the texts below, split as GLM's tokenizer splits.
What was read is made up: any text, with any doubt. The records are the product's own.
"""

import random
from functools import cache

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from glmocr_utils.decoding import DecodedPage
from glmocr_utils.ocr.tokens import token_records
from glmocr_utils.records import OcrResult, PageRef
from glmocr_utils.token_text import encode_text

SPECIAL = ("<|endoftext|>", "<|user|>", "<|assistant|>", "[gMASK]", "<sop>", "<think>", "</think>")
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DECISION = (
    "Served by K. M. on 12.03.1987.\n\nThe Court of Appeal held that the claim, 1,250.50 €, is\n"
    "barred. Das Gericht weist die Klage zurück; Grüße aus Köln.\n\nServed bx K. M.\n"
)
TABLE = (
    "<table><tr><th>Item</th><th>Price</th></tr>"
    + "".join(f"<tr><td>Bread {n}</td><td>{n},20</td><td></td></tr>" for n in range(1, 9))
    + "</table>\n\nAll prices in €."
)
CHINESE = "第123号国务院令。关于印发《办法》的通知\n各省、自治区:Hello世界 ひらがなカタカナ\n\n漢字"
MARKDOWN = (
    "# Title\n\nSome **bold** words, $\\frac{a}{b} = x^2$ and 😀.\n\n- one\n- two\n\n| a | b |\n"
    "|---|---|\n| 1 | 2 |\n"
)
TEXTS = (DECISION, TABLE, CHINESE, MARKDOWN)


@cache
def bpe_tokenizer() -> PreTrainedTokenizerFast:
    """About 500 tokens; rare characters stay parts of a character."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    often = "".join(character for character in CHINESE if character not in "印漢ひ")
    tokenizer.train_from_iterator([DECISION, TABLE, MARKDOWN, often] * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def bpe_reading(text: str, index: int = 0, doubt: float = 0.4) -> OcrResult:
    """`made_reading` by tokens of `bpe_tokenizer`."""
    return made_reading(bpe_tokenizer(), text, index, doubt)


def made_reading(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    index: int = 0,
    doubt: float = 0.4,
    top_k: int = 5,
) -> OcrResult:
    """`text` as if it had been read, with as much doubt as asked for, 0 to 1, drawn at random.

    The alternatives are any tokens, parts of characters and special tokens among them.
    """
    rng = random.Random(f"{text} {index}")
    token_ids = encode_text(tokenizer, text)
    top_ids, top_probs = [], []
    for token_id in token_ids:
        others = rng.sample(range(len(tokenizer)), top_k)
        others = [token_id, *(other for other in others if other != token_id)][:top_k]
        best = rng.uniform(0.3, 0.7) if rng.random() < doubt else rng.uniform(0.99, 0.9999)
        top_ids.append(others)
        top_probs.append([best] + [(1 - best) / 2**n for n in range(1, top_k)])
    output = DecodedPage(
        token_ids=np.array(token_ids),
        logprobs=np.log([probs[0] for probs in top_probs]),
        top_ids=np.array(top_ids),
        top_logprobs=np.log(top_probs),
        finish_reason="stop",
        seconds=1.0,
    )
    return OcrResult(
        page=PageRef("bpe.pdf", "b" * 64, index),
        text=text,
        tokens=token_records(tokenizer, output),
        finish_reason="stop",
        prompt="Text Recognition:",
        model_id="some/model",
        revision=None,
        adapter=None,
        scale=2.0,
        seconds=1.0,
    )


@cache
def bpe_readings() -> tuple[OcrResult, ...]:
    return tuple(bpe_reading(text, index) for index, text in enumerate(TEXTS))
