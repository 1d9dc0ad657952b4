"""A step that is captured once for a number of rows and columns, and replayed.

A step is a thousand small operations, which a GPU does faster than Python can ask for them. As a
CUDA graph it is asked for once. A graph knows where its tensors lie in memory, so all are captured
again when one of them has grown.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch

from glmocr_utils.decoding.buckets import column_bucket, row_bucket
from glmocr_utils.decoding.step import TokenStep

if TYPE_CHECKING:  # the library is loaded where it is used
    from transformers import PreTrainedModel

CudaGraphs = bool | Literal["auto"]

Capture = Callable[[Callable[[], None]], Callable[[], None]]  # a function → what does it again


class ReplayedStep:
    """A `TokenStep` on few sizes: rows and columns without a page are computed and not used.

    Args:
        capture: what makes a step replayable; it must not change anything.
    """

    def __init__(self, step: TokenStep, capture: Capture) -> None:
        self._step = step
        self._capture: Capture | None = capture
        self._places: tuple = ()
        self._ready: dict[tuple[int, int], Callable[[], None]] = {}
        self._warm: set[tuple[int, int]] = set()

    @property
    def captured(self) -> list[tuple[int, int]]:
        """Rows and columns of the steps that can be replayed."""
        return sorted(self._ready)

    def __call__(self, rows: int, columns: int, tokens: int) -> None:
        """Make room and write a token in each of the first rows."""
        size = rows, columns = row_bucket(rows), column_bucket(columns)
        self._step.make_room(rows, columns, tokens)
        self._forget_if_moved()
        if replay := self._ready.get(size):
            replay()
            return
        run = partial(self._step, rows, columns)
        if size in self._warm and self._capture is not None:
            try:
                self._ready[size] = self._capture(run)
            except RuntimeError as error:
                self._capture = None
                warnings.warn(
                    f"CUDA graphs are off, because a step cannot be captured: {error}", stacklevel=3
                )
            else:
                self._ready[size]()
                return
        run()  # libraries get ready in the first one, which must not be captured
        self._warm.add(size)

    def _forget_if_moved(self) -> None:
        places = tuple((each.data_ptr(), each.shape) for each in self._step.buffers())
        if places != self._places:
            self._ready.clear()
            self._places = places


class _Graphs:
    """Captures CUDA graphs, which share their memory: one is replayed at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        # pages are prepared in threads meanwhile, which must not end the capture
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            run()
        return graph.replay


def capture_for(model: "PreTrainedModel", cuda_graphs: CudaGraphs) -> Capture | None:
    """What captures a model's steps; None where they are run one by one.

    `auto` captures what has been seen to work: plain weights, all of them on one GPU.
    """
    wanted = _is_whole_and_plain(model) if cuda_graphs == "auto" else cuda_graphs
    return _Graphs() if wanted and model.device.type == "cuda" else None


def _is_whole_and_plain(model: "PreTrainedModel") -> bool:
    devices = {each.device for each in model.parameters()}
    return devices == {model.device} and not getattr(model, "is_quantized", False)
