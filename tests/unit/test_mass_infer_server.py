"""The engine `server`: what it is asked, what it refuses, what it writes before the text."""

import base64
import io
import json
import math
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate, pairwise

import pytest
from PIL import Image

from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.mass_infer.passes import Limits
from glmocr_utils.mass_infer.server import Server
from glmocr_utils.mass_infer.task import PageTask
from glmocr_utils.records import PageImage
from glmocr_utils.records.page_row import PageRow, read_rows, to_result
from glmocr_utils.render import CheckedPage

pytestmark = pytest.mark.slow

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
def test_a_server_gets_the_prompt_style(options, style):
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
    # first with the ids of tokens, then without these, then without both
    assert ["logprobs" in each for each in asked] == [True, True, False, False, False]
    assert ["return_token_ids" in each for each in asked] == [True] + [False] * 4


def test_a_server_that_refuses_token_ids_is_asked_for_them_once(options):
    def answer(asked: dict) -> tuple[int, dict]:
        return refuses("return_token_ids?") if "return_token_ids" in asked else says(TEXT)

    rows, asked = read_from(answer, options)
    assert [(row.status, row.logprobs, row.token_ids) for row in rows] == [("ok", [0.0], None)] * 3
    assert ["return_token_ids" in each for each in asked] == [True, False, False, False]
    assert all("logprobs" in each for each in asked)


@pytest.mark.parametrize("logprobs", [True, False])
@pytest.mark.parametrize(
    ("pieces", "num_left_out"),
    [
        (("<think>", "</think>", "\n", "Te", "xt"), 3),
        (("<think>", "</think>", "\n\n", "Te", "xt"), 3),
        (("<think>", "</think>", "\n", "\n", "Te", "xt"), 4),
        (("<think>", "hm", "</think>", "\n", "Te", "xt"), 4),
        (("<think>", "</think>", "Te", "xt"), 2),
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


REPLACEMENT = "\ufffd"
BYTES_OF_REPLACEMENT = list(REPLACEMENT.encode())


def entry(token: str, spelled: list[int] | None, logprob: float | None = -0.5, **more) -> dict:
    return {"token": token, "bytes": spelled, "logprob": logprob, "top_logprobs": [], **more}


def plain(*tokens: str) -> list[dict]:
    return [entry(token, list(token.encode())) for token in tokens]


def answers(content: str | None, entries: list[dict] | None = None, **choice) -> tuple[int, dict]:
    message = {"role": "assistant", "content": content, **choice.pop("message", {})}
    answer = {"index": 0, "finish_reason": "stop", "message": message, **choice}
    if entries is not None:
        answer["logprobs"] = {"content": entries}
    return 200, {"choices": [answer]}


def row_of(page: PageImage, answer: Answer) -> PageRow:
    checked = CheckedPage(page, is_blank=False, runs_sideways=False, asked_scale=2.0)
    with server_that(answer) as (url, _):
        [task] = Server(url, "m", "Text Recognition:").read([PageTask(checked, 1, Limits())])
    return task.row


def spelled_of(row: PageRow) -> list[str]:
    ends = list(accumulate(row.token_lengths, initial=0))
    return [row.text[start:end] for start, end in pairwise(ends)]


# How servers spell "Grün 法" in the tokens "Gr", two parts of "ü", "n", " ", three parts of "法".
SPELLINGS = {
    "vLLM": [
        *plain("Gr"), entry("", []), entry("ü", [195, 188]), *plain("n", " "), entry("", []),
        entry("", []), entry("法", list("法".encode())), *plain("<|user|>"),
    ],
    "vLLM, no bytes at all": [
        *plain("Gr"), entry(REPLACEMENT, None), entry(REPLACEMENT, None), *plain("n", " "),
        *[entry(REPLACEMENT, None)] * 3,
    ],
    "SGLang and Ollama": [
        *plain("Gr"), *[entry(REPLACEMENT, BYTES_OF_REPLACEMENT)] * 2, *plain("n", " "),
        *[entry(REPLACEMENT, BYTES_OF_REPLACEMENT)] * 3, *plain("<|user|>"),
    ],
    "llama.cpp": [
        *plain("Gr"), entry("", [195]), entry("", [188]), *plain("n", " "), entry("", [230]),
        entry("", [179]), entry("", [149]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("server", SPELLINGS)
def test_incomplete_characters_cost_no_probability(page_images, server):
    row = row_of(page_images[0], lambda _: answers("Grün 法", SPELLINGS[server]))
    assert spelled_of(row) == ["Gr", "", "ü", "n", " ", "", "", "法"]
    assert row.logprobs == [-0.5] * 8 and row.status == "ok"


def test_many_incomplete_characters_in_a_row_are_shared_out(page_images):
    entries = [*plain("a"), *[entry(REPLACEMENT, None)] * 9, *plain("b")]
    row = row_of(page_images[0], lambda _: answers("a法院判b", entries))
    assert spelled_of(row) == ["a", "", "", "法", "", "", "院", "", "", "判", "b"]


def test_what_does_not_align_has_no_probability_and_the_rest_keeps_its_own(page_images):
    entries = plain("One", " two", " three", " four", "<|user|>")
    row = row_of(page_images[0], lambda _: answers("One (2) three four", entries))
    known = dict(zip(spelled_of(row), row.logprobs, strict=True))
    assert known[" three"] == known[" four"] == known["One"] == -0.5
    assert None in row.logprobs and row.text == "One (2) three four"
    assert row.mean_prob == pytest.approx(math.exp(-0.5))
    settings = {"prompt": "", "model_id": "m", "revision": None, "adapter": None}
    result = to_result(row, settings)
    assert result.text == row.text and all(token.logprob == -0.5 for token in result.tokens)


def test_a_text_that_the_server_stripped_keeps_its_probabilities(page_images):
    row = row_of(page_images[0], lambda _: answers("One", plain("\n", " One", "\n\n", "<|user|>")))
    assert (spelled_of(row), row.logprobs) == (["One"], [-0.5])


def test_a_text_of_other_tokens_has_no_probabilities(page_images):
    row = row_of(page_images[0], lambda _: answers("abc", plain("X", "Y")))
    assert (row.text, row.logprobs, row.token_ids) == ("abc", None, None)


def test_token_ids_are_kept(page_images):
    entries = [*plain("Gr"), entry("", []), *plain("ün", "<|user|>")]
    vllm = row_of(page_images[0], lambda _: answers("Grün", entries, token_ids=[5, 6, 7, 59253]))
    assert vllm.token_ids == [5, 6, 7] and spelled_of(vllm) == ["Gr", "", "ün"]
    llama = row_of(
        page_images[0],
        lambda _: answers("ab", [entry("a", [97], id=11), entry("b", [98], id=12)]),
    )
    assert llama.token_ids == [11, 12]


@pytest.mark.parametrize("logprob", [None, math.nan, -math.inf, math.inf])
def test_numbers_that_are_not_finite_fail_the_page_with_the_remedy(page_images, logprob):
    entries = [*plain("a"), entry("b", [98], logprob)]
    row = row_of(page_images[0], lambda _: answers("ab", entries))
    assert row.status == "failed" and "--dtype bfloat16 or float32" in row.reason


FENCED = "```markdown\n# Title\n\ntext\n```"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (FENCED, "# Title\n\ntext"),
        ("<think></think>\n\n" + FENCED + "\n", "# Title\n\ntext"),
        ("```\na\n```", "a"),
        ("```html\n<table></table>x\n```", "<table></table>x"),
        ("a\n```\ncode\n```", "a\n```\ncode\n```"),
        ("```\na\n```\nb\n```\nc\n```", "```\na\n```\nb\n```\nc\n```"),
    ],
)
@pytest.mark.parametrize("logprobs", [True, False])
def test_a_fence_around_the_whole_answer_is_not_text(page_images, content, text, logprobs):
    entries = plain(*re.findall(r"\w+|\W", content)) if logprobs else None
    row = row_of(page_images[0], lambda _: answers(content, entries))
    assert row.text == text
    if logprobs:
        assert "".join(spelled_of(row)) == text and set(row.logprobs) == {-0.5}


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"finish_reason": "content_filter"}, "finish_reason 'content_filter'"),
        ({"finish_reason": "abort"}, "finish_reason 'abort'"),
        ({"finish_reason": None}, "has no finish_reason"),
    ],
)
def test_an_answer_that_did_not_end_by_itself_fails(page_images, choice, reason):
    row = row_of(page_images[0], lambda _: answers("some text", **choice))
    assert row.status == "failed" and reason in row.reason


def test_an_answer_without_the_field_fails_too(page_images):
    def answer(_: dict) -> tuple[int, dict]:
        status, body = answers("text")
        del body["choices"][0]["finish_reason"]
        return status, body

    assert "has no finish_reason" in row_of(page_images[0], answer).reason


def test_what_the_server_calls_repetition_is_a_loop(page_images):
    row = row_of(page_images[0], lambda _: answers("la " * 9, finish_reason="repetition"))
    assert row.status == "looped" and len(row.attempts) == 3


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("content", [None, "", "\n"])
def test_an_answer_taken_for_a_thought_fails_with_what_to_do(page_images, field, content):
    row = row_of(page_images[0], lambda _: answers(content, message={field: "the page's text"}))
    assert row.status == "failed" and "without a reasoning parser" in row.reason


@pytest.mark.parametrize("content", [None, "", "\n", "<think></think>\n", "```\n```", "``````"])
def test_an_inked_page_without_text_is_never_ok(page_images, content):
    row = row_of(page_images[0], lambda _: answers(content))
    assert row.status == "empty" and row.reason


def test_a_page_that_the_image_limit_refuses_is_read_a_little_smaller(page_images):
    page = max(page_images, key=lambda each: each.width_px)
    limit = "The decoder prompt contains an image item with length 6144, which exceeds the "
    limit += "pre-allocated encoder cache size 6084."
    widths = []

    def answer(asked: dict) -> tuple[int, dict]:
        widths.append(width_of(asked))
        return refuses(limit) if widths[-1] == page.width_px else says(TEXT)

    row = row_of(page, answer)
    assert (row.status, row.text) == ("ok", TEXT) and "as too large" in row.reason
    assert widths == [page.width_px, round(0.97 * page.width_px)]
    assert row.scale == pytest.approx(2 * 0.97)
    assert row.attempts[0].scale == pytest.approx(2 * 0.97)
    refused = row_of(page, lambda _: refuses(limit))
    assert refused.status == "failed" and "encoder cache" in refused.reason


# llama.cpp and Ollama, as their OpenAI endpoints answer


def llama_cpp(asked: dict) -> tuple[int, dict]:
    """What `llama-server` answers; its slots have room for 4,096 tokens."""
    entries = [entry("On", [79, 110], -0.1, id=7), entry("e", [101], -0.2, id=8)]
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "One"},
    }
    if asked.get("logprobs"):
        choice["logprobs"] = {"content": entries}
    usage = {"prompt_tokens": 120, "completion_tokens": 2, "total_tokens": 122}
    body = {"object": "chat.completion", "id": "chatcmpl-1", "choices": [choice], "usage": usage}
    return 200, body | {"timings": {"prompt_n": 120}, "system_fingerprint": "b7000"}


def llama_cpp_full(asked: dict) -> tuple[int, dict]:
    message = "request (5000 tokens) exceeds the available context size (4096 tokens), try "
    error = {"code": 400, "message": f"{message}increasing it"}
    error |= {"type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096}
    return 400, {"error": error}


def ollama(asked: dict, logprobs: bool = True) -> tuple[int, dict]:
    """What Ollama answers; releases before 0.12.11 know no log probabilities."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "One"},
        "finish_reason": "stop",
    }
    if logprobs and asked.get("logprobs"):
        choice["logprobs"] = {"content": plain("One", "<|user|>")}
    usage = {"prompt_tokens": 120, "completion_tokens": 2, "total_tokens": 122}
    return 200, {"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}


def test_llama_cpp_gives_probabilities_and_token_ids(page_images):
    row = row_of(page_images[0], llama_cpp)
    assert (row.status, row.text, row.token_ids) == ("ok", "One", [7, 8])
    assert row.logprobs == pytest.approx([-0.1, -0.2])


@pytest.mark.parametrize("logprobs", [True, False])
def test_ollama_gives_probabilities_where_it_knows_them(page_images, logprobs):
    row = row_of(page_images[0], lambda asked: ollama(asked, logprobs))
    assert (row.status, row.text, row.token_ids) == ("ok", "One", None)
    assert row.logprobs == ([-0.5] if logprobs else None)


@pytest.mark.parametrize(
    "answer",
    [
        llama_cpp_full,
        lambda _: refuses(TOO_LONG),  # vLLM
        # Ollama's model reads past the context, and its runner ends
        lambda _: (400, {"error": {"message": "model runner has unexpectedly stopped"}}),
    ],
    ids=["llama.cpp", "vLLM", "Ollama"],
)
def test_a_context_that_is_too_short_for_the_page_names_the_setting(page_images, answer):
    row = row_of(page_images[0], answer)
    assert row.status == "failed"
    assert "llama.cpp -c, Ollama OLLAMA_CONTEXT_LENGTH" in row.reason


def test_a_context_that_ends_within_the_text_is_not_taken_for_the_limit(page_images):
    def full(asked: dict) -> tuple[int, dict]:
        status, body = llama_cpp(asked)
        body["choices"][0]["finish_reason"] = "length"
        return status, body

    row = row_of(page_images[0], full)
    assert row.status == "truncated"
    assert "context cut it after 2 of" in row.reason and "The limit of" not in row.reason


def test_the_limit_itself_is_named_where_it_cut_the_page(page_images):
    def cut(asked: dict) -> tuple[int, dict]:
        status, body = llama_cpp(asked)
        body["choices"][0]["finish_reason"] = "length"
        body["usage"]["completion_tokens"] = asked["max_tokens"]
        return status, body

    row = row_of(page_images[0], cut)
    assert row.status == "truncated" and "The limit of" in row.reason
