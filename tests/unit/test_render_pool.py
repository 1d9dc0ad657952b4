"""Rendering in worker processes: order, memory, and what a dying worker costs."""

import gc
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from render_inputs import Page, endless_pdf, grey_page, write_grey_pdf, write_pdf

from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import (
    RenderOptions,
    pool,
    render_document,
    render_documents,
    worker_process,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen]]:
    """The worker processes that were started, in order. None may be left in the end."""
    started = []

    class RecordedPopen(subprocess.Popen):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr(worker_process.subprocess, "Popen", RecordedPopen)
    yield started
    assert all(process.returncode is not None for process in started)


def kill_worker_on(monkeypatch: pytest.MonkeyPatch, page_index: int | None) -> None:
    """Let the worker that is asked for this page (None: to open a document) die at once."""
    send = worker_process.Worker.send

    def send_and_kill(
        worker: worker_process.Worker, request: pool.Request, process: object
    ) -> None:
        if request.page_index == page_index:
            process.kill()
        send(worker, request, process)

    monkeypatch.setattr(worker_process.Worker, "send", send_and_kill)


def outline(page: PageImage | FailedPage) -> tuple[str, int | None, object]:
    """Document, page, and its grey or status."""
    if isinstance(page, FailedPage):
        return Path(page.document_path).name, page.page_index, page.status
    name = Path(page.page.document_path).name
    return name, page.page.page_index, page.image.getpixel((3, 3))[0]


@pytest.mark.parametrize("workers", [1, 3])
def test_all_pages_of_all_documents_come_in_order(
    tmp_path: Path, processes: list[subprocess.Popen], workers: int
) -> None:
    write_grey_pdf(tmp_path / "a.pdf", list(range(0, 70, 10)))
    (tmp_path / "empty.pdf").touch()
    write_grey_pdf(tmp_path / "b.pdf", [200])
    Image.new("RGB", (9, 9), (7, 7, 7)).save(tmp_path / "c.png")
    frames = [Image.new("L", (9, 9), grey) for grey in (11, 22)]
    frames[0].save(tmp_path / "d.tif", save_all=True, append_images=frames[1:])
    names = ["a.pdf", "empty.pdf", "b.pdf", "missing.pdf", "c.png", "d.tif"]
    pages = list(render_documents([tmp_path / name for name in names], workers=workers))
    assert [outline(page) for page in pages] == [
        *(("a.pdf", index, 10 * index) for index in range(7)),
        ("empty.pdf", None, "unreadable"),
        ("b.pdf", 0, 200),
        ("missing.pdf", None, "unreadable"),
        ("c.png", 0, 7),
        ("d.tif", 0, 11),
        ("d.tif", 1, 22),
    ]
    assert len(processes) <= workers


def test_workers_give_what_one_process_gives(tmp_path: Path) -> None:
    drawn = Page(b"1 0 0 rg 5 5 20 20 re f 0 0 1 RG 3 w 10 10 m 50 35 l S", (61.3, 40))
    path = write_pdf(tmp_path / "a.pdf", drawn, grey_page(9, (200, 10)), drawn)
    options = RenderOptions(scale=1.7, pages="2-", max_pixels=10_000)
    alone = list(render_document(path, options))
    together = list(render_documents([path], options, workers=2))
    assert [page.page for page in together] == [page.page for page in alone]
    assert [page.scale for page in together] == [page.scale for page in alone]
    assert [page.image.tobytes() for page in together] == [page.image.tobytes() for page in alone]


def test_pages_of_one_document_are_rendered_by_several_workers(
    tmp_path: Path, processes: list[subprocess.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages_by_process: Counter[int] = Counter()
    send = worker_process.Worker.send

    def counting_send(
        worker: worker_process.Worker, request: pool.Request, process: object
    ) -> None:
        if request.page_index is not None:
            pages_by_process[process.pid] += 1
        send(worker, request, process)

    monkeypatch.setattr(worker_process.Worker, "send", counting_send)
    path = write_pdf(tmp_path / "a.pdf", *[grey_page(9, (600, 800))] * 40)
    assert len(list(render_documents([path], workers=2))) == 40
    assert len(processes) == 2
    assert pages_by_process.total() == 40
    assert min(pages_by_process[process.pid] for process in processes) > 1


def test_a_slow_consumer_finds_few_pages_in_memory(tmp_path: Path) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5] * 60)
    ahead = 4
    most = 0
    before = count_images()
    for _ in render_documents([path], workers=2, ahead=ahead):
        # Time enough for the workers to render all pages, if they were let.
        most = max(most, count_images() - before)
    assert most <= ahead + 1


def count_images() -> int:
    # by its type: asking some objects of torch for their class is a warning
    return sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())


def test_no_page_is_begun_before_there_is_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    answer = pool.WorkerPool._answer
    monkeypatch.setattr(
        pool.WorkerPool,
        "_answer",
        lambda self, request: (begun.append(request), answer(self, request))[1],
    )
    path = write_grey_pdf(tmp_path / "a.pdf", [5] * 30)
    for taken, _ in enumerate(render_documents([path], workers=2, ahead=3)):
        assert len(begun) - 1 <= taken + 3  # one was to open the document


def test_documents_are_asked_for_as_they_are_needed(tmp_path: Path) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5])
    asked_for = []

    def paths() -> Iterator[Path]:
        for number in range(100):
            asked_for.append(number)
            yield path

    pages = render_documents(paths(), workers=2)
    next(pages)
    pages.close()
    assert len(asked_for) < 20


def test_a_worker_that_dies_costs_only_its_page(
    tmp_path: Path, processes: list[subprocess.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_worker_on(monkeypatch, page_index=2)
    path = write_grey_pdf(tmp_path / "a.pdf", [0, 10, 20, 30, 40, 50])
    other = write_grey_pdf(tmp_path / "b.pdf", [60])
    pages = list(render_documents([path, other], workers=2))
    assert [outline(page)[2] for page in pages] == [0, 10, "failed", 30, 40, 50, 60]
    assert pages[2].page_index == 2
    assert "page 3, ended the process that rendered it (SIGKILL)" in pages[2].reason
    assert 2 <= len(processes) <= 3


def test_a_worker_that_dies_while_opening_costs_only_that_document(
    tmp_path: Path, processes: list[subprocess.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_worker_on(monkeypatch, page_index=None)
    path = write_grey_pdf(tmp_path / "a.pdf", [0, 10])
    (page,) = render_documents([path], workers=1)
    assert outline(page) == ("a.pdf", None, "failed")
    assert repr(str(path)) in page.reason


def test_a_worker_killed_between_pages_costs_nothing(
    tmp_path: Path, processes: list[subprocess.Popen]
) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [0, 10, 20])
    pages = render_documents([path], workers=1, ahead=1)
    shown = []
    for page in pages:
        shown.append(outline(page)[2])
        processes[-1].kill()
        processes[-1].wait()
    assert shown == [0, 10, 20]
    assert len(processes) == 3


def test_a_page_without_end_is_given_up(tmp_path: Path, processes: list[subprocess.Popen]) -> None:
    path = tmp_path / "endless.pdf"
    path.write_bytes(endless_pdf())
    pages = list(render_documents([path], RenderOptions(timeout=1.0), workers=1))
    assert [outline(page)[2] for page in pages] == [10, "failed", 30]
    assert "page 2, took longer than timeout=1 seconds" in pages[1].reason


def test_closing_early_stops_the_workers_at_once(
    tmp_path: Path, processes: list[subprocess.Popen]
) -> None:
    path = tmp_path / "endless.pdf"
    path.write_bytes(endless_pdf())
    pages = render_documents([path], workers=2)
    next(pages)  # meanwhile, a worker is busy with the page without end
    pages.close()
    assert processes
    assert all(process.returncode is not None for process in processes)


def test_an_error_of_the_consumer_stops_the_workers(
    tmp_path: Path, processes: list[subprocess.Popen]
) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5] * 20)

    def consume() -> None:
        for _ in render_documents([path], workers=2):
            raise RuntimeError("no room on the disk")

    with pytest.raises(RuntimeError, match="no room"):
        consume()
    gc.collect()
    assert processes
    assert all(process.returncode is not None for process in processes)


def test_no_descriptor_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_worker_on(monkeypatch, page_index=1)
    path = write_grey_pdf(tmp_path / "a.pdf", [5] * 5)
    before = len(os.listdir("/dev/fd"))
    list(render_documents([path], workers=2))
    assert len(os.listdir("/dev/fd")) == before


def test_a_script_needs_no_main_guard_and_is_not_run_again(tmp_path: Path) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5] * 3)
    script = tmp_path / "script.py"
    script.write_text(
        "from glmocr_utils.render import render_documents\n"
        "print('started')\n"
        f"print(len(list(render_documents([{str(path)!r}], workers=2))))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("started\n3\n", "")


def test_the_working_directory_cannot_replace_a_module_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5])
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit('loaded from the folder of scans')")
    monkeypatch.chdir(tmp_path)
    (page,) = render_documents([path], workers=1)
    assert isinstance(page, PageImage)


def test_a_worker_that_cannot_run_is_an_error_and_no_failed_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5])
    monkeypatch.setattr(worker_process.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="a render worker could not run"):
        list(render_documents([path], workers=1))


def test_the_password_reaches_the_workers_but_no_command_line(
    tmp_path: Path, processes: list[subprocess.Popen]
) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [5])
    list(render_documents([path], RenderOptions(password="geheim"), workers=1))
    assert not any("geheim" in argument for argument in processes[0].args)


def test_requests_survive_the_way_to_the_worker() -> None:
    request = pool.Inspect(Path("\udcff.pdf"), RenderOptions(password="key", pages="2-"))
    assert pickle.loads(pickle.dumps(request)) == request
