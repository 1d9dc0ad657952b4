"""Processes that train together: what they hand each other."""

import subprocess
import sys
from pathlib import Path

import torch
from paths import ROOT

WORK = """
import sys

import torch
from torch.nn import Parameter

from workshop import parallel


def work(folder):
    rank = parallel.rank()
    both, one = Parameter(torch.ones(2, 3)), Parameter(torch.ones(2))
    resting = Parameter(torch.ones(1), requires_grad=False)
    ((rank + 1) * both).sum().backward()
    if rank == 0:
        one.sum().backward()
    parallel.average_gradients([both, one, resting])
    asked = parallel.any_process(rank == 1), parallel.any_process(False)
    seen = both.grad, one.grad, resting.grad, asked, parallel.world_size()
    torch.save(seen, f"{folder}/{rank}.pt")
    parallel.wait_for_all()


if __name__ == "__main__":
    with parallel.processes(2, work, sys.argv[1]):
        work(sys.argv[1])
    assert parallel.world_size() == 1
"""


def test_every_process_gets_the_mean_of_the_gradients(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(WORK)
    subprocess.run(
        [sys.executable, script, tmp_path], check=True, timeout=120, env={"PYTHONPATH": str(ROOT)}
    )
    for rank in (0, 1):
        both, one, resting, asked, world_size = torch.load(tmp_path / f"{rank}.pt")
        assert torch.equal(both, torch.full((2, 3), 1.5))
        assert torch.equal(one, torch.full((2,), 0.5)) and resting is None
        assert asked == (True, False) and world_size == 2
