"""Decoded ids → token records, without what isn't text."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from glmocr_utils.decoding import DecodedPage
from glmocr_utils.prompt import thought_length
from glmocr_utils.records import Alternative, TokenProb
from glmocr_utils.token_text import alternative_texts, token_texts

if TYPE_CHECKING:  # what it names takes seconds to import
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase


def without_thought(tokens: tuple[TokenProb, ...]) -> tuple[TokenProb, ...]:
    """Drop a `<think></think>` and up to two line ends after it where they lead the output."""
    cut = thought_length("".join(token.text for token in tokens))
    ends = accumulate(len(token.text) for token in tokens)
    rest = [number for number, end in enumerate(ends) if end > cut]
    if not cut:
        return tokens
    if not rest:
        return ()
    # a token may end the thought and begin the text; parts of a character before it have no text
    first = rest[0]
    while first and not tokens[first - 1].text:
        first -= 1
    kept = tokens[first:]
    written = "".join(token.text for token in tokens[:first])
    return (replace(kept[0], text=kept[0].text[max(0, cut - len(written)) :]), *kept[1:])


def token_records(
    tokenizer: PreTrainedTokenizerBase,
    output: DecodedPage,
    leave_out: frozenset[int] = frozenset(),
) -> tuple[TokenProb, ...]:
    kept = [i for i, token_id in enumerate(output.token_ids) if token_id not in leave_out]
    token_ids = output.token_ids[kept].tolist()
    texts = token_texts(tokenizer, token_ids)
    other_texts = alternative_texts(tokenizer, token_ids, output.top_ids[kept].tolist())
    return tuple(
        TokenProb(
            token_id=int(token_id),
            text=text,
            logprob=float(logprob),
            alternatives=tuple(
                Alternative(int(other), spelled, float(other_logprob))
                for other, spelled, other_logprob in zip(*alternatives, strict=True)
            ),
        )
        for token_id, text, logprob, *alternatives in zip(
            output.token_ids[kept],
            texts,
            output.logprobs[kept],
            output.top_ids[kept],
            other_texts,
            output.top_logprobs[kept],
            strict=True,
        )
    )
