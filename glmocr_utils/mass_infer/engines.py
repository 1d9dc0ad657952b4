"""The engines that can read, and the settings that all pages of a run share."""

import importlib.metadata
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from glmocr_utils.grounding import Locator
from glmocr_utils.layout import find_layout_revision, load_layout
from glmocr_utils.mass_infer.in_flight import InFlightReader
from glmocr_utils.mass_infer.local import read_local
from glmocr_utils.mass_infer.ray_pool import RayPool
from glmocr_utils.mass_infer.task import Task
from glmocr_utils.model import (
    LoadedModel,
    TrainedFor,
    find_revision,
    load_model,
    load_processor,
    resolve_adapter,
    weights_sha256,
)
from glmocr_utils.model.source import find_model
from glmocr_utils.model.trained_for import read_trained_for
from glmocr_utils.ocr.by_region import layout_settings
from glmocr_utils.ocr.progress import Watch
from glmocr_utils.options import InferOptions, parse_tasks, resolve_layout
from glmocr_utils.prompt import limit_page_pixels, max_page_pixels
from glmocr_utils.second_reader import load_readers

CHECKPOINT_PIXELS = 4_816_896  # the budget of GLM-OCR's own checkpoint, for a server's pages
PINNED_PACKAGES = ("torch", "transformers")

Read = Callable[[Iterable[Task]], Generator[Task, None, None]]


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is ready.

    Attributes:
        read: reads tasks to their end; each comes as soon as it is done.
        max_pixels: the budget of a page image.
        trained_for: how its model was fine-tuned; None where it was not, or a server has it.
    """

    read: Read
    max_pixels: int
    trained_for: TrainedFor | None = None


def start_engine(
    options: InferOptions,
    settings: dict[str, Any],
    model: LoadedModel | None,
    watch: Watch | None = None,
) -> Engine:
    """The engine that is asked for, with its model where that is here.

    Args:
        settings: of `run_settings`.
        model: for the engine `local`, when it is loaded already.
        watch: called by the engine `local` while it reads, see `InFlightReader`.

    Raises:
        ModelLoadError: the model cannot be loaded.
    """
    layout = resolve_layout(options.layout) or resolve_layout(options.coverage_layout)
    if options.engine == "server" and options.base_url is not None:
        from glmocr_utils.mass_infer.server import Server  # its client takes a second to import

        server = Server(
            options.base_url,
            options.model_id,
            options.prompt,
            options.concurrency,
            options.prompt_style,
            load_layout(layout, _device_of_layout(options)) if layout else None,
            load_readers(options.second_reader),
        )
        return Engine(server.read, CHECKPOINT_PIXELS)
    load: dict[str, Any] = {
        "model_id": settings["model_id"],
        "adapter": settings["adapter"],
        "revision": settings["revision"],
        "attn": options.attn,
        "device_map": options.device_map,
        "dtype": options.dtype,
    }
    reading = options.prompt, options.prompt_style, options.batch_size
    if options.engine == "ray":
        pool = RayPool(
            load,
            reading,
            options.num_actors,
            options.ray_address,
            layout,
            options.coverage,
            options.second_reader,
        )
        trained_for = _trained_for(settings)
        processor = load_processor(options.model_id, options.adapter)
        if trained_for is not None and trained_for.max_pixels is not None:
            limit_page_pixels(processor, trained_for.max_pixels)  # as the actors do
        return Engine(pool.read, max_page_pixels(processor), trained_for)
    model = model or load_model(**load)
    found = load_layout(layout, model.device) if layout else None
    locator = Locator(model) if options.coverage else None
    second_readers = load_readers(options.second_reader)
    reader = InFlightReader(model, *reading, found, locator, watch, second_readers)
    budget = max_page_pixels(model.processor)
    return Engine(partial(read_local, reader), budget, model.trained_for)


def run_settings(options: InferOptions) -> dict[str, object]:
    """What a run's pages share; `run.json` holds it, and no other pages are mixed in.

    Raises:
        ModelLoadError: the model is not there.
    """
    model_id, adapter, revision = options.model_id, options.adapter, None
    if options.engine != "server":
        model_id, adapter = resolve_adapter(options.model_id, options.adapter)
        revision = find_revision(model_id)
    return {
        "model_id": model_id,
        "revision": revision,
        "adapter": adapter,
        "weights_sha256": weights_sha256(model_id),
        "adapter_sha256": adapter and weights_sha256(adapter),
        "prompt": options.prompt,
        "prompt_style": options.prompt_style,
        "scale": options.scale,
        # what `auto` comes to is in each row: it depends on the machine that reads
        "dtype": None if options.dtype == "auto" else options.dtype,
        "max_tokens": options.max_tokens,
        "retry_max_tokens": options.retry_max_tokens,
        "calibration": options.calibration,
        **_coverage_settings(options),
        **_second_settings(options),
        **_layout_settings(options),
        "versions": {name: importlib.metadata.version(name) for name in PINNED_PACKAGES},
    }


def _coverage_settings(options: InferOptions) -> dict[str, object]:
    if not options.coverage:
        return {}
    layout = resolve_layout(options.coverage_layout)
    if layout is None:
        return {"coverage": True}
    tasks = parse_tasks(options.tasks, options.prompt)
    shared = layout_settings(layout, find_layout_revision(layout), tasks, options.furniture)
    return {"coverage": True, "coverage_layout": shared}


def _second_settings(options: InferOptions) -> dict[str, object]:
    if not options.second_reader:
        return {}
    return {
        "second_reader": options.second_reader,
        "second_reader_pages": options.second_reader_pages,
    }


def _layout_settings(options: InferOptions) -> dict[str, object]:
    layout = resolve_layout(options.layout)
    if layout is None:
        return {}
    tasks = parse_tasks(options.tasks, options.prompt)
    return layout_settings(layout, find_layout_revision(layout), tasks, options.furniture)


def _device_of_layout(options: InferOptions) -> str:
    """Where the layout model runs while a server has the other one."""
    return "cuda" if torch.cuda.is_available() and options.device_map != "cpu" else "cpu"


def _trained_for(settings: dict[str, Any]) -> TrainedFor | None:
    """What the actors will find beside their weights."""
    if adapter := settings["adapter"]:
        return read_trained_for(adapter, find_model(adapter, "adapter_config.json", None))
    model_id = settings["model_id"]
    return read_trained_for(model_id, find_model(model_id, "config.json", settings["revision"]))
