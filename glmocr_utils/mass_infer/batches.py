"""Requests → readings with a model in this process: what fits into memory in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import torch

from glmocr_utils.mass_infer.task import Reading, Request
from glmocr_utils.model import LoadedModel
from glmocr_utils.model.source import first_line
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import num_image_tokens

MAX_AUTO_BATCH_GPU = 64
MAX_AUTO_BATCH_CPU = 8  # more only wait for the longest page among them
SHARE_OF_FREE_MEMORY = 0.5  # the rest is for what is not counted here
# A pass over the vision tower holds about so many activations of its width for each patch.
VISION_ACTIVATIONS = 16


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that cannot be read; `reason` is one sentence."""

    reason: str


class BatchReader:
    """Reads requests in passes of pages of like size.

    Args:
        batch_size: pages in a pass, or `auto`: what half of the free memory holds, at most 64 on a
            GPU and 8 on a CPU.
    """

    def __init__(self, model: LoadedModel, prompt: str, batch_size: int | str = "auto") -> None:
        self.model = model
        self._prompt = prompt
        self._batch_size = batch_size
        self._largest = MAX_AUTO_BATCH_GPU  # lowered whenever memory ran out

    def choose(self, waiting: Sequence[Request]) -> list[int]:
        """Which requests to read next, by their place in `waiting`.

        The first one, which has waited longest, and those nearest to it in size that have the same
        limit.
        """
        first = waiting[0]
        sizes = [self.num_tokens(request) for request in waiting]
        alike = [i for i, each in enumerate(waiting) if each.max_tokens == first.max_tokens]
        alike.sort(key=lambda i: (abs(sizes[i] - sizes[0]), i))
        count = self._batch_size
        if count == "auto":
            count = self._auto_size(max(sizes[i] for i in alike), first.max_tokens)
        return alike[: min(count, self._largest)]

    def read(self, requests: Sequence[Request]) -> list[Reading | Failure]:
        """Read them in one pass; in halves where memory runs out or the pass fails.

        A page that fails alone is a `Failure`.
        """
        try:
            return self._read(requests)
        except (RuntimeError, MemoryError, ValueError) as error:  # out of memory is a RuntimeError
            is_memory = _is_memory(error)
            reason = first_line(error)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(requests) == 1:
            cause = "memory ran out for this page alone" if is_memory else "reading it failed"
            advice = "lower scale or max_tokens" if is_memory else "run it again with retry"
            return [Failure(f"{cause} ({reason}); {advice}")]
        half = len(requests) // 2
        if is_memory:
            self._largest = max(1, half)
        return [*self.read(requests[:half]), *self.read(requests[half:])]

    def num_tokens(self, request: Request) -> int:
        """Length of the page's image in the prompt."""
        page = request.page
        return num_image_tokens(self.model.processor, page.width_px, page.height_px)

    def _read(self, requests: Sequence[Request]) -> list[Reading]:
        results = read_pages(
            self.model,
            (request.page for request in requests),
            prompt=self._prompt,
            max_tokens=requests[0].max_tokens,
            batch_size=len(requests),
            top_k=1,
        )
        return [Reading.of(result) for result in results]

    def _auto_size(self, image_tokens: int, max_tokens: int) -> int:
        on_gpu = self.model.device.type == "cuda"
        free = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
        most = MAX_AUTO_BATCH_GPU if on_gpu else MAX_AUTO_BATCH_CPU
        page = self._page_bytes(image_tokens, max_tokens)
        return max(1, min(most, int(SHARE_OF_FREE_MEMORY * free / page)))

    def _page_bytes(self, image_tokens: int, max_tokens: int) -> int:
        """Keys and values of a page's whole sequence, and its activations in the vision tower."""
        config = self.model.model.config
        text, vision = config.get_text_config(), config.vision_config
        item = self.model.dtype.itemsize
        cache = 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim * item
        patches = image_tokens * vision.spatial_merge_size**2
        seen = VISION_ACTIVATIONS * patches * vision.hidden_size * item
        return cache * (image_tokens + max_tokens) + seen


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(error).lower()
