"""The engine `server`: what it is asked, what it refuses, what it writes before the text."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.mass_infer.server import Server
from glmocr_utils.mass_infer.task import Limits, PageTask
from glmocr_utils.records.page_row import PageRow, read_rows
from glmocr_utils.render import CheckedPage

TEXT = "Text"
TOO_LONG = "This model's maximum context length is 4096 tokens"
Answer = Callable[[dict], tuple[int, dict]]


@contextmanager
def server_that(answer: Answer) -> Iterator[tuple[str, list[dict]]]:
    """A server whose status and body are `answer(what it is asked)`; gives its address and all
    that it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, content = answer(asked[-1])
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
        server.shutdown()


def says(*pieces: str, logprobs: bool = True) -> tuple[int, dict]:
    """An answer of these tokens, the nth with a log probability of -n."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": "".join(pieces)}}
    if logprobs:
        tokens = [
            {"token": piece, "logprob": -float(number), "bytes": list(piece.encode())}
            for number, piece in enumerate(pieces)
        ]
        choice["logprobs"] = {"content": tokens}
    return 200, {"choices": [choice]}


def refuses(reason: str) -> tuple[int, dict]:
    return 400, {"error": {"message": reason}}


def width_of(asked: dict) -> int:
    url = asked["messages"][0]["content"][0]["image_url"]["url"]
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return image.width


@pytest.fixture
def options(page_images, tmp_path) -> InferOptions:
    """Three pages, the widest first."""
    (tmp_path / "pages").mkdir()
    for number, page in enumerate(sorted(page_images, key=lambda page: -page.width_px)):
        page.image.save(tmp_path / f"pages/{number}.png")
    return InferOptions(
        tmp_path / "pages",
        engine="server",
        model_id="m",
        base_url="http://later",
        concurrency=1,
        output_dir=tmp_path / "run",
    )


def read_from(answer: Answer, options: InferOptions) -> tuple[list[PageRow], list[dict]]:
    with server_that(answer) as (url, asked):
        infer(replace(options, base_url=url))
    return sorted(read_rows(options.output_dir), key=lambda row: row.document_path), asked


@pytest.mark.parametrize("style", [None, "default", "nothink"])
def test_a_server_is_told_the_prompt_style(options, style):
    rows, asked = read_from(lambda _: says(TEXT), replace(options, prompt_style=style))
    assert [row.status for row in rows] == ["ok"] * 3
    told = {"enable_thinking": False} if style == "nothink" else None
    assert [each.get("chat_template_kwargs") for each in asked] == [told] * 3


def test_a_page_that_is_refused_says_why_and_the_others_keep_their_probabilities(
    options, page_images
):
    widest = max(page.width_px for page in page_images)

    def answer(asked: dict) -> tuple[int, dict]:
        if width_of(asked) == widest:
            return refuses(TOO_LONG)
        return says(TEXT, logprobs=asked.get("logprobs", False))

    [first, *others], _ = read_from(answer, options)
    assert first.status == "failed" and TOO_LONG in first.reason
    assert [(row.text, row.logprobs) for row in others] == [(TEXT, [0.0])] * 2


def test_a_server_that_refuses_log_probabilities_is_asked_for_them_once(options):
    def answer(asked: dict) -> tuple[int, dict]:
        return refuses("logprobs?") if "logprobs" in asked else says(TEXT, logprobs=False)

    rows, asked = read_from(answer, options)
    assert [(row.status, row.text, row.logprobs) for row in rows] == [("ok", TEXT, None)] * 3
    assert ["logprobs" in each for each in asked] == [True, False, False, False]


@pytest.mark.parametrize("logprobs", [True, False])
@pytest.mark.parametrize(
    ("pieces", "num_left_out"),
    [
        (("<think>", "</think>", "\n", "Te", "xt"), 3),
        (("<think>", "</think>", "Te", "xt"), 2),
        (("<th", "ink></think>", "\n"), 3),
        (("\n", "Te", "xt", "<think>", "</think>"), 0),
    ],
)
def test_an_empty_thought_before_the_text_is_left_out_with_its_probabilities(
    page_images, pieces, num_left_out, logprobs
):
    page = CheckedPage(page_images[0], is_blank=False, runs_sideways=False, asked_scale=2.0)
    with server_that(lambda _: says(*pieces, logprobs=logprobs)) as (url, _):
        [task] = Server(url, "m", "Text Recognition:").read([PageTask(page, 1, Limits())])
    left = pieces[num_left_out:]
    assert (task.row.status, task.row.text) == ("ok", "".join(left))
    if logprobs:
        numbers = range(num_left_out, len(pieces))
        assert task.row.logprobs == [-float(number) for number in numbers]
        assert task.row.token_lengths == [len(piece) for piece in left]
    else:
        assert task.row.logprobs is None
