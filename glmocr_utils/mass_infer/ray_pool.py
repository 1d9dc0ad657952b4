"""The engine `ray`: models as Ray actors, on the GPUs of this machine or of a cluster.

Ray places and restarts the actors. What is under way on an actor that is lost is sent out again;
a page that was under way whenever an actor was lost is tried alone, and given up at the third loss.
"""

import math
import os
import queue
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch

from glmocr_utils.grounding import Locator
from glmocr_utils.layout import load_layout
from glmocr_utils.mass_infer.in_flight import (
    MAX_AUTO_PAGES_CPU,
    MAX_AUTO_PAGES_GPU,
    InFlightReader,
    Work,
)
from glmocr_utils.mass_infer.request import Answer, AnyRequest
from glmocr_utils.mass_infer.task import PageTask, Settled, Task
from glmocr_utils.model import load_model
from glmocr_utils.second_reader import load_readers

MAX_LOSSES = 3  # of actors, with the same page under way
PAUSE_S = 1.0  # before a lost actor is asked again whether it is there
# An actor holds so many pages more than it reads together: enough that it never waits for this
# process, and few, so that all actors end at about the same time.
CALLS_AHEAD = 8


class PageActor:
    """A model in a process of its own, which many calls share.

    Ray runs the calls in threads: each prepares its page and waits until it has been read.
    """

    def __init__(
        self,
        load: Mapping[str, Any],
        reader: tuple[Any, ...],
        num_threads: int,
        layout: str | None = None,
        coverage: bool = False,
        second_reader: str | None = None,
    ) -> None:
        torch.set_num_threads(num_threads)
        model = load_model(**load)
        found = load_layout(layout, model.device) if layout else None
        prompt, style, batch_size = reader
        locator = Locator(model) if coverage else None
        self._reader = InFlightReader(
            model,
            prompt,
            style,
            batch_size,
            found,
            locator,
            second_readers=load_readers(second_reader),
        )
        self._waiting: queue.SimpleQueue[Work] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="reader", daemon=True).start()

    def read(self, request: AnyRequest) -> Answer:
        """Read a page or a region, or find the regions of a page."""
        reading: Future[Answer] = Future()
        self._waiting.put(self._reader.prepare(reading, request))
        return reading.result()

    def process_id(self) -> int:
        """For tests, which end it."""
        return os.getpid()

    def _serve(self) -> None:
        try:
            for reading, read in self._reader.read(self._take):
                reading.set_result(read)
        finally:  # it serves for ever, so something is wrong: Ray starts another
            traceback.print_exc()
            os._exit(1)

    def _take(self, wait: bool) -> Work | None:
        try:
            return self._waiting.get(wait)
        except queue.Empty:
            return None


@dataclass(frozen=True, slots=True)
class Share:
    """What each of `num_actors` takes of a cluster, so that there is a place for all of them.

    Attributes:
        num_actors: how many there are.
        num_gpus: 1, or the share of a GPU that others use too; 0 where there is no GPU.
        cores: threads of PyTorch.
    """

    num_actors: int
    num_gpus: float
    cores: int


def share_of(machines: Sequence[Mapping[str, float]], num_actors: int | None) -> Share:
    """Divide a cluster; Ray never begins an actor that no single machine or GPU has room for.

    Args:
        machines: how many `CPU` and `GPU` each has.
        num_actors: None is one a GPU, or one where there is none.

    Raises:
        ValueError: without a GPU there are more actors than cores.
    """
    num_gpus = int(sum(machine.get("GPU", 0) for machine in machines))
    cores = [int(machine.get("CPU", 0)) for machine in machines]
    count = num_actors or max(1, num_gpus)
    even = sum(cores) // count
    if num_gpus:
        on_a_gpu = math.ceil(count / num_gpus)
        # rounded down: Ray counts in steps of 0.0001, and the shares must not exceed the GPU
        return Share(count, math.floor(10_000 / on_a_gpu) / 10_000, max(1, even))
    for most in range(even, 0, -1):
        if sum(machine // most for machine in cores) >= count:
            return Share(count, 0, most)
    raise ValueError(
        f"num_actors={count}, and each needs a core of its own, of which Ray has {sum(cores)} and "
        f"no GPU; set num_actors to {sum(cores)} at most, or leave it out"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """A request of a page."""

    task: PageTask
    request: AnyRequest


@dataclass(slots=True)
class RayPool:
    """Actors, each with a model.

    Attributes:
        load: the arguments of `load_model`.
        reader: the arguments of `InFlightReader` after the model.
        num_actors: None is one a GPU of the cluster, or one where there is none.
        address: of a cluster, or `auto`; None starts Ray on this machine.
        layout: id or folder of a layout model, for each actor; None reads whole pages.
        coverage: find what was left out of pages and what was made up.
        second_reader: names of programs that read the pages too.
    """

    load: Mapping[str, object]
    reader: tuple[object, ...]
    num_actors: int | None = None
    address: str | None = None
    layout: str | None = None
    coverage: bool = False
    second_reader: str | None = None
    actors: list = field(default_factory=list, init=False)
    _calls: int = field(default=0, init=False)  # under way on an actor, at most

    def read(self, tasks: Iterable[Task]) -> Generator[Task, None, None]:
        """Read tasks to their end; each comes as soon as it is done.

        Raises:
            ModuleNotFoundError: Ray is not installed.
            ValueError: there is no place for so many actors.
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
        share = share_of(
            [node["Resources"] for node in ray.nodes() if node["Alive"]], self.num_actors
        )
        together = MAX_AUTO_PAGES_GPU if share.num_gpus else MAX_AUTO_PAGES_CPU
        self._calls = together + CALLS_AHEAD
        actor = ray.remote(
            num_gpus=share.num_gpus,
            num_cpus=0 if share.num_gpus else share.cores,
            max_restarts=-1,
            max_concurrency=self._calls + 1,  # and `process_id`
        )(PageActor)
        options = (
            dict(self.load),
            self.reader,
            share.cores,
            self.layout,
            self.coverage,
            self.second_reader,
        )
        self.actors = [actor.remote(*options) for _ in range(share.num_actors)]
        ray.get([actor.process_id.remote() for actor in self.actors])

    def _read(self, ray: Any, tasks: Iterator[Task]) -> Iterator[Task]:
        unfinished: deque[_Call] = deque()  # of pages that were begun
        suspects: deque[_Call] = deque()  # were under way on an actor that was lost
        losses: Counter[_Call] = Counter()
        under_way: dict = {}  # Ray's reference → (actor, call)
        starting: dict = {}  # Ray's reference → an actor that was lost
        loads = dict.fromkeys(self.actors, 0)
        ended = False
        while True:
            while idle := [actor for actor in loads if actor not in starting.values()]:
                actor = min(idle, key=lambda each: loads[each])
                if suspects:
                    if loads[actor]:
                        break
                    call = suspects.popleft()
                elif loads[actor] == self._calls:
                    break
                elif unfinished:
                    call = unfinished.popleft()
                else:
                    taken = None if ended else next(tasks, None)
                    if taken is None:
                        ended = True
                        break
                    if isinstance(taken, Settled) or taken.row is not None:  # blank
                        yield taken
                    else:
                        unfinished.extend(_Call(taken, each) for each in taken.next_requests())
                    continue
                if call.task.row is None:
                    under_way[actor.read.remote(call.request.alone())] = (actor, call)
                    loads[actor] += 1
            if ended and not (under_way or suspects or unfinished):
                return
            if not under_way and not starting:
                continue
            [reference], _ = ray.wait([*under_way, *starting], num_returns=1)
            if reference in starting:
                actor = starting.pop(reference)
                if not _succeeded(ray, reference):
                    time.sleep(PAUSE_S)
                    starting[actor.process_id.remote()] = actor
                continue
            actor, call = under_way.pop(reference)
            loads[actor] -= 1
            task, was_open = call.task, call.task.row is None
            try:
                task.take(ray.get(reference), call.request)
            except ray.exceptions.RayActorError:  # Ray starts it again, which takes a while
                if actor not in starting.values():
                    starting[actor.process_id.remote()] = actor
                losses[call] += 1
                if losses[call] < MAX_LOSSES:
                    suspects.append(call)
                    continue
                task.fail(
                    f"ended the model's process {MAX_LOSSES} times; lower scale, or leave it out",
                    call.request,
                )
            unfinished.extend(_Call(task, each) for each in task.next_requests())
            if was_open and task.row is not None:
                yield task


def _succeeded(ray, reference) -> bool:
    try:
        ray.get(reference)
    except ray.exceptions.RayActorError:
        return False
    return True


def _import_ray():
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "engine='ray' needs the package ray: pip install 'glmocr-utils[ray]'", name="ray"
        ) from error
    return ray
