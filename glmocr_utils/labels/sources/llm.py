"""Labels from a large model with vision behind an OpenAI-compatible endpoint; they are silver."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glmocr_utils.endpoint import (
    KEY_VARIABLE,
    URL_VARIABLE,
    Endpoint,
    EndpointUnavailable,
    data_url,
    find_key,
    question,
    reason_of,
)
from glmocr_utils.labels.pages import LeftOut, make_label
from glmocr_utils.labels.sources.answers import page_text
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import Label, PageFile
from glmocr_utils.render import decode_image
from glmocr_utils.render.image_file import is_plain

if TYPE_CHECKING:
    import openai

PROMPT = """\
Transcribe this page exactly as it is printed. Keep spelling, punctuation, hyphens and line breaks \
as they are; put a blank line between paragraphs; read columns one after the other. Correct \
nothing, translate nothing, describe no pictures, leave nothing out. Answer with the text alone."""

MEDIA_TYPES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def label_with_llm(
    store: LabelStore,
    pages: Sequence[PageFile],
    *,
    model: str,
    base_url: str | None = None,
    prompt: str = PROMPT,
    concurrency: int = 4,
    timeout: float = 120.0,
    max_retries: int = 5,
    request: Mapping[str, object] | None = None,
    progress: bool = True,
) -> LabelRun:
    """Ask a model for the text of each page that it has not labelled with this prompt yet.

    A request that fails for a passing reason (429, 5xx, a time-out, no connection) is sent again
    after a pause that doubles, or after the server's Retry-After of up to two minutes. A page that
    fails for good is left out with the reason; a rerun asks for it again. So is one whose answer
    isn't a text; words around the text are removed, see `answers.page_text`.

    Args:
        model: the endpoint's name for it.
        base_url: the endpoint, such as `http://localhost:8000/v1`; None is OpenAI's own.
        prompt: what to ask; it is stored with each label.
        concurrency: requests under way at a time.
        timeout: seconds to wait for one answer.
        max_retries: how often one request is sent again.
        request: further fields of each request, such as `{"temperature": 0}`.

    Raises:
        ValueError: OpenAI's own endpoint is asked for and OPENAI_API_KEY is not set; or the key,
            the address or a proxy's address cannot work.
        EndpointUnavailable: the endpoint refuses the key or does not know the model, or nothing
            answered: for seconds at the start, for ten minutes after it had answered. Labels made
            until then are kept.
    """
    import openai

    base_url = base_url or os.environ.get(URL_VARIABLE) or None
    if find_key() is None and base_url is None:
        raise ValueError(
            f"{KEY_VARIABLE} is not set; set it in the environment, or give the llm_base_url of a "
            "server that needs no key"
        )
    source = f"llm:{model}"

    def is_there(page: PageFile) -> bool:
        return store.has(page, source, prompt)

    def label_page(page: PageFile) -> Label | LeftOut:
        try:
            answer = endpoint.patiently(
                partial(_ask, page=page, model=model, prompt=prompt, request=request or {})
            )
            return make_label(
                page, answer, "silver", source,
                text=page_text(answer), model_id=model, prompt=prompt,
            )  # fmt: skip
        except (openai.OpenAIError, ValueError, OSError) as error:
            return LeftOut(page.page, str(page.image_file), source, reason_of(error))

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        for _, labelled in endpoint.in_flight(label_page, missing):
            yield labelled.result()

    endpoint = Endpoint(
        base_url,
        concurrency=concurrency,
        timeout=timeout,
        max_retries=max_retries,
        settings="llm_model and llm_base_url",
    )
    with endpoint:
        try:
            return store.record(source, pages, label_pages, is_there, progress=progress)
        except EndpointUnavailable as error:
            done = sum(map(is_there, pages))
            raise EndpointUnavailable(f"{error} ({done} of {len(pages)})") from None


def _ask(
    client: "openai.OpenAI",
    *,
    page: PageFile,
    model: str,
    prompt: str,
    request: Mapping[str, object],
) -> str:
    """The model's answer.

    Raises:
        ValueError: it is none, or is cut off.
        openai.OpenAIError: the request failed for good.
    """
    asked: dict[str, Any] = {"model": model, **request}
    asked["messages"] = question(_url_of(page.image_file), prompt)
    response = client.chat.completions.create(**asked)
    try:
        choice = response.choices[0]
        answer, finish_reason = choice.message.content, choice.finish_reason
        refusal = getattr(choice.message, "refusal", None)
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"the endpoint's answer isn't a chat completion: {response!r}") from error
    if finish_reason == "length":
        raise ValueError("the answer was cut off at the endpoint's token limit; raise it there")
    if finish_reason == "content_filter":
        raise ValueError("the endpoint's content filter stopped the answer; ask another model")
    if refusal and not answer:
        raise ValueError(f"the model refused: {refusal!r}; ask another model for this page")
    if not isinstance(answer, str) or not answer.strip():
        raise ValueError(f"the answer is empty (finish_reason {finish_reason!r})")
    return answer


def _url_of(path: Path) -> str:
    """The image as a URL that holds it; what endpoints do not take is sent as PNG."""
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    if media_type is not None and is_plain(path):
        return data_url(path.read_bytes(), media_type)
    file = io.BytesIO()
    decode_image(path).save(file, "PNG")
    return data_url(file.getvalue(), "png")
