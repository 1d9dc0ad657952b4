"""Greedy decoding in flight: pages enter and leave while others are still being decoded.

A fixed batch waits for its longest page, and `generate(output_scores=True)` keeps the logits of
every step until the end: batch × tokens × vocabulary × 4 bytes, 3.9 GB for 8 pages of 2,048 tokens.
Here a page that has ended leaves at once and makes room for another (continuous batching: Yu et al.
2022, Orca), and of each step's logits only what is wanted is kept. Transformers has continuous
batching too, for models without images; once it takes them, this module can go.
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import BatchFeature, DynamicCache

from glmocr_utils.decoding.not_finite import NotFiniteError
from glmocr_utils.decoding.page_inputs import padded_on_the_right
from glmocr_utils.decoding.repetition import Spell, loop_end
from glmocr_utils.decoding.replays import Capture, CudaGraphs, ReplayedStep, capture_for
from glmocr_utils.decoding.step import TokenStep, cache_argument
from glmocr_utils.records import FinishReason

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

# Each look at what was written waits for the device; on a CPU there is nothing to wait for.
STEPS_BETWEEN_LOOKS_GPU = 8
STEPS_BETWEEN_LOOKS_CPU = 1


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """What came out for one page; the stop token is left out.

    Attributes:
        token_ids: (num_tokens,)
        logprobs: (num_tokens,) natural log, float32 softmax of the raw logits.
        top_ids, top_logprobs: (num_tokens, top_k), best first.
        finish_reason: `stop`, `length` or `loop`.
        seconds: wall-clock time; steps are shared out among the pages that took part.
    """

    token_ids: np.ndarray
    logprobs: np.ndarray
    top_ids: np.ndarray
    top_logprobs: np.ndarray
    finish_reason: FinishReason
    seconds: float


@dataclass(slots=True, eq=False)
class _Page:
    """A page under way.

    Attributes:
        count: tokens written so far, at most: the device stops at a stop token, which the host has
            not seen yet; `looked_at` of them have been looked at.
    """

    key: Hashable
    max_tokens: int
    seconds: float
    count: int = 1
    looked_at: int = 0


class PageDecoder:
    """Pages under way in one model, each at its own position.

    Args:
        model: with a generation config that names the stop tokens; an adapter may be on it.
        top_k: how many of the best tokens are recorded at each position.
        spell: token ids → their text, which separates a loop from a dotted leader.
        cuda_graphs: replay steps as CUDA graphs: True, False or `auto` (where all weights are on
            one GPU and not quantized). Without a CUDA GPU there are none.
        capture: what makes a step replayable instead of CUDA graphs.
    """

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        top_k: int,
        spell: Spell,
        *,
        cuda_graphs: CudaGraphs = "auto",
        capture: Capture | None = None,
    ) -> None:
        self._spell = spell
        # an adapter's layers are in the model itself; around it is only another `generate`
        self._model = model.get_base_model() if hasattr(model, "peft_config") else model
        self._stops = self._model.generation_config.eos_token_id
        self._text_config = self._model.config.get_text_config()
        self._step = TokenStep(self._model, top_k)
        capture = capture or capture_for(self._model, cuda_graphs)
        self._replayed = None if capture is None else ReplayedStep(self._step, capture)
        self._pages: list[_Page] = []  # in the order of the step's rows
        self._steps = 0
        on_cpu = self._model.device.type == "cpu"
        self._steps_between_looks = STEPS_BETWEEN_LOOKS_CPU if on_cpu else STEPS_BETWEEN_LOOKS_GPU

    def __len__(self) -> int:
        """How many pages are under way."""
        return len(self._pages)

    @property
    def cache_bytes(self) -> int:
        """Memory that keys and values of the pages under way hold."""
        return self._step.cache.num_bytes

    def counts(self) -> list[tuple[Hashable, int]]:
        """The pages under way and how many tokens were written for each, in no order."""
        return [(page.key, page.count) for page in self._pages]

    def last_ids(self, key: Hashable, number: int) -> list[int]:
        """The last `number` tokens of a page under way; a stop token may be among them."""
        [(row, page)] = [each for each in enumerate(self._pages) if each[1].key == key]
        begin = max(0, page.count - number)
        return self._step.recorder.token_ids[row, begin : page.count].tolist()

    @torch.inference_mode()
    def enter(self, key: Hashable, inputs: BatchFeature, max_tokens: int) -> None:
        """Put a page in: its image and prompt go through the model.

        Where that fails, for lack of memory say, the pages under way are as they were.

        Args:
            key: returned with the finished page.
            inputs: of this page alone, as `prompt.encode_prompt` makes them, on any device.
            max_tokens: new tokens, at most.
        """
        self.enter_together([(key, inputs, max_tokens)])

    @torch.inference_mode()
    def enter_together(self, pages: Sequence[tuple[Hashable, BatchFeature, int]]) -> None:
        """Put several pages in, in one pass: for small ones, each operation is most of the time.

        Where that fails, none of them is under way.

        Args:
            pages: key, inputs and limit of each, as `enter` takes them.
        """
        begun = time.perf_counter()
        keys, inputs, limits = zip(*pages, strict=True)
        lengths = [each["input_ids"].shape[1] for each in inputs]
        cache = DynamicCache(config=self._text_config)
        output = self._model.model(
            **padded_on_the_right(inputs).to(self._model.device),
            **{cache_argument(): cache},
            use_cache=True,
        )
        last = [length - 1 for length in lengths]
        logits = self._model.lm_head(output.last_hidden_state[range(len(last)), last])
        self._step.enter(cache, lengths, logits, limits)
        seconds = (time.perf_counter() - begun) / len(lengths)
        self._pages += [_Page(*each, seconds) for each in zip(keys, limits, strict=True)]

    @torch.inference_mode()
    def step(self) -> list[tuple[Hashable, DecodedPage | NotFiniteError]]:
        """Write the next token of every page.

        A step that fails, for lack of memory say, has changed nothing and can be made again.

        Returns:
            The pages that have ended, each with its key; the error of a page whose numbers are not
            finite, which the others never see.
        """
        begun = time.perf_counter()
        self._write()
        self._steps += 1
        for page in self._pages:
            page.count += 1
        looks = self._steps % self._steps_between_looks == 0
        written, is_finite = self._look() if looks else (None, None)
        seconds = (time.perf_counter() - begun) / len(self._pages)
        for page in self._pages:
            page.seconds += seconds
        return [] if written is None or is_finite is None else self._ended(written, is_finite)

    def _write(self) -> None:
        cache = self._step.cache
        rows, columns = len(self._pages), cache.longest + 1
        tokens = max(page.count for page in self._pages) + 1
        if self._replayed is not None:
            self._replayed(rows, columns, tokens)
        else:
            self._step.make_room(rows, columns, tokens)
            self._step(rows, columns, is_ragged=min(cache.lengths) < cache.longest)
        cache.finish_step()

    def _look(self) -> tuple[np.ndarray, list[bool]]:
        """The tokens of each page, and whether its numbers are finite; waits for the device."""
        recorder, rows = self._step.recorder, len(self._pages)
        most = max(page.count for page in self._pages)
        written = recorder.token_ids[:rows, :most].cpu().numpy()
        return written, recorder.is_finite[:rows].tolist()

    @torch.inference_mode()
    def remove(self, key: Hashable) -> None:
        """Take a page out before it has ended."""
        [row] = [row for row, page in enumerate(self._pages) if page.key == key]
        self._remove(row)

    def _ended(
        self, written: np.ndarray, is_finite: list[bool]
    ) -> list[tuple[Hashable, DecodedPage | NotFiniteError]]:
        ended: list[tuple[Hashable, DecodedPage | NotFiniteError]] = []
        for row in reversed(range(len(self._pages))):  # the last one moves into a row set free
            page = self._pages[row]
            if not is_finite[row]:
                ended.append((page.key, NotFiniteError.of(self._model)))
                self._remove(row)
                continue
            length, reason = self._end(page, written[row, : page.count])
            page.looked_at = page.count
            if reason is not None:
                taken = self._step.recorder.take(row, length)
                ended.append((page.key, DecodedPage(*taken, reason, page.seconds)))
                self._remove(row)
        return ended[::-1]

    def _end(self, page: _Page, token_ids: np.ndarray) -> tuple[int, FinishReason | None]:
        """How many of a page's tokens count, and why it has ended; None if it has not."""
        token_ids = token_ids[: page.max_tokens]
        [stops] = np.isin(token_ids[page.looked_at :], self._stops).nonzero()
        if len(stops):
            token_ids = token_ids[: page.looked_at + stops[0]]
        loop = loop_end(token_ids, page.looked_at, self._spell)
        if loop is not None:
            return loop, "loop"
        if len(stops):
            return len(token_ids), "stop"
        return len(token_ids), "length" if page.count >= page.max_tokens else None

    def _remove(self, row: int) -> None:
        self._step.remove(row)
        last = self._pages.pop()
        if row < len(self._pages):
            self._pages[row] = last
