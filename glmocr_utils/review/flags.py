"""What a person should check on a page: flags, few and short, in words, in reading order."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from glmocr_utils.confidence import Calibration, Change, Choice, PageTokens, WordRisk
from glmocr_utils.markup import ink
from glmocr_utils.options import ReviewOptions
from glmocr_utils.records import Box, OcrResult
from glmocr_utils.review.other_readings import other_readings

THRESHOLD = 0.8  # a token below this probability is in doubt
NUM_AUDITS = 3  # words per page that the model was sure of
MAX_CHOICES = 5  # other readings of a flag

FlagKind = Literal["unread", "unsupported", "unsure", "audit", "loop", "length", "line"]
LONGEST_FLAG = 40  # characters


@dataclass(frozen=True, slots=True)
class Flag:
    """Something to check on a page.

    Attributes:
        kind: `unread` (ink that was not read, between the characters around it), `unsupported`
            (text that may not be on the page), `unsure` (a doubtful word or several in a row),
            `audit` (a sure one, drawn at random; the reviewer is not told), `loop` or `length` (the
            end of the page or of a region, which did not come by itself), or `line` (the end of a
            line that the reviewer went to).
        line_index: of the line in the page's text, from 0.
        start, end: characters within that line, at most 40.
        text: those characters.
        prob: the lowest probability in it, calibrated where a calibration was given; None for a
            `line`. Probability that another layout of the same print has is added to it.
        choices: (what could be there instead, probability), best first; see `other_readings`.
            Where one joins or divides words, it shows the words around it too.
        changes: what each choice changes in the page's text.
        number: among unread or unsupported ones; others are told by where they are.
        note: what the reviewer should know; box: of unread ink, in pixels of the page image.
    """

    kind: FlagKind
    line_index: int
    start: int
    end: int
    text: str
    prob: float | None
    choices: tuple[tuple[str, float], ...] = ()
    changes: tuple[Change, ...] = ()
    number: int = 0
    note: str | None = None
    box: Box | None = None

    @property
    def flag_id(self) -> str:
        """The same for the same reading of the same page."""
        where = f"{self.line_index}:{self.start}-{self.end}"
        return f"{where}:{self.kind} {self.number}" if self.is_of_coverage else where

    @property
    def is_of_coverage(self) -> bool:
        """A page is not done before such a flag is decided."""
        return self.kind in ("unread", "unsupported")


@dataclass(frozen=True, slots=True)
class _Stretch:
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


def find_flags(
    result: OcrResult,
    *,
    threshold: float = THRESHOLD,
    max_flags: int = ReviewOptions.max_flags,
    num_audits: int = NUM_AUDITS,
    max_choices: int = MAX_CHOICES,
    calibration: Calibration | None = None,
    risk: WordRisk | None = None,
) -> list[Flag]:
    """The flags of a page, in reading order.

    Doubt about line ends and spaces alone isn't flagged. Doubt about tags and other markup is
    flagged where there are fewer than `max_flags` about words.

    Args:
        threshold: tokens less probable than this are doubtful.
        max_flags: at most so many doubtful ones, the least sure. Checking very many takes as long
            as reading the page again, and is done worse.
        num_audits: sure words among them, drawn at random but always the same for a page. What a
            reviewer finds wrong there shows how much the other flags miss.
        risk: what it says of words counts instead of their tokens' probabilities.

    Raises:
        ValueError: the calibration belongs to another model.
    """
    tokens = PageTokens(result)
    probs = np.array([token.prob for token in result.tokens])
    if calibration:
        calibration.check_fits(result)
        probs = calibration(probs)
    if risk and risk.knows(result):
        probs = _probs_by_risk(tokens, probs, risk)
    doubtful = np.flatnonzero(probs < threshold).tolist()
    doubts = (_doubt(tokens, index, float(probs[index]), threshold) for index in doubtful)
    unsure = _joined(tokens.text, filter(None, doubts))
    unsure = sorted(unsure, key=lambda stretch: (stretch.kind, stretch.prob))[:max_flags]
    flags = [_flag("unsure", tokens, stretch, max_choices) for stretch in unsure]
    sure = [
        word
        for word in _sure_words(tokens, probs, threshold)
        if not any(_overlap(word, stretch) for stretch in unsure)
    ]
    rng = random.Random(f"{result.page.document_key} {result.page.page_index}")
    flags += [
        _flag("audit", tokens, stretch, max_choices)
        for stretch in rng.sample(sure, min(num_audits, len(sure)))
    ]
    flags += [
        _end_flag(result.text[:stop], kind, float(probs.min(initial=1)))
        for kind, stop in _ends(result)
    ]
    flags += _coverage_flags(tokens)
    return sorted(flags, key=lambda flag: (flag.line_index, flag.start, flag.end))


def _probs_by_risk(tokens: PageTokens, probs: np.ndarray, risk: WordRisk) -> np.ndarray:
    """(num_tokens,) the chance of each token's word to be right; of others, their own."""
    probs = probs.copy()
    words: list[list[float]] = [[] for _ in probs]
    for word, wrong in zip(tokens.words, risk(tokens.result).tolist(), strict=True):
        for index in tokens.tokens_of(*word):
            words[index].append(1 - wrong)
    for index, own in enumerate(words):
        if own:
            probs[index] = min(own)
    return probs


def flag_at(
    result: OcrResult,
    start: int,
    stop: int,
    *,
    max_choices: int = 5,
    calibration: Calibration | None = None,
) -> Flag:
    """An `audit` flag for characters `start` to `stop` of a page's text, on one line.

    Raises:
        ValueError: the calibration belongs to another model.
    """
    tokens = PageTokens(result)
    indices = tuple(tokens.tokens_of(start, stop))
    probs = np.array([result.tokens[index].prob for index in indices])
    if calibration:
        calibration.check_fits(result)
        probs = calibration(probs)
    stretch = _Stretch(start, stop, indices, float(probs.min(initial=1)))
    return _flag("audit", tokens, stretch, max_choices)


def _coverage_flags(tokens: PageTokens) -> Iterator[Flag]:
    """What was left out and what was made up, first of all that is to be checked."""
    coverage = tokens.result.coverage
    if coverage is None:
        return
    stops = [0, *(stop for _, stop in tokens.spans)]
    for number, unread in enumerate(coverage.unread if coverage.is_clear else ()):
        position = stops[min(unread.token_stop, len(stops) - 1)]
        position = len(tokens.text[:position].rstrip("\n"))
        note = (
            f"About {unread.num_characters:.0f} characters were not read here: type them, or "
            "accept if that ink is no text."
        )
        line, start = _line_of(tokens.text, position)
        yield Flag("unread", line, start, start, "", 0.0, number=number, note=note, box=unread.box)
    for number, run in enumerate(coverage.unsupported):
        first, last = tokens.spans[run.token_start], tokens.spans[run.token_stop - 1]
        start, stop = _on_one_line(tokens.text, first[0], last[1], first[0])
        line, column = _line_of(tokens.text, start)
        note = (
            f"From here on, {run.num_characters} characters may not be on the page: delete them if "
            "so."
        )
        text = tokens.text[start:stop]
        yield Flag(
            "unsupported", line, column, column + len(text), text, 0.0, number=number, note=note
        )


def _line_of(text: str, position: int) -> tuple[int, int]:
    """The line of a character, from 0, and where in it."""
    return text.count("\n", 0, position), position - text.rfind("\n", 0, position) - 1


def _ends(result: OcrResult) -> Iterator[tuple[FlagKind, int]]:
    """Where the page, or a region of it, did not end by itself: why, and how long the text is."""
    if not result.regions:
        if result.finish_reason != "stop":
            yield result.finish_reason, len(result.text)
        return
    kinds: dict[str | None, FlagKind] = {"looped": "loop", "truncated": "length"}
    for region in result.regions:
        if region.status in kinds:
            before = result.tokens[: region.token_start]
            start = sum(len(token.text) for token in before)
            yield kinds[region.status], start + len(result.region_text(region))


def _end_flag(text: str, kind: FlagKind, prob: float) -> Flag:
    lines = text.split("\n")
    end = len(lines[-1])
    return Flag(kind, len(lines) - 1, end, end, "", prob)


def _doubt(tokens: PageTokens, index: int, prob: float, threshold: float) -> _Stretch | None:
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
    return _Stretch(*shown, (index,), prob, bool(tokens.words_at(*shown)), is_markup)


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
    return _on_one_line(tokens.text, start, stop, anchor)


def _on_one_line(text: str, start: int, stop: int, anchor: int) -> tuple[int, int]:
    """At most 40 of the characters `start` to `stop`, on the line of `anchor` and around it."""
    line_end = text.find("\n", anchor)
    start = max(start, text.rfind("\n", 0, anchor) + 1)
    stop = max(start, min(stop, len(text) if line_end < 0 else line_end))
    if stop - start > LONGEST_FLAG:
        start = max(start, min(anchor - LONGEST_FLAG // 2, stop - LONGEST_FLAG))
        stop = start + LONGEST_FLAG
    return start, stop


def _joined(text: str, doubts: Iterable[_Stretch]) -> list[_Stretch]:
    """Doubts about neighbouring words are one flag, up to 40 characters of a line.

    Tags and words stay apart. What is printed goes first: markup in doubt is a flag of its own
    where no printed word is.
    """
    joined: list[_Stretch] = []
    for doubt in sorted(doubts, key=lambda doubt: (doubt.kind, doubt.start, doubt.stop)):
        if any(_overlap(other, doubt) for other in joined if other.kind != doubt.kind):
            continue
        last = joined[-1] if joined else None
        if last is None or last.kind != doubt.kind:
            joined.append(doubt)
        elif doubt.stop <= last.stop or _fit_together(text, last.limits, doubt.limits):
            indices, prob = last.indices + doubt.indices, min(last.prob, doubt.prob)
            stop = max(last.stop, doubt.stop)
            joined[-1] = replace(last, stop=stop, indices=indices, prob=prob)
        else:
            joined.append(_after(text, last.stop, doubt))
    return joined


def _after(text: str, position: int, doubt: _Stretch) -> _Stretch:
    """The part of a stretch after `position`, without the space that it begins with."""
    start = max(doubt.start, position)
    space = len(text[start : doubt.stop]) - len(text[start : doubt.stop].lstrip())
    return replace(doubt, start=start + space)


def _overlap(first: _Stretch, second: _Stretch) -> bool:
    return first.start < second.stop and second.start < first.stop


def _fit_together(text: str, first: tuple[int, int], second: tuple[int, int]) -> bool:
    is_near = text[first[1] : second[0]] in ("", " ")
    return is_near and second[1] - first[0] <= LONGEST_FLAG


def _sure_words(tokens: PageTokens, probs: np.ndarray, threshold: float) -> Iterator[_Stretch]:
    for start, stop in tokens.words:
        indices = tokens.tokens_of(start, stop)
        worst = min(indices, key=lambda index: probs[index])
        if probs[worst] >= threshold:
            shown = _on_one_line(tokens.text, start, stop, start)
            yield _Stretch(*shown, (worst,), float(probs[worst]))


def _flag(kind: FlagKind, tokens: PageTokens, stretch: _Stretch, max_choices: int) -> Flag:
    line_start = tokens.text.rfind("\n", 0, stretch.start) + 1
    readings = other_readings(
        tokens,
        *stretch.limits,
        stretch.indices,
        with_layout=stretch.is_markup,
        most=max_choices,
    )
    return Flag(
        kind,
        tokens.text.count("\n", 0, stretch.start),
        stretch.start - line_start,
        stretch.stop - line_start,
        tokens.text[stretch.start : stretch.stop],
        stretch.prob,
        tuple((reading.text, reading.prob) for reading in readings),
        tuple(reading.change for reading in readings),
    )
