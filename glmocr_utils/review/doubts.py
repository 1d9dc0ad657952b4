"""Which stretches of a page's text are doubtful, and which are sure; none is longer than a line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmocr_utils.confidence import Choice, PageTokens
from glmocr_utils.markup import ink

LONGEST_FLAG = 40  # characters


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters `start` to `stop` of a page, and the tokens in it that are doubtful.

    Attributes:
        prob: the lowest of them.
        is_word: it has a word in it; otherwise it is a tag, or space between tags.
        is_markup: only what is not printed is in doubt.
    """

    start: int
    stop: int
    indices: tuple[int, ...]
    prob: float
    is_word: bool = True
    is_markup: bool = False

    @property
    def limits(self) -> tuple[int, int]:
        return self.start, self.stop

    @property
    def kind(self) -> tuple[bool, bool]:
        """What is printed sorts before markup, words before tags."""
        return self.is_markup, not self.is_word


def doubt_about(tokens: PageTokens, index: int, prob: float, threshold: float) -> Stretch | None:
    """What to look at because of a doubtful token; None where only white space is in doubt."""
    choices = tokens.choices(index)
    alike = [choice for choice in choices if tokens.is_layout(choice)]
    printing = [choice for choice in choices if choice not in alike]
    doubt = max(1 - tokens.result.tokens[index].prob, 1e-9)
    prob += (1 - prob) * min(1, sum(choice.other.prob for choice in alike) / doubt)
    start, stop = tokens.spans[index]
    has_ink = any(ink(tokens.text)[start:stop])
    is_tag = not has_ink and tokens.text[start:stop].strip()
    is_markup = not (prob < threshold and (has_ink or printing))
    if is_markup and not is_tag and not any(map(_changes_signs, alike)):
        return None
    shown = _around(tokens, start, stop, alike if is_markup else printing)
    return Stretch(*shown, (index,), prob, bool(tokens.words_at(*shown)), is_markup)


def _changes_signs(choice: Choice) -> bool:
    return "".join(choice.before.split()) != "".join(choice.after.split())


def _around(
    tokens: PageTokens, start: int, stop: int, choices: Sequence[Choice]
) -> tuple[int, int]:
    """What to show of a token at `start` to `stop`: its words, or what its choices change."""
    words = tokens.words_at(start, stop)
    if words:
        start, stop = anchor, _ = words[0]
        for word in words[1:]:
            if _fit_together(tokens.text, (start, stop), word):
                stop = word[1]
    elif choices:
        anchor, start, stop = start, choices[0].start, choices[0].stop
    else:
        written = tokens.text[start:stop]
        anchor = start + len(written) - len(written.lstrip())
        start, stop = tokens.around(anchor, anchor + len(written.strip()))
    return on_one_line(tokens.text, start, stop, anchor)


def on_one_line(text: str, start: int, stop: int, anchor: int) -> tuple[int, int]:
    """At most 40 of the characters `start` to `stop`, on the line of `anchor` and around it."""
    line_end = text.find("\n", anchor)
    start = max(start, text.rfind("\n", 0, anchor) + 1)
    stop = max(start, min(stop, len(text) if line_end < 0 else line_end))
    if stop - start > LONGEST_FLAG:
        start = max(start, min(anchor - LONGEST_FLAG // 2, stop - LONGEST_FLAG))
        stop = start + LONGEST_FLAG
    return start, stop


def joined(text: str, doubts: Iterable[Stretch]) -> list[Stretch]:
    """Doubts about neighbouring words are one flag, up to 40 characters of a line.

    Tags and words stay apart. What is printed goes first: markup in doubt is a flag of its own
    where no printed word is.
    """
    together: list[Stretch] = []
    for doubt in sorted(doubts, key=lambda doubt: (doubt.kind, doubt.start, doubt.stop)):
        if any(overlap(other, doubt) for other in together if other.kind != doubt.kind):
            continue
        last = together[-1] if together else None
        if last is None or last.kind != doubt.kind:
            together.append(doubt)
        elif doubt.stop <= last.stop or _fit_together(text, last.limits, doubt.limits):
            indices, prob = last.indices + doubt.indices, min(last.prob, doubt.prob)
            stop = max(last.stop, doubt.stop)
            together[-1] = replace(last, stop=stop, indices=indices, prob=prob)
        else:
            together.append(_after(text, last.stop, doubt))
    return together


def _after(text: str, position: int, doubt: Stretch) -> Stretch:
    """The part of a stretch after `position`, without the space that it begins with."""
    start = max(doubt.start, position)
    space = len(text[start : doubt.stop]) - len(text[start : doubt.stop].lstrip())
    return replace(doubt, start=start + space)


def overlap(first: Stretch, second: Stretch) -> bool:
    return first.start < second.stop and second.start < first.stop


def _fit_together(text: str, first: tuple[int, int], second: tuple[int, int]) -> bool:
    is_near = text[first[1] : second[0]] in ("", " ")
    return is_near and second[1] - first[0] <= LONGEST_FLAG


def sure_words(tokens: PageTokens, probs: np.ndarray, threshold: float) -> Iterator[Stretch]:
    for start, stop in tokens.words:
        indices = tokens.tokens_of(start, stop)
        worst = min(indices, key=lambda index: probs[index])
        if probs[worst] >= threshold:
            shown = on_one_line(tokens.text, start, stop, start)
            yield Stretch(*shown, (worst,), float(probs[worst]))
