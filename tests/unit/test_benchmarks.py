"""The benchmark compares like with like, and says what it measured."""

import time

import pytest
from scripted_model import endless

from benchmarks import __main__ as program
from benchmarks import baselines, on_gpu
from benchmarks.inputs import images_of, mixed_pages, small_pages, write_large_pdf
from benchmarks.measure import Row, watched_memory
from glmocr_utils.ocr import read_pages
from glmocr_utils.render import RenderOptions, render_documents


def test_a_bound_is_met_or_not():
    assert Row("", "s", 1.0, 1.0, "<= 1.03").met and not Row("", "s", 1.1, 1.0, "<= 1.03").met
    assert Row("", "p/s", 5.0, 2.0, ">= 2.5").met and not Row("", "p/s", 4.9, 2.0, ">= 2.5").met


def test_what_was_not_measured_stays_empty():
    record = Row("on a GPU", "pages/s", None, None, ">= 5", "no GPU here").record()
    assert record["ratio"] is None and record["met"] is None
    assert program.table_line(record) == "| on a GPU (no GPU here) | | | | ≥ 5× | |"


def test_a_line_of_the_table_says_all():
    record = Row("pages/s", "pages/s", 5.0, 2.0, ">= 2.5").record()
    line = program.table_line(record)
    assert line == "| pages/s | 5 pages/s | 2 pages/s | 2.5 | ≥ 2.5× | yes |"


def test_the_scripts_read_the_same_as_we_do(bundled_model):
    pages = [*mixed_pages(2), *small_pages(2)]
    ours = list(read_pages(bundled_model, pages, max_tokens=40, batch_size=4))
    single = baselines.read_single_pages(bundled_model, images_of(pages), 40)
    texts, probabilities, score_bytes = baselines.read_batches_with_probabilities(
        bundled_model, images_of(pages), 40
    )
    assert [result.text for result in ours] == single == texts
    for result, page in zip(ours, probabilities, strict=True):
        assert [token.prob for token in result.tokens] == pytest.approx(page, abs=1e-4)
    vocabulary = bundled_model.model.config.text_config.vocab_size
    assert score_bytes % (4 * len(pages) * vocabulary) == 0  # a float32 for each, step by step


def test_a_fixed_batch_goes_on_to_its_longest_page_and_reads_the_same(bundled_model):
    model, pages, limits = endless(bundled_model), small_pages(3), [5, 20, 9]
    in_flight = on_gpu.read_in_flight(model, pages, limits)
    fixed = on_gpu.read_fixed_batches(model, pages, limits)
    assert [list(in_flight[n].token_ids) for n in range(3)] == fixed
    assert [len(tokens) for tokens in fixed] == limits


def test_lengths_are_spread_as_those_of_pages_are():
    lengths = sorted(on_gpu.drawn_limits(1000))
    assert 400 < lengths[500] < 600 and lengths[50] < 200 and lengths[950] > 1200


def test_rendering_is_compared_on_the_same_pixels(tmp_path):
    path = write_large_pdf(tmp_path / "large.pdf", 3)
    ours = list(render_documents([path], RenderOptions(scale=1.0)))
    loop = list(baselines.render_with_pdfium(path, 1.0))
    assert len(ours) == len(loop) >= 3
    for page, image in zip(ours, loop, strict=True):
        assert page.image.tobytes() == image.tobytes()


def test_memory_that_was_there_for_a_moment_is_seen():
    with watched_memory() as memory:
        block = bytearray(200_000_000)
        block[::4096] = b"x" * len(block[::4096])
        seen = memory.peak
        for _ in range(1000):  # until it has been looked at
            if memory.peak > seen:
                break
            time.sleep(0.01)
        del block
    assert memory.added > 150_000_000
