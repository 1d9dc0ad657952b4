"""A page's tokens in its text: the words that they spell, and what the page says with others.

A person reads words, the model writes tokens. A token may be a word with the space before it,
several line ends, a piece of a tag or a part of a character. So nothing here looks for a text: what
changes with another token follows from the characters that each token spells.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, takewhile

from rapidfuzz.distance import Levenshtein

from glmocr_utils.markup import ink, word_spans
from glmocr_utils.metrics import headline_pair
from glmocr_utils.records import Alternative, OcrResult

REPLACEMENT = "\ufffd"  # what a tokenizer writes for bytes that aren't a whole character
# Tokens that steer the model and print nothing; a page's own `<|user|>` is several tokens.
STEERING = re.compile(
    r"<\|[^|<>]*\|>|\[[gs]?MASK\]|<[se]op>|</?(?:think|tool_\w+|arg_\w+)>|/nothink"
)
LONGEST_TAG = 40  # characters of markup shown around a change in it


@dataclass(frozen=True, slots=True)
class Change:
    """Characters `start` to `stop` of a page's text become `text`.

    Attributes:
        token: (start, stop) of the characters of the token, or tokens, that are replaced.
    """

    token: tuple[int, int]
    start: int
    stop: int
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The page's text with another token.

    Attributes:
        other: the alternative; change: its change of the page's text.
        start, stop: of the word or words around the change, in the page's text.
        before, after: these words as they are and as they would be.
    """

    other: Alternative
    change: Change
    start: int
    stop: int
    before: str
    after: str


def changed(text: str, changes: Iterable[Change], start: int = 0, stop: int | None = None) -> str:
    """Characters `start` to `stop` of a page's text with tokens replaced.

    Args:
        text: of the whole page.
        changes: of different tokens, in their order, all within the stretch.
    """
    pieces: list[str] = []
    for change in changes:
        pieces += [text[start : change.start], change.text]
        start = change.stop
    return "".join([*pieces, text[start:stop]])


def smallest_change(text: str, start: int, stop: int, new: str) -> Change:
    """What changes in a page's text when the token at `start` to `stop` says `new`."""
    now = text[start:stop]
    head = _shared(now, new)
    tail = _shared(now[head:][::-1], new[head:][::-1])
    return Change((start, stop), start + head, stop - tail, new[head : len(new) - tail])


class PageTokens:
    """The tokens of a page as characters of its text.

    Attributes:
        spans: (start, stop) for each token, its own white space included. Tokens that spell one
            character together share it.
        words: (start, stop) of each word; see `markup.word_spans`.
    """

    def __init__(self, result: OcrResult) -> None:
        self.result = result
        self.text = result.text
        self.spans = _spans(result)
        self.words = word_spans(result.text)
        self._word_stops = [stop for _, stop in self.words]
        self._token_stops = [stop for _, stop in self.spans]

    def tokens_of(self, start: int, stop: int) -> range:
        """The tokens that spell characters `start` to `stop`, whole or in part."""
        first = bisect_right(self._token_stops, start)
        last = bisect_left(self.spans, (stop, -1), lo=first)
        return range(first, last)

    def words_at(self, start: int, stop: int) -> tuple[tuple[int, int], ...]:
        """The words that share characters with `start` to `stop`."""
        first = bisect_right(self._word_stops, start)
        return tuple(takewhile(lambda word: word[0] < stop, self.words[first:]))

    def choices(self, index: int) -> list[Choice]:
        """The page's possible texts with another token at `index`, best first.

        There is no choice where another token says the same, steers the model instead of spelling
        something, or leaves a part of a character.
        """
        others = self.result.tokens[index].alternatives
        return [self._choice(index, other) for other in others if self._spells(index, other)]

    def is_layout(self, choice: Choice) -> bool:
        """Whether the page prints the same with it, line ends and spaces aside.

        Where only the space at the token's end is missing, the model would have written it next.
        """
        start, stop = choice.change.token
        now, other = self.text[start:stop], choice.other.text
        if now[-1:].isspace() and now.rstrip() == other:
            return True
        before, after = headline_pair(choice.before, choice.after)
        return before == after

    def _spells(self, index: int, other: Alternative) -> bool:
        tokens = self.result.tokens
        token = tokens[index]
        if not token.text or other.text == token.text or REPLACEMENT in other.text:
            return False
        if STEERING.fullmatch(other.text):
            return False
        # Results of old say of the last token of a character what others spell alone.
        ends_a_character = index > 0 and not tokens[index - 1].text
        return not ends_a_character or any(
            own.token_id == token.token_id and own.text == token.text for own in token.alternatives
        )

    def _choice(self, index: int, other: Alternative) -> Choice:
        change = smallest_change(self.text, *self._replaced_by(index, other.text), other.text)
        start, stop = self.around(change.start, change.stop)
        before, after = self.text[start:stop], changed(self.text, [change], start, stop)
        return Choice(other, change, start, stop, before, after)

    def _replaced_by(self, index: int, text: str) -> tuple[int, int]:
        """The characters in whose place another token says `text`.

        They are the token's own, and those of the next tokens of the word too where the other says
        about the same by itself: `APPEAL` in place of `APP` before `LAL` does not make `APPEALLAL`.
        """
        start, stop = self.spans[index]
        words = self.words_at(start, stop)
        if len(text) <= stop - start or not words:
            return start, stop
        ends = [stop]
        for _, end in self.spans[index + 1 :]:
            if end > words[-1][1]:
                break
            ends.append(end)
        return start, min(ends, key=lambda end: Levenshtein.distance(self.text[start:end], text))

    def around(self, start: int, stop: int) -> tuple[int, int]:
        """The words that a change of characters `start` to `stop` touches, or may join.

        Where it touches none, the markup that it is in.
        """
        is_added = start == stop
        before = is_added or self.text[start].isspace()  # the word before may end elsewhere
        after = is_added or self.text[stop - 1].isspace()
        words = self.words_at(start - before, stop + after)
        if words:
            return min(start, words[0][0]), max(stop, words[-1][1])
        has_ink = ink(self.text)

        def is_markup(position: int) -> bool:
            return not has_ink[position] and not self.text[position].isspace()

        first, last = max(0, start - LONGEST_TAG), min(len(self.text), stop + LONGEST_TAG)
        while start > first and is_markup(start - 1) and self.text[start : start + 1] != "<":
            start -= 1
        while stop < last and is_markup(stop) and self.text[stop - 1 : stop] != ">":
            stop += 1
        return start, stop


def words_of_tokens(result: OcrResult) -> list[range]:
    """The tokens of each word, as ranges of indices in reading order; see `markup.word_spans`.

    A token that reaches into two words is in both. White space and markup alone are in none; the
    first bytes of a character go with it.
    """
    tokens = PageTokens(result)
    return [tokens.tokens_of(start, stop) for start, stop in tokens.words]


def _spans(result: OcrResult) -> list[tuple[int, int]]:
    stops = list(accumulate(len(token.text) for token in result.tokens))
    spans: list[tuple[int, int]] = []
    start, stop = len(result.text), len(result.text)
    for token, own_stop in zip(reversed(result.tokens), reversed(stops), strict=True):
        if token.text:
            start, stop = own_stop - len(token.text), own_stop
        spans.append((start, stop))
    return spans[::-1]


def _shared(first: str, second: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
