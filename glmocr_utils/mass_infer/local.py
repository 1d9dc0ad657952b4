"""The engine `local`: one model in this process."""

import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from threadpoolctl import threadpool_limits

from glmocr_utils.mass_infer.in_flight import InFlightReader, Work
from glmocr_utils.mass_infer.request import AnyRequest, SecondRequest
from glmocr_utils.mass_infer.task import PageTask, Task
from glmocr_utils.ocr.prefetch import Prefetch

PAGES_AHEAD = 8  # rendered and prepared while the model is busy
REQUESTS_AHEAD = 16  # of pages that were begun

PAUSE_S = 0.01

Wanted = tuple[Task, AnyRequest | None]


def read_local(reader: InFlightReader, tasks: Iterable[Task]) -> Generator[Task, None, None]:
    """Read tasks to their end; each comes as soon as it is done, not in order.

    Tasks are taken and prepared in a thread; what a page that was begun still needs comes before
    new pages. Second readers take seconds a page: they have threads of their own, and new pages are
    read meanwhile.
    """
    with (
        Prefetch(_first_works(reader, tasks), PAGES_AHEAD) as ahead,
        _Unfinished(reader) as unfinished,
        _Unfinished(reader, reader.second_threads) as seconds,
    ):

        def take(wait: bool) -> Work | None:
            if unfinished:
                return unfinished.take(wait)
            while seconds:  # whichever comes first; each holds a page image, so they are few
                is_full = len(seconds) >= REQUESTS_AHEAD
                work = seconds.take(False) or (None if is_full else ahead.take(False))
                if work or not wait:
                    return work
                time.sleep(PAUSE_S)
            return ahead.take(wait)

        for (task, request), answer in reader.read(take):
            was_open = task.row is None
            if was_open and isinstance(task, PageTask) and answer is not None:
                task.take(answer, request)
                for each in task.next_requests():
                    (seconds if isinstance(each, SecondRequest) else unfinished).add([(task, each)])
            if task.row is not None and (was_open or request is None):
                yield task


def _first_works(reader: InFlightReader, tasks: Iterable[Task]) -> Iterator[Work]:
    for task in tasks:
        if task.row is not None:  # blank, or not rendered
            yield Work((task, None), None)
        for request in task.next_requests():
            yield reader.prepare((task, request), request)


class _Unfinished:
    """What begun pages still need, prepared in threads in the order in which it came up."""

    def __init__(self, reader: InFlightReader, threads: int = 1) -> None:
        self._reader = reader
        self._waiting: deque[Wanted] = deque()
        self._prepared: deque[Future[Work]] = deque()
        self._kept = threading.local()
        self._thread = ThreadPoolExecutor(threads, "prepare", self._leave_cores_to_the_model)

    def __enter__(self) -> "_Unfinished":
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._prepared)

    def add(self, wanted: Iterable[Wanted]) -> None:
        self._waiting.extend(wanted)
        self._prepare()

    def take(self, wait: bool) -> Work | None:
        """The next one; None where it is not ready, and there is no need to wait."""
        self._prepare()
        if not wait and not self._prepared[0].done():
            return None
        return self._prepared.popleft().result()

    def _prepare(self) -> None:
        while self._waiting and len(self._prepared) < REQUESTS_AHEAD:
            key = self._waiting.popleft()
            self._prepared.append(self._thread.submit(self._reader.prepare, key, key[1]))

    def _leave_cores_to_the_model(self) -> None:
        torch.get_num_threads()
        self._kept.limits = threadpool_limits(1, user_api="openmp")
