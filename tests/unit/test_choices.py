"""A choice of the review gives the page's text with exactly that token replaced."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from bpe_readings import TABLE, TEXTS, bpe_readings, bpe_tokenizer, made_reading

from glmocr_utils.confidence import PageTokens, changed
from glmocr_utils.ocr import read_pages
from glmocr_utils.records import OcrResult, TokenProb, read_decisions
from glmocr_utils.review import ReviewSession
from glmocr_utils.token_text import REPLACEMENT, decode_ids

pytestmark = pytest.mark.slow


class Reading:
    """A reading and the tokenizer that can say what it would be with other tokens."""

    def __init__(self, tokenizer, result: OcrResult) -> None:
        self.tokenizer, self.result = tokenizer, result
        self.added = set(tokenizer.get_added_vocab().values())

    def text_with(self, other_ids: dict[int, int]) -> str:
        tokens = enumerate(self.result.tokens)
        return decode_ids(self.tokenizer, [other_ids.get(n, t.token_id) for n, t in tokens])

    def expected(self) -> Iterator[tuple[int, int, str]]:
        """(token, other token, the page's text with it) where that is whole and another text."""
        for index, token in enumerate(self.result.tokens):
            for other in token.alternatives:
                text = self.text_with({index: other.token_id})
                is_text = other.token_id not in self.added and REPLACEMENT not in text
                if is_text and text != self.result.text:
                    yield index, other.token_id, text

    def session(self, **options: object) -> ReviewSession:
        folder = Path(tempfile.mkdtemp())
        everything = {"threshold": 1.1, "max_flags": 10**4, "max_choices": 100, "num_audits": 0}
        return ReviewSession([self.result], folder / "review.jsonl", **everything | options)

    def tokens_at(self, start: int, stop: int) -> range:
        """The tokens that are exactly these characters."""
        stops = list(accumulate(len(token.text) for token in self.result.tokens))
        starts = [0, *stops[:-1]]
        indices = [n for n, at in enumerate(starts) if at == start and stops[n] > at]
        return range(indices[0], stops.index(stop) + 1)

    def says(self, start: int, stop: int, text: str) -> bool:
        """Whether tokens or alternatives to them, one after the other, spell `text` there.

        An alternative may take the place of its token and of those that follow it.
        """
        tokens = self.tokens_at(start, stop)
        spelled = {index: set() for index in range(tokens.start, tokens.stop + 1)}
        spelled[tokens.start] = {""}
        for index in tokens:
            token = self.result.tokens[index]
            for before in spelled[index]:
                further = [(before + token.text, index + 1)]
                for other in token.alternatives:
                    said = before + other.text
                    further += [(said, after) for after in range(index + 1, tokens.stop + 1)]
                for said, after in further:
                    if text.startswith(said):  # all spellings would be too many
                        spelled[after].add(said)
        return text in spelled[tokens.stop]


@pytest.fixture(scope="module", params=["BPE", "bundled model", "bytes", "byte model"])
def readings(request, bundled_model, byte_model, page_images) -> list[Reading]:
    if request.param == "BPE":
        return [Reading(bpe_tokenizer(), result) for result in bpe_readings()]
    if request.param == "bundled model":
        results = read_pages(bundled_model, page_images, max_tokens=200)
        return [Reading(bundled_model.processor.tokenizer, result) for result in results]
    tokenizer = byte_model.processor.tokenizer
    if request.param == "bytes":
        results = [made_reading(tokenizer, text[:200], n) for n, text in enumerate(TEXTS)]
    else:
        results = read_pages(byte_model, page_images, max_tokens=300)
    return [Reading(tokenizer, result) for result in results]


def test_each_alternative_gives_the_text_with_exactly_that_token_replaced(readings):
    """Or with the tokens of its word, where it spells the whole word."""
    for reading in readings:
        tokens = PageTokens(reading.result)
        given, of_words = {}, 0
        for index in range(len(reading.result.tokens)):
            for choice in tokens.choices(index):
                text = changed(reading.result.text, [choice.change])
                start, stop = choice.change.token
                if reading.tokens_at(start, stop) == range(index, index + 1):
                    given[index, choice.other.token_id] = text
                else:
                    of_words += 1
                    assert reading.tokens_at(start, stop).start == index
                    rest = reading.result.text[stop:]
                    assert text == reading.result.text[:start] + choice.other.text + rest
        expected = {(index, other): text for index, other, text in reading.expected()}
        assert given.items() <= expected.items()
        # only bytes in the middle of a character may be left out
        left_out = [index for index, other in expected.keys() - given.keys()]
        assert sum(bool(reading.result.tokens[index].text) for index in left_out) <= of_words
        for index, token in enumerate(reading.result.tokens):
            for choice in tokens.choices(index):
                assert choice.after == changed(
                    reading.result.text, [choice.change], choice.start, choice.stop
                )
                assert token.text


def test_each_choice_of_the_review_ends_in_that_text(readings):
    count = 0
    for reading in readings:
        session = reading.session()
        [page] = session.pages
        for flag in page.flags:
            for choice, _ in flag.choices[:6]:
                start, stop, text = page.replacement(flag, choice)
                assert reading.says(start, stop, text)
                session.choose(0, flag, choice)
                original = reading.result.text
                assert page.text == original[:start] + text + original[stop:]
                session.undo()
                assert page.text == reading.result.text
                count += 1
    assert count > 10


def test_choices_of_a_page_compose_in_the_log_and_in_the_finished_text(readings):
    """Choices for different tokens add up; one takes the place of those that share a token."""
    for reading in readings:
        session, rng, chosen = reading.session(), random.Random(0), []
        [page] = session.pages
        for flag in rng.sample(page.flags, len(page.flags)):
            for _ in range(min(3, len(flag.choices))):
                shown, _ = rng.choice(page.choices_now(flag))
                start, stop, text = page.replacement(flag, shown)
                assert reading.says(start, stop, text)
                chosen = [each for each in chosen if each[1] <= start or stop <= each[0]]
                chosen.append((start, stop, text))
                session.choose(0, flag, shown)
                assert shown in page.text
        session.finish(0, "fully_read")
        expected = reading.result.text
        for start, stop, text in sorted(chosen, reverse=True):
            expected = expected[:start] + text + expected[stop:]
        assert chosen and expected != reading.result.text
        assert page.text == expected
        *_, finish = read_decisions(session.log_path)
        assert finish.after == expected
        [file] = session.text_files.values()
        assert file.read_bytes().decode() == expected + "\n"
        again = ReviewSession([reading.result], session.log_path)
        assert again.pages[0].text == expected
        while again.undo():
            pass
        assert again.pages[0].text == reading.result.text


def test_no_flag_is_longer_than_40_characters_and_lies_in_its_line(readings):
    for reading in readings:
        [page] = reading.session().pages
        for flag in page.flags:
            assert page.original_lines[flag.line_index][flag.start : flag.end] == flag.text
            assert len(flag.text) <= 40
            start, end = page.window_of(flag)
            assert start <= flag.start and flag.end <= end and end - start <= 200
    assert len({flag.flag_id for flag in page.flags}) == len(page.flags)


def test_a_choice_after_typing_goes_to_the_typed_line():
    reading = Reading(bpe_tokenizer(), made_reading(bpe_tokenizer(), TABLE, doubt=1))
    session = reading.session()
    [page] = session.pages
    flag = next(flag for flag in page.flags if "Bread" in flag.text and flag.choices)
    [line] = {flag.line_index}
    session.correct_line(0, flag, page.lines[line].replace("Item", "Items sold"))
    choice, _ = flag.choices[0]
    start, stop, text = page.replacement(flag, choice)
    session.choose(0, flag, choice)
    read = reading.result.text
    other = read[:start] + text + read[stop:]
    assert other != read and page.text == other.replace("Item", "Items sold")


def test_a_log_holds_for_the_same_text_in_other_tokens():
    """A server may divide the text of a page otherwise than the model here."""
    result = bpe_readings()[0]
    session = Reading(bpe_tokenizer(), result).session()
    flag = next(flag for flag in session.pages[0].flags if flag.choices)
    session.choose(0, flag, flag.choices[0][0])
    letters = tuple(TokenProb(-1, character, -0.1) for character in result.text)
    again = ReviewSession([replace(result, tokens=letters)], session.log_path)
    assert again.pages[0].text == session.pages[0].text != result.text
