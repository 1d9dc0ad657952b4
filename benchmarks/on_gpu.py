"""Reading on a GPU with a model of GLM-OCR's size and random weights.

Random weights never end a page, so each page has a limit, drawn from a spread of lengths as dense
and sparse pages have them; a fixed batch goes on to the highest limit in it, as it would to its
longest page.
"""

import random
import time
from collections.abc import Iterator, Sequence

import torch
from transformers import GenerationConfig, GlmOcrConfig, GlmOcrForConditionalGeneration

from benchmarks.baselines import SCRIPT_BATCH_SIZE, processed
from benchmarks.inputs import bundled_model, mixed_pages
from benchmarks.measure import Row
from glmocr_utils.mass_infer.in_flight import Failure, InFlightReader
from glmocr_utils.mass_infer.task import Reading, Request
from glmocr_utils.model import LoadedModel
from glmocr_utils.model.patches import project_patches_at_once
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import PageImage

PAGES = 192
MEDIAN_TOKENS, SPREAD, MOST_TOKENS = 500, 0.8, 2048
WIDTH, HEIGHT = 1190, 1684  # A4 at scale 2.0: 2,520 image tokens
NAME = "pages/s on a GPU, GLM-OCR's size, batch size 8 against ours on auto"
TARGET = ">= 5"


def against_the_batch_script() -> Iterator[Row]:
    """Pages of mixed length, probabilities on, in bfloat16."""
    if not torch.cuda.is_available():
        yield Row(NAME, "pages/s", None, None, TARGET, "no GPU here")
        return
    model = full_size_model("cuda")
    pages = [_enlarged(page) for page in mixed_pages(PAGES)]
    limits = drawn_limits(PAGES)
    read_fixed_batches(model, pages[:2], [8, 8])  # warm
    begun = time.perf_counter()
    read_fixed_batches(model, pages, limits)
    baseline = time.perf_counter() - begun
    project_patches_at_once(model.model)  # as `load_model` does
    begun = time.perf_counter()
    read_in_flight(model, pages, limits)
    ours = time.perf_counter() - begun
    note = f"{torch.cuda.get_device_name()}, random weights, lengths drawn"
    yield Row(NAME, "pages/s", PAGES / ours, PAGES / baseline, TARGET, note)


def full_size_model(device: str) -> LoadedModel:
    """The bundled processor with a network of the class's own default size."""
    small = bundled_model()
    config = GlmOcrConfig()
    config.image_token_id = small.model.config.image_token_id
    torch.manual_seed(0)
    network = GlmOcrForConditionalGeneration(config).to(device, torch.bfloat16).eval()
    network.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=[config.text_config.vocab_size - 1],  # as good as never
        pad_token_id=small.processor.tokenizer.pad_token_id,
    )
    processor = small.processor
    processor.image_processor.size = {"shortest_edge": 12_544, "longest_edge": 9_633_792}
    return LoadedModel(network, processor, "random", None, None, small.attention)


def drawn_limits(count: int, seed: int = 3) -> list[int]:
    """How many tokens each page gets."""
    rng = random.Random(seed)
    drawn = (MEDIAN_TOKENS * rng.lognormvariate(0, SPREAD) for _ in range(count))
    return [max(16, min(MOST_TOKENS, round(each))) for each in drawn]


def read_in_flight(
    model: LoadedModel, pages: Sequence[PageImage], limits: Sequence[int]
) -> dict[int, Reading | Failure]:
    """As the engine `local` does it."""
    reader = InFlightReader(model, TEXT_RECOGNITION, None)
    requests = map(Request, pages, limits)
    work = (reader.prepare(*numbered) for numbered in enumerate(requests))
    return dict(reader.read(lambda wait: next(work, None)))


@torch.no_grad()
def read_fixed_batches(
    model: LoadedModel, pages: Sequence[PageImage], limits: Sequence[int]
) -> list[list[int]]:
    """The batch script with a limit for each batch. Returns each page's tokens up to its own."""
    read = []
    for start in range(0, len(pages), SCRIPT_BATCH_SIZE):
        batch = slice(start, start + SCRIPT_BATCH_SIZE)
        inputs = processed(model, [page.image for page in pages[batch]])
        output = model.model.generate(
            **inputs,
            max_new_tokens=max(limits[batch]),
            output_scores=True,
            return_dict_in_generate=True,
        )
        new = output.sequences[:, inputs["input_ids"].shape[1] :]
        for row, limit in enumerate(limits[batch]):
            read.append(new[row, :limit].tolist())
            for step, scores in enumerate(output.scores[:limit]):
                torch.softmax(scores[row].float(), dim=-1)[new[row, step]].item()
    return read


def _enlarged(page: PageImage) -> PageImage:
    return PageImage(page.page, page.image.resize((WIDTH, HEIGHT)), page.scale)
