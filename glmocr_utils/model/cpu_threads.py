"""How many threads a model on the CPU gets: as many as there are cores that are not busy.

After each operation the threads meet, and by default OpenMP lets those that came first spin. Where
another program has the core of the last one, they spin until it gives it back: with two threads on
two busy cores a page took 18 to 65 seconds, with one thread 2.3, with two that wait passively 2.8
to 4.5.
"""

import os
from functools import cache

import psutil
import torch

LOOK_S = 0.2  # how long the load of the cores is measured
SET_BY_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def fit_threads() -> str:
    """Set PyTorch's number of threads; a user's own setting is kept.

    Returns:
        The number, and why it is less than there are, such as `1 of 2 threads, because other
        programs keep 1.8 of 2 cores busy; OMP_NUM_THREADS sets another number`.
    """
    most = _most_threads()
    if any(os.environ.get(name) for name in SET_BY_USER):
        return _threads(torch.get_num_threads())
    cores = psutil.cpu_count() or 1
    busy = psutil.cpu_percent(LOOK_S) / 100 * cores
    threads = min(most, max(1, round(cores - busy)))
    torch.set_num_threads(threads)
    if threads == most:
        return _threads(threads)
    return (
        f"{threads} of {_threads(most)}, because other programs keep {busy:.1f} of {cores} cores "
        "busy; OMP_NUM_THREADS sets another number"
    )


@cache
def _most_threads() -> int:
    """What PyTorch would take, as found at the first load."""
    return torch.get_num_threads()


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"
