"""The engine `local`: one model in this process."""

from collections import deque
from collections.abc import Generator, Iterable

from glmocr_utils.mass_infer.in_flight import Failure, InFlightReader, Work
from glmocr_utils.mass_infer.task import PageTask, Reading, Task
from glmocr_utils.ocr.prefetch import Prefetch

PAGES_AHEAD = 8  # rendered and prepared while the model is busy


def read_local(reader: InFlightReader, tasks: Iterable[Task]) -> Generator[Task, None, None]:
    """Read tasks to their end; each comes as soon as it is done, not in order.

    Tasks are taken and prepared in a thread; the next pass of a page comes before new pages.
    """
    unfinished: deque[Task] = deque()

    def prepared(task: Task) -> Work:
        return reader.prepare(task, task.request)

    with Prefetch(map(prepared, tasks), PAGES_AHEAD) as ahead:

        def take(wait: bool) -> Work | None:
            return prepared(unfinished.popleft()) if unfinished else ahead.take(wait)

        for task, reading in reader.read(take):
            if reading is not None:
                advance(task, reading)
            if task.row is None:
                unfinished.append(task)
            else:
                yield task


def advance(task: PageTask, reading: Reading | Failure) -> None:
    """Give a task what came of its request."""
    if isinstance(reading, Failure):
        task.fail(reading.reason)
    else:
        task.take(reading)
