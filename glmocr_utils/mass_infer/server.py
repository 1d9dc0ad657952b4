"""The engine `server`: an OpenAI-compatible server reads, many requests are under way at a time.

It is asked with temperature 0 and for log probabilities, which are kept where it gives them.
"""

import io
import re
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from glmocr_utils.endpoint import Endpoint, data_url, question, reason_of
from glmocr_utils.mass_infer.server_answer import reading_of
from glmocr_utils.mass_infer.task import PageTask, Reading, Request, Task
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import PageImage

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
    """

    base_url: str
    model: str
    prompt: str
    concurrency: int = 16
    prompt_style: PromptStyle | None = None
    _level: int = field(default=0, init=False)  # of `WISHES`
    _endpoint: Endpoint = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._endpoint = Endpoint(
            self.base_url,
            concurrency=self.concurrency,
            timeout=TIMEOUT_S,
            settings="base_url and model_id",
        )

    def read(self, tasks: Iterable[Task]) -> Generator[Task, None, None]:
        """Read tasks to their end; each comes as soon as it is done.

        Raises:
            EndpointUnavailable: the server refuses the key, does not know the model, or was not
                there: for seconds at the start, for ten minutes after it had answered.
        """
        with self._endpoint as endpoint:
            for _, finished in endpoint.in_flight(self._finish, tasks):
                yield finished.result()

    def _finish(self, task: Task) -> Task:
        while isinstance(task, PageTask) and task.request is not None:
            try:
                task.take(self._endpoint.patiently(partial(self._ask, task.request)))
            except (openai.OpenAIError, ValueError) as error:
                task.fail(
                    f"the server did not read it ({reason_of(error)}); run it again with retry"
                )
        return task

    def _ask(self, request: Request, client: openai.OpenAI) -> Reading:
        try:
            return self._ask_once(request, client)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not IMAGE_TOO_LARGE.search(str(error)):
                raise
        page = request.page.resized(SMALLER)
        reading = self._ask_once(replace(request, page=page), client)
        remark = (
            f"The server refused the image as too large; read at {SMALLER:g} of its resolution."
        )
        remarks = " ".join(filter(None, [remark, reading.remark]))
        return replace(reading, remark=remarks, factor=SMALLER)

    def _ask_once(self, request: Request, client: openai.OpenAI) -> Reading:
        begun = time.perf_counter()
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": question(_png_url(request.page), self.prompt),
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
            raise ValueError(f"its answer is no chat completion: {str(response)[:200]}") from error
        return reading_of(choice, time.perf_counter() - begun)

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
        raise AssertionError("the last wish returns or raises")


def _png_url(page: PageImage) -> str:
    """The image as a URL that holds it, without loss."""
    file = io.BytesIO()
    page.image.save(file, "PNG", compress_level=1)
    return data_url(file.getvalue(), "png")
