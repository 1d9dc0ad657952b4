"""`transformers serve` on this machine, for tests that need a real endpoint."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 400  # a busy machine takes minutes to import torch
SERVE = "from transformers.cli.transformers import app; app()"

missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
needs_server = pytest.mark.skipif(
    bool(missing), reason=f"transformers serve needs {', '.join(missing)}: pip install -e '.[dev]'"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def transformers_serve(model: Path, port: int, log: Path) -> Iterator[str]:
    """A server with `model` in float32; gives the endpoint's base_url and ends the server."""
    arguments = ["serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--device", "cpu", "--dtype", "float32"]
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, *arguments],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_healthy(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_healthy(server: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(START_SECONDS):
        assert server.poll() is None, f"the server ended by itself:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)
    pytest.fail(f"the server did not start in {START_SECONDS} s:\n{log.read_text()}")
