"""Everything that can be wrong is found before the first step: the preflight, and `dry_run`.

It needs no weights: pages are decoded, tokens counted and one example is built with the processor,
parameters are counted on the model's shapes alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import datasets
import numpy as np
import psutil
import torch
from torch import nn
from transformers import ProcessorMixin

from glmocr_utils.finetune.config import AUTO, FinetuneConfig
from glmocr_utils.finetune.dataset import Pages, decode_image
from glmocr_utils.finetune.examples import encode_example
from glmocr_utils.finetune.trainable import count_parameters
from glmocr_utils.prompt import max_page_pixels, num_image_tokens
from glmocr_utils.token_text import encode_text

LONGEST_SHOWN = 5
STEP = 128  # a limit is a multiple of so many tokens
GIB = 2**30


@dataclass(frozen=True, slots=True)
class LongPage:
    """A page with its length in tokens: image, prompt and label."""

    document: str
    page_number: int
    num_tokens: int
    num_image_tokens: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a run would do, and whether it can run.

    Attributes:
        train, held_out: the pages that it would use, each with its `length` in tokens.
        num_tokens: (num_train_pages,) lengths of all training pages, too long ones included.
        max_length: that of the config, or what `auto` comes to; None: no limit.
        too_long: training and held-out pages above `max_length`, the longest first.
        example: the prompt and the trained answer, as text.
        parameters: for each component all and trained parameters.
        memory_bytes: of training, roughly; available_bytes: of the device.
        problems: what must be fixed before training; none when it can begin.
        notes: remarks for the user.
    """

    train: datasets.Dataset
    held_out: datasets.Dataset | None
    num_tokens: tuple[int, ...]
    max_length: int | None
    too_long: tuple[LongPage, ...]
    example: tuple[str, str]
    parameters: dict[str, tuple[int, int]]
    memory_bytes: int
    available_bytes: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        prompt, answer = self.example
        held_out = 0 if self.held_out is None else len(self.held_out)
        trained = sum(moved for _, moved in self.parameters.values())
        lines = [
            f"{len(self.train)} pages to train on, {held_out} held out",
            *(f"  {note}" for note in self.notes),
            f"tokens a page: median {int(np.median(self.num_tokens))}, longest "
            f"{max(self.num_tokens)}",
            *(
                f"  too long: {page.document} page {page.page_number}, {page.num_tokens} tokens "
                f"({page.num_image_tokens} of them image)"
                for page in self.too_long[:LONGEST_SHOWN]
            ),
            *self._more_too_long(),
            f"shown to the model: {prompt!r}",
            f"trained to answer:  {answer!r}",
            f"{trained:,} parameters are trained:",
            *(
                f"  {name}: {moved:,} of {count:,}"
                for name, (count, moved) in self.parameters.items()
            ),
            f"memory: about {self.memory_bytes / GIB:.1f} GiB of {self.available_bytes / GIB:.1f}",
        ]
        ending = [f"fix before training: {problem}" for problem in self.problems] or ["ready"]
        return "\n".join([*lines, *ending])

    def _more_too_long(self) -> list[str]:
        more = len(self.too_long) - LONGEST_SHOWN
        return [f"  and {more} more that are too long"] if more > 0 else []


def known_scales(pages: datasets.Dataset) -> list[float]:
    """Pixels per PDF point of the pages, as far as the data set says it."""
    if "scale" not in pages.column_names:
        return []
    return [float(scale) for scale in pages["scale"] if scale is not None]


def _scale_notes(pages: datasets.Dataset) -> list[str]:
    scales = known_scales(pages)
    if not scales:
        return [
            "the scale of the pages is not known; set scale, and reading at another one will be "
            "warned about"
        ]
    lowest, highest, middle = min(scales), max(scales), median_low(scales)
    if math.isclose(lowest, highest, rel_tol=0.1):
        return [f"rendered at scale {middle:g}, which is stored with the model"]
    return [
        f"rendered at scales from {lowest:g} to {highest:g}; {middle:g} is stored with the model. "
        "Render all pages at the scale at which the model is to read"
    ]


def preflight(
    config: FinetuneConfig, pages: Pages, processor: ProcessorMixin, sketch: nn.Module
) -> Preflight:
    """Check the data set, the budget and the model.

    Args:
        processor: the model's, with the pixel budget that is to be used.
        sketch: the model without weights, as `sketch_trainable` makes it.

    Raises:
        ValueError: an image is damaged; the message names the row.
    """
    overhead = _overhead(config, pages.train, processor)
    train = _with_lengths(pages.train, config, processor, overhead)
    held_out = pages.held_out and _with_lengths(pages.held_out, config, processor, overhead)
    num_tokens = tuple(train["length"])
    problems, notes = [], list(pages.notes)
    if config.n_gpu > 1:
        problems.append(
            f"{config.n_gpu} GPUs are visible to this process, and TRL trains on one GPU a "
            "process; start `accelerate launch -m glmocr_utils finetune …` to use them all, or set "
            "CUDA_VISIBLE_DEVICES=0 before Python or Jupyter starts to use one"
        )
    notes += [f"left out: {count} with {reason}" for reason, count in pages.left_out.items()]
    notes.append(f"texts come from the column {pages.text_column!r}")
    lengths = [*num_tokens, *(held_out["length"] if held_out else ())]
    max_length = _max_length(config, sketch, lengths)
    if config.max_length == AUTO:
        notes.append(_auto_note(max_length, max(lengths)))
    empty = sum(not text for text in train["text"])
    if empty:
        notes.append(f"{empty} pages are blank: they train the stop token alone")
    notes += [] if config.scale else _scale_notes(train)
    notes.append(f"pixel budget of a page: {max_page_pixels(processor):,}")
    too_long = _too_long(max_length, train) + (_too_long(max_length, held_out) if held_out else [])
    if too_long and config.too_long == "error":
        problems.append(_advice(config, max_length, too_long, len(lengths)))
    elif too_long:
        notes.append(f"{len(too_long)} pages above max_length={max_length} are left out")
        train = _short_enough(max_length, train)
        held_out = held_out and _short_enough(max_length, held_out)
    if not len(train):
        problems.append("no page is left to train on; raise max_length")
    if held_out is not None and not len(held_out):
        problems.append("no page is left to evaluate on; raise max_length")
    longest = min(max(num_tokens), max_length or max(num_tokens))
    memory = estimate_memory(config, sketch, longest)
    available = _available_bytes(config)
    if memory > available:
        notes.append(
            "this may not fit: lower per_device_train_batch_size (and raise "
            "gradient_accumulation_steps), use LoRA, or load_in_4bit"
        )
    return Preflight(
        train=train,
        held_out=held_out,
        num_tokens=num_tokens,
        max_length=max_length,
        too_long=tuple(sorted(too_long, key=lambda page: -page.num_tokens)),
        example=masked_example(config, pages.train, processor),
        parameters=count_parameters(sketch.named_parameters()),
        memory_bytes=memory,
        available_bytes=available,
        problems=tuple(problems),
        notes=tuple(notes),
    )


def masked_example(
    config: FinetuneConfig, pages: datasets.Dataset, processor: ProcessorMixin
) -> tuple[str, str]:
    """The first page's sequence as text: the masked part and the trained part.

    The image's tokens are written once, with their number.
    """
    row = pages[0]
    example = encode_example(
        processor,
        decode_image(row["image"]),
        row["text"],
        row["prompt"],
        config.prompt_style or "default",
    )
    tokenizer = processor.tokenizer
    masked, trained = example.input_ids.tensor_split([-example.num_label_tokens])
    image = "<|image|>"
    prompt = tokenizer.decode(masked, skip_special_tokens=False)
    count = prompt.count(image)
    shown = prompt.replace(image * count, f"{image} × {count} ") if count > 1 else prompt
    return shown, tokenizer.decode(trained, skip_special_tokens=False)


def estimate_memory(config: FinetuneConfig, sketch: nn.Module, longest: int) -> int:
    """Bytes that training takes on a device, roughly, without sharding.

    Weights; for those trained also gradient and the optimizer's two moments; and the activations of
    one batch: with gradient checkpointing the inputs of all layers and the inside of one, otherwise
    all of it (about 34 numbers a token, layer and hidden unit).
    """
    total = trained = 0
    for count, moved in count_parameters(sketch.named_parameters()).values():
        total += count
        trained += moved
    half = config.bf16 or config.fp16
    frozen_bytes = 0.55 if config.load_in_4bit else 2 if half else 4
    if not config.use_lora:
        frozen_bytes = 4
    weights = (total - trained) * frozen_bytes + trained * 4
    eight_bit = "8bit" in str(config.optim)
    gradients = trained
    if config.free_gradients:  # one at a time
        moved_ones = (each.numel() for each in sketch.parameters() if each.requires_grad)
        gradients = max(moved_ones, default=0)
    optimizer = 4 * gradients + trained * (2 if eight_bit else 8)
    text = sketch.config.get_text_config()
    layers = text.num_hidden_layers
    kept = (2 * layers + 34) if config.gradient_checkpointing else 34 * layers
    tokens = config.per_device_train_batch_size * longest
    activations = tokens * text.hidden_size * kept * (2 if half else 4)
    return int(weights + optimizer + activations)


def _overhead(config: FinetuneConfig, pages: datasets.Dataset, processor: ProcessorMixin) -> int:
    """Tokens of a sequence besides image and label, the stop token among them."""
    row = pages[0]
    try:
        image = decode_image(row["image"])
    except (OSError, ValueError) as error:
        raise ValueError(_damaged(0, row, error)) from error
    example = encode_example(processor, image, "", row["prompt"], config.prompt_style or "default")
    return len(example.input_ids) - num_image_tokens(processor, image.width, image.height)


def _with_lengths(
    pages: datasets.Dataset, config: FinetuneConfig, processor: ProcessorMixin, overhead: int
) -> datasets.Dataset:
    """The pages with the columns `length` and `image_tokens`. Decodes every image."""

    def measure(row: dict, number: int) -> dict[str, int]:
        try:
            image = decode_image(row["image"])
        except Exception as error:  # a damaged image raises nearly any type in Pillow
            raise ValueError(_damaged(number, row, error)) from error
        image_tokens = num_image_tokens(processor, image.width, image.height)
        label_tokens = len(encode_text(processor.tokenizer, row["text"]))
        return {"length": overhead + image_tokens + label_tokens, "image_tokens": image_tokens}

    return pages.map(
        measure,
        with_indices=True,
        num_proc=config.dataset_num_proc,
        desc="counting tokens",
        load_from_cache_file=False,
    )


def _damaged(number: int, row: dict, error: Exception) -> str:
    name = row["image"]["path"] or "its image"
    return (
        f"row {number} ({name}) isn't an image that can be read ({error}); replace the image or "
        "remove the row"
    )


def _max_length(config: FinetuneConfig, sketch: nn.Module, lengths: Sequence[int]) -> int | None:
    """The limit; `auto` is the longest page's length, or what memory holds where that is less."""
    if config.max_length != AUTO:
        return None if config.max_length is None else int(config.max_length)
    longest = _rounded_up(max(lengths))
    without, with_one = (estimate_memory(config, sketch, tokens) for tokens in (0, 1_000))
    room = _available_bytes(config) - without
    if room <= 0:  # not the length is what doesn't fit
        return longest
    held = int(room / (with_one - without) * 1_000) // STEP * STEP
    return min(longest, max(STEP, held))


def _auto_note(max_length: int | None, longest: int) -> str:
    said = f"max_length=auto comes to {max_length}: the longest page has {longest} tokens"
    if max_length is None or longest <= max_length:
        return said
    return f"{said}, and memory holds no longer ones with this per_device_train_batch_size"


def _rounded_up(tokens: int) -> int:
    return -(-tokens // STEP) * STEP


def _too_long(max_length: int | None, pages: datasets.Dataset) -> list[LongPage]:
    if max_length is None:
        return []
    columns = ("document", "page_index", "length", "image_tokens")
    return [
        LongPage(document, page_index + 1, length, image_tokens)
        for document, page_index, length, image_tokens in zip(
            *(pages[name] for name in columns), strict=True
        )
        if length > max_length
    ]


def _short_enough(max_length: int | None, pages: datasets.Dataset) -> datasets.Dataset:
    kept = [n for n, length in enumerate(pages["length"]) if not max_length or length <= max_length]
    return pages.select(kept)


def _advice(
    config: FinetuneConfig, max_length: int | None, too_long: list[LongPage], num_pages: int
) -> str:
    longest = max(page.num_tokens for page in too_long)
    raised = (
        "lower per_device_train_batch_size (and raise gradient_accumulation_steps)"
        if config.max_length == AUTO
        else f"set max_length={_rounded_up(longest)}, or 'auto'"
    )
    return (
        f"{len(too_long)} of {num_pages} pages are longer than max_length={max_length} "
        f"(the longest has {longest} tokens), and nothing is ever cut; {raised}, render at a lower "
        "scale, lower max_pixels, or leave them out with too_long='skip'"
    )


def _available_bytes(config: FinetuneConfig) -> int:
    if config.device.type == "cuda":
        return torch.cuda.get_device_properties(config.device).total_memory
    return psutil.virtual_memory().total
