"""Greedy decoding that records probabilities as it goes and stops a page that repeats itself.

Transformers can hand out the logits of every step (`output_scores=True`), but keeps them all until
the end: batch × tokens × vocabulary × 4 bytes, 3.9 GB for 8 pages of 2,048 tokens. Recording what
is wanted of each step while it is there needs batch × tokens × (1 + top_k) numbers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from transformers import (
    BatchFeature,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)

from glmocr_utils.records import FinishReason

# A page counts as looping when its tail repeats at least so many times over so many tokens.
MIN_REPEATS = 4
MIN_LOOP_TOKENS = 160
MAX_PERIOD_TOKENS = 256
CHECK_EVERY_STEPS = 16  # each check waits for the device


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """What came out for one page of a batch; stop tokens and padding are left out.

    Attributes:
        token_ids: (num_tokens,)
        logprobs: (num_tokens,) natural log, float32 softmax of the raw logits.
        top_ids, top_logprobs: (num_tokens, top_k), best first.
        finish_reason: `stop`, `length` or `loop`.
    """

    token_ids: np.ndarray
    logprobs: np.ndarray
    top_ids: np.ndarray
    top_logprobs: np.ndarray
    finish_reason: FinishReason


@torch.inference_mode()
def decode(
    model: PreTrainedModel, inputs: BatchFeature, *, max_tokens: int, top_k: int
) -> list[DecodedPage]:
    """Read a batch of pages, greedily.

    Args:
        model: with a generation config that is greedy and names the stop tokens.
        inputs: what `prompt.encode_prompt` made, padded on the left, on the model's device.
        max_tokens: new tokens for a page, at most.
        top_k: how many of the best tokens are recorded at each place.
    """
    prompt_tokens = inputs["input_ids"].shape[1]
    stops = model.generation_config.eos_token_id
    recorder = ProbabilityRecorder(top_k)
    repetition = TailRepetition(prompt_tokens, stops)
    sequences = model.generate(
        **inputs,
        max_new_tokens=max_tokens,
        logits_processor=LogitsProcessorList([recorder]),
        stopping_criteria=StoppingCriteriaList([repetition]),
    )
    generated = sequences[:, prompt_tokens:].cpu().numpy()
    steps = recorder.steps(generated.shape[1])
    return [
        _page(row, generated[row], steps, stops, repetition.is_looping[row])
        for row in range(len(generated))
    ]


def _page(
    row: int, ids: np.ndarray, steps: "RecordedSteps", stops: list[int], is_looping: bool
) -> DecodedPage:
    ends = np.flatnonzero(np.isin(ids, stops))
    length = ends[0] if len(ends) else len(ids)
    if is_looping:
        # other rows went on after this one was stopped, and it was filled with padding, which is
        # a stop token: the first one is its end all the same
        reason: FinishReason = "loop"
    else:
        reason = "stop" if len(ends) else "length"
    if not np.array_equal(ids[:length], steps.chosen_ids[:length, row]):
        raise RuntimeError(
            "the recorded tokens are not the generated ones: something changed the logits after "
            "they were recorded. Load the model with glmocr_utils.model.load_model, which sets "
            "greedy decoding without penalties."
        )
    return DecodedPage(
        token_ids=ids[:length],
        logprobs=steps.chosen_logprobs[:length, row],
        top_ids=steps.top_ids[:length, row],
        top_logprobs=steps.top_logprobs[:length, row],
        finish_reason=reason,
    )


@dataclass(frozen=True, slots=True)
class RecordedSteps:
    """chosen_ids, chosen_logprobs: (steps, batch). top_ids, top_logprobs: (steps, batch, top_k)."""

    chosen_ids: np.ndarray
    chosen_logprobs: np.ndarray
    top_ids: np.ndarray
    top_logprobs: np.ndarray


class ProbabilityRecorder(LogitsProcessor):
    """Takes from each step's raw logits what is wanted of them; changes nothing.

    Everything stays on the device until the end, so that no step waits for a copy.
    """

    def __init__(self, top_k: int) -> None:
        self.top_k = top_k
        self._recorded: list[tuple[torch.Tensor, ...]] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        # scores: (batch, vocabulary), float32; raw, as the model's generation config has no
        # penalties, which Transformers would apply before this
        total = scores.logsumexp(dim=-1, keepdim=True)
        chosen = scores.argmax(dim=-1, keepdim=True)
        top = scores.topk(self.top_k, dim=-1)
        self._recorded.append(
            (
                chosen[:, 0],
                (scores.gather(-1, chosen) - total)[:, 0],
                top.indices,
                top.values - total,
            )
        )
        return scores

    def steps(self, count: int) -> RecordedSteps:
        """The first `count` steps; generation may run a few more than it keeps."""
        columns = zip(*self._recorded[:count], strict=True)
        ids, logprobs, top_ids, top_logprobs = (torch.stack(c).cpu().numpy() for c in columns)
        # rounding may lift a certain token's log probability just above 0
        return RecordedSteps(ids, logprobs.clip(max=0), top_ids, top_logprobs.clip(max=0))


class TailRepetition(StoppingCriteria):
    """Stops a page whose tail is the same few tokens over and over.

    A repetition penalty would prevent loops too, and corrupt tables and numbers that repeat
    rightly; so nothing is changed, the page only ends early and says so.
    """

    def __init__(self, prompt_tokens: int, stop_ids: list[int]) -> None:
        self.prompt_tokens = prompt_tokens
        self.stop_ids = stop_ids
        self.is_looping = np.zeros(0, dtype=bool)

    def __call__(self, input_ids: torch.Tensor, scores: object, **kwargs: object) -> torch.Tensor:
        if not len(self.is_looping):
            self.is_looping = np.zeros(len(input_ids), dtype=bool)
        new_tokens = input_ids.shape[1] - self.prompt_tokens
        if new_tokens >= MIN_LOOP_TOKENS and new_tokens % CHECK_EVERY_STEPS == 0:
            window = min(new_tokens, MIN_REPEATS * MAX_PERIOD_TOKENS)
            tails = input_ids[:, -window:].cpu().numpy()
            for row, tail in enumerate(tails):
                ended = tail[-1] in self.stop_ids
                self.is_looping[row] |= not ended and has_repeating_tail(tail)
        return torch.from_numpy(self.is_looping).to(input_ids.device)


def has_repeating_tail(token_ids: np.ndarray) -> bool:
    """Whether `token_ids`, (num_tokens,), ends in at least `MIN_REPEATS` repeats of one piece.

    The repeats must cover `MIN_LOOP_TOKENS`; the piece may be `MAX_PERIOD_TOKENS` long.
    """
    longest = min(MAX_PERIOD_TOKENS, len(token_ids) // MIN_REPEATS)
    for period in range(1, longest + 1):
        covered = max(MIN_LOOP_TOKENS, MIN_REPEATS * period)
        if covered > len(token_ids):
            return False
        tail = token_ids[-covered:]
        if np.array_equal(tail[period:], tail[:-period]):
            return True
    return False
