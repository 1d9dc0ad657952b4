"""The engine `ray`: models as Ray actors, on the GPUs of this machine or of a cluster.

Ray places and restarts the actors. What is under way on an actor that is lost is sent out again;
a page that was under way whenever an actor was lost is tried alone, and given up at the third loss.
"""

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from glmocr_utils.mass_infer.in_flight import Failure, InFlightReader
from glmocr_utils.mass_infer.local import advance
from glmocr_utils.mass_infer.task import PageTask, Reading, Request
from glmocr_utils.model import load_model

MAX_LOSSES = 3  # of actors, with the same page under way
PAGES_A_CALL = 16
CALLS_AHEAD = 2  # for each actor, so that none waits for this process


class PageActor:
    """A model in a process of its own."""

    def __init__(
        self, load: Mapping[str, object], prompt: str, batch_size: int | str, num_threads: int
    ) -> None:
        torch.set_num_threads(num_threads)
        self._reader = InFlightReader(load_model(**load), prompt, batch_size)

    def read(self, requests: list[Request]) -> list[Reading | Failure]:
        """Read all of them."""
        work = (self._reader.prepare(*numbered) for numbered in enumerate(requests))
        readings = dict(self._reader.read(lambda wait: next(work, None)))
        return [readings[number] for number in range(len(requests))]

    def process_id(self) -> int:
        """For tests, which end it."""
        return os.getpid()


@dataclass(slots=True)
class RayPool:
    """Actors, each with a model.

    Attributes:
        load: the arguments of `load_model`.
        prompt: the task.
        batch_size: as in `InFlightReader`.
        num_actors: None is one a GPU of the cluster, or one where there is none.
        address: of a cluster, or `auto`; None starts Ray on this machine.
    """

    load: Mapping[str, object]
    prompt: str
    batch_size: int | str = "auto"
    num_actors: int | None = None
    address: str | None = None
    actors: list = field(default_factory=list, init=False)

    def read(self, tasks: Iterable[PageTask]) -> Iterator[PageTask]:
        """Read tasks to their end; each comes as soon as it is done.

        Raises:
            ModuleNotFoundError: Ray is not installed.
            ModelLoadError: the model cannot be loaded.
        """
        ray = _import_ray()
        started_here = not ray.is_initialized()
        if started_here:
            # the driver's paths, so that actors on this machine find the package
            environment = {"env_vars": {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}}
            ray.init(
                address=self.address,
                runtime_env=environment,
                include_dashboard=False,
                log_to_driver=False,
            )
        try:
            self._start(ray)
            yield from self._read(ray, iter(tasks))
        finally:
            for actor in self.actors:
                ray.kill(actor)
            if started_here:
                ray.shutdown()

    def _start(self, ray) -> None:
        resources = ray.cluster_resources()
        num_gpus = int(resources.get("GPU", 0))
        count = self.num_actors or max(1, num_gpus)
        cores = max(1, int(resources.get("CPU", 1)) // count)
        actor = ray.remote(
            num_gpus=num_gpus / count if num_gpus else 0,
            num_cpus=0 if num_gpus else cores,
            max_restarts=-1,
        )(PageActor)
        options = (dict(self.load), self.prompt, self.batch_size, cores)
        self.actors = [actor.remote(*options) for _ in range(count)]
        ray.get([actor.process_id.remote() for actor in self.actors])

    def _read(self, ray, tasks: Iterator[PageTask]) -> Iterator[PageTask]:
        size = PAGES_A_CALL if self.batch_size == "auto" else self.batch_size
        ready: deque[PageTask] = deque()
        alone: deque[PageTask] = deque()  # were under way on an actor that was lost
        losses: Counter[PageTask] = Counter()
        under_way: dict = {}  # Ray's reference → (actor, tasks)
        free = deque(self.actors * CALLS_AHEAD)
        while True:
            while free:
                while len(ready) < size and (task := next(tasks, None)) is not None:
                    if task.row is not None:  # blank
                        yield task
                    else:
                        ready.append(task)
                source, count = (alone, 1) if alone else (ready, min(size, len(ready)))
                if not source:
                    break
                group = [source.popleft() for _ in range(count)]
                actor = free.popleft()
                under_way[actor.read.remote([task.request for task in group])] = (actor, group)
            if not under_way:
                return
            [reference], _ = ray.wait(list(under_way), num_returns=1)
            actor, group = under_way.pop(reference)
            free.append(actor)
            try:
                readings = ray.get(reference)
            except ray.exceptions.RayActorError:  # Ray starts it anew
                losses.update(group)
                for task in group:
                    if losses[task] == MAX_LOSSES:
                        task.fail(
                            f"ended the model's process {MAX_LOSSES} times; lower scale, or leave "
                            "it out"
                        )
                alone += [task for task in group if task.row is None]
            else:
                for task, reading in zip(group, readings, strict=True):
                    advance(task, reading)
                ready += [task for task in group if task.row is None]
            yield from (task for task in group if task.row is not None)


def _import_ray():
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'engine="ray" needs the package ray; install it with: pip install ray'
        ) from error
    return ray
