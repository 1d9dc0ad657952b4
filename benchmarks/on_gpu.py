"""Reading and training on a GPU with a model of GLM-OCR's size and random weights.

    python -m benchmarks.on_gpu [--minutes 8] [--output results.json]

It needs a GPU, PyTorch, Transformers and Pillow, and this checkout; the training rows also PEFT. No
weights are downloaded: how fast a model is does not depend on what its numbers are. Pages are A4 at
scale 2.0 (2,520 image tokens) and end after 820 tokens, about a page of print. Random weights say
little about equal texts, so the bundled model reads sample pages as well (this needs pypdfium2).
Rows for which there is no time left are named as such; `--only "CUDA graphs"` measures the rows
that have these words in their name.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    BatchFeature,
    PreTrainedModel,
    ProcessorMixin,
)

from benchmarks.glm_ocr_size import random_model
from glmocr_utils.decoding import DecodedPage, PageDecoder
from glmocr_utils.decoding.decoder import STEPS_BETWEEN_LOOKS_GPU
from glmocr_utils.model.patches import project_patches_at_once
from glmocr_utils.prompt import encode_prompt

DATA = Path(__file__).parents[1] / "data"
BUNDLED_MODEL = DATA / "models/glm-ocr-tiny"
PAGE_PX = (1190, 1684)  # A4 at scale 2.0
PAGE_PIXELS = {"shortest_edge": 12_544, "longest_edge": 9_633_792}  # GLM-OCR's own budget
TOKENS_A_PAGE = 820
ROWS = (1, 8, 32, 64)
BASELINE_ROWS = 8
COMPARED_TOKENS = 64
SAMPLE_PAGES = 8
SAMPLE_TOKENS = 300
TRAINED_PAGES = 4  # of the official guide
LORA_RANK = 8

GENERATE = "generate"
GENERATE_SCORES = "generate, with probabilities"
# whether steps are replayed as CUDA graphs
IN_FLIGHT = {"in flight, CUDA graphs": True, "in flight, step by step": False}
EQUAL = {"texts equal to generate, CUDA graphs": True, "texts equal to generate": False}
SAME_STEPS = "CUDA graphs equal to steps"
SAMPLES = "sample pages, bundled model"


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table; None where there is nothing to say.

    Attributes:
        pages: read or trained on together.
        tokens_per_s: of all pages together, while decoding.
        pages_per_s: image and prompt included.
        floor_share: time that reading weights, keys and values from memory takes, over the time
            that a step takes: 1 would be the memory's own speed.
        peak_gb: most memory that was allocated.
    """

    name: str
    pages: int
    tokens_per_s: float | None = None
    pages_per_s: float | None = None
    floor_share: float | None = None
    peak_gb: float | None = None
    note: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8, help="no row begins after this time")
    parser.add_argument("--only", default="", help="rows with these words in their name")
    parser.add_argument("--output", type=Path, help="the figures as JSON")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no GPU here: PyTorch sees none, so there is nothing to measure")
    print(machine(), flush=True)
    print(HEAD, flush=True)
    measured = []
    deadline = time.monotonic() + 60 * options.minutes
    for row in rows("cuda", torch.bfloat16, deadline, only=options.only):
        print(table_line(row), flush=True)
        measured.append(asdict(row))
        if options.output:  # written after each row: a run that is cut off keeps what it has
            record = {"machine": machine(), "rows": measured}
            options.output.write_text(json.dumps(record, indent=1))


def rows(
    device: str,
    dtype: torch.dtype,
    deadline: float,
    *,
    page_px: tuple[int, int] = PAGE_PX,
    tokens: int = TOKENS_A_PAGE,
    batches: Sequence[int] = ROWS,
    layers: int | None = None,
    only: str = "",
) -> Iterator[Measured]:
    """Each row as soon as it is measured; a row that fails says why, and the next one begins.

    Args:
        deadline: in `time.monotonic()`; no row begins after it.
        layers: fewer than GLM-OCR has, for a test.
        only: words that the name of a row must have.
    """
    processor = load_processor()
    image_token_id = processor.tokenizer.convert_tokens_to_ids("<|image|>")
    model = random_model(image_token_id, device, dtype, layers)
    model.generation_config.eos_token_id = [-1]  # random weights must not end a page
    page = encode_page(processor, page_px).to(device)
    bytes_per_s = memory_speed(device)
    parts: list[tuple[str, int, Callable[[], Measured]]] = []
    for name in (GENERATE, GENERATE_SCORES):
        parts.append((name, BASELINE_ROWS, partial(with_generate, model, page, tokens, name)))
    for name, graphs in IN_FLIGHT.items():
        for count in batches:
            run = partial(in_flight, model, page, count, tokens, bytes_per_s, name, graphs)
            parts.append((name, count, run))
    for name, graphs in EQUAL.items():
        parts.append((name, BASELINE_ROWS, partial(same_tokens, model, page, tokens, name, graphs)))
    parts.append(
        (SAME_STEPS, BASELINE_ROWS, partial(same_steps, model, processor, page_px, tokens))
    )
    for precision in (torch.float32, dtype):
        name = f"{SAMPLES}, {str(precision).removeprefix('torch.')}"
        run = partial(sample_pages, device, precision, name, min(tokens, SAMPLE_TOKENS))
        parts.append((name, SAMPLE_PAGES, run))
    for name in ("LoRA", "all weights"):
        run = partial(training, model, page, name, tokens)
        parts.append((f"training step, {name}", TRAINED_PAGES, run))
    project_patches_at_once(model)  # as `load_model` does, for both sides
    for name, count, measure in (part for part in parts if only in part[0]):
        if time.monotonic() > deadline:
            yield Measured(name, count, note="no time left")
            continue
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            yield measure()
        except Exception as error:  # what a row shows is also that it does not run
            yield Measured(name, count, note=f"failed: {str(error).splitlines()[0][:160]}")


def load_processor() -> ProcessorMixin:
    """The bundled processor with GLM-OCR's pixel budget."""
    processor = AutoProcessor.from_pretrained(BUNDLED_MODEL)
    processor.image_processor.size = PAGE_PIXELS
    return processor


def encode_page(processor: ProcessorMixin, page_px: tuple[int, int], seed: int = 0) -> BatchFeature:
    """Image and prompt of one page of noise."""
    width, height = page_px
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encode_prompt(processor, [Image.fromarray(pixels)])


def with_generate(model: PreTrainedModel, page: BatchFeature, tokens: int, name: str) -> Measured:
    """What a batch script does; for probabilities it keeps all scores, and takes a softmax each."""
    batch = repeated(page, BASELINE_ROWS)
    run = probabilities if name == GENERATE_SCORES else generate
    run(model, batch, 4)  # warm
    seconds = timed(model.device, lambda: run(model, batch, tokens))
    new = BASELINE_ROWS * tokens
    return Measured(
        name, BASELINE_ROWS, new / seconds, BASELINE_ROWS / seconds, None, peak_gb(model.device)
    )  # fmt: skip


def in_flight(
    model: PreTrainedModel,
    page: BatchFeature,
    count: int,
    tokens: int,
    bytes_per_s: float,
    name: str,
    cuda_graphs: bool,
) -> Measured:
    """This project's decoder with `count` pages under way.

    Tokens a second are those of the median step: long runs seldom capture a graph, this one does.
    """
    drive(model, page, count, 4, cuda_graphs)  # warm
    driven = drive(model, page, count, tokens, cuda_graphs)
    prompt = page["input_ids"].shape[1]
    floor = step_bytes(model, count, prompt + tokens / 2) / bytes_per_s
    return Measured(
        name,
        count,
        count / driven.step_seconds,
        count / (driven.entering + driven.decoding),
        floor / driven.step_seconds,
        peak_gb(model.device),
    )


def same_tokens(
    model: PreTrainedModel, page: BatchFeature, tokens: int, name: str, cuda_graphs: bool
) -> Measured:
    """Whether the first tokens are those of `generate`; half precision may turn a near tie."""
    compared = min(COMPARED_TOKENS, tokens)
    expected = generate(model, repeated(page, BASELINE_ROWS), compared)[:, -compared:]
    pages = drive(model, page, BASELINE_ROWS, compared, cuda_graphs).pages
    got = np.stack([pages[number].token_ids for number in range(BASELINE_ROWS)])
    equal = (expected.cpu().numpy() == got).cumprod(axis=1).sum(axis=1)
    note = f"first {compared} tokens equal on {(equal == compared).sum()} of {len(equal)} pages"
    return Measured(name, BASELINE_ROWS, note=note)


def same_steps(
    model: PreTrainedModel, processor: ProcessorMixin, page_px: tuple[int, int], tokens: int
) -> Measured:
    """Whether replayed steps write what plain steps write: different pages, all tokens."""
    pages = [encode_page(processor, page_px, seed) for seed in range(BASELINE_ROWS)]
    plain, replayed = (decode_all(model, pages, tokens, graphs) for graphs in (False, True))
    equal = [pair for pair in zip(plain, replayed, strict=True) if same_ids(*pair)]
    apart = max((float(np.abs(a.logprobs - b.logprobs).max()) for a, b in equal), default=np.nan)
    return Measured(
        SAME_STEPS,
        BASELINE_ROWS,
        note=f"{tokens} tokens equal on {len(equal)} of {len(pages)} pages, "
        f"log probabilities within {apart:.1g}",
    )


def sample_pages(device: str, dtype: torch.dtype, name: str, tokens: int) -> Measured:
    """Whether print is read as `generate` reads it, page by page: with steps, and with graphs."""
    from glmocr_utils.render import RenderOptions, find_documents, render_documents

    model = AutoModelForImageTextToText.from_pretrained(BUNDLED_MODEL, dtype=dtype)
    model = model.to(device).eval()
    processor = AutoProcessor.from_pretrained(BUNDLED_MODEL)
    rendered = render_documents(find_documents(DATA / "samples"), RenderOptions())
    images = [page.image for page in islice(rendered, SAMPLE_PAGES)]
    pages = [encode_prompt(processor, [image]) for image in images]
    expected = [read_alone(model, page, tokens) for page in pages]
    plain, replayed = (decode_all(model, pages, tokens, graphs) for graphs in (False, True))
    equal, equal_replayed = (
        sum(np.array_equal(one.token_ids, ids) for one, ids in zip(decoded, expected, strict=True))
        for decoded in (plain, replayed)
    )
    return Measured(
        name,
        len(pages),
        note=f"equal to generate on {equal} of {len(pages)}, with CUDA graphs on {equal_replayed}; "
        f"graphs equal to steps on {sum(map(same_ids, plain, replayed))}",
    )


def read_alone(model: PreTrainedModel, page: BatchFeature, tokens: int) -> np.ndarray:
    """The tokens that `generate` writes for one page, without the stop token."""
    page = page.to(model.device)
    prompt = page["input_ids"].shape[1]
    with torch.no_grad():
        written = model.generate(**page, max_new_tokens=tokens, do_sample=False)[0, prompt:]
    ids = written.cpu().numpy()
    return ids[~np.isin(ids, model.generation_config.eos_token_id)]


def decode_all(
    model: PreTrainedModel, pages: Sequence[BatchFeature], tokens: int, cuda_graphs: bool
) -> list[DecodedPage]:
    """Read pages in flight, each entering some steps after the one before."""
    decoder = PageDecoder(model, 5, lambda _ids: "", cuda_graphs=cuda_graphs)
    outcomes: dict = {}
    for number, page in enumerate(pages):
        decoder.enter(number, page, tokens)
        for _ in range(4):
            outcomes.update(decoder.step() if len(decoder) else ())
    while len(decoder):
        outcomes.update(decoder.step())
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    return [outcomes[number] for number in range(len(pages))]


def same_ids(one: DecodedPage, other: DecodedPage) -> bool:
    return np.array_equal(one.token_ids, other.token_ids)


def training(model: PreTrainedModel, page: BatchFeature, name: str, tokens: int) -> Measured:
    """One step with AdamW, logits only where there are labels. It changes the model: it is last."""
    network: torch.nn.Module = model
    model.requires_grad_(False)
    if name == "LoRA":
        from peft import LoraConfig, get_peft_model

        pattern = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_up_proj|down_proj)"
        network = get_peft_model(model, LoraConfig(r=LORA_RANK, target_modules=pattern))
    else:
        model.model.language_model.requires_grad_(True)
        model.lm_head.requires_grad_(True)
    trained = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    batch = with_labels(repeated(page, TRAINED_PAGES), tokens)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    network.train()

    def step() -> None:
        optimizer.zero_grad()
        network(**batch).loss.backward()
        optimizer.step()

    step()  # warm; and the optimizer has its states
    seconds = timed(model.device, step)
    note = f"{seconds:.2f} s a step"
    rate, peak = TRAINED_PAGES / seconds, peak_gb(model.device)
    network.eval()
    model.gradient_checkpointing_disable()
    if name == "LoRA":
        network.unload()
    model.zero_grad(set_to_none=True)
    return Measured(f"training step, {name}", TRAINED_PAGES, None, rate, None, peak, note)


def with_labels(batch: BatchFeature, tokens: int) -> dict[str, torch.Tensor]:
    """A text behind each prompt, and logits for its positions alone."""
    rows = len(batch["input_ids"])
    text = torch.full((rows, tokens), 100, device=batch["input_ids"].device)
    longer = {
        "input_ids": text,
        "attention_mask": torch.ones_like(text),
        "mm_token_type_ids": torch.zeros_like(text),
    }
    inputs = dict(batch)
    for name, added in longer.items():
        inputs[name] = torch.cat([inputs[name], added.to(inputs[name].dtype)], dim=1)
    return {**inputs, "labels": text, "logits_to_keep": tokens}


@dataclass(frozen=True, slots=True)
class Driven:
    """Pages that were read together.

    Attributes:
        entering, decoding: seconds for all pages.
        step_seconds: of the median step.
    """

    pages: dict[int, DecodedPage]
    entering: float
    decoding: float
    step_seconds: float


def drive(
    model: PreTrainedModel, page: BatchFeature, count: int, tokens: int, cuda_graphs: bool
) -> Driven:
    """Read `count` pages together; a page that fails is an error."""
    # a text that is nothing never counts as a loop, which random weights soon write
    decoder = PageDecoder(model, 5, lambda _ids: "", cuda_graphs=cuda_graphs)

    def enter() -> None:
        for number in range(count):
            decoder.enter(number, page, tokens)

    outcomes: dict = {}
    times = [0.0]

    def decode() -> None:
        while len(decoder):
            outcomes.update(decoder.step())
            times.append(time.perf_counter())

    entering, decoding = timed(model.device, enter), timed(model.device, decode)
    for outcome in outcomes.values():
        if isinstance(outcome, Exception):
            raise outcome
    # only every few steps waits for the device, and so takes as long as all of them
    between = STEPS_BETWEEN_LOOKS_GPU if model.device.type == "cuda" else 1
    looks = np.diff(times[1::between])
    median = float(np.median(looks)) / between if len(looks) else decoding / len(times[1:])
    return Driven(outcomes, entering, decoding, median)


@torch.no_grad()
def generate(model: PreTrainedModel, batch: BatchFeature, tokens: int, **options: bool):
    return model.generate(
        **batch,
        max_new_tokens=tokens,
        min_new_tokens=tokens,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        **options,
    )


def probabilities(model: PreTrainedModel, batch: BatchFeature, tokens: int) -> list[list[float]]:
    output = generate(model, batch, tokens, output_scores=True, return_dict_in_generate=True)
    new = output.sequences[:, -tokens:]
    return [
        torch.softmax(scores.float(), dim=-1).gather(-1, new[:, step, None])[:, 0].tolist()
        for step, scores in enumerate(output.scores)
    ]


def repeated(page: BatchFeature, count: int) -> BatchFeature:
    """The same page several times, as a batch."""
    repeats = {name: [count] + [1] * (each.ndim - 1) for name, each in page.items()}
    return BatchFeature({name: each.repeat(*repeats[name]) for name, each in page.items()})


def step_bytes(model: PreTrainedModel, rows: int, columns: float) -> float:
    """What a step must read: weights of decoder and head, keys and values of all pages."""
    text = model.config.get_text_config()
    modules = (*model.model.language_model.layers, model.lm_head)
    weights = sum(each.nbytes for module in modules for each in module.parameters())
    size = model.dtype.itemsize
    a_token = 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim * size
    return weights + rows * columns * a_token


def memory_speed(device: str) -> float:
    """Bytes per second that a copy reads and writes."""
    block = torch.empty(2**28 if device == "cuda" else 2**24, dtype=torch.float32, device=device)
    other = torch.empty_like(block)
    other.copy_(block)
    seconds = timed(torch.device(device), lambda: other.copy_(block))
    return 2 * block.nbytes / seconds


def timed(device: torch.device, run: Callable[[], object]) -> float:
    """Seconds of one call, to the end of what it put on the device."""
    synchronize(device)
    begun = time.perf_counter()
    run()
    synchronize(device)
    return time.perf_counter() - begun


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def peak_gb(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None


HEAD = (
    "| | pages together | tokens/s | pages/s | share of the memory floor | peak memory | |\n"
    "|---|---:|---:|---:|---:|---:|---|"
)


def table_line(row: Measured) -> str:
    """A line of the table, as Markdown."""
    cells = [
        row.name,
        str(row.pages),
        "" if row.tokens_per_s is None else f"{row.tokens_per_s:,.0f}",
        "" if row.pages_per_s is None else f"{row.pages_per_s:.2f}",
        "" if row.floor_share is None else f"{row.floor_share:.0%}",
        "" if row.peak_gb is None else f"{row.peak_gb:.1f} GB",
        row.note,
    ]
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{gpu}; Python {platform.python_version()}, PyTorch {torch.__version__}, "
        f"Transformers {transformers.__version__}"
    )


if __name__ == "__main__":
    main()
