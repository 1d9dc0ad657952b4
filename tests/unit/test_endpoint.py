"""The client of an endpoint: keys, proxies, and sentences about what kept a request from it."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest
from PIL import Image, ImageDraw

from glmocr_utils.endpoint import check_reached, find_key, is_loopback, open_client, reason_of
from glmocr_utils.labels import LabelStore
from glmocr_utils.labels.sources.llm import label_with_llm
from glmocr_utils.mass_infer import InferOptions, infer

KEY = "sk-very-secret-0123456789"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.lower, PROXIES), "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server that knows no path."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/v1"
        server.shutdown()


def why_unreached(base_url: str) -> str:
    with open_client(base_url, 20.0, 5) as client, pytest.raises(openai.APIError) as error:
        check_reached(client)
    return reason_of(error.value)


@pytest.mark.parametrize("key", ["", "  ", "\n"])
def test_an_empty_key_is_not_a_key(key, monkeypatch, server):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    assert find_key() is None
    with open_client(server, 5.0, 0) as client:
        check_reached(client)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (KEY + "\n", "a line end"),
        (f" {KEY}", "a blank"),
        (KEY + "\r\n", "a line end"),
        (f"{KEY}\t", "a tab"),
        (KEY + "\N{NO-BREAK SPACE}", "a blank"),
        (f"“{KEY}”", "not ASCII"),
    ],
)
def test_what_no_key_has_is_named_and_the_key_is_not(key, said, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ValueError, match=f"OPENAI_API_KEY has .*{said}") as error:
        label_with_llm(LabelStore(tmp_path), [], model="m", base_url="http://localhost:9/v1")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("key", ["", "\n"])
def test_openais_own_endpoint_needs_a_key(key, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ValueError, match="OPENAI_API_KEY is not set"):
        label_with_llm(LabelStore(tmp_path), [], model="m")


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_this_machine_is_asked_without_a_proxy(variable, monkeypatch, server):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with open_client(server, 5.0, 0) as client:
        check_reached(client)
    assert "the proxy that HTTP_PROXY" in why_unreached("http://server.invalid/v1")


def test_hosts_of_this_machine():
    own = ("localhost", "127.0.0.1", "127.1.2.3", "::1", "0.0.0.0", "gpu.localhost")
    assert all(map(is_loopback, own))
    assert not any(map(is_loopback, ("10.0.0.1", "localhost.example.org", "example.org")))


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy:3128")
    with pytest.raises(ValueError, match=r"the proxy .* cannot be used .*NO_PROXY"):
        open_client("https://example.org/v1", 5.0, 0)


@pytest.mark.parametrize(
    "address", ["localhost:8000/v1", "example.org", "ftp://example.org", "http://", "http://a:b/v1"]
)
def test_what_is_not_an_address_is_refused(address):
    with pytest.raises(ValueError, match="start it with http:// or https://"):
        open_client(address, 5.0, 0)


def test_each_cause_has_its_remedy(server):
    assert "nothing listens there: start the server" in why_unreached("http://127.0.0.1:9/v1")
    assert "the name host.invalid is not known" in why_unreached("http://host.invalid/v1")
    assert "write http://" in why_unreached(server.replace("http", "https", 1))


def test_the_engine_stops_soon_where_nothing_ever_answered(tmp_path, monkeypatch):
    image = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(image).text((20, 40), "A line of text", fill="black")
    image.save(tmp_path / "page.png")
    monkeypatch.setattr("glmocr_utils.endpoint.asking.FIRST_PATIENCE_S", 0.2)
    options = InferOptions(
        tmp_path / "page.png", engine="server", base_url="http://127.0.0.1:9/v1",
        output_dir=tmp_path / "run",
    )  # fmt: skip
    with pytest.warns(UserWarning, match="nothing answers .*start the server"):
        summary = infer(options)
    assert "nothing listens there" in summary.stopped
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    with pytest.raises(ValueError, match="a line end"):
        infer(replace(options, output_dir=tmp_path / "other"))
