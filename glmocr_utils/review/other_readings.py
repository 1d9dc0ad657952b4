"""Other readings of a flag: the alternatives of its tokens, combined.

One doubtful word is often several doubtful tokens, and the right reading may differ in more than
one of them. The alternatives of a token were recorded after the tokens that the model chose, so a
combination is a guess; its parts are not.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from glmocr_utils.confidence import Change, Choice, PageTokens, changed, smallest_change

BEAM = 24  # combinations kept from token to token
LEAST_PROB = 0.005  # one that would be shown as 0.00 is useless
LEAST_OF_SURE = 0.05  # of an alternative to a token that isn't doubtful


@dataclass(frozen=True, slots=True)
class OtherReading:
    """What could be there instead of flagged text.

    Attributes:
        text: the flagged text; where words are joined or divided, with the words around.
        prob: 0 to 1; with one token replaced by an alternative to the least sure one, that
            alternative's. Each further replacement multiplies it by how much less probable the
            alternative is than the token.
        change: what it changes in the page's text.
        readers: second readers that read it, with commas between.
    """

    text: str
    prob: float
    change: Change
    readers: str = ""


@dataclass(frozen=True, slots=True)
class _Combination:
    """Choices of different tokens, in their order, and how probable they make the text (log)."""

    choices: tuple[Choice, ...] = ()
    logprob: float = 0.0

    def extended(self, options: Iterable[tuple[Choice, float]]) -> Iterable["_Combination"]:
        yield self
        end = self.choices[-1].change.token[1] if self.choices else 0
        for choice, logprob in options:
            if choice.change.token[0] >= end:
                yield _Combination((*self.choices, choice), self.logprob + logprob)


def other_readings(
    tokens: PageTokens,
    start: int,
    stop: int,
    doubtful: Collection[int],
    *,
    with_layout: bool = False,
    most: int = 5,
) -> list[OtherReading]:
    """Other readings of characters `start` to `stop` of a page, best first.

    Args:
        doubtful: indices of the tokens that the stretch is flagged for. An alternative to another
            token counts where it is almost as probable.
        with_layout: also what changes line ends, spaces and markup alone.
        most: how many, at most.
    """
    indices = sorted({*doubtful, *tokens.tokens_of(start, stop)})
    combinations = [_Combination()]
    for index in indices:
        least = LEAST_PROB if index in doubtful else LEAST_OF_SURE
        options = list(_options(tokens, index, least, with_layout))
        extended = [longer for each in combinations for longer in each.extended(options)]
        combinations = sorted(extended, key=lambda each: -each.logprob)[:BEAM]
    least_sure = min((tokens.result.tokens[index].prob for index in doubtful), default=1.0)
    found = {tokens.text[start:stop]: OtherReading("", 0.0, Change((0, 0), 0, 0, ""))}
    for combination in combinations:
        prob = least_sure * math.exp(combination.logprob)
        if combination.choices and prob >= LEAST_PROB:
            reading = _reading(tokens.text, start, stop, combination, prob)
            found.setdefault(reading.text, reading)
    return list(found.values())[1 : most + 1]


def _options(
    tokens: PageTokens, index: int, least: float, with_layout: bool
) -> Iterable[tuple[Choice, float]]:
    """Each alternative to a token, and how much less probable it is (log, ≤ 0)."""
    own = tokens.result.tokens[index].logprob
    for choice in tokens.choices(index):
        if choice.other.prob >= least and (with_layout or not tokens.is_layout(choice)):
            yield choice, min(0.0, choice.other.logprob - own)


def _reading(
    text: str, start: int, stop: int, combination: _Combination, prob: float
) -> OtherReading:
    choices = combination.choices
    changes = [choice.change for choice in choices]
    shown_start = min(start, *(choice.start for choice in choices))
    shown_stop = max(stop, *(choice.stop for choice in choices))
    if len(choices) == 1:
        [change] = changes
    else:
        first, last = changes[0].token[0], changes[-1].token[1]
        change = smallest_change(text, first, last, changed(text, changes, first, last))
    return OtherReading(changed(text, changes, shown_start, shown_stop), prob, change)
