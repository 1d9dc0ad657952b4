"""Greedy decoding in flight: the same as alone, with true probabilities, ended for a reason."""

import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from scripted_model import begun_with, chain, endless, scripted
from transformers import BatchFeature

from glmocr_utils.decoding import (
    CHECK_EVERY_TOKENS,
    MAX_PERIOD_TOKENS,
    MIN_CHARACTERS_WITHOUT_LETTERS,
    MIN_LOOP_CHARACTERS,
    MIN_REPEATS,
    DecodedPage,
    PageDecoder,
    buckets,
    has_repeating_tail,
    slot_cache,
)
from glmocr_utils.decoding import decoder as decoder_module
from glmocr_utils.decoding import recorder as recorder_module
from glmocr_utils.decoding.recorder import TOKENS_AT_ONCE, Recorder
from glmocr_utils.decoding.repetition import loop_end
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import score_tokens
from glmocr_utils.prompt import encode_prompt
from glmocr_utils.records import PageImage

pytestmark = pytest.mark.slow

NUM_TOKENS = 24
TOP_K = 3
MIN_LOOP_TOKENS = MIN_LOOP_CHARACTERS // 2  # of tokens with two letters each


def two_letters_each(token_ids: Sequence[int]) -> str:
    return "ab" * len(token_ids)


def read(model: LoadedModel, pages: list[PageImage], max_tokens: int) -> list[DecodedPage]:
    """All pages at the same time."""
    inputs = [encode_prompt(model.processor, [page.image]) for page in pages]
    return decode(model, inputs, max_tokens)


def read_on(
    model: LoadedModel, pages: list[PageImage], first_ids: list[int], max_tokens: int
) -> list[DecodedPage]:
    """Like `read`, when page i has already begun with `first_ids[i]`."""
    encoded = (encode_prompt(model.processor, [page.image]) for page in pages)
    inputs = [begun_with(each, [first]) for each, first in zip(encoded, first_ids, strict=True)]
    return decode(model, inputs, max_tokens)


def decode(
    model: LoadedModel, inputs: list[BatchFeature], max_tokens: int, top_k: int = TOP_K
) -> list[DecodedPage]:
    decoder = PageDecoder(model.model, top_k, two_letters_each)
    for number, each in enumerate(inputs):
        decoder.enter(number, each, max_tokens)
    ended = {}
    while len(decoder):
        ended.update(decoder.step())
    return [ended[number] for number in range(len(inputs))]


@pytest.fixture(scope="module")
def endless_model(any_model: LoadedModel) -> LoadedModel:
    return endless(any_model)


@pytest.fixture(scope="module")
def batch(endless_model: LoadedModel, page_images: list[PageImage]) -> list[DecodedPage]:
    return read(endless_model, page_images, NUM_TOKENS)


def test_pages_read_together_read_as_one_by_one(
    endless_model: LoadedModel, page_images: list[PageImage], batch: list[DecodedPage]
) -> None:
    for page, together in zip(page_images, batch, strict=True):
        [alone] = read(endless_model, [page], NUM_TOKENS)
        assert together.token_ids.tolist() == alone.token_ids.tolist()
        assert together.finish_reason == alone.finish_reason
        np.testing.assert_allclose(together.logprobs, alone.logprobs, atol=1e-4)
        np.testing.assert_allclose(together.top_logprobs, alone.top_logprobs, atol=1e-4)


def test_recorded_probabilities_are_those_of_a_teacher_forced_pass(
    endless_model: LoadedModel, page_images: list[PageImage], batch: list[DecodedPage]
) -> None:
    for page, decoded in zip(page_images, batch, strict=True):
        scored = score_tokens(endless_model, page.image, decoded.token_ids, top_k=TOP_K)
        logprobs = [token.logprob for token in scored]
        np.testing.assert_allclose(decoded.logprobs, logprobs, atol=1e-3)
        best = [[other.logprob for other in token.alternatives] for token in scored]
        np.testing.assert_allclose(decoded.top_logprobs, best, atol=1e-3)


def test_probabilities_are_a_softmax_over_the_whole_vocabulary(
    endless_model: LoadedModel, page_images: list[PageImage]
) -> None:
    vocabulary = endless_model.model.config.text_config.vocab_size
    inputs = encode_prompt(endless_model.processor, [page_images[0].image])
    [page] = decode(endless_model, [inputs], max_tokens=4, top_k=vocabulary)
    np.testing.assert_allclose(np.exp(page.top_logprobs).sum(axis=1), 1, atol=1e-4)


def test_the_best_alternative_is_the_chosen_token(batch: list[DecodedPage]) -> None:
    for page in batch:
        assert page.top_ids.shape == page.top_logprobs.shape == (len(page.token_ids), TOP_K)
        assert page.top_ids[:, 0].tolist() == page.token_ids.tolist()
        assert page.top_logprobs[:, 0].tolist() == page.logprobs.tolist()
        assert (np.diff(page.top_logprobs, axis=1) <= 0).all()
        assert (page.top_logprobs <= 0).all()


@pytest.mark.parametrize("vocabulary", [100, 59_392])
def test_what_is_kept_of_a_step_does_not_grow_with_the_vocabulary(vocabulary: int) -> None:
    """The logits themselves would take 3.9 GB for 8 pages of 2,048 tokens."""
    top_k = 5
    recorder = Recorder(top_k)
    recorder.make_room(1, 4)
    for step in range(4):
        recorder.write(torch.randn(1, vocabulary), slice(1), torch.tensor([step]))
    kept = sum(tensor.untyped_storage().nbytes() for tensor in recorder.buffers())
    assert kept == TOKENS_AT_ONCE * (1 + top_k) * (8 + 4) + 1


def test_a_log_probability_that_rounding_lifts_above_0_is_0() -> None:
    recorder = Recorder(1)
    recorder.make_room(1, 1)
    for exponent in range(-12, 3):  # one of them is enough, whichever way a machine rounds
        logits = torch.tensor([[100 + 10.0**exponent, 50.0, 49.0]])
        recorder.write(logits, slice(1), torch.tensor([0]))
        _, logprobs, _, top_logprobs = recorder.take(0, 1)
        assert -1e-5 < logprobs[0] <= 0 and top_logprobs[0, 0] <= 0


def test_pages_that_come_and_go_read_as_one_by_one(
    endless_model: LoadedModel, page_images: list[PageImage]
) -> None:
    """Three slots for pages with different limits; one page is taken out and put in again."""
    limits = [3, 40, 7, 25, 1, 11, 30, 2]
    pages = [page_images[number % len(page_images)] for number in range(len(limits))]
    inputs = [encode_prompt(endless_model.processor, [page.image]) for page in pages]
    decoder = PageDecoder(endless_model.model, TOP_K, two_letters_each)
    waiting, ended, most = list(range(len(limits))), {}, 0
    while waiting or len(decoder):
        while waiting and len(decoder) < 3:
            number = waiting.pop(0)
            decoder.enter(number, inputs[number], limits[number])
        most = max(most, len(decoder))
        for key, page in decoder.step():
            assert key not in ended
            ended[key] = page
        if len(ended) == 4 and len(waiting) == 1 and 3 not in ended:
            decoder.remove(3)
            waiting.append(3)
    assert most == 3
    for number, limit in enumerate(limits):
        [alone] = decode(endless_model, [inputs[number]], limit)
        together = ended[number]
        assert together.token_ids.tolist() == alone.token_ids.tolist()
        assert len(together.token_ids) == limit and together.finish_reason == "length"
        np.testing.assert_allclose(together.logprobs, alone.logprobs, atol=1e-4)


def test_pages_that_begin_in_one_pass_write_what_generate_writes(
    endless_model: LoadedModel, page_images: list[PageImage]
) -> None:
    """Images and prompts of different length, put in while another page is under way."""
    model = endless_model.model
    sizes = [(300, 60), (90, 200), (595, 90)]
    crops = [page_images[0].image.crop((0, 40, x, 40 + y)) for x, y in sizes]
    inputs = [encode_prompt(endless_model.processor, [crop]) for crop in crops]
    inputs.append(encode_prompt(endless_model.processor, [crops[0]], "Table Recognition:"))
    decoder = PageDecoder(model, TOP_K, two_letters_each)
    decoder.enter("before", inputs[0], 30)
    decoder.step()
    decoder.enter_together([(number, each, 20 + number) for number, each in enumerate(inputs)])
    ended = {}
    while len(decoder):
        ended.update(decoder.step())
    assert ended["before"].token_ids.tolist()[:20] == ended[0].token_ids.tolist()
    for number, each in enumerate(inputs):
        limit = 20 + number
        written = model.generate(**each, max_new_tokens=limit)[0, each["input_ids"].shape[1] :]
        assert ended[number].token_ids.tolist() == written.tolist()
        [alone] = decode(endless_model, [each], limit)
        np.testing.assert_allclose(ended[number].top_logprobs, alone.top_logprobs, atol=1e-4)


def test_it_writes_what_generate_writes(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    model = endless(any_model)
    inputs = [encode_prompt(model.processor, [page.image]) for page in page_images]
    for each, page in zip(inputs, decode(model, inputs, 60), strict=True):
        written = model.model.generate(**each, max_new_tokens=60)[0, each["input_ids"].shape[1] :]
        assert page.token_ids.tolist() == written.tolist()


def test_room_that_grows_step_by_step_loses_nothing(
    endless_model: LoadedModel,
    page_images: list[PageImage],
    batch: list[DecodedPage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buckets, "COLUMNS_AT_ONCE", 3)
    monkeypatch.setattr(recorder_module, "TOKENS_AT_ONCE", 2)
    for page, before in zip(read(endless_model, page_images, NUM_TOKENS), batch, strict=True):
        assert page.token_ids.tolist() == before.token_ids.tolist()
        np.testing.assert_allclose(page.top_logprobs, before.top_logprobs, atol=1e-4)


def test_a_page_that_finds_no_room_leaves_the_others_as_they_were(
    endless_model: LoadedModel,
    page_images: list[PageImage],
    batch: list[DecodedPage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = [encode_prompt(endless_model.processor, [page.image]) for page in page_images]
    decoder = PageDecoder(endless_model.model, TOP_K, two_letters_each)

    def no_memory(*_: object) -> None:
        raise torch.OutOfMemoryError

    for number, each in enumerate(inputs):
        with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
            patch.setattr(slot_cache.SlotCache, "append", no_memory)
            decoder.enter("no room", each, NUM_TOKENS)
        with monkeypatch.context() as patch, pytest.raises(torch.OutOfMemoryError):
            patch.setattr(Recorder, "write", no_memory)  # the last of all
            decoder.enter_together([("no room", each, 4), ("nor here", each, 4)])
        decoder.enter(number, each, NUM_TOKENS)
    ended = {}
    while len(decoder):
        ended.update(decoder.step())
    assert sorted(ended) == list(range(len(inputs)))
    for number, page in enumerate(batch):
        assert ended[number].token_ids.tolist() == page.token_ids.tolist()


def test_a_step_that_failed_can_be_made_again(
    endless_model: LoadedModel, page_images: list[PageImage], batch: list[DecodedPage]
) -> None:
    decoder = PageDecoder(endless_model.model, TOP_K, two_letters_each)
    for number, page in enumerate(page_images):
        inputs = encode_prompt(endless_model.processor, [page.image])
        decoder.enter(number, inputs, NUM_TOKENS)
    last_layer = endless_model.model.model.language_model.layers[-1]
    fails = iter([False, True, False, True, True] + 100 * [False])

    def no_memory(*_: object) -> None:
        if next(fails):
            raise torch.OutOfMemoryError

    hook = last_layer.register_forward_pre_hook(no_memory)
    ended = {}
    while len(decoder):
        try:
            ended.update(decoder.step())
        except torch.OutOfMemoryError:
            continue
    hook.remove()
    for number, page in enumerate(batch):
        assert ended[number].token_ids.tolist() == page.token_ids.tolist()


def test_looking_less_often_changes_nothing(
    stopping_model: LoadedModel,
    page_images: list[PageImage],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU what was written is looked at every few steps only."""

    def outcomes() -> list[tuple]:
        return [
            (page.token_ids.tolist(), page.finish_reason)
            for limit in (1, 2, 3, 10)
            for page in read_on(stopping_model, page_images, [1, 11, 100], limit)
        ]

    often = outcomes()
    monkeypatch.setattr(decoder_module, "STEPS_BETWEEN_LOOKS_CPU", 8)
    assert outcomes() == often


# Token ids below 256 are bytes; which ones does not matter here.


@pytest.fixture(scope="module")
def stopping_model(any_model: LoadedModel) -> LoadedModel:
    """After 1: 2 3 <|user|>. After 11: 12 13 14 15 <|endoftext|>. After 100: 101 102 … 199."""
    text_end, turn_end = any_model.stop_token_ids
    return scripted(
        any_model,
        chain(1, 2, 3, turn_end) | chain(11, 12, 13, 14, 15, text_end) | chain(*range(100, 200)),
    )


def test_both_stop_tokens_end_a_page_and_rows_end_at_different_steps(
    stopping_model: LoadedModel, page_images: list[PageImage]
) -> None:
    pages = read_on(stopping_model, page_images, [1, 11, 100], 10)
    assert [page.finish_reason for page in pages] == ["stop", "stop", "length"]
    # neither the stop tokens nor the padding after them
    assert pages[0].token_ids.tolist() == [2, 3]
    assert pages[1].token_ids.tolist() == [12, 13, 14, 15]
    assert pages[2].token_ids.tolist() == list(range(101, 111))
    for page in pages:
        assert len(page.logprobs) == len(page.top_ids) == len(page.token_ids)
        assert len(page.top_logprobs) == len(page.token_ids)


def test_a_stop_in_the_last_step_is_a_stop(
    stopping_model: LoadedModel, page_images: list[PageImage]
) -> None:
    reasons = {
        limit: read_on(stopping_model, page_images[:1], [1], limit)[0].finish_reason
        for limit in (1, 2, 3, 4)
    }
    assert reasons == {1: "length", 2: "length", 3: "stop", 4: "stop"}


def test_a_page_may_be_empty(stopping_model: LoadedModel, page_images: list[PageImage]) -> None:
    pages = read_on(stopping_model, page_images[:2], [3, 1], 5)
    assert pages[0].token_ids.tolist() == []
    assert pages[0].finish_reason == "stop"
    assert pages[1].token_ids.tolist() == [2, 3]


def test_a_loop_is_stopped_and_kept_while_another_page_continues(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    turn_end = any_model.stop_token_ids[1]
    num_others = MIN_LOOP_TOKENS + 2 * CHECK_EVERY_TOKENS + 5
    # 230 is followed by 231, that by 230 again
    script = chain(230, 231, 230) | chain(*range(num_others + 1), turn_end)
    model = scripted(any_model, script)
    looping, other = read_on(model, page_images[:2], [230, 0], 2 * MIN_LOOP_TOKENS)
    assert looping.finish_reason == "loop"
    assert looping.token_ids.tolist() == [231, 230] * (MIN_LOOP_TOKENS // 2)
    assert len(looping.logprobs) == MIN_LOOP_TOKENS
    assert other.finish_reason == "stop"
    assert other.token_ids.tolist() == list(range(1, num_others + 1))


def test_a_loop_shorter_than_the_threshold_ends_at_the_limit(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    model = scripted(any_model, {230: 230})
    [page] = read_on(model, page_images[:1], [230], MIN_LOOP_TOKENS - 1)
    assert page.finish_reason == "length"
    assert len(page.token_ids) == MIN_LOOP_TOKENS - 1


def test_a_page_that_ended_does_not_loop_in_its_padding(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    """Padding repeats itself too, and must not count."""
    turn_end = any_model.stop_token_ids[1]
    model = scripted(any_model, chain(230, 231, turn_end) | chain(*range(220)))
    ended, other = read_on(model, page_images[:2], [230, 0], MIN_LOOP_TOKENS + 40)
    assert (ended.finish_reason, ended.token_ids.tolist()) == ("stop", [231])
    assert (other.finish_reason, len(other.token_ids)) == ("length", MIN_LOOP_TOKENS + 40)


def loops(token_ids: np.ndarray) -> bool:
    return has_repeating_tail(token_ids, two_letters_each)


def repeating(period: int, num_tokens: int, lead: int = 300) -> np.ndarray:
    """`lead` tokens that never repeat, then `num_tokens` of a piece of `period` tokens."""
    start = np.arange(10_000, 10_000 + lead)
    return np.concatenate([start, np.arange(num_tokens) % period])


def least_tokens(period: int) -> int:
    return max(MIN_LOOP_TOKENS, MIN_REPEATS * period)


@pytest.mark.parametrize("period", [1, 2, 3, 7, 40, 41, 100, MAX_PERIOD_TOKENS])
def test_a_tail_repeats_from_the_threshold_on(period: int) -> None:
    assert loops(repeating(period, least_tokens(period)))
    assert loops(repeating(period, least_tokens(period), lead=0))
    assert loops(repeating(period, least_tokens(period) + 1))
    assert not loops(repeating(period, least_tokens(period) - 1))


def test_a_longer_piece_than_the_longest_is_not_a_loop() -> None:
    assert not loops(repeating(MAX_PERIOD_TOKENS + 1, 8 * MAX_PERIOD_TOKENS))


def test_one_other_token_breaks_a_loop() -> None:
    ids = repeating(5, MIN_LOOP_TOKENS)
    for place in (-1, -50, -MIN_LOOP_TOKENS):
        broken = ids.copy()
        broken[place] = 99
        assert not loops(broken)


@pytest.mark.parametrize("num_tokens", [0, 1, MIN_REPEATS])
def test_a_short_text_is_not_a_loop(num_tokens: int) -> None:
    assert not loops(np.zeros(num_tokens, dtype=np.int64))


def bytes_of(text: str) -> tuple[np.ndarray, Callable]:
    """A text in tokens of one byte each, and how they are spelled."""
    ids = np.frombuffer(text.encode(), dtype=np.uint8).astype(int)
    return ids, lambda token_ids: bytes(token_ids.tolist()).decode(errors="replace")


def pieces_of(text: str) -> tuple[np.ndarray, Callable]:
    """A text in tokens like those of BPE: tags, words with their space, dots by the eight."""
    pieces = re.findall(r"</?t[rd]>| ?\w+|\.{1,8}|\s+|.", text)
    number_of = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    known = list(number_of)
    ids = np.array([number_of[piece] for piece in pieces])
    return ids, lambda token_ids: "".join(known[each] for each in token_ids)


LEAD = "The court grants the appeal and sets the order of the lower court aside. "
ROW = "<tr><td>ja</td><td>nein</td></tr>"


@pytest.mark.parametrize("tokens", [bytes_of, pieces_of])
@pytest.mark.parametrize(
    "text",
    [
        "<table>" + "<tr><td></td><td></td><td></td></tr>" * 15 + "</table>",
        "| | | |\n" * 40,
        "Contents " + "." * 400 + "12",
        "═" * 200 + "\n" + "─" * 200,
        "____ " * 60,
        "<table>" + ROW * 15 + "</table>",
        "".join(f"<tr><td>Item {n}</td><td>0.00</td><td>0.00</td></tr>\n" for n in range(40)),
        "Name: ________ Date: ________\n" * 5,
    ],
)
def test_what_repeats_rightly_is_not_a_loop(tokens, text):
    ids, spell = tokens(LEAD + text)
    assert loop_end(ids, 0, spell) is None


@pytest.mark.parametrize("tokens", [bytes_of, pieces_of])
@pytest.mark.parametrize(
    ("piece", "limit"),
    [
        ("word ", 120),
        ("the same line again\n", 120),
        ("Item ........ 5\n", 120),  # its dots repeat too, within it
        ("Grüße € ", 120),
        ("法院判决书，", 120),
        (ROW, 1300),
        (".", MIN_CHARACTERS_WITHOUT_LETTERS),
        ("<td></td>", MIN_CHARACTERS_WITHOUT_LETTERS),
        ("═", MIN_CHARACTERS_WITHOUT_LETTERS),
    ],
)
def test_a_real_loop_ends(tokens, piece, limit):
    """At a number of characters that is about the same in any vocabulary."""
    limit = max(limit, MIN_LOOP_CHARACTERS)
    ids, spell = tokens(LEAD + piece * (2 * limit // len(piece)))
    end = loop_end(ids, 0, spell)
    assert end is not None and end % CHECK_EVERY_TOKENS == 0
    written = len(spell(ids[:end])) - len(LEAD)
    assert limit - 8 * CHECK_EVERY_TOKENS < written < limit + 20 * CHECK_EVERY_TOKENS
    assert loop_end(ids, end - CHECK_EVERY_TOKENS, spell) == end
