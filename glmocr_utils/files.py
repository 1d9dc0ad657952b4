"""Files that only grow, line by line, and survive a crash; names that every disk keeps apart."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path


def append_line(path: Path, line: str) -> None:
    """Append a line; it is on the disk when this returns.

    Half a line that a crash left at the end of the file is cut off first.
    """
    with path.open("ab") as file:
        file.truncate(_whole_bytes(path))
        # what is no Unicode in a file name becomes an escape of JSON, and comes back as it was
        file.write(line.encode("utf-8", "backslashreplace") + b"\n")
        file.flush()
        os.fsync(file.fileno())


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
