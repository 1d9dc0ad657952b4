"""The engine `server`: an OpenAI-compatible server reads, many requests are under way at a time.

It is asked with temperature 0 and for log probabilities, which are kept where it gives them.
"""

import io
import re
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from glmocr_utils.endpoint import Endpoint, data_url, question, reason_of
from glmocr_utils.layout import LayoutModel
from glmocr_utils.mass_infer.layouts import SharedLayout
from glmocr_utils.mass_infer.request import (
    Answer,
    AnyRequest,
    CoverRequest,
    Failure,
    Layout,
    LayoutRequest,
    Reading,
    Request,
    SecondRequest,
)
from glmocr_utils.mass_infer.server_answer import reading_of
from glmocr_utils.mass_infer.server_context import context_advice, context_end
from glmocr_utils.mass_infer.task import PageTask, Task
from glmocr_utils.model.source import first_line
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import PageImage
from glmocr_utils.second_reader import SecondReader

TIMEOUT_S = 600.0  # for one page; a busy server lets it wait

# What is asked for beside the text, best first: log probabilities, and in vLLM the tokens' ids.
WISHES: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
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


@dataclass(slots=True)
class Server:
    """A server and how it is asked.

    Attributes:
        base_url: such as `http://localhost:8000/v1`.
        model: its name for the model.
        prompt: the task.
        concurrency: requests under way at a time.
        prompt_style: `nothink` asks the server to render its chat template so.
        layout: finds the regions of pages, in this process; None where none are asked for.
        second_readers: programs in this process that read the pages too.
    """

    base_url: str
    model: str
    prompt: str
    concurrency: int = 16
    prompt_style: PromptStyle | None = None
    layout: LayoutModel | None = None
    second_readers: Sequence[SecondReader] = ()
    _shared: SharedLayout | None = field(default=None, init=False, repr=False)
    _level: int = field(default=0, init=False)  # of `WISHES`
    _endpoint: Endpoint = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._endpoint = Endpoint(
            self.base_url,
            concurrency=self.concurrency,
            timeout=TIMEOUT_S,
            settings="base_url and model_id",
        )
        if self.layout is not None:
            self._shared = SharedLayout(self.layout, _no_regions)

    def read(self, tasks: Iterable[Task]) -> Generator[Task, None, None]:
        """Read tasks to their end; each comes as soon as it is done.

        Raises:
            EndpointUnavailable: the server refuses the key, does not know the model, or was not
                there: for seconds at the start, for ten minutes after it had answered.
        """
        waiting = _Waiting(tasks)
        with self._endpoint as endpoint:
            for (task, request), answered in endpoint.in_flight(self._answer, waiting):
                was_open = task.row is None
                answer = answered.result()
                if was_open and isinstance(task, PageTask) and answer is not None:
                    task.take(answer, request)
                    waiting.add((task, each) for each in task.next_requests())
                if task.row is not None and (was_open or request is None):
                    yield task

    def _answer(self, wanted: "_Wanted") -> Answer | None:
        task, request = wanted
        if request is None or task.row is not None:
            return None
        if isinstance(request, LayoutRequest):
            return self._look(request)
        if isinstance(request, CoverRequest):
            return Failure("a server gives no token ids, so the text cannot be located")
        if isinstance(request, SecondRequest):
            return request.answered_by(self.second_readers)
        try:
            return self._endpoint.patiently(partial(self._ask, request))
        except (openai.OpenAIError, ValueError) as error:
            advice = context_advice(error) or "run it again with retry"
            return Failure(f"the server did not read it ({reason_of(error)}); {advice}")

    def _look(self, request: LayoutRequest) -> Layout | Failure:
        assert self._shared is not None  # it is loaded where regions are asked for
        return self._shared.look(request.page.image)

    def _ask(self, request: Request, client: openai.OpenAI) -> Reading:
        try:
            return self._ask_once(request, client)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not IMAGE_TOO_LARGE.search(str(error)):
                raise
        smaller = replace(request, factor=request.factor * SMALLER)
        reading = self._ask_once(smaller, client)
        remark = (
            f"The server refused the image as too large; read at {SMALLER:g} of its resolution."
        )
        remarks = " ".join(filter(None, [remark, reading.remark]))
        return replace(reading, remark=remarks, factor=SMALLER)

    def _ask_once(self, request: Request, client: openai.OpenAI) -> Reading:
        begun = time.perf_counter()
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": question(_png_url(request.page), request.prompt or self.prompt),
            "max_tokens": request.max_tokens,
            "temperature": 0,
        }
        extra: dict[str, Any] = {}
        if self.prompt_style == "nothink":  # the field's name in vLLM and in SGLang
            extra["chat_template_kwargs"] = {"enable_thinking": False}
        response = self._create(client, asked, extra)
        try:
            [choice] = response.choices
            _ = choice.message.content
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"its answer isn't a chat completion: {str(response)[:200]}"
            ) from error
        reading = reading_of(choice, time.perf_counter() - begun)
        return replace(reading, context_end=context_end(response, request.max_tokens))

    def _create(
        self, client: openai.OpenAI, asked: dict[str, Any], extra: dict[str, Any]
    ) -> ChatCompletion:
        """Ask for all that the server gives; what it refuses, it is not asked for again."""
        for number in range(self._level, len(WISHES)):
            wish, wish_extra = WISHES[number]
            try:
                response = client.chat.completions.create(
                    **asked, **wish, extra_body={**extra, **wish_extra}
                )
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                # it may refuse the page, and not what was wished for
                if number + 1 == len(WISHES) or IMAGE_TOO_LARGE.search(str(error)):
                    raise
            else:
                self._level = max(self._level, number)
                return response
        raise AssertionError("the last attempt returns or raises")


_Wanted = tuple[Task, AnyRequest | None]


class _Waiting:
    """What is to be asked next: what begun pages still need, then the next page.

    It may have nothing for a while, and then something again, once a request was answered.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._unfinished: deque[_Wanted] = deque()

    def __iter__(self) -> "_Waiting":
        return self

    def __next__(self) -> _Wanted:
        while not self._unfinished:
            task = next(self._tasks)
            if task.row is not None:
                return task, None
            self.add((task, request) for request in task.next_requests())
        return self._unfinished.popleft()

    def add(self, wanted: Iterable[_Wanted]) -> None:
        self._unfinished.extend(wanted)


def _no_regions(error: Exception) -> Failure:
    return Failure(f"its regions cannot be found ({first_line(error)})")


def _png_url(page: PageImage) -> str:
    """The image as a URL that holds it, without loss."""
    file = io.BytesIO()
    page.image.save(file, "PNG", compress_level=1)
    return data_url(file.getvalue(), "png")
