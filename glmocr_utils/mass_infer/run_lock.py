"""One writer per run, also where a run's folder is shared by several machines.

A lock of the file system keeps out other processes of this machine, and ends with the process. Some
network file systems keep it from other machines only by name, so the writer also leaves a note: who
it is, and a sign of life that is renewed while it writes.
"""

import json
import logging
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"
NOTE = ".writer.json"
BEAT_S = 20.0  # between two signs of life
SILENT_S = 600.0  # without one: a writer on another machine counts as gone
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

logger = logging.getLogger(__name__)


class RunLock:
    """The lock of a run's folder, held until `release`; the folder is made where it is missing.

    Raises:
        BlockingIOError: another process writes there, on this machine or on another one.
        OSError: there can be no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._note = folder / NOTE
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{folder} cannot be the folder of a run ({error.strerror}); choose another "
                "output_dir",
            ) from error
        self._lock = _locked(folder)
        try:
            self._refuse_another_writer()
            self._me = json.dumps({**_this_machine(), "pid": os.getpid(), "since": time.time()})
            self._note.write_text(self._me, encoding="utf-8")
        except BaseException:
            self._release_file()
            raise
        self._released = threading.Event()
        threading.Thread(target=self._beat, name="sign of life", daemon=True).start()

    def check(self) -> None:
        """Make sure that no other machine has taken the folder over meanwhile.

        Raises:
            BlockingIOError: one has; nothing more may be written.
        """
        if self._note.exists() and self._note.read_text(encoding="utf-8") != self._me:
            writer = _read_note(self._note)
            raise BlockingIOError(
                f"{_named(writer or {})} has taken over the run {self._folder}, since this "
                "process gave no sign of life for long; what was written so far is kept"
            )

    def sign_off(self) -> None:
        """Take the note away; the lock stays."""
        self._released.set()
        with suppress(OSError):
            if self._note.read_text(encoding="utf-8") == self._me:
                self._note.unlink()

    def release(self) -> None:
        self.sign_off()
        self._release_file()

    def _release_file(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _beat(self) -> None:
        while not self._released.wait(BEAT_S):
            with suppress(OSError):
                os.utime(self._note)

    def _refuse_another_writer(self) -> None:
        writer = _read_note(self._note)
        if writer is None or (_is_here(writer) and not self._lives_unlocked(writer)):
            return  # the lock of this machine is ours, so that writer is gone
        silent = _seconds_since(self._note)
        if silent > SILENT_S:
            logger.warning(
                "%s gave no sign of life for %.0f minutes; this process takes over the run %s",
                _named(writer),
                silent / 60,
                self._folder,
            )
            return
        raise BlockingIOError(
            f"{_named(writer)} writes to the run {self._folder} (last sign of life {silent:.0f} s "
            f"ago); wait for it, or choose another output_dir. If that process has ended, delete "
            f"{self._note}, or wait {SILENT_S / 60:.0f} minutes"
        )

    def _lives_unlocked(self, writer: dict) -> bool:
        """Whether a writer on this machine lives, if the file system has no locks to show it."""
        if self._lock is not None or writer["pid"] == os.getpid():
            return False
        with suppress(ProcessLookupError):
            with suppress(PermissionError):
                os.kill(writer["pid"], 0)
            return True
        return False


def _locked(folder: Path) -> FileLock | None:
    """The file system's lock; None where it has none."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        writer = _read_note(folder / NOTE)
        who = f" ({_named(writer)})" if writer else ""
        raise BlockingIOError(
            f"another process{who} writes to the run {folder}; wait for it, or choose another "
            "output_dir"
        ) from None
    except NotImplementedError:
        return None
    return lock


def _this_machine() -> dict[str, str]:
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return {"host": socket.gethostname(), "boot": boot}


def _is_here(writer: dict) -> bool:
    """Whether a writer ran on this machine; a container has another name and the same kernel."""
    here = _this_machine()
    same_boot = bool(here["boot"]) and writer["boot"] == here["boot"]
    return writer["host"] == here["host"] or same_boot


def _read_note(note: Path) -> dict | None:
    """The writing process; None if there is none, or a crash left half a note."""
    try:
        writer = json.loads(note.read_text(encoding="utf-8"))
        return writer if {"host", "boot", "pid"} <= writer.keys() else None
    except (OSError, ValueError, AttributeError):
        return None


def _seconds_since(note: Path) -> float:
    """Age of the last sign of life, by the clock that dates files there."""
    now = note.with_name(f"{note.name}.{os.getpid()}")
    try:
        now.touch()
        return max(0.0, now.stat().st_mtime - note.stat().st_mtime)
    finally:
        now.unlink(missing_ok=True)


def _named(writer: dict) -> str:
    return f"process {writer.get('pid', '?')} on {writer.get('host', 'another machine')}"
