"""The display while pages are read: which page, how far, how fast, how long it still takes."""

import shutil
import sys
import time
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TextIO, TypeVar

from glmocr_utils.notebook_host import is_kernel, is_kernel_of_a_person
from glmocr_utils.records import PageRef

Item = TypeVar("Item")
LOOK_EVERY_S = 0.5
LINE_EVERY_S = 30.0  # in a log, which is read afterwards
TAIL_TOKENS = 16
TAIL_CHARACTERS = 30
BAR_CELLS = 12


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """Where a reading is.

    Attributes:
        page: the first of those under way; None where none is.
        tokens: written for it so far.
        tail: the end of its text so far.
        done: pages that have ended, those of an earlier start and those that failed among them.
        pages: all that were asked for; None where it isn't known.
        read_now: pages that were read since the start; tokens_now: what was written since.
        seconds: since the start.
    """

    page: PageRef | None
    tokens: int
    tail: str
    done: int
    pages: int | None
    read_now: int
    tokens_now: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        return self.tokens_now / self.seconds if self.seconds else 0.0

    @property
    def is_over(self) -> bool:
        return self.page is None

    @property
    def share(self) -> float | None:
        """Of the pages, 0 to 1; a page under way counts by the mean length of the others."""
        if not self.pages:
            return None
        mean = (self.tokens_now - self.tokens) / self.read_now if self.read_now else 0.0
        part = min(0.9, self.tokens / mean) if self.page and mean else 0.0
        return min(1.0, (self.done + part) / self.pages)

    @property
    def seconds_left(self) -> float | None:
        """Expected; None before the first page has ended."""
        if not (self.read_now and self.pages):
            return None
        return (self.pages - self.done) * self.seconds / self.read_now

    def __str__(self) -> str:
        """`scan.pdf, page 2 · page 5 of 12 · 412 tokens, 38 tokens/s · 0:01:10 left · … he held`"""
        speed = f"{self.tokens_per_second:.3g} tokens/s"
        if self.page is None:
            took = timedelta(seconds=round(self.seconds))
            return f"{_pages(self.done)} · {self.tokens_now:,} tokens, {speed} · {took}"
        number = f"page {self.done + 1:,}" + (f" of {self.pages:,}" if self.pages else "")
        parts = [f"{self.page.document_name}, page {self.page.page_number}", number]
        if self.tokens:
            parts.append(f"{self.tokens:,} tokens, {speed}")
        else:
            parts.append("looking at it")
        if self.seconds_left is not None:
            parts.append(f"{timedelta(seconds=round(self.seconds_left))} left")
        if self.tail:
            parts.append(f"… {self.tail}")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of a number of things are done.

    Attributes:
        what: `page files`, `thumbnails`.
        seconds: since the first was begun.
    """

    what: str
    done: int
    total: int
    seconds: float

    @property
    def is_over(self) -> bool:
        return self.done >= self.total

    @property
    def share(self) -> float | None:
        return self.done / self.total if self.total else None

    def __str__(self) -> str:
        """`412 of 2,000 thumbnails · 0:00:31 left`"""
        said = f"{self.done:,} of {self.total:,} {self.what}"
        if not self.done or self.is_over:
            return said
        left = timedelta(seconds=round(self.seconds / self.done * (self.total - self.done)))
        return f"{said} · {left} left"


class Progress(Protocol):
    """The text of the line."""

    @property
    def is_over(self) -> bool: ...

    @property
    def share(self) -> float | None: ...


Watch = Callable[[ReadingProgress], None]


class UnderWay(Protocol):
    """Pages that are being read; `PageReader` is one."""

    def pages_under_way(self) -> list[tuple[Hashable, PageRef, int]]: ...

    def tail(self, key: Hashable, num_tokens: int) -> str: ...


class Watching:
    """Reports the progress of a reading to a watch, a few times a second.

    Args:
        pages: how many were given; None where it isn't known.
    """

    def __init__(self, watch: Watch | None, reader: UnderWay, pages: int | None) -> None:
        self._watch, self._reader, self._pages = watch, reader, pages
        self._begun = time.monotonic()
        self._next = 0.0
        self._done = self._read = self._tokens = 0

    def ended(self, num_tokens: int | None) -> None:
        """A page has ended; None for one that could not be read."""
        self._done += 1
        if num_tokens is not None:
            self._read += 1
            self._tokens += num_tokens

    def look(self, entering: PageRef | None = None) -> None:
        """Report the progress, if that is due; always before the model looks at a page."""
        now = time.monotonic()
        if self._watch is None or (now < self._next and entering is None):
            return
        self._next = now + LOOK_EVERY_S
        under_way = self._reader.pages_under_way()
        if not under_way:
            if entering is not None:
                self._tell(entering, 0, "", 0)
            return
        key, page, _ = under_way[0]
        of_page = sum(tokens for _, other, tokens in under_way if other == page)
        written = sum(tokens for _, _, tokens in under_way)
        self._tell(page, of_page, self._reader.tail(key, TAIL_TOKENS), written)

    def finish(self) -> None:
        """Report the outcome."""
        if self._watch is not None:
            self._tell(None, 0, "", 0)

    def _tell(self, page: PageRef | None, tokens: int, tail: str, written: int) -> None:
        assert self._watch is not None
        self._watch(
            ReadingProgress(
                page,
                tokens,
                " ".join(tail.split())[-TAIL_CHARACTERS:],
                self._done,
                self._pages,
                self._read,
                self._tokens + written,
                time.monotonic() - self._begun,
            )
        )


class Line:
    """One line that is written over again and again, on a terminal or below a cell."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        text = self._cut(bar(progress.share) + str(progress))
        self._file.write("\r" + text.ljust(self._width) + ("\n" if progress.is_over else ""))
        self._file.flush()
        self._width = 0 if progress.is_over else len(text)

    def _cut(self, text: str) -> str:
        """A line that a terminal would break could not be written over."""
        if not self._file.isatty():
            return text
        columns = shutil.get_terminal_size().columns - 1
        return text if len(text) <= columns else text[: columns - 1] + "…"

    def clear(self) -> None:
        """Take the line away before something else is printed."""
        if self._width:
            self._file.write("\r" + " " * self._width + "\r")
            self._file.flush()
            self._width = 0


def bar(share: float | None) -> str:
    """`▕██████░░░░░░▏ ` for a half; nothing where the share isn't known."""
    if share is None:
        return ""
    full = round(share * BAR_CELLS)
    return f"▕{'█' * full}{'░' * (BAR_CELLS - full)}▏ "


class LogLines:
    """A line every half minute and at the end, for logs and headless notebooks."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._next = time.monotonic() + LINE_EVERY_S

    def __call__(self, progress: Progress) -> None:
        if progress.is_over or time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            print(progress, file=self._file, flush=True)

    def clear(self) -> None:
        """There is nothing to take away."""


def counting(items: Collection[Item], what: str) -> Iterator[Item]:
    """The items one by one, and a line that shows how many are done."""
    line, begun = show_reading(), time.monotonic()
    shown = 0.0
    for done, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - shown >= LOOK_EVERY_S or done + 1 == len(items):
            shown = now
            line(Counted(what, done + 1, len(items), now - begun))


def show_reading() -> Line | LogLines:
    """A line that is redrawn if a person looks, otherwise lines now and then."""
    if is_kernel_of_a_person():
        return Line(sys.stdout)
    if is_kernel():
        return LogLines(sys.stdout)
    return Line(sys.stderr) if sys.stderr.isatty() else LogLines(sys.stderr)


def _pages(number: int) -> str:
    return "1 page" if number == 1 else f"{number:,} pages"
