"""Labels from a real endpoint: `transformers serve` with the bundled model, on this machine."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from glmocr_utils.labels import LabelStore, find_pages, key_of
from glmocr_utils.labels.llm import label_with_llm
from glmocr_utils.labels.text_rules import clean_text
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import read_pages
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import PageImage

MAX_TOKENS = 160
START_SECONDS = 400  # a busy machine takes minutes to import torch
SERVE = "from transformers.cli.transformers import app; app()"

missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"transformers serve needs {', '.join(missing)}: pip install -e '.[dev]'"
)


def a_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def base_url(bundled_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a server that is ended after the tests."""
    port = a_free_port()
    log = tmp_path_factory.mktemp("server") / "log.txt"
    arguments = ["serve", str(bundled_folder), "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--device", "cpu", "--dtype", "float32"]
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, *arguments],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_healthy(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_healthy(server: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(START_SECONDS):
        assert server.poll() is None, f"the server ended by itself:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(1)
    pytest.fail(f"the server did not start in {START_SECONDS} s:\n{log.read_text()}")


def test_the_bundled_model_behind_an_endpoint_says_what_it_says_here(
    base_url: str,
    bundled_folder: Path,
    bundled_model: LoadedModel,
    page_images: list[PageImage],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    read = list(read_pages(bundled_model, page_images[:2], max_tokens=MAX_TOKENS))
    for number, page in enumerate(page_images[:2]):
        page.image.save(tmp_path / f"{number}.png")
    store, pages = LabelStore(tmp_path / "labels"), find_pages(tmp_path)
    run = label_with_llm(
        store,
        pages,
        model=str(bundled_folder),
        base_url=base_url,
        prompt=TEXT_RECOGNITION,
        request={"max_tokens": MAX_TOKENS},
        progress=False,
    )
    assert run.labelled + len(run.left_out) == 2
    for page, result in zip(pages, read, strict=True):
        label = store.current(key_of(page))
        if result.finish_reason == "stop" and result.text.strip():
            assert (label.text, label.status) == (clean_text(result.text), "silver")
            assert label.prompt == TEXT_RECOGNITION
        else:  # what the model cannot finish is no label
            assert label is None
    for left_out in run.left_out:
        assert "cut off" in left_out.reason or "empty" in left_out.reason
