"""An OpenAI-compatible endpoint, asked about many page images at a time.

with Endpoint("http://localhost:8000/v1", concurrency=16) as endpoint:
    for page, answer in endpoint.in_flight(ask_about, pages):  # ask_about uses endpoint.patiently
        ...

It knows neither the questions nor the meaning of the answers. The package `openai` is imported
where it is used: it takes a second, and most who import this read with a model of their own.
"""

from glmocr_utils.endpoint.asking import Endpoint, EndpointUnavailable, check_reached
from glmocr_utils.endpoint.client import (
    KEY_VARIABLE,
    URL_VARIABLE,
    find_key,
    is_loopback,
    open_client,
)
from glmocr_utils.endpoint.errors import reason_of
from glmocr_utils.endpoint.question import data_url, question

__all__ = [
    "KEY_VARIABLE",
    "URL_VARIABLE",
    "Endpoint",
    "EndpointUnavailable",
    "check_reached",
    "data_url",
    "find_key",
    "is_loopback",
    "open_client",
    "question",
    "reason_of",
]
