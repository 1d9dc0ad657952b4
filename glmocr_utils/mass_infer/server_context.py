"""A server whose context is too short for a page: how it says so, and what to set."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

CONTEXT_SETTINGS = (
    "vLLM --max-model-len, SGLang --context-length, llama.cpp -c, Ollama OLLAMA_CONTEXT_LENGTH"
)
ADVICE = (
    "image, prompt and text share the server's context: start it with a longer one "
    f"({CONTEXT_SETTINGS}), or ask for fewer max_tokens"
)
# vLLM, SGLang and llama.cpp say it; Ollama's runner ends, as its model reads past the context.
TOO_SHORT = re.compile(
    r"context (length|size|window)|max(imum)?[ _]model[ _]len|longer than the model's|model runner",
    re.IGNORECASE,
)


def context_advice(error: Exception) -> str | None:
    """What to set after an error that a short context causes; None after another one."""
    return ADVICE if TOO_SHORT.search(str(error)) else None


def context_end(response: "ChatCompletion", max_tokens: int) -> int | None:
    """After how many tokens the context cut an answer, before `max_tokens` did; else None."""
    [choice] = response.choices
    usage = response.usage
    if choice.finish_reason != "length" or usage is None or not usage.completion_tokens:
        return None
    return usage.completion_tokens if usage.completion_tokens < max_tokens else None
