"""Items made ahead, in a thread, while earlier ones are used."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

import torch
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
STOPPED_LOOKING_S = 0.1  # how long a full queue waits before it asks whether it is still wanted


class Prefetch(Generic[Item]):
    """Takes from an iterable in a thread, at most `ahead` items more than were asked for.

    PyTorch's operations there run in that one thread, and leave the cores to those of the model.

    Use it as a context manager: leaving it ends the thread, after the item it is at. An error of
    the iterable is raised in place of its next item.
    """

    def __init__(self, items: Iterable[Item], ahead: int) -> None:
        self._items = iter(items)
        self._made: queue.Queue[tuple[bool, Any]] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._make, name="prefetch", daemon=True)

    def __enter__(self) -> "Prefetch[Item]":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        while (item := self.take()) is not None:
            yield item

    @property
    def ended(self) -> bool:
        """Whether the last item was taken."""
        return self._ended

    def take(self, wait: bool = True) -> Item | None:
        """The next item; None after the last one, or, without waiting, if none is ready."""
        if self._ended:
            return None
        try:
            is_item, made = self._made.get(wait)
        except queue.Empty:
            return None
        if is_item:
            return made
        self._ended = True
        if made is not None:
            raise made
        return None

    def _make(self) -> None:
        end: BaseException | None = None
        try:
            # A thread takes over the model's number of threads when it first asks. PyTorch's own
            # setting would lower that of later threads too, so OpenMP is used.
            torch.get_num_threads()
            with threadpool_limits(1, user_api="openmp"):
                for item in self._items:
                    if not self._put((True, item)):
                        return
        except BaseException as error:  # raised where the items are taken
            end = error
        self._put((False, end))

    def _put(self, made: tuple[bool, object]) -> bool:
        while not self._stopped.is_set():
            try:
                self._made.put(made, timeout=STOPPED_LOOKING_S)
                return True
            except queue.Full:
                continue
        return False
