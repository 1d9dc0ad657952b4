"""vLLM's server with the bundled model, on a CPU, from an environment of its own.

vLLM pins a PyTorch of its own, so it never shares this project's environment: `make test-vllm`
makes one, and names its Python in the variable `GLMOCR_VLLM`.
"""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root

VARIABLE = "GLMOCR_VLLM"
NAME = "glm-ocr"  # of the model there
START_SECONDS = 1200  # a busy machine takes minutes for its imports
CONTEXT = 4096
# 1 GiB of keys and values is plenty for the bundled model, and vLLM takes half the memory
OWN_VARIABLES = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}


def vllm_python() -> str | None:
    """The Python that has vLLM, from GLMOCR_VLLM; None without it."""
    return os.environ.get(VARIABLE)


@contextmanager
def vllm_server(python: str, log: Path) -> Iterator[str]:
    """Serve the bundled model in float32; gives the server's base_url, and ends it.

    Raises:
        RuntimeError: it ended by itself, or was not ready in time; with the end of its log.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    # The program `vllm` asks for the version of a package `vllm`; the CPU build is `vllm-cpu`
    arguments = ["-m", "vllm.entrypoints.openai.api_server", "--served-model-name", NAME]
    arguments += ["--model", str(project_root() / BUNDLED_MODEL)]
    arguments += ["--dtype", "float32", "--max-model-len", str(CONTEXT), "--enforce-eager"]
    arguments += ["--host", "127.0.0.1", "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("w") as output:
        server = subprocess.Popen(
            [python, *arguments],
            env=own | OWN_VARIABLES,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"vLLM ended by itself; its last words:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)
    raise RuntimeError(f"vLLM was not ready after {START_SECONDS} s:\n{log.read_text()[-2000:]}")
