"""Decoded ids → token records, without what is no text."""

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from glmocr_utils.decoding import DecodedPage
from glmocr_utils.prompt import EMPTY_THOUGHT
from glmocr_utils.records import Alternative, TokenProb
from glmocr_utils.token_text import alternative_texts, token_texts


def without_thought(tokens: tuple[TokenProb, ...]) -> tuple[TokenProb, ...]:
    """Drop an empty `<think></think>` and the line end after it where they lead the output."""
    text = ""
    for number, token in enumerate(tokens):
        text += token.text
        if text == EMPTY_THOUGHT:
            rest = tokens[number + 1 :]
            return rest[1:] if rest and rest[0].text == "\n" else rest
        if not EMPTY_THOUGHT.startswith(text):
            break
    return tokens


def token_records(
    tokenizer: PreTrainedTokenizerBase,
    output: DecodedPage,
    leave_out: frozenset[int] = frozenset(),
) -> tuple[TokenProb, ...]:
    kept = [i for i, token_id in enumerate(output.token_ids) if token_id not in leave_out]
    texts = token_texts(tokenizer, output.token_ids[kept])
    other_texts = alternative_texts(tokenizer, output.token_ids[kept], output.top_ids[kept])
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
