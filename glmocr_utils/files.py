"""Files that survive a crash: written whole or not at all, or line by line; and their names.

What a model or a person made is on the disk when these functions return (`fsync`), so a power cut
loses nothing. `durable=False` is for what a run can make again from it, such as page images, HTML
and text copies: it is whole or not there, and may be lost with the last seconds.
"""

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL_SUFFIX = ".partial"  # of a file that is being written


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Within, write the returned path; at the end that file takes the place of `path`.

    Where the block raises, `path` stays as it was, and nothing is left beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL_SUFFIX)
    try:
        yield partial
        if durable:
            _sync(partial)
        os.replace(partial, path)
        if durable:
            _sync(path.parent)  # the new name too
    finally:
        partial.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes, *, durable: bool = True) -> Path:
    """Write a file whole or not at all; text as UTF-8 with its line ends as they are."""
    with replacing(path, durable=durable) as partial:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


def append_lines(path: Path, *lines: str) -> None:
    """Append lines; they are on the disk when this returns.

    Half a line that a crash left at the end of the file is cut off first.
    """
    with path.open("ab") as file:
        file.truncate(_whole_bytes(path))
        # bytes of a file name that aren't Unicode become JSON escapes, and come back unchanged
        file.writelines(line.encode("utf-8", "backslashreplace") + b"\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


def cut_half_line(path: Path) -> None:
    """Cut off half a line that a crash left at the end of a file, so that lines can be added."""
    with path.open("r+b") as file:
        file.truncate(_whole_bytes(path))


def whole_lines(path: Path) -> Iterator[str]:
    """The lines of a file, without half a line that a crash left at its end."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1].decode()


def same_name(name: str) -> str:
    """Equal for names that some file systems take for the same."""
    return unicodedata.normalize("NFC", name.casefold())


def _whole_bytes(path: Path) -> int:
    """How long the file is up to its last line end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def _sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
