"""The engine `server`: an OpenAI-compatible server reads, many requests are under way at a time.

It is asked with temperature 0 and for log probabilities, which are kept where it gives them.
"""

import io
import re
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import openai
from openai.types.chat import ChatCompletion

from glmocr_utils.endpoint import (
    HOPELESS,
    KEY_VARIABLE,
    check_reached,
    data_url,
    is_unreached,
    open_client,
    question,
    reason_of,
)
from glmocr_utils.mass_infer.server_answer import reading_of
from glmocr_utils.mass_infer.task import PageTask, Reading, Request
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import PageImage

TIMEOUT_S = 600.0  # for one page; a busy server lets it wait
MAX_RETRIES = 5  # of 429, 5xx and time-outs, by the client, with pauses that double
PATIENCE_S = 600.0  # for a server that is gone, such as one that is restarted
FIRST_PATIENCE_S = 10.0  # for one that was never there: its address may be wrong
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0

# What is asked for beside the text, best first: log probabilities, and in vLLM the tokens' ids.
WISHES = (
    ({"logprobs": True}, {"return_token_ids": True}),
    ({"logprobs": True}, {}),
    ({}, {}),
)
# vLLM has room for 6,084 image tokens where the processor allows 6,144, and refuses what is larger.
IMAGE_TOO_LARGE = re.compile(
    r"(image|multi-?modal|encoder cache)\b.*\b(exceed|too large|too big|larger than|maximum)",
    re.IGNORECASE | re.DOTALL,
)
SMALLER = 0.97  # of width and height


class ServerUnavailable(Exception):
    """The server will read no page; the message says why and what to do."""


@dataclass(slots=True)
class Server:
    """A server and how it is asked.

    Attributes:
        base_url: such as `http://localhost:8000/v1`.
        model: its name for the model.
        prompt: the task.
        concurrency: requests under way at a time.
        prompt_style: `nothink` asks the server to render its chat template so.
    """

    base_url: str
    model: str
    prompt: str
    concurrency: int = 16
    prompt_style: PromptStyle | None = None
    _level: int = field(default=0, init=False)  # of `WISHES`
    _said_it_waits: bool = field(default=False, init=False)
    _was_reached: bool = field(default=False, init=False)
    _client: openai.OpenAI = field(init=False, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def __post_init__(self) -> None:
        self._client = open_client(self.base_url, TIMEOUT_S, MAX_RETRIES)

    def read(self, tasks: Iterable[PageTask]) -> Iterator[PageTask]:
        """Read tasks to their end; each comes as soon as it is done.

        Raises:
            ServerUnavailable: the server refuses the key, does not know the model, or was not
                there: for seconds at the start, for ten minutes after it had answered.
        """
        tasks = iter(tasks)
        threads = ThreadPoolExecutor(self.concurrency, thread_name_prefix="request")
        under_way: set[Future[PageTask]] = set()
        try:
            while True:
                while len(under_way) < self.concurrency and (task := next(tasks, None)) is not None:
                    under_way.add(threads.submit(self._finish, task))
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            self._stopped.set()
            threads.shutdown(wait=True, cancel_futures=True)
            self._client.close()

    def _finish(self, task: PageTask) -> PageTask:
        while task.row is None:
            try:
                task.take(self._patiently(task.request))
            except HOPELESS as error:
                raise ServerUnavailable(
                    f"{self.base_url} will read no page ({reason_of(error)}); check base_url, "
                    f"model_id and {KEY_VARIABLE}"
                ) from error
            except (openai.APIStatusError, openai.APITimeoutError, ValueError) as error:
                task.fail(
                    f"the server did not read it ({reason_of(error)}); run it again with retry"
                )
        return task

    def _patiently(self, request: Request) -> Reading:
        """Ask, and while nobody is there, ask again after a pause that doubles."""
        begun, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                if not self._was_reached:
                    check_reached(self._client)
                    self._was_reached = True
                return self._ask(request)
            except openai.APIConnectionError as error:
                if not is_unreached(error):
                    raise
                patience = PATIENCE_S if self._was_reached else min(FIRST_PATIENCE_S, PATIENCE_S)
                self._say_that_it_waits(error, patience)
                if self._stopped.is_set() or time.monotonic() - begun > patience:
                    raise ServerUnavailable(
                        f"nobody answers at {self.base_url} ({reason_of(error)}); what was read is "
                        "kept: start the server and run this again"
                    ) from error
            self._stopped.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _say_that_it_waits(self, error: Exception, patience: float) -> None:
        if not self._said_it_waits:
            self._said_it_waits = True
            warnings.warn(
                f"nobody answers at {self.base_url} ({reason_of(error)}); asking again for up to "
                f"{patience:.0f} seconds",
                stacklevel=2,
            )

    def _ask(self, request: Request) -> Reading:
        try:
            return self._ask_once(request)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not IMAGE_TOO_LARGE.search(str(error)):
                raise
        page = request.page.resized(SMALLER)
        reading = self._ask_once(replace(request, page=page))
        remark = (
            f"The server refused the image as too large; read at {SMALLER:g} of its resolution."
        )
        remarks = " ".join(filter(None, [remark, reading.remark]))
        return replace(reading, remark=remarks, factor=SMALLER)

    def _ask_once(self, request: Request) -> Reading:
        begun = time.perf_counter()
        asked = {
            "model": self.model,
            "messages": question(_png_url(request.page), self.prompt),
            "max_tokens": request.max_tokens,
            "temperature": 0,
        }
        extra = {}
        if self.prompt_style == "nothink":  # the field's name in vLLM and in SGLang
            extra["chat_template_kwargs"] = {"enable_thinking": False}
        response = self._create(asked, extra)
        try:
            [choice] = response.choices
            _ = choice.message.content
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"its answer is no chat completion: {str(response)[:200]}") from error
        return reading_of(choice, time.perf_counter() - begun)

    def _create(self, asked: dict[str, object], extra: dict[str, object]) -> ChatCompletion:
        """Ask for all that the server gives; what it refuses, it is not asked for again."""
        for number in range(self._level, len(WISHES)):
            wish, wish_extra = WISHES[number]
            try:
                response = self._client.chat.completions.create(
                    **asked, **wish, extra_body={**extra, **wish_extra}
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                # it may refuse the page, and not what was wished for
                if number + 1 == len(WISHES) or IMAGE_TOO_LARGE.search(str(error)):
                    raise
            else:
                self._level = max(self._level, number)
                return response
        raise AssertionError("the last wish returns or raises")


def _png_url(page: PageImage) -> str:
    """The image as a URL that holds it, without loss."""
    file = io.BytesIO()
    page.image.save(file, "PNG", compress_level=1)
    return data_url(file.getvalue(), "png")
