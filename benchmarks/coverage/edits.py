"""Complete readings → the same with something left out or made up, and where that is."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from glmocr_utils.grounding.evaluation.known import KnownPage
from glmocr_utils.records import Box

MIN_CHARACTERS = 15  # of a line that is deleted, doubled or inserted
FAULT = 5  # characters in a row that a faithful reading doesn't lack, nor adds
UNLIKE = 0.6  # share of a line's characters that may be misread, for it to have been read
RUN_LENGTHS = (1, 2, 3, 5)  # words
CUT_AT = (0.4, 0.8)  # of a page's lines


@dataclass(frozen=True, slots=True)
class Edited:
    """A reading with one thing wrong.

    Attributes:
        kind: what was done.
        text: the reading now.
        left_out: boxes of the printed lines, or parts of them, that it lacks.
        num_left_out: characters that it lacks, white space aside.
        made_up: (start, stop) of characters of `text` that the page does not have (there).
    """

    kind: str
    text: str
    left_out: tuple[Box, ...] = ()
    num_left_out: int = 0
    made_up: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A printed line, and the characters of a reading that read it.

    Attributes:
        start, stop: of the reading; without the white space around.
        box: of the line on the page.
        true: the line of the page's text: start, stop.
    """

    start: int
    stop: int
    box: Box
    true: tuple[int, int]


def read_lines(reading: str, page: KnownPage) -> list[ReadLine]:
    """The page's printed lines in a reading of it, by the alignment with the fewest edits."""
    to_reading = _positions(page.text, reading)
    lines = []
    start = 0
    for line in page.text.split("\n"):
        stop = start + len(line)
        first, last = to_reading[start], to_reading[stop]
        own = reading[first:last]
        if line.strip() and own.strip():
            first += len(own) - len(own.lstrip())
            last -= len(own) - len(own.rstrip())
            lines.append(ReadLine(first, last, box_of(page, start, stop), (start, stop)))
        start = stop + 1
    return lines


def is_faithful(reading: str, page: KnownPage) -> bool:
    """Whether each printed line was read, as well or badly as it was, and nothing besides."""
    true, read = ("".join(text.split()) for text in (page.text, reading))
    for block in Levenshtein.opcodes(true, read):
        lacks = (block.src_end - block.src_start) - (block.dest_end - block.dest_start)
        if abs(lacks) >= FAULT:
            return False
    to_reading = _positions(page.text, reading)
    start = 0
    for line in page.text.split("\n"):
        own = reading[to_reading[start] : to_reading[start + len(line)]]
        if len(line) >= FAULT and Levenshtein.normalized_distance(line, own) > UNLIKE:
            return False
        start += len(line) + 1
    return True


def own_omissions(reading: str, page: KnownPage) -> list[Box]:
    """Where the reading itself lacks at least 15 characters in a row, white space aside."""
    boxes = []
    for block in Levenshtein.opcodes(page.text, reading):
        missing = len("".join(page.text[block.src_start : block.src_end].split()))
        there = len("".join(reading[block.dest_start : block.dest_end].split()))
        if missing - there >= MIN_CHARACTERS:
            boxes.append(box_of(page, block.src_start, block.src_end))
    return boxes


def box_of(page: KnownPage, start: int, stop: int) -> Box:
    """Around characters of a page's text."""
    own = [n for n in range(start, stop) if not page.text[n].isspace()]
    left, top = page.boxes[own][:, :2].min(axis=0)
    right, bottom = page.boxes[own][:, 2:].max(axis=0)
    return Box(float(left), float(top), float(right), float(bottom))


def edits(reading: str, page: KnownPage, other_text: str, rng: random.Random) -> Iterator[Edited]:
    """One edit of each kind, where the page has what it takes.

    Args:
        other_text: of another page, for a sentence to insert.
    """
    lines = read_lines(reading, page)
    long_lines = [n for n, line in enumerate(lines) if line.stop - line.start >= MIN_CHARACTERS]
    if len(long_lines) < 3:
        return
    gone = lines[rng.choice(long_lines)]
    yield _without("line deleted", reading, [gone])
    for length in RUN_LENGTHS:
        if run := _run_deleted(reading, page, [lines[n] for n in long_lines], length, rng):
            yield run
    half = lines[round(rng.uniform(*CUT_AT) * len(lines)) :]
    yield _without("page cut", reading, half)
    doubled = lines[rng.choice(long_lines)]
    yield _inserted("line doubled", reading, doubled.stop, reading[doubled.start : doubled.stop])
    last = lines[-1]
    yield _inserted("last line doubled", reading, last.stop, reading[last.start : last.stop])
    sentence = _sentence(other_text, rng)
    yield _inserted("sentence inserted", reading, lines[rng.choice(long_lines)].stop, sentence)


def column_edits(page: KnownPage, spans: Sequence[tuple[int, int]]) -> Iterator[Edited]:
    """The page's own text without one column, and of three columns without the last two.

    Args:
        spans: (start, stop) of each column in the text.
    """
    for gone in range(len(spans)):
        yield _without_columns(page, spans, [gone])
    if len(spans) > 2:
        yield _without_columns(page, spans, [*range(1, len(spans))])


def _without_columns(
    page: KnownPage, spans: Sequence[tuple[int, int]], gone: Sequence[int]
) -> Edited:
    kept = [page.text[slice(*span)] for number, span in enumerate(spans) if number not in gone]
    boxes = tuple(box_of(page, *spans[number]) for number in gone)
    missing = sum(len("".join(page.text[slice(*spans[number])].split())) for number in gone)
    number = "one column" if len(gone) == 1 else f"{len(gone)} columns"
    return Edited(f"{number} skipped", "\n\n".join(kept), boxes, missing)


def _without(kind: str, reading: str, gone: Sequence[ReadLine]) -> Edited:
    start, stop = gone[0].start, gone[-1].stop
    head, tail = reading[:start].rstrip(), reading[stop:].lstrip()
    between = reading[len(head) : start] if tail else ""
    missing = len("".join(reading[start:stop].split()))
    return Edited(kind, head + between + tail, tuple(line.box for line in gone), missing)


def _run_deleted(
    reading: str, page: KnownPage, lines: Sequence[ReadLine], length: int, rng: random.Random
) -> Edited | None:
    """A run of so many words deleted within a line, with words of the line on both sides."""
    fitting = [line for line in lines if reading[line.start : line.stop].count(" ") > length]
    if not fitting:
        return None
    line = rng.choice(fitting)
    words = reading[line.start : line.stop].split(" ")
    first = rng.randrange(1, len(words) - length)
    start = line.start + len(" ".join(words[:first])) + 1
    stop = start + len(" ".join(words[first : first + length]))
    to_page = _positions(reading, page.text)
    true_start, true_stop = to_page[start], to_page[stop]
    if not page.text[true_start:true_stop].strip():
        return None
    name = "1 word deleted" if length == 1 else f"{length} words deleted"
    missing = len("".join(reading[start:stop].split()))
    box = box_of(page, true_start, true_stop)
    return Edited(name, reading[: start - 1] + reading[stop:], (box,), missing)


def _inserted(kind: str, reading: str, at: int, text: str) -> Edited:
    """Another line after the one that ends at `at`."""
    between = "\n" if reading[at : at + 1] == "\n" or at == len(reading) else " "
    start = at + len(between)
    whole = f"{reading[:at]}{between}{text}{reading[at:]}"
    return Edited(kind, whole, made_up=(start, start + len(text)))


def _sentence(text: str, rng: random.Random) -> str:
    """Six to ten words in a row."""
    words = text.split()
    length = rng.randint(6, 10)
    first = rng.randrange(max(1, len(words) - length))
    return " ".join(words[first : first + length])


def _positions(source: str, target: str) -> np.ndarray:
    """For each position in `source`, (len + 1,), the one in `target`."""
    positions = np.zeros(len(source) + 1, int)
    for block in Levenshtein.opcodes(source, target):
        for n in range(block.src_start, block.src_end):
            ahead = min(n - block.src_start, block.dest_end - block.dest_start)
            positions[n] = block.dest_start + ahead
    positions[len(source)] = len(target)
    return positions
