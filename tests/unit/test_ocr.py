"""Pages → text with token probabilities; and the probability of any text."""

import math
import threading
from collections.abc import Iterator

import pytest
from scripted_model import chain, endless, scripted

from glmocr_utils.decoding import MIN_LOOP_CHARACTERS
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import (
    SCORE_POSITIONS_AT_ONCE,
    PageReader,
    read_pages,
    score_text,
    score_tokens,
    without_thought,
)
from glmocr_utils.prompt import encode_prompt
from glmocr_utils.records import OcrResult, PageImage, TokenProb

pytestmark = pytest.mark.slow

LINE_END = 198  # "\n" in the vocabulary of both models, the last token of every prompt


def ids_of(model: LoadedModel, text: str) -> list[int]:
    """Special tokens in `text` are taken as such."""
    return model.processor.tokenizer(text, add_special_tokens=False)["input_ids"]


def writer_of(model: LoadedModel, text: str) -> LoadedModel:
    """A model that writes `text`, in which no token may occur twice."""
    ids = ids_of(model, text)
    assert len(set(ids)) == len(ids)
    return scripted(model, chain(LINE_END, *ids))


def spelled(*texts: str) -> tuple[TokenProb, ...]:
    return tuple(TokenProb(number, text, -0.1) for number, text in enumerate(texts))


def test_pages_come_in_their_order_with_all_fields(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    results = list(read_pages(any_model, page_images, max_tokens=6, batch_size=2, top_k=3))
    assert [result.page for result in results] == [page.page for page in page_images]
    for page, result in zip(page_images, results, strict=True):
        inputs = encode_prompt(any_model.processor, [page.image])
        assert result.num_image_tokens == int(inputs["mm_token_type_ids"].sum())
        assert result.prompt == "Text Recognition:"
        assert result.model_id == any_model.model_id
        assert (result.revision, result.adapter) == (None, None)
        assert result.scale == page.scale
        assert result.seconds > 0
        assert len(result.tokens) <= 6
        assert result.finish_reason == ("length" if len(result.tokens) == 6 else "stop")
        for token in result.tokens:
            assert len(token.alternatives) == 3
            assert token.alternatives[0].token_id == token.token_id
            assert token.alternatives[0].logprob == pytest.approx(token.logprob)


def without_times(results: Iterator[OcrResult]) -> list[tuple]:
    return [
        (
            result.page,
            result.text,
            result.finish_reason,
            [token.token_id for token in result.tokens],
        )
        for result in results
    ]


@pytest.mark.parametrize("batch_size", [2, 3, 50])
def test_the_batch_size_does_not_change_what_is_read(
    any_model: LoadedModel, page_images: list[PageImage], batch_size: int
) -> None:
    alone = without_times(read_pages(any_model, page_images, max_tokens=12))
    together = read_pages(any_model, page_images, max_tokens=12, batch_size=batch_size)
    assert without_times(together) == alone


def test_pages_are_taken_in_as_they_are_needed(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    taken = 0

    def many_pages() -> Iterator[PageImage]:
        nonlocal taken
        for _ in range(20):
            taken += 1
            yield page_images[0]

    batch_size = 2
    results = read_pages(any_model, many_pages(), max_tokens=1, batch_size=batch_size)
    assert taken == 0
    for given in range(1, 6):
        next(results)
        # read, or being read; prepared; and one in the hands of the thread that prepares
        assert given <= taken <= given + 2 * batch_size + 1


def test_no_page_is_taken_in_after_reading_was_given_up(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    taken = []

    def many_pages() -> Iterator[PageImage]:
        while True:
            taken.append(1)
            yield page_images[0]

    results = read_pages(any_model, many_pages(), max_tokens=1)
    next(results)
    results.close()
    so_far = len(taken)
    assert not any(thread.name == "prefetch" for thread in threading.enumerate())
    assert len(taken) == so_far


def test_what_pages_raise_is_raised_in_its_place(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    def pages() -> Iterator[PageImage]:
        yield page_images[0]
        raise OSError("the disk is gone")

    results = read_pages(any_model, pages(), max_tokens=1)
    assert next(results).page == page_images[0].page
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_no_pages_give_no_results(any_model: LoadedModel) -> None:
    assert list(read_pages(any_model, [])) == []


@pytest.mark.parametrize("name", ["max_tokens", "batch_size", "top_k"])
@pytest.mark.parametrize("value", [0, -1])
def test_options_out_of_their_range_are_refused(
    any_model: LoadedModel, page_images: list[PageImage], name: str, value: int
) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got {value}"):
        list(read_pages(any_model, page_images, **{name: value}))


@pytest.mark.parametrize("stop", ["<|user|>", "<|endoftext|>"])
def test_the_text_ends_before_the_stop_token(
    byte_model: LoadedModel, page_images: list[PageImage], stop: str
) -> None:
    model = writer_of(byte_model, "Grün 12€" + stop)
    for result in read_pages(model, page_images[:2], batch_size=2, max_tokens=50):
        assert result.text == "Grün 12€"
        assert result.finish_reason == "stop"
        assert [token.text for token in result.tokens[:5]] == ["G", "r", "", "ü", "n"]


def test_an_empty_thought_is_not_a_part_of_the_page(
    byte_model: LoadedModel, page_images: list[PageImage]
) -> None:
    thought = ids_of(byte_model, "<think></think>")
    stop = byte_model.stop_token_ids[1]
    script = chain(LINE_END, *thought, *ids_of(byte_model, "Text"), stop)
    [result] = read_pages(scripted(byte_model, script), page_images[:1], max_tokens=20)
    assert result.text == "Text"
    assert [token.text for token in result.tokens] == ["T", "e", "x", "t"]


def test_a_looping_page_keeps_its_text(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    [n] = ids_of(any_model, "n")
    model = scripted(any_model, {LINE_END: n, n: n})
    [result] = read_pages(model, page_images[:1], max_tokens=2 * MIN_LOOP_CHARACTERS)
    assert result.finish_reason == "loop"
    assert result.text == "n" * MIN_LOOP_CHARACTERS


def test_a_page_cut_at_the_limit_says_so(
    byte_model: LoadedModel, page_images: list[PageImage]
) -> None:
    model = writer_of(byte_model, "abc€")
    [result] = read_pages(model, page_images[:1], max_tokens=4)
    assert result.finish_reason == "length"
    assert result.text == "abc\ufffd"  # the limit fell within the last character


@pytest.mark.parametrize(
    "changed", [{"style": "nothink"}, {"prompt": "Table Recognition:"}], ids=["style", "prompt"]
)
def test_style_and_prompt_reach_the_model(
    any_model: LoadedModel, page_images: list[PageImage], changed: dict[str, str]
) -> None:
    model = endless(any_model)

    def first_logprobs(**options: str) -> list[float]:
        [result] = read_pages(model, page_images[:1], max_tokens=1, **options)
        assert result.prompt == options.get("prompt", "Text Recognition:")
        return [other.logprob for other in result.tokens[0].alternatives]

    assert first_logprobs() == first_logprobs()
    assert first_logprobs() != first_logprobs(**changed)


def test_a_leading_empty_thought_is_dropped_with_its_line_end() -> None:
    kept = without_thought(spelled("<think>", "</think>", "\n", "Text"))
    assert [token.text for token in kept] == ["Text"]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (("<think>", "</think>", "Text"), ["Text"]),
        (("<think></think>", "\n", "\n", "Text"), ["Text"]),
        (("<think></think>", "\n\n", "Text"), ["Text"]),
        (("<think></think>", "\n", "\n", "\n", "Text"), ["\n", "Text"]),
        (("<think>", "</think>\n\nTe", "xt"), ["Te", "xt"]),
        (("<think></think>Text",), ["Text"]),
        (("<think>", "\n", "</think>", "", "Ü"), ["", "Ü"]),
        (("<think>", "a thought", "</think>", "\n", "Text"), ["Text"]),
        (("<", "think", "></", "think>", "\n", "Text"), ["Text"]),
        (("", "<think>", "", "</think>", "Text"), ["Text"]),
        (("<think>", "</think>"), []),
        (("<think>", "</think>", "\n"), []),
    ],
)
def test_an_empty_thought_is_dropped_however_it_is_spelled(texts: tuple, kept: list) -> None:
    assert [token.text for token in without_thought(spelled(*texts))] == kept


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("Text", "<think>", "</think>", "\n"),
        ("\n", "<think>", "</think>", "\n", "Text"),
        ("<think>", "Text"),
        ("<think>",),
        ("<", "b>"),
    ],
)
def test_everything_else_is_kept(texts: tuple) -> None:
    tokens = spelled(*texts)
    assert without_thought(tokens) == tokens


def test_scored_tokens_join_to_the_text(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    text = "Grüße, 12,50 €\n<|user|> <|image|> <think></think> \U0001f600"
    tokens = score_text(any_model, page_images[0].image, text, top_k=2)
    assert "".join(token.text for token in tokens) == text
    assert all(len(token.alternatives) == 2 for token in tokens)


def test_an_empty_text_has_no_scores(any_model: LoadedModel, page_images: list[PageImage]) -> None:
    assert score_text(any_model, page_images[0].image, "") == ()
    assert score_tokens(any_model, page_images[0].image, []) == ()


def test_a_stop_token_written_on_the_page_is_scored_as_characters(
    byte_model: LoadedModel, page_images: list[PageImage]
) -> None:
    tokens = score_text(byte_model, page_images[0].image, "a<|user|><|endoftext|>b")
    assert not {token.token_id for token in tokens} & set(byte_model.stop_token_ids)
    assert len(tokens) == len("a<|user|><|endoftext|>b")  # bytes


def test_the_models_own_text_scores_as_it_was_recorded(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    model = writer_of(any_model, "Grün 12€<|user|>")
    [result] = read_pages(model, page_images[:1], max_tokens=30)
    scored = score_text(model, page_images[0].image, result.text)
    assert [token.token_id for token in scored] == [token.token_id for token in result.tokens]
    assert [token.logprob for token in scored] == pytest.approx(
        [token.logprob for token in result.tokens], abs=1e-3
    )


def test_a_text_that_the_model_would_not_write_is_improbable(
    byte_model: LoadedModel, page_images: list[PageImage]
) -> None:
    model = writer_of(byte_model, "abcd<|user|>")
    tokens = score_text(model, page_images[0].image, "abxd")
    assert [token.prob > 0.99 for token in tokens] == [True, True, False, False]
    assert tokens[2].alternatives[0].text == "c"
    assert tokens[2].prob < 1e-3


def test_scores_do_not_depend_on_how_many_are_made_at_once(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    """One pass over a long text is cut into pieces after the model, not before."""
    text = "Some words. " * (SCORE_POSITIONS_AT_ONCE // 8)
    assert len(text) > SCORE_POSITIONS_AT_ONCE
    tokens = score_text(any_model, page_images[0].image, text)
    assert "".join(token.text for token in tokens) == text
    cut = SCORE_POSITIONS_AT_ONCE - 20
    beginning = score_text(any_model, page_images[0].image, text[: cut + 40])
    for whole, part in zip(tokens[cut : cut + 40], beginning[cut:], strict=True):
        assert whole.logprob == pytest.approx(part.logprob, abs=1e-3)


def test_probabilities_of_one_position_sum_to_1(
    any_model: LoadedModel, page_images: list[PageImage]
) -> None:
    vocabulary = any_model.model.config.text_config.vocab_size
    tokens = score_text(any_model, page_images[0].image, "ab", top_k=vocabulary)
    for token in tokens:
        total = math.fsum(math.exp(other.logprob) for other in token.alternatives)
        assert total == pytest.approx(1, abs=1e-4)


def test_a_special_token_within_the_text_is_left_out(any_model, page_images):
    tokenizer = any_model.processor.tokenizer
    a, role, b, stop = (
        tokenizer.convert_tokens_to_ids(token) for token in ("a", "<|assistant|>", "b", "<|user|>")
    )
    model = scripted(any_model, chain(LINE_END, a, role, b, stop))
    (result,) = read_pages(model, page_images[:1])
    assert result.text == "ab"
    assert [token.token_id for token in result.tokens] == [a, b]


def test_the_end_of_a_page_under_way_is_the_end_of_its_text(
    bundled_model: LoadedModel, page_images: list[PageImage]
) -> None:
    reader = PageReader(bundled_model)
    reader.enter("page", reader.prepare(page_images[-1]), max_tokens=40)
    for _ in range(12):
        reader.step()
    so_far, tail = reader.tail("page", 12), reader.tail("page", 4)
    assert 0 < len(tail) < len(so_far) and so_far.endswith(tail)
    [(_, read)] = next(filter(None, iter(reader.step, None)))  # steps until the page has ended
    assert so_far in read.text
