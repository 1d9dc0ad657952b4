"""A server's answer → a reading: which token wrote what, and why it ended.

Servers differ in how they spell tokens: some strip the text, leave the stop token in the list, or
give a token that is a part of a character no bytes (vLLM) or U+FFFD (SGLang, Ollama). So tokens and
text are aligned, by position; text that belongs to no token has no probability.
"""

import codecs
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from openai.types.chat.chat_completion import Choice
from rapidfuzz.distance import Levenshtein

from glmocr_utils.decoding import has_repeating_tail
from glmocr_utils.mass_infer.request import Reading
from glmocr_utils.prompt import thought_length
from glmocr_utils.records import FinishReason
from glmocr_utils.token_text import REPLACEMENT

UNKNOWN_ID = -1  # of a token, where a server gives only its text
FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "repetition": "loop",
}
FENCE = re.compile(r"\s*```[\w-]*[ \t]*(?:\n|(?=```))((?:(?!```).)*?)\n?```\s*", re.DOTALL)
NOT_FINITE = (
    "the server's numbers became NaN or infinite on this page (it gives no log probability); start "
    "the server with --dtype bfloat16 or float32"
)
THOUGHTS = ("reasoning_content", "reasoning")  # the field's name, by server and version


@dataclass(frozen=True, slots=True)
class Piece:
    """What a token adds to the text; `logprob` is None where it is not known."""

    text: str
    logprob: float | None = None
    token_id: int = UNKNOWN_ID


def reading_of(choice: Choice, seconds: float) -> Reading:
    """A server's reading.

    Raises:
        ValueError: it isn't a reading; the message says why, and what to do.
    """
    text = choice.message.content or ""
    finish_reason = _finish_reason(choice, text)
    aligned = _aligned(_tokens(choice), text)
    pieces = aligned or [Piece(character) for character in text]
    start, stop, is_fenced = _span_of_text(text)
    pieces = _cut(pieces, start, stop)
    if finish_reason == "length" and _is_loop([piece.text for piece in pieces]):
        finish_reason = "loop"  # the server continues until its limit
    has_ids = any(piece.token_id != UNKNOWN_ID for piece in pieces)
    return Reading(
        text=text[start:stop],
        finish_reason=finish_reason,
        seconds=seconds,
        token_ids=[piece.token_id for piece in pieces] if aligned and has_ids else None,
        logprobs=[piece.logprob for piece in pieces] if aligned else None,
        token_lengths=[len(piece.text) for piece in pieces] if aligned else None,
        remark="The server's answer was an empty fence." if is_fenced and start == stop else None,
    )


def _finish_reason(choice: Choice, text: str) -> FinishReason:
    said = getattr(choice, "finish_reason", None)
    if said not in FINISH_REASONS:
        why = f"it ended the answer with finish_reason {said!r}"
        raise ValueError(why if said else "its answer has no finish_reason, so it may be cut")
    thought = next(filter(None, (getattr(choice.message, name, None) for name in THOUGHTS)), None)
    if thought and not text.strip():
        raise ValueError(
            "the server took the answer for a thought (reasoning_content); start it without a "
            "reasoning parser"
        )
    return FINISH_REASONS[said]


def _tokens(choice: Choice) -> list[Piece]:
    """The tokens as the server spells them; U+FFFD for one that is not a whole character.

    Raises:
        ValueError: their log probabilities are not finite.
    """
    entries = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
    logprobs = [entry.logprob for entry in entries]
    if logprobs and (
        logprobs[-1] is None
        or any(each is not None and not math.isfinite(each) for each in logprobs)
    ):
        raise ValueError(NOT_FINITE)
    ids = getattr(choice, "token_ids", None) or []  # vLLM, where return_token_ids asked for them
    if len(ids) != len(entries):
        ids = [getattr(entry, "id", UNKNOWN_ID) for entry in entries]  # llama.cpp
    return [
        Piece(text, logprob if logprob is None else min(logprob, 0.0), token_id)
        for text, logprob, token_id in zip(_spelled(entries), logprobs, ids, strict=True)
    ]


def _spelled(entries: Sequence) -> list[str]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    texts = []
    for entry in entries:
        spelled = bytes(entry.bytes or ())
        if spelled and spelled != REPLACEMENT.encode():
            texts.append(decoder.decode(spelled))
        else:
            decoder.reset()
            texts.append(entry.token if entry.bytes is None and entry.token else REPLACEMENT)
    return texts


def _aligned(tokens: Sequence[Piece], text: str) -> list[Piece] | None:
    """The tokens with what each adds to `text`, which their texts then spell.

    A token that wrote nothing of it (the stop token, of some servers) is left out. What belongs to
    no token is a piece without a probability.

    Returns:
        None where no token can be found in the text.
    """
    spelled = "".join(token.text for token in tokens)
    owner_of_spelled = [number for number, token in enumerate(tokens) for _ in token.text]
    owners = [-1] * len(text)
    for edit in Levenshtein.opcodes(spelled, text):
        if edit.tag == "equal":
            owners[edit.dest_start : edit.dest_end] = owner_of_spelled[
                edit.src_start : edit.src_end
            ]
    if text and max(owners) < 0:
        return None
    _give_to_partial(tokens, owners)
    return _pieces(tokens, owners, text)


def _give_to_partial(tokens: Sequence[Piece], owners: list[int]) -> None:
    """Divide each stretch of text without an owner among the partial characters at its place."""
    at = 0
    for is_owned, group in groupby(owners[:], key=lambda owner: owner >= 0):
        count = len(list(group))
        if not is_owned:
            before = owners[at - 1] if at else -1
            after = owners[at + count] if at + count < len(owners) else len(tokens)
            at_its_place = range(max(before, 0), min(after + 1, len(tokens)))
            partial = [n for n in at_its_place if REPLACEMENT in tokens[n].text]
            for number in range(count if partial else 0):
                # the last token of a character carries it
                owners[at + number] = partial[-(-(number + 1) * len(partial) // count) - 1]
        at += count


def _pieces(tokens: Sequence[Piece], owners: Sequence[int], text: str) -> list[Piece]:
    pieces: list[Piece] = []
    at = given = 0
    for owner, group in groupby(owners):
        stop = at + len(list(group))
        if owner < given:  # none, or one whose text is interrupted
            pieces.append(Piece(text[at:stop]))
        else:
            pieces += [replace(token, text="") for token in tokens[given:owner] if _adds(token)]
            pieces.append(replace(tokens[owner], text=text[at:stop]))
            given = owner + 1
        at = stop
    return pieces


def _adds(token: Piece) -> bool:
    """Whether a token without text of its own is a part of a character."""
    return not token.text or REPLACEMENT in token.text


def _span_of_text(text: str) -> tuple[int, int, bool]:
    """Where the page's text is in an answer: after a thought, within a fence around all of it."""
    start = thought_length(text)
    fence = FENCE.fullmatch(text, start)
    return (*fence.span(1), True) if fence else (start, len(text), False)


def _cut(pieces: Sequence[Piece], start: int, stop: int) -> list[Piece]:
    kept, at = [], 0
    for piece in pieces:
        end = at + len(piece.text)
        text = piece.text[max(0, start - at) : max(0, stop - at)]
        if text or (not piece.text and start <= at < stop):
            kept.append(replace(piece, text=text))
        at = end
    return kept


def _is_loop(pieces: Sequence[str]) -> bool:
    number_of = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    known = list(number_of)
    numbers = np.array([number_of[piece] for piece in pieces])
    return has_repeating_tail(numbers, lambda ids: "".join(known[number] for number in ids))
