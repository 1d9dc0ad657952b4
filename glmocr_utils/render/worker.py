"""The work of a worker process: open documents and draw their pages, one request at a time.

Requests come pickled on standard input and replies go pickled to standard output, but for the
pixels, which stay in the memory that worker and parent share.
"""

import ctypes
import io
import mmap
import os
import pickle
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from glmocr_utils.options import RenderOptions
from glmocr_utils.records import FailedPage, PageRef
from glmocr_utils.render.documents import Document, file_sha256, open_document
from glmocr_utils.render.errors import failed_page
from glmocr_utils.render.raster import Canvas, Raster, as_bytes, canvas_bytes

# On rendered text, higher levels take up to twice the time and save nothing.
PNG_COMPRESS_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Inspect:
    """A request to open a document. Reply: `Inspected`."""

    path: Path
    options: RenderOptions

    @property
    def page_index(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Inspected:
    """A document that opens.

    Attributes:
        sha256: hash of its bytes, 64 hex digits, so that no other worker needs to hash it again.
    """

    path: Path
    sha256: str
    num_pages: int


@dataclass(frozen=True, slots=True)
class Render:
    """Ask for a page. Reply: its `Raster`, with the pixels in the shared memory."""

    page: PageRef
    options: RenderOptions

    @property
    def path(self) -> Path:
        return Path(self.page.document_path)

    @property
    def page_index(self) -> int:
        return self.page.page_index


@dataclass(frozen=True, slots=True)
class RenderPng(Render):
    """Ask for a page as a PNG file. Reply: `PngPage`."""


@dataclass(frozen=True, slots=True)
class PngPage:
    """A page as the bytes of a PNG file."""

    page: PageRef
    raster: Raster
    png: bytes


@dataclass(frozen=True, slots=True)
class RenderChecked(Render):
    """Ask for a page and for what its pixels say. Reply: `CheckedRaster`; pixels as before."""


@dataclass(frozen=True, slots=True)
class CheckedRaster:
    """A page and what `page_checks` says of it."""

    raster: Raster
    is_blank: bool
    runs_sideways: bool


Request = Inspect | Render
Reply = Inspected | Raster | PngPage | CheckedRaster | FailedPage


class Renderer:
    """Answers requests. Keeps the last document open, for its next page."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._document: Document | None = None
        self._opened: tuple[Path, str | None] | None = None

    def answer(self, request: Request) -> Reply:
        try:
            document = self._open(request.path, request.options.password)
            if isinstance(request, Inspect):
                return Inspected(request.path, file_sha256(request.path), document.num_pages)
            raster = document.render(request.page_index, request.options, self._canvas)
            if isinstance(request, RenderPng):
                image = raster.to_image(as_bytes(self._canvas))
                return PngPage(request.page, raster, encode_png(image))
            if isinstance(request, RenderChecked):
                return _checked(raster, raster.to_image(as_bytes(self._canvas)))
            return raster
        except Exception as error:  # whatever a document does, the next one is still read
            return failed_page(request.path, request.page_index, error)

    def _open(self, path: Path, password: str | None) -> Document:
        if self._document is None or self._opened != (path, password):
            if self._document is not None:
                self._document.close()
                self._document = None
            self._document = open_document(path, password)
            self._opened = (path, password)
        return self._document


def _checked(raster: Raster, image: Image.Image) -> CheckedRaster:
    # scipy takes a moment to import, which other requests need not wait for
    from glmocr_utils.render.page_checks import is_blank, runs_sideways

    blank = is_blank(image)
    return CheckedRaster(raster, blank, not blank and runs_sideways(image))


def encode_png(image: Image.Image) -> bytes:
    """The bytes of a PNG file of `image`."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=PNG_COMPRESS_LEVEL)
    return file.getvalue()


def main(shared_fd: int, max_pixels: int) -> None:
    """Serve requests until standard input ends, as it does when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when memory runs out, Linux is to end this process, not the parent

    # pdfium and the image libraries may print to both of them, which says nothing that a user can
    # do. Replies go through a copy of the one, a traceback of this program through a copy of the
    # other.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    sys.stderr = os.fdopen(os.dup(sys.stderr.fileno()), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    num_bytes = canvas_bytes(max_pixels)
    canvas = (ctypes.c_ubyte * num_bytes).from_buffer(mmap.mmap(shared_fd, num_bytes))
    serve(Renderer(canvas), sys.stdin.buffer, replies)


def serve(renderer: Renderer, requests: BinaryIO, replies: BinaryIO) -> None:
    while True:
        try:
            request: Request = pickle.load(requests)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, request.options.timeout)
        reply = renderer.answer(request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        pickle.dump(reply, replies)
        replies.flush()
