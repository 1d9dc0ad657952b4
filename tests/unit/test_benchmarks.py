"""The benchmark compares like with like, and says what it measured."""

import time

import pytest
import torch
from transformers import GlmOcrForConditionalGeneration

from benchmarks import __main__ as program
from benchmarks import baselines, on_gpu, vllm_cpu
from benchmarks.__main__ import table_line
from benchmarks.glm_ocr_size import NUM_PARAMETERS, glm_ocr_config
from benchmarks.inputs import images_of, mixed_pages, small_pages, write_large_pdf
from benchmarks.measure import Row, watched_memory
from glmocr_utils.ocr import read_pages
from glmocr_utils.render import RenderOptions, render_documents

pytestmark = pytest.mark.slow


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


def test_the_model_of_the_gpu_benchmark_has_the_sizes_of_glm_ocr():
    with torch.device("meta"):
        model = GlmOcrForConditionalGeneration(glm_ocr_config(image_token_id=299))
    assert sum(each.numel() for each in model.parameters()) == NUM_PARAMETERS


def test_every_row_of_the_gpu_benchmark_runs_and_reads_as_generate_does():
    # GLM-OCR's widths, a layer of each kind, a small page; on the CPU
    options = {"page_px": (168, 168), "tokens": 5, "batches": (1, 3), "layers": 1}
    later = time.monotonic() + 600
    measured = list(on_gpu.rows("cpu", torch.float32, later, **options))
    assert [(row.name, row.pages) for row in measured] == [
        ("generate", 8),
        ("generate, with probabilities", 8),
        ("in flight, CUDA graphs", 1),
        ("in flight, CUDA graphs", 3),
        ("in flight, step by step", 1),
        ("in flight, step by step", 3),
        ("texts equal to generate, CUDA graphs", 8),
        ("texts equal to generate", 8),
        ("CUDA graphs equal to steps", 8),
        ("sample pages, bundled model, float32", 8),
        ("sample pages, bundled model, float32", 8),
        ("training step, LoRA", 4),
        ("training step, all weights", 4),
    ]
    speeds, texts, training = measured[:6], measured[6:11], measured[11:]
    assert [row.note for row in texts[:2]] == ["first 5 tokens equal on 8 of 8 pages"] * 2
    assert texts[2].note.startswith("5 tokens equal on 8 of 8 pages")
    for row in texts[3:]:
        assert row.note.startswith("equal to generate on 8 of 8, with CUDA graphs on 8;")
    for row in (*speeds, *training):
        assert row.pages_per_s > 0, row.note
        assert on_gpu.table_line(row).count("|") == 8
    assert speeds[2].floor_share > 0


def test_rows_of_the_gpu_benchmark_are_chosen_by_words():
    options = {"page_px": (168, 168), "tokens": 5, "batches": (1,), "layers": 1}
    measured = on_gpu.rows("cpu", torch.float32, time.monotonic() - 1, **options, only="LoRA")
    assert [row.name for row in measured] == ["training step, LoRA"]


def test_the_gpu_benchmark_ends_in_time():
    options = {"page_px": (168, 168), "tokens": 5, "batches": (1,), "layers": 1}
    measured = list(on_gpu.rows("cpu", torch.float32, time.monotonic() - 1, **options))
    assert {row.note for row in measured} == {"no time left"}


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


def test_without_vllm_its_row_says_so(monkeypatch):
    monkeypatch.delenv("GLMOCR_VLLM", raising=False)
    [row] = vllm_cpu.against_vllm()
    assert row.ratio is None and row.met is None
    assert "not installed" in table_line(row.record())
