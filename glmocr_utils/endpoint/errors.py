"""What kept a request from an endpoint, in a sentence, without the key."""

import os
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from glmocr_utils.endpoint.client import KEY_VARIABLE, is_loopback

MAX_REASON_CHARACTERS = 300


def reason_of(error: Exception) -> str:
    """What an error says, cut to a line or two, without the key: an endpoint may repeat it."""
    reason = f"{type(error).__name__}: {error}"
    if is_unreached(error):
        reason = f"{reason.rstrip('.')}: {_why_unreached(error)}"
    if key := os.environ.get(KEY_VARIABLE, "").strip():
        reason = reason.replace(key, f"${KEY_VARIABLE}")
    return reason[:MAX_REASON_CHARACTERS]


def is_unreached(error: Exception) -> bool:
    """Whether there was no connection; an answer that takes too long is none, the next page may be
    easier."""
    import openai

    if isinstance(error, openai.APITimeoutError):
        return any(type(cause).__name__ == "ConnectTimeout" for cause in _causes(error))
    return isinstance(error, openai.APIConnectionError)


def _why_unreached(error: Exception) -> str:
    """What kept a request from the endpoint, and what to do."""
    causes = list(_causes(error))
    cause = causes[-1]
    said = f"{cause}".partition(" (_ssl")[0]
    request = getattr(error, "request", None)
    url = urlsplit(str(request.url)) if request is not None else urlsplit("")
    host = url.hostname or ""
    proxy = getproxies().get(url.scheme) or getproxies().get("all")
    if proxy and not is_loopback(host) and not proxy_bypass(host):
        return (
            f"{said}; requests to {host} go through the proxy that HTTP_PROXY, HTTPS_PROXY or "
            "ALL_PROXY names: check it, or set NO_PROXY to the host"
        )
    if isinstance(cause, socket.gaierror):
        return f"{said}; the name {host} is not known: check its spelling, and the network"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{said}; set SSL_CERT_FILE to the file of the authority that signed it"
    if isinstance(cause, ssl.SSLError):
        return f"{said}; if it speaks no TLS, write http:// instead of https://"
    if isinstance(cause, ConnectionRefusedError):
        return f"{said}; nothing listens there: start the server, or check the port"
    return f"{said or type(cause).__name__}; check the address, the network and the firewall"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, back to the first."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
