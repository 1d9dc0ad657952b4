"""Requests in flight at an endpoint, and how long to wait for one that does not answer."""

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from glmocr_utils.endpoint.client import KEY_VARIABLE, open_client
from glmocr_utils.endpoint.errors import is_unreached, reason_of

if TYPE_CHECKING:
    import openai

PATIENCE_S = 600.0  # for an endpoint that is gone, such as a server that restarts
FIRST_PATIENCE_S = 10.0  # for one that was never there: its address may be wrong
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
REACHED_WITHIN_S = 5.0

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class EndpointUnavailable(RuntimeError):
    """The endpoint will answer for no page; the message says why and what to do."""


class Endpoint:
    """An OpenAI-compatible endpoint, and how it is asked.

    Args:
        base_url: such as `http://localhost:8000/v1`; None is OpenAI's own.
        concurrency: requests under way at a time.
        timeout: seconds to wait for one answer.
        max_retries: how often one request is sent again after 429, 5xx or a time-out; the pause
            doubles, or is what the server's Retry-After says (up to two minutes).
        settings: the user's names for the address and the model, for messages.

    Raises:
        ValueError: the key, the address or that of a proxy cannot work.
    """

    def __init__(
        self,
        base_url: str | None,
        *,
        concurrency: int,
        timeout: float = 120.0,
        max_retries: int = 5,
        settings: str = "base_url and the model's name",
    ) -> None:
        self._concurrency = concurrency
        self._settings = settings
        self._client = open_client(base_url, timeout, max_retries)
        self._name = base_url or "OpenAI's endpoint"
        self._stopped = threading.Event()
        self._was_reached = self._said_it_waits = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._client.close()

    def in_flight(
        self, ask: Callable[[Item], Answer], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Future[Answer]]]:
        """Call `ask` in threads; each item comes as soon as it is done, whatever came of it.

        No more items are taken than threads are free, so finished items can be kept at once.
        """
        items = iter(items)
        threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix="request")
        item_of: dict[Future[Answer], Item] = {}
        try:
            while True:
                for item in items:
                    item_of[threads.submit(ask, item)] = item
                    if len(item_of) == self._concurrency:
                        break
                if not item_of:
                    return
                for future in wait(item_of, return_when=FIRST_COMPLETED).done:
                    yield item_of.pop(future), future
        finally:
            self._stopped.set()
            threads.shutdown(wait=True, cancel_futures=True)

    def patiently(self, ask: Callable[["openai.OpenAI"], Answer]) -> Answer:
        """What `ask` gets from the client; while nothing answers there, it is called again after a
        pause that doubles.

        Raises:
            EndpointUnavailable: the endpoint refuses the key or does not know the model, or nothing
                answered: for seconds at the start, for ten minutes after it had answered.
            openai.OpenAIError: the request failed for another reason.
        """
        import openai

        # no other page will fare better: the key, its rights, the address or the model is wrong
        hopeless = openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError
        begun, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                if not self._was_reached:
                    check_reached(self._client)
                    self._was_reached = True
                return ask(self._client)
            except hopeless as error:
                raise EndpointUnavailable(
                    f"{self._name} refuses every page ({reason_of(error)}); check "
                    f"{KEY_VARIABLE}, {self._settings}. Finished pages are kept"
                ) from None
            except openai.APIConnectionError as error:
                if not is_unreached(error):
                    raise
                patience = PATIENCE_S if self._was_reached else min(FIRST_PATIENCE_S, PATIENCE_S)
                self._say_that_it_waits(error, patience)
                if self._stopped.is_set() or time.monotonic() - begun > patience:
                    raise EndpointUnavailable(
                        f"nothing answers at {self._name} ({reason_of(error)}); start the server, "
                        f"or check {self._settings}, and run this again. Finished pages are kept"
                    ) from None
            self._stopped.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _say_that_it_waits(self, error: Exception, patience: float) -> None:
        if not self._said_it_waits:
            self._said_it_waits = True
            warnings.warn(
                f"nothing answers at {self._name} ({reason_of(error)}); asking again for up to "
                f"{patience:.0f} seconds",
                stacklevel=3,
            )


def check_reached(client: "openai.OpenAI") -> None:
    """Ask once whether anything answers; the answer itself does not matter.

    Raises:
        openai.APIConnectionError: nothing does.
    """
    import openai

    once = client.with_options(max_retries=0, timeout=REACHED_WITHIN_S)
    try:
        once.models.with_raw_response.list()
    except openai.APIConnectionError as error:
        if is_unreached(error):
            raise
    except openai.OpenAIError:
        return
