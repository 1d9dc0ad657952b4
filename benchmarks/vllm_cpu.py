"""A collection read by this project's engine and by vLLM's server, on the same CPU.

vLLM's build for CPUs needs a PyTorch of its own, so it is run as the command `vllm`, from whichever
environment has it. Both runs are those of notebook 06, with log probabilities; neither the start of
the server nor loading the model counts.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.inputs import bundled_model, mixed_pages
from benchmarks.measure import Row
from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.notebook_run import BUNDLED_MODEL, project_root
from glmocr_utils.records.page_row import read_rows

PAGES = 57
PAGES_TOGETHER = 16
MAX_TOKENS = 1200
START_SECONDS = 600
NAME = "glm-ocr"


def against_vllm() -> Iterator[Row]:
    """Pages of mixed length, probabilities on."""
    command = shutil.which("vllm")
    if command is None:
        note = "vLLM's CPU build is not installed: no command `vllm` on the PATH"
        yield _row(None, None, note)
        return
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        pages.mkdir()
        for page in mixed_pages(PAGES):
            page.image.save(pages / f"{page.page.page_index:03}.png")
        with _vllm(command, Path(folder) / "server.log") as base_url:
            server = {"engine": "server", "base_url": base_url, "model_id": NAME}
            infer(_options(pages / "000.png", Path(folder) / "warm", **server))
            their_speed = infer(_options(pages, Path(folder) / "theirs", **server)).pages_per_second
        ours = _options(pages, Path(folder) / "ours", batch_size=PAGES_TOGETHER)
        our_speed = infer(ours, model=bundled_model()).pages_per_second
        texts, their_texts = _texts(Path(folder) / "ours"), _texts(Path(folder) / "theirs")
        same = sum(texts[name] == their_texts.get(name) for name in texts)
        yield _row(our_speed, their_speed, f"the same text on {same} of {PAGES} pages")


def _row(ours: float | None, baseline: float | None, note: str) -> Row:
    name = "pages/s against vLLM's CPU build, probabilities on"
    return Row(name, "pages/s", ours, baseline, ">= 1.3", note)


def _options(pages: Path, output_dir: Path, **options: object) -> InferOptions:
    model_id = str(project_root() / BUNDLED_MODEL)
    shared = {"model_id": model_id, "max_tokens": MAX_TOKENS, "device_map": "cpu"}
    return InferOptions(pages, output_dir=output_dir, **{**shared, **options})


def _texts(run: Path) -> dict[str, str]:
    return {Path(row.document_path).name: row.text for row in read_rows(run)}


@contextmanager
def _vllm(command: str, log: Path) -> Iterator[str]:
    """vLLM with the bundled model in float32; gives its base_url, and ends it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    model = str(project_root() / BUNDLED_MODEL)
    arguments = ["serve", model, "--served-model-name", NAME, "--dtype", "float32"]
    arguments += ["--host", "127.0.0.1", "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with log.open("w") as output:
        server = subprocess.Popen(
            [command, *arguments], env=own, stdout=output, stderr=subprocess.STDOUT
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
