"""The engine `server`: an OpenAI-compatible server reads, many requests are under way at a time.

It is asked with temperature 0 and for log probabilities, which are kept where it gives them.
"""

import codecs
import io
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import openai
from openai.types.chat.chat_completion import Choice

from glmocr_utils.decoding import has_repeating_tail
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
from glmocr_utils.mass_infer.task import PageTask, Reading, Request
from glmocr_utils.ocr import without_thought
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import PageImage, TokenProb

TIMEOUT_S = 600.0  # for one page; a busy server lets it wait
MAX_RETRIES = 5  # of 429, 5xx and time-outs, by the client, with pauses that double
PATIENCE_S = 600.0  # for a server that is gone, such as one that is restarted
FIRST_PATIENCE_S = 10.0  # for one that was never there: its address may be wrong
UNKNOWN_ID = -1  # of a token: a server tells only its text
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


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
    _gives_logprobs: bool = field(default=True, init=False)
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
        begun = time.perf_counter()
        asked = {
            "model": self.model,
            "messages": question(_png_url(request.page), self.prompt),
            "max_tokens": request.max_tokens,
            "temperature": 0,
        }
        if self.prompt_style == "nothink":  # the field's name in vLLM and in SGLang
            asked["extra_body"] = {"chat_template_kwargs": {"enable_thinking": False}}
        create = self._client.chat.completions.create
        if self._gives_logprobs:
            try:
                response = create(**asked, logprobs=True)
            except (openai.BadRequestError, openai.UnprocessableEntityError):
                response = create(**asked)  # refused too, unless logprobs were what it refused
                self._gives_logprobs = False
        else:
            response = create(**asked)
        try:
            [choice] = response.choices
            text = choice.message.content or ""
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"its answer is no chat completion: {str(response)[:200]}") from error
        return _reading(choice, text, time.perf_counter() - begun)


def _reading(choice: Choice, text: str, seconds: float) -> Reading:
    spelled = _spelled(choice, text)
    characters = (TokenProb(UNKNOWN_ID, character, 0.0) for character in text)
    tokens = without_thought(tuple(characters) if spelled is None else spelled)
    pieces = [token.text for token in tokens]
    finish_reason = "length" if choice.finish_reason == "length" else "stop"
    if finish_reason == "length":
        ids = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
        if has_repeating_tail(np.array([ids[piece] for piece in pieces])):
            finish_reason = "loop"  # the server goes on until its limit
    return Reading(
        text="".join(pieces),
        finish_reason=finish_reason,
        seconds=seconds,
        logprobs=None if spelled is None else [token.logprob for token in tokens],
        token_lengths=None if spelled is None else [len(piece) for piece in pieces],
    )


def _spelled(choice: Choice, text: str) -> tuple[TokenProb, ...] | None:
    """What each token adds to the text, and its log probability; None where that is not given.

    A token may be a part of a character: the token with its last byte carries the character.
    """
    entries = choice.logprobs.content if choice.logprobs and choice.logprobs.content else []
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    pieces = [
        decoder.decode(bytes(entry.bytes)) if entry.bytes is not None else entry.token
        for entry in entries
    ]
    logprobs = [min(entry.logprob, 0.0) for entry in entries]
    while pieces and len("".join(pieces)) > len(text):  # the stop token, of some servers
        pieces.pop(), logprobs.pop()
    if not pieces or "".join(pieces) != text:
        return None
    return tuple(map(TokenProb, repeat(UNKNOWN_ID), pieces, logprobs))


def _png_url(page: PageImage) -> str:
    """The image as a URL that holds it, without loss."""
    file = io.BytesIO()
    page.image.save(file, "PNG", compress_level=1)
    return data_url(file.getvalue(), "png")
