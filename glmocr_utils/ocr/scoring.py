"""The probability that a model gives to any text: one teacher-forced pass."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from glmocr_utils.decoding import DecodedPage, NotFiniteError
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr.tokens import token_records
from glmocr_utils.prompt import TEXT_RECOGNITION, PromptStyle, encode_prompt
from glmocr_utils.records import TokenProb
from glmocr_utils.token_text import encode_text

SCORE_POSITIONS_AT_ONCE = 256  # float32 logits of so many positions are in memory together


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

    For the model's own reading, these are the probabilities that `read_pages` recorded (within 1e-3
    in float32).

    Args:
        image: the page image, RGB.
        text: as it is written on the page, right or wrong.
        top_k: number of alternatives per token.

    Returns:
        One record per token of `text`; their texts joined give `text`.

    Raises:
        NotFiniteError: the model's numbers are NaN or infinite.
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
    if not np.isfinite(chosen).all():
        raise NotFiniteError.of(model.model)
    output = DecodedPage(target[0].cpu().numpy(), chosen, top_ids, top_logprobs, "stop", 0.0)
    return token_records(model.processor.tokenizer, output)


@torch.inference_mode()
def token_logits(
    model: LoadedModel,
    image: Image.Image,
    token_ids: Sequence[int],
    *,
    prompt: str = TEXT_RECOGNITION,
    style: PromptStyle | None = None,
) -> torch.Tensor:
    """The model's raw logits at the position of each given token, in one teacher-forced pass.

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
    # the logits that predict the first token are before it; those after the last are not needed
    return model.model(**inputs, logits_to_keep=len(token_ids) + 1).logits[0, :-1]
