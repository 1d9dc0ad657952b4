"""A worker process, and the memory that it shares with this one.

A plain subprocess: it imports neither the caller's main module (torch, say) nor is it forked from a
process that uses CUDA, and pixels cross in shared memory. It needs Linux or macOS.
"""

import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from glmocr_utils.render.raster import canvas_bytes
from glmocr_utils.render.worker import Reply, Request

PACKAGE_PARENT = Path(__file__).parents[2]


class WorkerDied(Exception):
    """The worker ended before it replied. The message says how, and what to do."""


class Worker:
    """A worker process, started when it is first asked, and again after it died."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._starting = threading.Lock()
        self._shared_file = _anonymous_file(canvas_bytes(max_pixels))
        self.shared = mmap.mmap(self._shared_file, canvas_bytes(max_pixels))

    def ask(self, request: Request) -> Reply:
        """Send `request` and wait for the reply.

        Raises:
            WorkerDied: no reply came.
        """
        process = self._running_process()
        try:
            self.send(request, process)
            return pickle.load(_pipes(process)[1])
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            process.kill()
            process.wait()
            if process.returncode == -signal.SIGALRM:
                raise WorkerDied(
                    f"took longer than timeout={request.options.timeout:g} seconds; print "
                    "it to a new PDF, or leave it out"
                ) from error
            if process.returncode >= 0:  # no document does that
                raise RuntimeError(
                    "a render worker could not run; its traceback is on standard error"
                ) from error
            name = signal.Signals(-process.returncode).name
            raise WorkerDied(
                f"ended the process that rendered it ({name}), as a damaged file or too little "
                "memory does; save the file again with another PDF program, or leave it out"
            ) from error

    def send(self, request: Request, process: subprocess.Popen[bytes]) -> None:
        requests, _ = _pipes(process)
        pickle.dump(request, requests)
        requests.flush()

    def stop(self) -> None:
        """End the process at once, also in the middle of a page; it is not started again."""
        with self._starting:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """Free its resources, after `stop` and when no thread asks it any more."""
        if self._process is not None:
            _bury(self._process)
        self.shared.close()
        os.close(self._shared_file)

    def _running_process(self) -> subprocess.Popen[bytes]:
        with self._starting:
            if self._stopped:
                raise WorkerDied("was stopped")
            if self._process is None or self._process.poll() is not None:
                if self._process is not None:
                    _bury(self._process)
                self._process = self._start()
            return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        program = (
            "from glmocr_utils.render.worker import main; "
            f"main({self._shared_file}, {self._max_pixels})"
        )
        # The worker finds its modules where this process did, and not in the working directory.
        search_path = os.pathsep.join([str(PACKAGE_PARENT), *filter(None, sys.path)])
        return subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search_path},
            pass_fds=[self._shared_file],
        )


def _bury(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that has been killed or died, and close its pipes."""
    process.wait()
    requests, replies = _pipes(process)
    replies.close()
    with suppress(OSError):  # what it did not read any more
        requests.close()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Its input and output."""
    assert process.stdin is not None and process.stdout is not None  # `_start` asked for both
    return process.stdin, process.stdout


def _anonymous_file(num_bytes: int) -> int:
    """Descriptor of a file without a name, in memory where the system can do that.

    Not `multiprocessing.shared_memory`: its files are lost in /dev/shm when the process is killed,
    and in a container that is often too small.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("glmocr-page")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, num_bytes)
    return descriptor
