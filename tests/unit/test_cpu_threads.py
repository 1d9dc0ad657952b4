"""A model on the CPU leaves cores to other programs instead of spinning for them."""

import psutil
import pytest
import torch

from glmocr_utils.model import cpu_threads
from glmocr_utils.model.cpu_threads import fit_threads


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    cpu_threads._most_threads.cache_clear()
    for name in cpu_threads.SET_BY_USER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)
    yield
    torch.set_num_threads(before)
    cpu_threads._most_threads.cache_clear()


@pytest.mark.parametrize(("busy", "threads"), [(0, 4), (12, 4), (50, 2), (100, 1)])
def test_busy_cores_are_left_out(monkeypatch, busy, threads):
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: busy)
    said = fit_threads()
    assert torch.get_num_threads() == threads and said.startswith(str(threads))
    assert ("busy" in said) == (threads < 4)


def test_cores_that_are_free_again_are_used(monkeypatch):
    for busy, threads in ((100, 1), (0, 4)):
        monkeypatch.setattr(psutil, "cpu_percent", lambda interval, busy=busy: busy)
        fit_threads()
        assert torch.get_num_threads() == threads


def test_what_the_user_has_set_is_kept(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: 100)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert fit_threads() == "4 threads" and torch.get_num_threads() == 4
