"""The engine `local`: one model in this process, pages of like size in one pass."""

from collections.abc import Iterable, Iterator

from glmocr_utils.mass_infer.batches import BatchReader, Failure
from glmocr_utils.mass_infer.task import PageTask

PAGES_TO_CHOOSE_FROM = 16  # wait in memory, so that a pass is of pages of like size


def read_local(reader: BatchReader, tasks: Iterable[PageTask]) -> Iterator[PageTask]:
    """Read tasks to their end; each comes as soon as it is done, not in order."""
    tasks = iter(tasks)
    waiting: list[PageTask] = []
    while True:
        while len(waiting) < PAGES_TO_CHOOSE_FROM and (task := next(tasks, None)) is not None:
            if task.row is not None:  # blank
                yield task
            else:
                waiting.append(task)
        if not waiting:
            return
        chosen = [waiting[i] for i in reader.choose([task.request for task in waiting])]
        readings = reader.read([task.request for task in chosen])
        for task, reading in zip(chosen, readings, strict=True):
            advance(task, reading)
            if task.row is not None:
                yield task
        waiting = [task for task in waiting if task.row is None]


def advance(task: PageTask, reading: object) -> None:
    """Give a task what came of its request."""
    if isinstance(reading, Failure):
        task.fail(reading.reason)
    else:
        task.take(reading)
