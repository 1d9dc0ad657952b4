"""The review over HTTP: for this machine and its token alone; decisions are on the disk at once."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from threading import Thread

import pytest
from make_results import page_of
from PIL import Image

from glmocr_utils.records import PageImage, read_decisions, write_results
from glmocr_utils.review import ReviewSession
from glmocr_utils.review.server import ReviewServer

PAGE = page_of(("Good ", 0.99), ("mornimg", 0.3, {"morning": 0.2}))


@pytest.fixture
def server(tmp_path):
    images = {PAGE.page: PageImage(PAGE.page, Image.new("RGB", (60, 80), "white"), 1.0)}
    session = ReviewSession([PAGE], tmp_path / "review.jsonl", images=images, num_audits=0)
    with ReviewServer(session) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def ask(url, message=None, **headers):
    data = None if message is None else json.dumps(message).encode()
    headers = {"Content-Type": "application/json", **headers} if data else headers
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as response:
        return response, response.read()


def test_what_is_decided_is_on_the_disk_when_it_is_answered(server, tmp_path):
    opened = json.loads(ask(server.url + "message", {"do": "open"})[1])
    assert [each["content"]["show"] for each in opened] == ["page", "state"]
    _, body = ask(server.url + "message", {"do": "choose", "index": 0})
    [decision] = read_decisions(tmp_path / "review.jsonl")
    assert decision.after == "Good morning"
    assert json.loads(body)[-1]["content"]["decided"] == {decision.flag_id: "correct"}
    [image] = json.loads(ask(server.url + "message", {"do": "image", "number": 0})[1])
    assert image["buffers"][0].startswith("/9j/")  # a JPEG


def test_the_page_runs_its_own_script_alone(server):
    response, page = ask(server.url)
    assert b'src="page.js"' in page and b"http" not in page
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert response.headers["Referrer-Policy"] == "no-referrer"
    for name in ("page.js", "widget.js"):
        assert ask(server.url + name)[0].headers["Content-Type"].startswith("text/javascript")


def test_only_the_token_and_this_machine_s_name_lead_to_it(server, tmp_path):
    base, token = server.url.rstrip("/").rsplit("/", 1)
    decide = {"do": "accept"}
    for url, message, headers in (
        (f"{base}/", None, {}),
        (f"{base}/{token[:-1]}x/", None, {}),
        (f"{base}/{token}", None, {}),
        (f"{base}/{token}/../{token}/nothing", None, {}),
        (f"{base}/x/message", decide, {}),
        (server.url + "message", decide, {"Host": "example.org"}),  # a name that leads here
        (server.url + "message", decide, {"Content-Type": "text/plain"}),  # as a form could
    ):
        with pytest.raises(urllib.error.HTTPError) as error:
            ask(url, message, **headers)
        assert error.value.code == 404, url
    assert not (tmp_path / "review.jsonl").exists()
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("message", [[1], {"do": "page", "number": "x"}, {"do": "accept", "x": 1}])
def test_what_is_not_a_message_is_refused_and_the_review_continues(server, message):
    with pytest.raises(urllib.error.HTTPError) as error:
        ask(server.url + "message", message)
    assert error.value.code == 400
    assert json.loads(ask(server.url + "message", {"do": "open"})[1])


@pytest.mark.slow
def test_the_command_serves_until_ctrl_c(tmp_path):
    write_results([PAGE], tmp_path / "a.jsonl")
    command = [sys.executable, "-m", "glmocr_utils", "review", str(tmp_path / "a.jsonl")]
    command += ["--open-browser", "False", "--output-dir", str(tmp_path / "out")]
    # a job in the background passes on that Ctrl-C is ignored
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=heeds) as running:
        assert running.stdout is not None
        url = next(line for line in running.stdout if "open http" in line).split()[1]
        ask(url + "message", {"do": "accept"})
        running.send_signal(signal.SIGINT)
        rest = running.stdout.read()
    assert running.returncode == 0 and "of 1 pages finished" in rest
    assert len(list(read_decisions(tmp_path / "out/review.jsonl"))) == 1
