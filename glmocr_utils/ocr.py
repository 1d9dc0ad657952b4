"""Page images → text with token probabilities."""

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch
from PIL import Image
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from glmocr_utils.decoding import DecodedPage, decode
from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import EMPTY_THOUGHT, TEXT_RECOGNITION, PromptStyle, encode_prompt
from glmocr_utils.records import Alternative, OcrResult, PageImage, TokenProb
from glmocr_utils.token_text import decode_ids, encode_text, special_token_ids, token_texts

SCORE_POSITIONS_AT_ONCE = 256  # float32 logits of so many positions are in memory together


def read_pages(
    model: LoadedModel,
    pages: Iterable[PageImage],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    max_tokens: int = 2048,
    batch_size: int = 1,
    top_k: int = 5,
) -> Iterator[OcrResult]:
    """Read pages in their order, `batch_size` in one pass, taking in only as many at a time.

    The text of a page does not depend on the pages that it is read with (exactly so in float32;
    in half precision rounding may turn a near tie).

    Args:
        prompt: what the model is asked, such as `Text Recognition:` or `Table Recognition:`.
        style: `default` or `nothink`; None takes the one that the model was trained with.
        max_tokens: new tokens a page, at most.
        batch_size: pages in a pass.
        top_k: alternatives recorded for each token.

    Raises:
        ValueError: an option is out of its range.
    """
    check_at_least_one(max_tokens=max_tokens, batch_size=batch_size, top_k=top_k)
    special = special_token_ids(model.processor.tokenizer)
    style = style or model.prompt_style
    remaining = _checked_scale(model, pages)
    while batch := list(islice(remaining, batch_size)):
        start = time.perf_counter()
        inputs = encode_prompt(model.processor, [page.image for page in batch], prompt, style)
        image_tokens = _image_tokens(model, inputs["image_grid_thw"])
        decoded = decode(model.model, inputs.to(model.device), max_tokens=max_tokens, top_k=top_k)
        seconds = (time.perf_counter() - start) / len(batch)
        for page, output, num_image_tokens in zip(batch, decoded, image_tokens, strict=True):
            tokens = _tokens(model.processor.tokenizer, output, leave_out=special)
            tokens = without_thought(tokens)
            yield OcrResult(
                page=page.page,
                text="".join(token.text for token in tokens),
                tokens=tokens,
                finish_reason=output.finish_reason,
                prompt=prompt,
                model_id=model.model_id,
                revision=model.revision,
                adapter=model.adapter,
                scale=page.scale,
                seconds=seconds,
                num_image_tokens=num_image_tokens,
            )


def check_at_least_one(**options: int) -> None:
    """Refuse options below 1, before a model is loaded for them.

    Raises:
        ValueError: one of them is; the message names it.
    """
    for name, value in options.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def score_text(
    model: LoadedModel,
    image: Image.Image,
    text: str,
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    top_k: int = 5,
) -> tuple[TokenProb, ...]:
    """The probability that the model gives to each token of any text, in one teacher-forced pass.

    For the text that the model reads itself, these are the probabilities that `read_pages`
    recorded (within 1e-3 in float32).

    Returns:
        One record a token of `text`; joining their texts gives `text`.
    """
    text_ids = encode_text(model.processor.tokenizer, text)
    return score_tokens(model, image, text_ids, prompt=prompt, style=style, top_k=top_k)


@torch.inference_mode()
def score_tokens(
    model: LoadedModel,
    image: Image.Image,
    token_ids: Sequence[int],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
    top_k: int = 5,
) -> tuple[TokenProb, ...]:
    """Like `score_text`, for given tokens: one text can be spelled in several ways."""
    if not len(token_ids):
        return ()
    logits = token_logits(model, image, token_ids, prompt=prompt, style=style)
    target = torch.tensor([list(token_ids)], device=model.device)
    scored = []
    for start in range(0, len(token_ids), SCORE_POSITIONS_AT_ONCE):
        stop = start + SCORE_POSITIONS_AT_ONCE
        logprobs = logits[start:stop].float().log_softmax(dim=-1)
        chosen = logprobs.gather(-1, target[0, start:stop, None])[:, 0]
        top = logprobs.topk(top_k, dim=-1)
        scored.append((chosen, top.indices, top.values))
    chosen, top_ids, top_logprobs = (
        torch.cat(parts).cpu().numpy() for parts in zip(*scored, strict=True)
    )
    output = DecodedPage(target[0].cpu().numpy(), chosen, top_ids, top_logprobs, "stop")
    return _tokens(model.processor.tokenizer, output)


@torch.inference_mode()
def token_logits(
    model: LoadedModel,
    image: Image.Image,
    token_ids: Sequence[int],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
) -> torch.Tensor:
    """The model's raw logits where each of the given tokens stands, in one teacher-forced pass.

    Returns:
        (num_tokens, vocabulary), in the model's dtype, on its device.
    """
    style = style or model.prompt_style
    inputs = encode_prompt(model.processor, [image], prompt, style).to(model.device)
    target = torch.tensor([list(token_ids)], device=model.device)
    for name, added in (
        ("input_ids", target),
        ("attention_mask", torch.ones_like(target)),
        ("mm_token_type_ids", torch.zeros_like(target)),
    ):
        inputs[name] = torch.cat([inputs[name], added.to(inputs[name].dtype)], dim=1)
    # the logits that predict the first token stand before it; those after the last are not needed
    return model.model(**inputs, logits_to_keep=len(token_ids) + 1).logits[0, :-1]


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


def _checked_scale(model: LoadedModel, pages: Iterable[PageImage]) -> Iterator[PageImage]:
    """The pages; the first at another scale than the model was trained at is warned about."""
    trained = None if model.trained_for is None else model.trained_for.scale
    for page in pages:
        # an image file has no points, so nothing is known of its scale
        is_pdf = page.page.document_path.lower().endswith(".pdf")
        if is_pdf and trained is not None and not math.isclose(page.scale, trained, rel_tol=0.1):
            warnings.warn(
                f"{page.page.document_path} page {page.page.page_number} has scale {page.scale:g}, "
                f"and the model was trained at {trained:g}: it may read worse. Render at "
                f"scale={trained:g}",
                stacklevel=3,
            )
            trained = None
        yield page


def _image_tokens(model: LoadedModel, image_grid_thw: torch.Tensor) -> list[int]:
    """Image tokens of each page: patches, merged two by two."""
    merge = model.processor.image_processor.merge_size
    return (image_grid_thw.prod(dim=-1) // merge**2).tolist()


def _tokens(
    tokenizer: PreTrainedTokenizerBase,
    output: DecodedPage,
    leave_out: frozenset[int] = frozenset(),
) -> tuple[TokenProb, ...]:
    spelled = {token_id: decode_ids(tokenizer, [token_id]) for token_id in set(output.top_ids.flat)}
    kept = [i for i, token_id in enumerate(output.token_ids) if token_id not in leave_out]
    texts = token_texts(tokenizer, output.token_ids[kept])
    return tuple(
        TokenProb(
            token_id=int(token_id),
            text=text,
            logprob=float(logprob),
            alternatives=tuple(
                Alternative(int(other), spelled[other], float(other_logprob))
                for other, other_logprob in zip(others, other_logprobs, strict=True)
            ),
        )
        for token_id, text, logprob, others, other_logprobs in zip(
            output.token_ids[kept],
            texts,
            output.logprobs[kept],
            output.top_ids[kept],
            output.top_logprobs[kept],
            strict=True,
        )
    )
