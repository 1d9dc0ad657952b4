"""Several processes of one machine train one model: each reads batches of its own.

A small model leaves most of a second thread idle, and two processes with a thread each read half as
many batches again. Nothing here knows the model: a trainer averages the gradients after each step.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

HOST = "127.0.0.1"


@contextmanager
def processes(number: int, function: Callable[..., object], *arguments: object) -> Iterator[None]:
    """Inside it this process is the first of `number`; the others run `function(*arguments)`.

    The others have to do the same steps as this one, and end with it.
    """
    if number == 1:
        yield
        return
    threads = torch.get_num_threads()
    port = _free_port()
    spawn = multiprocessing.get_context("spawn")
    others = [
        spawn.Process(target=_run, args=(rank, number, port, function, arguments))
        for rank in range(1, number)
    ]
    for process in others:
        process.start()
    _join(0, number, port)
    try:
        yield
    finally:
        dist.destroy_process_group()
        torch.set_num_threads(threads)
        for process in others:
            process.join()


def rank() -> int:
    """The number of this process: 0 for the first, or the only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Give each process the mean of all processes' gradients; a missing one counts as zero."""
    if world_size() == 1:
        return
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    gradients = [
        torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for parameter in learning
    ]
    flat = torch.nn.utils.parameters_to_vector(gradients)
    dist.all_reduce(flat)
    flat /= world_size()
    for parameter, gradient in zip(
        learning, flat.split([g.numel() for g in gradients]), strict=True
    ):
        parameter.grad = gradient.view_as(parameter)


def any_process(flag: bool) -> bool:
    """Whether the flag is set in one process at least; all have to ask."""
    if world_size() == 1:
        return flag
    flags = torch.tensor(int(flag))
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags)


def wait_for_all() -> None:
    """Go on when every process has come so far."""
    if world_size() > 1:
        dist.barrier()


def _run(
    rank: int, number: int, port: int, function: Callable[..., object], arguments: tuple
) -> None:
    _join(rank, number, port)
    function(*arguments)
    dist.destroy_process_group()


def _join(rank: int, number: int, port: int) -> None:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // number))
    dist.init_process_group(
        "gloo", init_method=f"tcp://{HOST}:{port}", rank=rank, world_size=number
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
