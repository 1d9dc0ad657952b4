"""Does the exported model read as the one that was trained? Texts and raw scores, side by side.

Both are read in float32, so that what differs comes from the weights: a merge adds the adapter to
them and rounds the sum to the base's dtype.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages, token_logits
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import PageImage, PageRef
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

CHECK_TEXT = "The quick brown fox, No. 4711, paid 12.50 for 3 jars of Käse on 9 May 1987."


@dataclass(frozen=True, slots=True)
class PageReading:
    """The trained model's reading of a page.

    Attributes:
        page: that was read.
        prompt: the model's prompt.
        text: greedy.
        token_ids: of the text and the stop token behind it.
        logits: (num_tokens, vocabulary), float32, on the CPU: 61 MB for 256 tokens of GLM-OCR.
    """

    page: PageImage
    prompt: str
    text: str
    token_ids: list[int]
    logits: torch.Tensor


@dataclass(frozen=True, slots=True)
class Parity:
    """The exported model against the trained one, along the text that the trained one read.

    Attributes:
        num_pages, num_equal: how many were read by both, and how many gave the same text.
        num_tokens: on those pages, stop tokens included.
        max_difference, mean_difference: of raw scores (logits), over the whole vocabulary.
        mean_prob_difference: of the probability of the tokens that were read, 0 to 1.
        adapter_effect: mean difference of raw scores that the adapter makes to the base; None for
            a full checkpoint.
    """

    num_pages: int
    num_equal: int
    num_tokens: int
    max_difference: float
    mean_difference: float
    mean_prob_difference: float
    adapter_effect: float | None

    def __str__(self) -> str:
        effect = self.adapter_effect
        scale = "" if effect is None else f" (the adapter moves them by {effect:.2g} on average)"
        return (
            f"{self.num_equal} of {self.num_pages} pages read the same; raw scores differ by "
            f"{self.max_difference:.2g} at most and {self.mean_difference:.2g} on average{scale}"
        )

    def check(self, dtype: torch.dtype) -> None:
        """Refuse an export that lost the training.

        Args:
            dtype: of the exported weights. Rounding to half precision may turn a near tie in a
                text; nothing may turn one in a full checkpoint or in a merge in float32.

        Raises:
            ValueError: it reads differently, or isn't closer to the adapted model than the base.
        """
        effect = self.adapter_effect
        if self.num_equal < self.num_pages and (effect is None or dtype == torch.float32):
            raise ValueError(
                f"The exported model reads differently from the trained one: {self}. Nothing was "
                "written. Export with the versions of Transformers and PEFT that trained it."
            )
        if effect is not None and self.mean_difference > 0 and self.mean_difference >= effect:
            raise ValueError(
                f"The merge lost the adapter: {self}. Nothing was written; the adapter changes "
                f"less than {str(dtype).removeprefix('torch.')} can hold, so serve it unmerged."
            )


def check_page(scale: float) -> PageImage:
    """A page of a few drawn lines, to be read when no other page is given.

    Args:
        scale: pixels per point that the model was trained at.
    """
    font = find_font("DejaVu Sans")
    style = PageStyle(font, font, width_px=420, height_px=None, margin_px=14)
    image = draw_page([Block(CHECK_TEXT)], style).image
    return PageImage(PageRef("page drawn for the check", None, 0), image, scale)


def read_for_check(
    model: LoadedModel, pages: Sequence[PageImage], max_tokens: int
) -> list[PageReading]:
    """Read pages one by one, with the prompt that the model was trained with; keep raw scores.

    Args:
        max_tokens: new tokens a page, at most.
    """
    prompt = TEXT_RECOGNITION if model.trained_for is None else model.trained_for.prompt
    readings = []
    results = read_pages(model, pages, prompt=prompt, max_tokens=max_tokens)
    for page, result in zip(pages, results, strict=True):
        token_ids = [token.token_id for token in result.tokens] + model.stop_token_ids[-1:]
        logits = token_logits(model, page.image, token_ids, prompt=prompt)
        readings.append(PageReading(page, prompt, result.text, token_ids, logits.float().cpu()))
    return readings


def adapter_effect(model: LoadedModel, readings: Sequence[PageReading]) -> float:
    """Mean difference that the adapter makes to the base's raw scores."""
    with model.model.disable_adapter():
        return _differences(model, readings).mean


def compare(
    readings: Sequence[PageReading], model: LoadedModel, max_tokens: int, effect: float | None
) -> Parity:
    """Read the same pages with the exported model.

    Args:
        effect: what `adapter_effect` gave; None for a full checkpoint.
    """
    pages = [reading.page for reading in readings]
    results = read_pages(model, pages, prompt=readings[0].prompt, max_tokens=max_tokens)
    pairs = zip(readings, results, strict=True)
    num_equal = sum(reading.text == result.text for reading, result in pairs)
    differences = _differences(model, readings)
    return Parity(
        num_pages=len(readings),
        num_equal=num_equal,
        num_tokens=sum(len(reading.token_ids) for reading in readings),
        max_difference=differences.max,
        mean_difference=differences.mean,
        mean_prob_difference=differences.mean_prob,
        adapter_effect=effect,
    )


class _Differences(NamedTuple):
    max: float
    mean: float
    mean_prob: float


def _differences(model: LoadedModel, readings: Sequence[PageReading]) -> _Differences:
    """Of this model's raw scores from those in the readings, page by page to save memory."""
    per_page = []
    for reading in readings:
        image, token_ids = reading.page.image, reading.token_ids
        logits = token_logits(model, image, token_ids, prompt=reading.prompt).float().cpu()
        apart = (logits - reading.logits).abs()
        prob_apart = (_probs(logits, token_ids) - _probs(reading.logits, token_ids)).abs()
        per_page.append((apart.max(), apart.sum(), apart.numel(), prob_apart.sum()))
    biggest, total, count, prob_total = zip(*per_page, strict=True)
    num_tokens = sum(len(reading.token_ids) for reading in readings)
    return _Differences(
        max=float(max(biggest)),
        mean=float(sum(total) / sum(count)),
        mean_prob=float(sum(prob_total) / num_tokens),
    )


def _probs(logits: torch.Tensor, token_ids: list[int]) -> torch.Tensor:
    """(num_tokens,) the probability of each token."""
    return logits.softmax(dim=-1).gather(-1, torch.tensor(token_ids)[:, None])[:, 0]
