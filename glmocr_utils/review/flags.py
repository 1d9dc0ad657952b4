"""What a person should check on a page: flags, few and short, in words, in reading order."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glmocr_utils.confidence import Calibration, Change, PageTokens, WordRisk
from glmocr_utils.options import ReviewOptions
from glmocr_utils.records import Box, OcrResult
from glmocr_utils.review.doubts import (
    Stretch,
    doubt_about,
    joined,
    on_one_line,
    overlap,
    sure_words,
)
from glmocr_utils.review.other_readings import other_readings
from glmocr_utils.review.second_words import with_second_readers

THRESHOLD = 0.8  # a token below this probability is in doubt
NUM_AUDITS = 3  # words per page that the model was sure of
MAX_CHOICES = 5  # other readings of a flag

FlagKind = Literal["unread", "unsupported", "unsure", "audit", "loop", "length", "line"]


@dataclass(frozen=True, slots=True)
class Flag:
    """Something to check on a page.

    Attributes:
        kind: `unread` (ink that was not read, between the characters around it), `unsupported`
            (text that may not be on the page), `unsure` (a doubtful word or several in a row),
            `audit` (a sure one, drawn at random; unknown to the reviewer), `loop` or `length` (the
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
        readers: of each choice, the second readers that read it; empty for one of the model's
            alone.
        number: among unread or unsupported ones; others are known by where they are.
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
    readers: tuple[str, ...] = ()
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
        wrong = risk.of_tokens(result)
        probs = np.where(np.isnan(wrong), probs, 1 - wrong)
    doubtful = np.flatnonzero(probs < threshold).tolist()
    doubts = (doubt_about(tokens, index, float(probs[index]), threshold) for index in doubtful)
    unsure = joined(tokens.text, filter(None, doubts))
    unsure = sorted(unsure, key=lambda stretch: (stretch.kind, stretch.prob))[:max_flags]
    flags = [_flag("unsure", tokens, stretch, max_choices) for stretch in unsure]
    sure = [
        word
        for word in sure_words(tokens, probs, threshold)
        if not any(overlap(word, stretch) for stretch in unsure)
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
    stretch = Stretch(start, stop, indices, float(probs.min(initial=1)))
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
            "accept if that ink isn't text."
        )
        line, start = _line_of(tokens.text, position)
        yield Flag("unread", line, start, start, "", 0.0, number=number, note=note, box=unread.box)
    for number, run in enumerate(coverage.unsupported):
        first, last = tokens.spans[run.token_start], tokens.spans[run.token_stop - 1]
        start, stop = on_one_line(tokens.text, first[0], last[1], first[0])
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


def _flag(kind: FlagKind, tokens: PageTokens, stretch: Stretch, max_choices: int) -> Flag:
    line_start = tokens.text.rfind("\n", 0, stretch.start) + 1
    readings = other_readings(
        tokens,
        *stretch.limits,
        stretch.indices,
        with_layout=stretch.is_markup,
        most=max_choices,
    )
    readings = with_second_readers(tokens, *stretch.limits, readings)[:max_choices]
    return Flag(
        kind,
        tokens.text.count("\n", 0, stretch.start),
        stretch.start - line_start,
        stretch.stop - line_start,
        tokens.text[stretch.start : stretch.stop],
        stretch.prob,
        tuple((reading.text, reading.prob) for reading in readings),
        tuple(reading.change for reading in readings),
        tuple(reading.readers for reading in readings),
    )
