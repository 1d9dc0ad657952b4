"""The client of an OpenAI-compatible endpoint: its key, its address, proxies."""

import ipaddress
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import openai

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
NO_KEY = "none"  # the client wants one, and a server of one's own does not look at it


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


def open_client(base_url: str | None, timeout: float, max_retries: int) -> "openai.OpenAI":
    """A client of the endpoint; this machine is asked directly, without a proxy.

    Args:
        base_url: such as `http://localhost:8000/v1`; None is OpenAI's own.
        timeout: seconds to wait for one answer.
        max_retries: how often one request is sent again.

    Raises:
        ValueError: the key, the address or that of a proxy cannot work.
    """
    import openai

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


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _host(base_url: str) -> str:
    """The host in an endpoint's address.

    Raises:
        ValueError: it isn't an address of the web.
    """
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or base_url != base_url.strip():
        raise ValueError(
            f"{base_url!r} isn't an endpoint's address; start it with http:// or https://, such as "
            "http://localhost:8000/v1"
        )
    return host


def _damaged_key(what: str) -> ValueError:
    return ValueError(
        f"{KEY_VARIABLE} has {what} in it, which no key has; set it again, the key alone"
    )
