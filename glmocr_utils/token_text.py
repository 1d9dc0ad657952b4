"""Token ids → the piece of text that each adds, so that the pieces join to the whole text.

And the way back: a page's text → token ids that spell it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what it names takes seconds to import
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

REPLACEMENT = "\ufffd"  # what a tokenizer writes for bytes that aren't a whole character
PLAIN = {"add_special_tokens": False, "split_special_tokens": True}


def token_texts(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> list[str]:
    """The text that each token adds to the text before it.

    A character that is spelled in several tokens (an umlaut in bytes, a rare Chinese sign) belongs
    to the last of them; the others get the empty string. So `"".join(...)` is the decoded text.
    """
    texts: list[str] = []
    pending: list[int] = []
    for token_id in token_ids:
        pending.append(int(token_id))
        piece = decode_ids(tokenizer, pending)
        if piece.endswith(REPLACEMENT):
            texts.append("")
        else:
            texts.append(piece)
            pending.clear()
    if pending:  # the text ends within a character
        texts[-1] = decode_ids(tokenizer, pending)
    return texts


def alternative_texts(
    tokenizer: PreTrainedTokenizerBase,
    token_ids: Sequence[int],
    other_ids: Sequence[Sequence[int]],
) -> list[list[str]]:
    """What each alternative would add to the text in its token's place.

    U+FFFD is in it where the bytes aren't a whole character. After the first bytes of `ü` the last
    byte of `ä` adds `ä`, as the token of `ü` adds `ü` there.

    Args:
        other_ids: the alternatives at each of `token_ids`.
    """
    alone: dict[int, str] = {}
    texts: list[list[str]] = []
    before: list[int] = []  # of a character that has begun
    for own_text, token_id, others in zip(
        token_texts(tokenizer, token_ids), token_ids, other_ids, strict=True
    ):
        if before:
            texts.append([decode_ids(tokenizer, [*before, int(other)]) for other in others])
        else:
            for other in {int(other) for other in others} - alone.keys():
                alone[other] = decode_ids(tokenizer, [other])
            texts.append([alone[int(other)] for other in others])
        before = [] if own_text else [*before, int(token_id)]
    return texts


def encode_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids that spell `text` in plain characters, even where it says `<|user|>`.

    `split_special_tokens` does it only for tokens that are flagged special. `<think>` is not, nor
    need `<|image|>` be, and an image token in a label has no image to stand for. So the text is cut
    after the first character of each.
    """
    token = "|".join(map(re.escape, tokenizer.get_added_vocab()))
    cuts = [match.start() + 1 for match in re.finditer(f"(?={token})", text)] if token else []
    pieces = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [token_id for ids in tokenizer(pieces, **PLAIN)["input_ids"] for token_id in ids]


def special_token_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that steer the model and spell nothing; `<think>` is not flagged as one."""
    added = tokenizer.added_tokens_decoder.items()
    return frozenset(token_id for token_id, token in added if token.special)


def decode_ids(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """The exact text of tokens: special tokens kept, no spaces tidied."""
    return tokenizer.decode(
        token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
