"""A step of decoding needs nothing from the host, so that it can be replayed as a graph."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scripted_model import endless
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map
from transformers import BatchFeature, DynamicCache

from glmocr_utils.decoding import DecodedPage, PageDecoder, buckets, cpu_attention, replays
from glmocr_utils.decoding import decoder as decoder_module
from glmocr_utils.decoding.step import TokenStep
from glmocr_utils.model import LoadedModel, load_model
from glmocr_utils.prompt import encode_prompt
from glmocr_utils.records import PageImage

pytestmark = pytest.mark.slow

TOP_K = 3
# What a copy from the host, or a wait for the device, is made of.
FROM_HOST = ("lift_fresh", "_to_copy")
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero")


class Operations(TorchDispatchMode):
    """Records the operations that are called, and the devices of their tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.devices: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.names.append(func.overloadpacket.__name__)
        for each in tree_flatten((args, kwargs, result))[0]:
            if isinstance(each, torch.Tensor):
                self.devices.add(each.device.type)
        return result

    def of(self, kinds: tuple[str, ...]) -> list[str]:
        return [name for name in self.names if name in kinds]


class Tape(TorchDispatchMode):
    """Records operations and does them again on the same buffers, as a CUDA graph does."""

    def __init__(self, run: Callable[[], None]) -> None:
        super().__init__()
        self._done: list[tuple] = []
        self.is_recording = True
        with self:
            run()
        self.is_recording = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self._done.append((func, args, kwargs or {}, result))
        return result

    def __call__(self) -> None:
        now: dict[int, torch.Tensor] = {}

        def current(value: Any) -> Any:
            return now.get(id(value), value) if isinstance(value, torch.Tensor) else value

        for func, args, kwargs, before in self._done:
            after = func(*tree_map(current, args), **tree_map(current, kwargs))
            for old, new in zip(tree_flatten(before)[0], tree_flatten(after)[0], strict=True):
                if isinstance(old, torch.Tensor):
                    now[id(old)] = new


class Captures:
    """Makes tapes; a capture must change nothing, so what it did to the buffers is undone."""

    def __init__(self) -> None:
        self.step: TokenStep
        self.captured = self.replayed = 0

    def __call__(self, run: Callable[[], None]) -> Callable[[], None]:
        buffers = self.step.buffers()
        before = [each.clone() for each in buffers]
        tape = Tape(run)
        for each, earlier in zip(buffers, before, strict=True):
            each.copy_(earlier)
        self.captured += 1
        places = [each.data_ptr() for each in buffers]

        def replay() -> None:
            assert [each.data_ptr() for each in self.step.buffers()] == places
            self.replayed += 1
            tape()

        return replay


@pytest.fixture(scope="module", params=["sdpa", "eager"])
def model(request, bundled_folder) -> LoadedModel:
    return endless(load_model(str(bundled_folder), device_map="cpu", attn=request.param))


@pytest.fixture(scope="module")
def inputs(model: LoadedModel, page_images: list[PageImage]) -> list[BatchFeature]:
    """Pieces of pages, for what is asked here does not depend on their size."""
    sizes = [(112, 84), (168, 56), (84, 84)]
    return [
        encode_prompt(model.processor, [page.image.crop((100, 100, 100 + width, 100 + height))])
        for page, (width, height) in zip(page_images, sizes, strict=True)
    ]


def decoder_of(model: LoadedModel, **options: Any) -> PageDecoder:
    return PageDecoder(model.model, TOP_K, lambda ids: "ab" * len(ids), **options)


@pytest.mark.parametrize("pages", [1, 3])
def test_a_step_copies_nothing_from_the_host_and_waits_for_nothing(
    model, inputs, pages, monkeypatch
):
    monkeypatch.setattr(decoder_module, "STEPS_BETWEEN_LOOKS_CPU", 8)
    decoder = decoder_of(model)
    for number in range(pages):
        decoder.enter(number, inputs[number], 40)
    decoder.step()  # makes room
    with Operations() as operations:
        for _ in range(4):
            decoder.step()
    assert len(operations.names) > 100
    assert operations.of(FROM_HOST) == operations.of(WAITS) == []


def test_its_tensors_are_all_on_the_device(model):
    """The device `meta` has no data, so that nothing can be read from it."""
    network = copy.deepcopy(model.model).to("meta")
    with torch.inference_mode():
        step = TokenStep(network, TOP_K)
        text = network.config.get_text_config()
        network.model.rope_deltas = torch.zeros(1, 1, dtype=torch.long, device="meta")
        for length in (5, 9):
            page = DynamicCache(config=text)
            shape = 1, text.num_key_value_heads, length, text.head_dim
            for layer in range(text.num_hidden_layers):
                page.update(*torch.zeros(2, *shape, device="meta"), layer)
            step.enter(page, [length], torch.zeros(1, text.vocab_size, device="meta"), [40])
        step.make_room(2, 12, 3)
        with step._attention() as attention:
            assert attention != cpu_attention.NAME
        with Operations() as operations:
            step(2, 12)
    assert operations.devices == {"meta"}
    assert operations.of(WAITS) == []


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that pages outgrow them within a test."""
    monkeypatch.setattr(buckets, "COLUMNS_AT_ONCE", 16)


LIMITS = [3, 40, 7, 25, 1, 11, 30, 2]


def come_and_go(decoder: PageDecoder, inputs: list[BatchFeature]) -> list[DecodedPage]:
    """Pages of different limits, three at a time; in their order."""
    waiting, ended = list(range(len(LIMITS))), {}
    while waiting or len(decoder):
        while waiting and len(decoder) < 3:
            number = waiting.pop(0)
            decoder.enter(number, inputs[number % len(inputs)], LIMITS[number])
        ended.update(decoder.step())
    return [ended[number] for number in range(len(LIMITS))]


@pytest.fixture(scope="module")
def plain(model: LoadedModel, inputs: list[BatchFeature]) -> list[DecodedPage]:
    """What steps that are not replayed write."""
    return come_and_go(decoder_of(model), inputs)


def assert_same(pages: list[DecodedPage], expected: list[DecodedPage]) -> None:
    for page, other in zip(pages, expected, strict=True):
        assert page.token_ids.tolist() == other.token_ids.tolist()
        assert page.finish_reason == other.finish_reason
        np.testing.assert_allclose(page.top_logprobs, other.top_logprobs, atol=1e-4)


def test_steps_replayed_on_the_same_buffers_write_the_same(model, inputs, plain, small_buckets):
    captures = Captures()
    decoder = decoder_of(model, capture=captures)
    captures.step = decoder._step
    pages = come_and_go(decoder, inputs)
    assert captures.captured > 1 and captures.replayed > captures.captured
    assert_same(pages, plain)


def test_a_step_that_cannot_be_captured_is_run(model, inputs, plain):
    def fails(_run: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.warns(UserWarning, match=r"CUDA graphs are off, .* not permitted"):
        assert_same(come_and_go(decoder_of(model, capture=fails), inputs), plain)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_attention_on_a_cpu_is_that_of_pytorch(dtype: torch.dtype, atol: float) -> None:
    """Heads in groups, rows of different length, keys as the cache keeps them, some unused."""
    rows, heads, key_heads, columns, head_dim = 3, 6, 2, 11, 8
    query = torch.randn(rows, heads, 1, head_dim, dtype=dtype)
    value = torch.randn(rows, key_heads, 16, head_dim, dtype=dtype)[:, :, :columns]
    key = cpu_attention.new_keys(value, rows, 16)[:, :, :columns].copy_(torch.randn_like(value))
    assert key.stride()[2] == 1
    is_seen = torch.arange(columns) <= torch.tensor([10, 4, 0])[:, None, None, None]
    mask = torch.zeros(is_seen.shape, dtype=dtype).masked_fill_(~is_seen, torch.finfo(dtype).min)
    attended, weights = cpu_attention.attend(None, query, key, value, mask, scaling=0.3)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_seen, scale=0.3, enable_gqa=True
    )
    torch.testing.assert_close(attended, expected.transpose(1, 2), atol=atol, rtol=0.02)
    assert weights is None


def test_a_step_is_captured_for_few_sizes():
    assert [buckets.row_bucket(n) for n in (1, 2, 3, 5, 8, 9, 17, 64)] == [
        *(1, 2, 4, 8, 8, 16, 24, 64)
    ]
    assert [buckets.column_bucket(n) for n in (1, 256, 257, 3000)] == [256, 256, 512, 3072]


def test_on_a_cpu_there_are_no_graphs(model):
    assert decoder_of(model, cuda_graphs=True)._replayed is None


def test_graphs_are_automatic_for_plain_weights_on_one_device(model, monkeypatch):
    network = copy.deepcopy(model.model)
    assert replays._is_whole_and_plain(network)
    monkeypatch.setattr(network, "is_quantized", True, raising=False)
    assert not replays._is_whole_and_plain(network)
    monkeypatch.setattr(network, "is_quantized", False)
    network.lm_head.to("meta")  # as for weights that are kept in RAM or on another GPU
    assert not replays._is_whole_and_plain(network)


@pytest.mark.parametrize("attention", ["flash_attention_2", "kernels-community/flash-attn2"])
def test_flash_attention_reads_the_page_and_does_not_decode(model, attention):
    """It gathers all keys and values in each layer of each step, and asks how long they are."""
    step = TokenStep(model.model, TOP_K)
    config = model.model.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = attention
    try:
        with step._attention() as decoding:
            assert decoding == config._attn_implementation == cpu_attention.NAME
        assert config._attn_implementation == attention
    finally:
        config._attn_implementation = before
