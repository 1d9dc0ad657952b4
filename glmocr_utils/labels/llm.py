"""Labels from a large model with vision behind an OpenAI-compatible endpoint; they are silver."""

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path

import openai
from PIL import Image

from glmocr_utils.labels.pages import LeftOut, PageFile, make_label
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import Label

KEY_VARIABLE = "OPENAI_API_KEY"

PROMPT = """\
Transcribe this page exactly as it is printed. Keep spelling, punctuation, hyphens and line breaks \
as they are; put a blank line between paragraphs; read columns one after the other. Correct \
nothing, translate nothing, describe no pictures, leave nothing out. Answer with the text alone."""

MEDIA_TYPES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
FENCE = "```"
MAX_REASON_CHARACTERS = 300

# No other page will fare better: the key, its rights, or the model's name is wrong.
HOPELESS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


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
    fails for good is left out with the reason; a rerun asks for it again.

    Args:
        model: the endpoint's name for it.
        base_url: the endpoint, such as `http://localhost:8000/v1`; None is OpenAI's own.
        prompt: what to ask; it is stored with each label.
        concurrency: requests under way at a time.
        timeout: seconds to wait for one answer.
        max_retries: how often one request is sent again.
        request: further fields of each request, such as `{"temperature": 0}`.

    Raises:
        ValueError: OpenAI's own endpoint is asked for and OPENAI_API_KEY is not set.
        RuntimeError: the endpoint refuses the key or does not know the model. What was labelled
            until then is kept.
    """
    key = os.environ.get(KEY_VARIABLE)
    if key is None and base_url is None:
        raise ValueError(
            f"{KEY_VARIABLE} is not set; set it in the environment, or give the base_url of a "
            "server that needs no key"
        )
    source = f"llm:{model}"
    client = openai.OpenAI(
        api_key=key or "none", base_url=base_url, timeout=timeout, max_retries=max_retries
    )

    def label_page(page: PageFile) -> Label | LeftOut:
        try:
            answer = _ask(client, page, model, prompt, request or {})
        except (openai.OpenAIError, ValueError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            if key:  # an endpoint may repeat what it was sent
                reason = reason.replace(key, f"${KEY_VARIABLE}")
            reason = reason[:MAX_REASON_CHARACTERS]
            if isinstance(error, HOPELESS):
                raise RuntimeError(
                    f"{base_url or 'the endpoint'} will label no page ({reason}); check "
                    f"{KEY_VARIABLE}, llm_model and llm_base_url"
                ) from None
            return LeftOut(page.page, str(page.image_file), source, reason)
        text = _without_fence(answer)
        return make_label(page, answer, "silver", source, text=text, model_id=model, prompt=prompt)

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        with ThreadPoolExecutor(concurrency) as threads:
            # No more pages are taken than threads are free: what is done is stored at once.
            waiting = {threads.submit(label_page, page) for page in islice(missing, concurrency)}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                waiting |= {threads.submit(label_page, page) for page in islice(missing, len(done))}
                for future in done:
                    yield future.result()

    with client:
        return store.record(source, pages, label_pages, prompt=prompt, progress=progress)


def _ask(
    client: openai.OpenAI,
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
    content = [
        {"type": "image_url", "image_url": {"url": _data_url(page.image_file)}},
        {"type": "text", "text": prompt},
    ]
    response = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": content}], **request
    )
    try:
        choice = response.choices[0]
        answer, finish_reason = choice.message.content, choice.finish_reason
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"the endpoint's answer is no chat completion: {response!r}") from error
    if finish_reason == "length":
        raise ValueError("the answer was cut off at the endpoint's token limit; raise max_tokens")
    if not isinstance(answer, str) or not answer.strip():
        raise ValueError(f"the answer is empty (finish_reason {finish_reason!r})")
    return answer


def _data_url(path: Path) -> str:
    """The image as a URL that holds it; what endpoints do not take is sent as PNG."""
    media_type = MEDIA_TYPES.get(path.suffix.lower())
    content = path.read_bytes()
    if media_type is None:
        file = io.BytesIO()
        with Image.open(io.BytesIO(content)) as image:
            image.convert("RGB").save(file, "PNG")
        media_type, content = "png", file.getvalue()
    return f"data:image/{media_type};base64,{base64.b64encode(content).decode()}"


def _without_fence(answer: str) -> str:
    """Take off the code fence that many models put around a whole answer."""
    lines = answer.strip().split("\n")
    fenced = len(lines) > 2 and lines[0].startswith(FENCE) and lines[-1].strip() == FENCE
    inner = lines[1:-1]
    return "\n".join(inner) if fenced and not any(FENCE in line for line in inner) else answer
