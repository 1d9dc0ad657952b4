"""An OpenAI-compatible endpoint: its key, its errors, and a question about a page image."""

import base64
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import openai

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
NO_KEY = "none"  # the client wants one, and a server of one's own does not look at it
MAX_REASON_CHARACTERS = 300
REACHED_WITHIN_S = 5.0

# No other page will fare better: the key, its rights, the address or the model's name is wrong.
HOPELESS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


def find_key() -> str | None:
    """The key from the environment; None where there is none, or an empty one.

    Raises:
        ValueError: it has a character that no key has; the message does not repeat the key.
    """
    key = os.environ.get(KEY_VARIABLE, "")
    if not key.strip():
        return None
    for character, name in (("\n", "a line end"), ("\r", "a line end"), ("\t", "a tab")):
        if character in key:
            raise _damaged_key(name)
    if any(character.isspace() for character in key):
        raise _damaged_key("a blank")
    if not (key.isascii() and key.isprintable()):
        raise _damaged_key("a character that is not ASCII")
    return key


def open_client(base_url: str | None, timeout: float, max_retries: int) -> openai.OpenAI:
    """A client of the endpoint; this machine is asked directly, without a proxy.

    Args:
        base_url: such as `http://localhost:8000/v1`; None is OpenAI's own.
        timeout: seconds to wait for one answer.
        max_retries: how often one request is sent again.

    Raises:
        ValueError: the key, the address or that of a proxy cannot work.
    """
    key = find_key() or NO_KEY
    host = _host(base_url) if base_url else None
    address = f"[{host}]" if host and ":" in host else host
    direct = {f"all://{address}": None} if host and is_loopback(host) else None
    try:
        http_client = openai.DefaultHttpxClient(mounts=direct)
    except (ImportError, ValueError) as error:  # of the environment's proxies
        raise ValueError(
            f"the proxy that the environment names cannot be used ({error}); check HTTP_PROXY, "
            "HTTPS_PROXY and ALL_PROXY, or set NO_PROXY to the endpoint's host"
        ) from error
    return openai.OpenAI(
        api_key=key,
        base_url=base_url,
        timeout=timeout,
        max_retries=max_retries,
        http_client=http_client,
    )


def check_reached(client: openai.OpenAI) -> None:
    """Ask once, and only whether anything answers; what it answers does not matter.

    Raises:
        openai.APIConnectionError: nothing does.
    """
    once = client.with_options(max_retries=0, timeout=REACHED_WITHIN_S)
    try:
        once.models.with_raw_response.list()
    except openai.APIConnectionError as error:
        if is_unreached(error):
            raise
    except openai.OpenAIError:
        return


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


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
    if is_unreached(error):
        reason = f"{reason.rstrip('.')}: {_why_unreached(error)}"
    if key := os.environ.get(KEY_VARIABLE, "").strip():
        reason = reason.replace(key, f"${KEY_VARIABLE}")
    return reason[:MAX_REASON_CHARACTERS]


def is_unreached(error: Exception) -> bool:
    """Whether there was no connection; an answer that takes too long is none, the next page may be
    easier."""
    if isinstance(error, openai.APITimeoutError):
        return any(type(cause).__name__ == "ConnectTimeout" for cause in _causes(error))
    return isinstance(error, openai.APIConnectionError)


def _host(base_url: str) -> str:
    """The host in an endpoint's address.

    Raises:
        ValueError: it is no address of the web.
    """
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or base_url != base_url.strip():
        raise ValueError(
            f"{base_url!r} is no endpoint's address; it begins with http:// or https://, such as "
            "http://localhost:8000/v1"
        )
    return host


def _damaged_key(what: str) -> ValueError:
    return ValueError(
        f"{KEY_VARIABLE} has {what} in it, which no key has; set it again, the key alone"
    )


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


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, back to the first."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
