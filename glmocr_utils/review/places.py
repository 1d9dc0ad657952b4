"""The places of a page that a person should look at: few, in words, in reading order."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from glmocr_utils.confidence import Calibration, alternative_words, words_of_tokens
from glmocr_utils.records import OcrResult

PlaceKind = Literal["unsure", "audit", "loop", "length", "line"]


@dataclass(frozen=True, slots=True)
class Place:
    """Something to check on a page.

    Attributes:
        kind: `unsure` (a doubtful word or several in a row), `audit` (a sure one, drawn at random;
            the reviewer is not told), `loop` or `length` (the page's end, which did not come by
            itself), or `line` (the end of a line that the reviewer went to).
        line_index: of the line in the page's text, from 0.
        start, end: characters within that line.
        text: those characters.
        prob: the lowest probability in it, calibrated where a calibration was given; None for a
            `line`.
        choices: (what could stand there instead, probability), best first.
    """

    kind: PlaceKind
    line_index: int
    start: int
    end: int
    text: str
    prob: float | None
    choices: tuple[tuple[str, float], ...] = ()

    @property
    def place_id(self) -> str:
        """The same for the same reading of the same page."""
        return f"{self.line_index}:{self.start}-{self.end}"


def find_places(
    result: OcrResult,
    *,
    threshold: float = 0.8,
    max_places: int = 12,
    num_audits: int = 3,
    max_choices: int = 5,
    calibration: Calibration | None = None,
) -> list[Place]:
    """Places to check, in reading order.

    Args:
        threshold: tokens less probable than this are doubtful.
        max_places: doubtful places at most, the least sure ones. Checking very many takes as long
            as reading the page again, and is done worse.
        num_audits: sure words among them, drawn at random but always the same for a page. What a
            reviewer finds wrong there tells how much the doubtful places miss.

    Raises:
        ValueError: the calibration belongs to another model.
    """
    probs = np.array([token.prob for token in result.tokens])
    if calibration:
        calibration.check_fits(result)
        probs = calibration(probs)
    starts = np.cumsum([0, *(len(token.text) for token in result.tokens)])
    units = list(_units(result))
    unsure = [unit for unit in units if probs[unit.start : unit.stop].min() < threshold]
    places = [
        _place("unsure", result, unit, probs, starts, max_choices)
        for unit in _join_neighbours(result, unsure)
    ]
    places = sorted(places, key=lambda place: place.prob)[:max_places]
    sure = [unit for unit in units if probs[unit.start : unit.stop].min() >= threshold]
    sure = [unit for unit in sure if _text(result, unit).strip()]
    rng = random.Random(f"{result.page.document_sha256} {result.page.page_index}")
    places += [
        _place("audit", result, unit, probs, starts, max_choices)
        for unit in rng.sample(sure, min(num_audits, len(sure)))
    ]
    if result.finish_reason != "stop":
        lines = result.text.split("\n")
        end = len(lines[-1])
        places.append(
            Place(result.finish_reason, len(lines) - 1, end, end, "", float(probs.min(initial=1)))
        )
    return sorted(places, key=lambda place: (place.line_index, place.start, place.end))


def _units(result: OcrResult) -> Iterator[range]:
    """The words, and each white space between them."""
    done = 0
    for word in words_of_tokens(result):
        yield from (range(index, index + 1) for index in range(done, word.start))
        yield word
        done = word.stop
    yield from (range(index, index + 1) for index in range(done, len(result.tokens)))


def _join_neighbours(result: OcrResult, units: Sequence[range]) -> list[range]:
    """Doubtful words that follow each other on a line are one place."""
    joined: list[range] = []
    for unit in units:
        if joined:
            between = range(joined[-1].start, unit.stop)
            gap = _text(result, range(joined[-1].stop, unit.start))
            if gap in ("", " ") and "\n" not in _text(result, between).strip("\n"):
                joined[-1] = between
                continue
        joined.append(unit)
    return joined


def _place(
    kind: PlaceKind,
    result: OcrResult,
    unit: range,
    probs: np.ndarray,
    starts: np.ndarray,
    max_choices: int,
) -> Place:
    start, end = int(starts[unit.start]), int(starts[unit.stop])
    text = result.text[start:end]
    # a word's own spaces and line ends are not what is doubtful about it
    if text.strip():
        end -= len(text) - len(text.rstrip())
        start += len(text) - len(text.lstrip())
        text = result.text[start:end]
    line_index = result.text.count("\n", 0, start)
    line_start = result.text.rfind("\n", 0, start) + 1
    line_end = result.text.find("\n", start)
    line_end = len(result.text) if line_end < 0 else line_end
    worst = unit.start + int(probs[unit.start : unit.stop].argmin())
    return Place(
        kind,
        line_index,
        start - line_start,
        max(start, min(end, line_end)) - line_start,
        text,
        float(probs[worst]),
        _choices(result, worst, text, max_choices),
    )


def _choices(
    result: OcrResult, index: int, text: str, max_choices: int
) -> tuple[tuple[str, float], ...]:
    """What the place would say with another token at its least sure one."""
    choices: dict[str, float] = {}
    words = alternative_words(result, index)
    chosen = next((w for other, w in words if other.token_id == result.tokens[index].token_id), "")
    for other, word in words:
        if other.token_id == result.tokens[index].token_id or "\ufffd" in word:
            continue
        whole = text.replace(chosen, word, 1) if chosen and chosen in text else word
        choices.setdefault(whole.strip("\n"), other.prob)
    choices.pop(text, None)
    return tuple(choices.items())[:max_choices]


def _text(result: OcrResult, unit: range) -> str:
    return "".join(result.tokens[index].text for index in unit)
