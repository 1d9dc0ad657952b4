"""The review in a browser without Jupyter: the widget's script, and its messages over HTTP.

Only this machine reaches it, at an address with a random token: another program or web page would
have to guess 256 bits. Nothing is fetched from elsewhere. Each message is answered when what it
decides is on the disk.
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from glmocr_utils.review.session import ReviewSession
from glmocr_utils.review.widget import ReviewWidget

HERE = Path(__file__).parent
LOOPBACK = "127.0.0.1"
MOST_BYTES = 10_000_000  # of a message, which may hold a page's text
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ReviewServer(ThreadingHTTPServer):
    """Serves one review until it is closed, one message at a time.

    Args:
        session: what is reviewed.
    """

    daemon_threads = True

    def __init__(self, session: ReviewSession) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self._token = secrets.token_urlsafe(32)
        self._turn = Lock()
        self._answers: list[dict[str, Any]] = []
        self._widget = ReviewWidget(session)
        self._widget.send = self._answer
        self._files = {
            "": ("text/html", _page(str(self._widget._css))),
            "widget.js": ("text/javascript", str(self._widget._esm)),
            "page.js": ("text/javascript", (HERE / "review_page.js").read_text("utf-8")),
        }

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the review."""
        return f"http://{LOOPBACK}:{self.server_port}/{self._token}/"

    def name_of(self, path: str) -> str | None:
        """What is asked for below the token; None without the token."""
        token, slash, name = path.removeprefix("/").partition("/")
        is_own = secrets.compare_digest(token.encode(), self._token.encode())
        return name if is_own and slash else None

    def file(self, name: str) -> tuple[str, str] | None:
        """Media type and content."""
        return self._files.get(name)

    def answer(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the review says to a message of the browser."""
        with self._turn:
            self._answers = []
            self._widget.receive(message)
            return self._answers

    def _answer(self, content: Mapping[str, Any], buffers: Sequence[bytes] | None = None) -> None:
        encoded = [base64.b64encode(buffer).decode("ascii") for buffer in buffers or ()]
        self._answers.append({"content": content, "buffers": encoded})


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer

    def do_GET(self) -> None:
        name = self._name()
        found = None if name is None else self.server.file(name)
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "not found")
        else:
            self._send(HTTPStatus.OK, *found)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        is_json = self.headers.get_content_type() == "application/json"
        if self._name() != "message" or not is_json or not 0 < length <= MOST_BYTES:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "not found")
            return
        try:
            message = json.loads(self.rfile.read(length))
            answers = self.server.answer(message)
        except (ValueError, TypeError, AttributeError):  # nothing that the review's script sends
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", "not a message of the review")
            return
        self._send(HTTPStatus.OK, "application/json", json.dumps(answers))

    def _name(self) -> str | None:
        """None where the name of another host leads here, as a page of the web could have it."""
        is_own = self.headers.get("Host") == f"{LOOPBACK}:{self.server.server_port}"
        return self.server.name_of(self.path) if is_own else None

    def _send(self, status: HTTPStatus, media_type: str, content: str) -> None:
        data = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """The terminal is for the review's own lines, and keeps no token."""


def _page(style: str) -> str:
    own = (HERE / "review_page.css").read_text("utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Review</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{style}{own}</style></head>'
        '<body><main id="review"></main><script type="module" src="page.js"></script></body></html>'
    )
