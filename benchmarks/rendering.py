"""Rendering: PDF pages to images in memory, and to files."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.baselines import render_with_pdfium, render_with_pdftoppm
from benchmarks.inputs import write_large_pdf
from benchmarks.measure import MEGABYTE, Row, compare, watched_memory
from glmocr_utils.render import RenderOptions, render_documents, render_to_imagefolder

PAGES = 1920
SCALE = 4.0  # an A6 page with the pixels of an A4 page at 2.0


def against_a_pdfium_loop() -> Iterator[Row]:
    """Pages as images in memory, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_large_pdf(Path(folder) / "large.pdf", PAGES)

        def ours() -> int:
            return sum(1 for _ in render_documents([path], RenderOptions(scale=SCALE)))

        def loop() -> int:
            return sum(1 for _ in render_with_pdfium(path, SCALE))

        seconds, loop_seconds = compare(ours, loop)
        yield Row(
            "rendering against one pdfium loop",
            "pages/s",
            PAGES / seconds,
            PAGES / loop_seconds,
            ">= 1.8",
        )
        fewer = write_large_pdf(Path(folder) / "fewer.pdf", PAGES // 4)
        peaks = {}
        for each in (fewer, path):
            with watched_memory() as memory:
                for _ in render_documents([each], RenderOptions(scale=SCALE)):
                    pass
            peaks[each] = memory.peak / MEGABYTE
        yield Row(
            f"rendering, memory: {PAGES} pages against {PAGES // 4}",
            "MB",
            peaks[path],
            peaks[fewer],
            "<= 1.05",
        )


def against_pdftoppm() -> Iterator[Row]:
    """Pages as PNG files."""
    name = "rendering to PNG files against pdftoppm"
    if shutil.which("pdftoppm") is None:
        yield Row(name, "pages/s", None, None, ">= 1.8", "pdftoppm is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = write_large_pdf(Path(folder) / "large.pdf", PAGES // 4)
        numbers = iter(range(100))

        def fresh() -> Path:
            target = Path(folder) / str(next(numbers))
            target.mkdir()
            return target

        seconds, other = compare(
            lambda: render_to_imagefolder([path], fresh(), RenderOptions(scale=SCALE)),
            lambda: render_with_pdftoppm(path, SCALE, fresh()),
        )
        pages = PAGES // 4
        yield Row(name, "pages/s", pages / seconds, pages / other, ">= 1.8")
