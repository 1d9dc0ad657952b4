"""Labels from an endpoint, against a small server that behaves and misbehaves."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import openai
import pytest
from label_inputs import image_pages

from glmocr_utils.labels import LabelRun, LabelStore, PageFile
from glmocr_utils.labels.sources.llm import PROMPT, label_with_llm

pytestmark = pytest.mark.slow

KEY = "sk-very-secret-0123456789"


@dataclass
class Reply:
    body: str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0  # seconds


def completion(text: str | None, finish_reason: str = "stop") -> str:
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", "content": text},
    }
    return json.dumps(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    )


class Server(ThreadingHTTPServer):
    """Answers each request with what `reply` makes of the page's number and of how often it came.

    A page's number is read from its image, which must be one of `image_pages`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply: Callable[[int, int], Reply] = lambda page, attempt: Reply(
            completion(f"text of page {page}")
        )
        self.numbers: dict[bytes, int] = {}
        self.requests: list[dict] = []
        self.times: list[float] = []
        self.seen: dict[int, int] = {}
        self.running = self.most_running = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Server = self.server
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        url = request["messages"][0]["content"][0]["image_url"]["url"]
        number = server.numbers[base64.b64decode(url.split(",")[1])]
        with server.lock:
            server.requests.append({**request, "key": self.headers["Authorization"]})
            server.times.append(time.monotonic())
            server.running += 1
            server.most_running = max(server.most_running, server.running)
            attempt = server.seen[number] = server.seen.get(number, 0) + 1
        reply = server.reply(number, attempt)
        time.sleep(reply.delay)
        with server.lock:
            server.running -= 1
        body = reply.body if isinstance(reply.body, bytes) else reply.body.encode()
        try:
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client gave up, as it does after a time-out or when it is killed

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pages(tmp_path: Path, server: Server) -> list[PageFile]:
    pages = image_pages(tmp_path / "pages", 6)
    server.numbers = {page.image_file.read_bytes(): n for n, page in enumerate(pages)}
    return pages


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def label(store: LabelStore, pages: list[PageFile], server: Server, **options: object) -> LabelRun:
    options = {"model": "m", "base_url": server.url, "timeout": 20.0, "max_retries": 2, **options}
    return label_with_llm(store, pages, progress=False, **options)


def test_answers_become_silver_labels_with_their_prompt(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    run = label(store, pages, server, request={"temperature": 0})
    assert (run.labelled, run.left_out) == (6, ())
    for number, page in enumerate(pages):
        (made,) = store.history((page.page.document_sha256, 0, page.task))
        assert made.text == f"text of page {number}"
        assert (made.status, made.source, made.model_id) == ("silver", "llm:m", "m")
        assert made.prompt == PROMPT
    request = server.requests[0]
    assert request["key"] == f"Bearer {KEY}"
    assert (request["model"], request["temperature"]) == ("m", 0)
    assert request["messages"][0]["content"][1]["text"] == PROMPT


def test_a_rerun_asks_only_for_what_is_missing_and_another_prompt_for_all(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    label(store, pages[:2], server)
    run = label(LabelStore(store.directory), pages, server)
    assert (run.labelled, run.already_there, len(server.requests)) == (4, 2, 6)
    run = label(store, pages[:1], server, prompt="Read it again.")
    assert (run.labelled, len(server.requests)) == (1, 7)


def test_no_more_requests_at_a_time_than_allowed(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    server.reply = lambda page, attempt: Reply(completion("text"), delay=0.2)
    label(store, pages, server, concurrency=2)
    assert server.most_running == 2


def test_retry_after_is_waited_for(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    server.reply = lambda page, attempt: (
        Reply("{}", 429, {"Retry-After": "2"}) if attempt == 1 else Reply(completion("text"))
    )
    run = label(store, pages[:1], server)
    assert run.labelled == 1
    assert len(server.times) == 2
    assert server.times[1] - server.times[0] >= 2.0


def test_passing_errors_are_tried_again(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    server.reply = lambda page, attempt: (
        Reply("down", 500) if attempt < 3 else Reply(completion("text"))
    )
    assert label(store, pages[:2], server).labelled == 2
    assert len(server.requests) == 6


def test_what_fails_for_good_is_left_out_with_the_reason_and_asked_for_again(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    failures = {
        0: Reply("down", 500),
        1: Reply("{half a json", 200),
        2: Reply("<html>a proxy</html>", 200, {"Content-Type": "text/html"}),
        3: Reply(completion("  \n"), 200),
        4: Reply(completion("cut o", finish_reason="length")),
        5: Reply(json.dumps({"error": {"message": "image too large"}}), 400),
    }
    server.reply = lambda page, attempt: failures[page]
    run = label(store, pages, server, max_retries=1)
    assert run.labelled == 0
    reasons = {Path(out.image_file).stem: out.reason for out in run.left_out}
    expected = ["500", "JSON|Expecting", "isn't a chat completion", "empty", "cut off", "too large"]
    for number, pattern in enumerate(expected):
        assert any(part in reasons[f"page{number:03d}"] for part in pattern.split("|")), reasons
    assert len(LabelStore(store.directory).left_out()) == 6

    del failures[3]
    server.reply = lambda page, attempt: failures.get(page, Reply(completion("text")))
    again = LabelStore(store.directory)
    assert label(again, pages, server, max_retries=0).labelled == 1
    assert len(again.left_out()) == 5


@pytest.mark.parametrize(
    "body", ["[]", "5", "null", '{"choices": []}', '{"choices": null}', completion(None)]
)
def test_answers_of_another_shape_are_left_out(
    store: LabelStore, pages: list[PageFile], server: Server, body: str
) -> None:
    server.reply = lambda page, attempt: Reply(body)
    run = label(store, pages[:1], server, max_retries=0)
    assert len(run.left_out) == 1


def test_a_server_that_hangs_runs_into_the_time_out(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    server.reply = lambda page, attempt: Reply(completion("text"), delay=8.0 if page == 1 else 0.0)
    began = time.monotonic()
    run = label(store, pages[:3], server, timeout=1.5, max_retries=1)
    assert time.monotonic() - began < 8
    assert run.labelled == 2
    assert "timed out" in run.left_out[0].reason


def test_an_endpoint_that_is_gone_stops_the_run_and_says_what_is_kept(
    store: LabelStore, pages: list[PageFile], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glmocr_utils.endpoint.asking.FIRST_PATIENCE_S", 0.2)
    label(store, pages[:1], server)
    with (
        pytest.raises(RuntimeError, match=r"nothing answers.*llm_base_url.*kept \(1 of 6\)"),
        pytest.warns(UserWarning, match="asking again"),
    ):
        label(store, pages, server, base_url="http://127.0.0.1:9/v1", max_retries=0)
    again = LabelStore(store.directory)
    assert len(again.labels()) == 1 and not again.left_out()  # no page is at fault
    assert label(again, pages, server).labelled == 5


def test_an_endpoint_that_comes_back_in_time_costs_no_page(
    store: LabelStore, pages: list[PageFile], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glmocr_utils.endpoint.asking.FIRST_PAUSE_S", 0.05)
    tries = []

    def comes_back(client: openai.OpenAI) -> None:
        tries.append(client)
        if len(tries) < 4:
            raise openai.APIConnectionError(request=httpx.Request("GET", server.url))

    monkeypatch.setattr("glmocr_utils.endpoint.asking.check_reached", comes_back)
    with pytest.warns(UserWarning, match="asking again"):
        run = label(store, pages, server, concurrency=1)
    assert (run.labelled, run.left_out, len(tries)) == (6, (), 4)


def test_pages_that_fail_in_other_ways_do_not_count_as_unreached(
    store: LabelStore, pages: list[PageFile], server: Server
) -> None:
    server.reply = lambda page, attempt: Reply("down", 500)
    assert len(label(store, pages, server, max_retries=0).left_out) == 6
    server.reply = lambda page, attempt: Reply(completion("text"), delay=2.0)
    assert len(label(store, pages, server, max_retries=0, timeout=0.5).left_out) == 6


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_model_stops_the_run_and_keeps_what_is_there(
    store: LabelStore, pages: list[PageFile], server: Server, status: int
) -> None:
    refusal = json.dumps({"error": {"message": f"no entry with {KEY}"}})
    server.reply = lambda page, attempt: (
        Reply(completion("text")) if page == 0 else Reply(refusal, status)
    )
    with pytest.raises(RuntimeError, match=r"refuses every page.*llm_model") as error:
        label(store, pages, server, concurrency=1)
    assert KEY not in str(error.value)
    assert error.value.__suppress_context__
    assert len(server.requests) <= 3
    assert len(LabelStore(store.directory).labels()) == 1


def test_the_key_reaches_no_file(store: LabelStore, pages: list[PageFile], server: Server) -> None:
    server.reply = lambda page, attempt: (
        Reply(completion("text"))
        if page
        else Reply(json.dumps({"error": {"message": f"{KEY} sent a bad image"}}), 400)
    )
    label(store, pages, server)
    files = [path for path in store.directory.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"labels.jsonl", "left_out.jsonl", ".lock"}
    for path in files:
        assert KEY not in path.read_text()
    assert "$OPENAI_API_KEY sent a bad image" in store.left_out()[0].reason


def test_without_key_and_url_it_says_what_to_do(
    store: LabelStore, pages: list[PageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ValueError, match="OPENAI_API_KEY is not set; set it"):
        label_with_llm(store, pages, model="m")


def test_a_server_of_ones_own_needs_no_key(
    store: LabelStore, pages: list[PageFile], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    assert label(store, pages[:1], server).labelled == 1


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("```\nline\nline\n```", "line\nline"),
        ("```text\nline\n```\n", "line"),
        ("line\n```\ncode\n```", "line\n```\ncode\n```"),
        ("```a\n```\ntext\n```b\n```", "```a\n```\ntext\n```b\n```"),
    ],
)
def test_a_fence_around_the_whole_answer_is_taken_off(
    store: LabelStore, pages: list[PageFile], server: Server, answer: str, text: str
) -> None:
    server.reply = lambda page, attempt: Reply(completion(answer))
    label(store, pages[:1], server)
    (made,) = store.labels()
    assert (made.text, made.raw_text) == (text, answer)


SCRIPT = """
import sys
from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.sources.llm import label_with_llm
label_with_llm(LabelStore(sys.argv[1]), find_pages(sys.argv[2]), model="m", base_url=sys.argv[3],
               concurrency=2, progress=False)
"""


def test_killed_in_the_middle_and_run_again_gives_the_same_labels(
    store: LabelStore, pages: list[PageFile], server: Server, tmp_path: Path
) -> None:
    killed_after = iter([2, 4])  # requests
    limit = next(killed_after)
    server.reply = lambda page, attempt: Reply(
        completion(f"text of page {page}"), delay=0.1 if len(server.requests) < limit else 0.5
    )
    command = [sys.executable, "-c", SCRIPT]
    arguments = [str(store.directory), str(tmp_path / "pages"), server.url]
    while limit is not None:
        process = subprocess.Popen([*command, *arguments])
        while len(server.requests) < limit and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        limit = next(killed_after, None)
    server.reply = lambda page, attempt: Reply(completion(f"text of page {page}"))
    finished = LabelStore(store.directory)
    label(finished, pages, server, prompt=PROMPT)
    made = sorted((made.file.image_file.name, made.text) for made in finished.labels())
    assert made == [(f"page{n:03d}.png", f"text of page {n}") for n in range(6)]
    assert len(server.requests) <= 6 + 2 * 2  # at most the pages in flight are asked for again
