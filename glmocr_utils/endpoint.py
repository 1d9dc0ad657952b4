"""An OpenAI-compatible endpoint: its key, its errors, and a question about a page image."""

import base64
import os

import openai

KEY_VARIABLE = "OPENAI_API_KEY"
MAX_REASON_CHARACTERS = 300

# No other page will fare better: the key, its rights, the address or the model's name is wrong.
HOPELESS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


def question(image_url: str, prompt: str) -> list[dict[str, object]]:
    """The messages that ask `prompt` about one image; the image stands first, as for GLM-OCR."""
    content = [
        {"type": "image_url", "image_url": {"url": image_url}},
        {"type": "text", "text": prompt},
    ]
    return [{"role": "user", "content": content}]


def data_url(image_file: bytes, media_type: str) -> str:
    """An image file as a URL that holds it; `media_type` such as `png`."""
    return f"data:image/{media_type};base64,{base64.b64encode(image_file).decode()}"


def reason_of(error: Exception) -> str:
    """What an error says, cut to a line or two, without the key: an endpoint may repeat it."""
    reason = f"{type(error).__name__}: {error}"
    if key := os.environ.get(KEY_VARIABLE):
        reason = reason.replace(key, f"${KEY_VARIABLE}")
    return reason[:MAX_REASON_CHARACTERS]


def is_unreached(error: Exception) -> bool:
    """Whether there was no connection; a time-out is none, the next page may be easier."""
    return isinstance(error, openai.APIConnectionError) and not isinstance(
        error, openai.APITimeoutError
    )
