"""A reading beside a second one: words aligned by text and, where boxes are known, by place."""

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from glmocr_utils.confidence import PageQuality
from glmocr_utils.markup import printed, word_spans
from glmocr_utils.options import SecondPages
from glmocr_utils.records import (
    Box,
    Disagreement,
    OcrResult,
    PageImage,
    PageLayout,
    PageRef,
    SecondReading,
    TokenBox,
    around,
)
from glmocr_utils.second_reader.readers import ReadWord, SecondReader, load_reader

ALIKE = str.maketrans("’‘`´“”„«»–—‐‑", '\'\'\'\'"""""----')  # signs that look alike in print
HIGH = 0.6  # of a word's height: words nearer to a line than this are on it
SHORTEST_MOVED = 3  # characters: shorter words occur anywhere on a page


def second_reading(
    reader: SecondReader, text: str, image: Image.Image, layout: PageLayout | None = None
) -> SecondReading:
    """Let the second reader read a page, and compare.

    Args:
        text: the first reading.
        image: the page, as it was read first.
        layout: where the first reading's tokens are; without it, the reader's own order counts.
    """
    start = time.perf_counter()
    words = reader.read(image)
    seconds = time.perf_counter() - start
    return SecondReading(reader.name, tuple(compare(text, words, layout)), seconds)


def read_second(
    readers: Sequence[SecondReader],
    text: str,
    image: Image.Image,
    layout: PageLayout | None = None,
) -> tuple[list[SecondReading], list[str]]:
    """What each second reader says of a page, and a sentence for each that could not read it.

    Args:
        text, image, layout: as in `second_reading`.
    """
    done, failed = [], []
    for reader in readers:
        try:
            done.append(second_reading(reader, text, image, layout))
        except Exception as error:  # whatever another program fails at, the first reading stays
            first_line = (str(error).strip() or repr(error)).splitlines()[0]
            failed.append(f"The second reader {reader.name} could not read it ({first_line}).")
    return done, failed


def load_readers(names: str | None) -> list[SecondReader]:
    """The second readers of an option: `tesseract`, `rapidocr`, or both with a comma between.

    Raises:
        ValueError, ModuleNotFoundError: as in `load_reader`.
    """
    return [load_reader(name.strip()) for name in names.split(",")] if names else []


def is_doubtful(result: OcrResult) -> bool:
    """Whether a page was not read well, or left something out or made something up."""
    if result.coverage is not None and not result.coverage.is_complete:
        return True
    return PageQuality.of(result).quality != "well_read"


def with_second_readings(
    results: Iterable[OcrResult],
    names: str | None,
    images: Mapping[PageRef, PageImage],
    layouts: Mapping[PageRef, PageLayout],
    pages: SecondPages = "all",
) -> list[OcrResult]:
    """Results with what second readers say of them.

    What a second reader has read already is kept; where one fails, its page stays as it is, with a
    warning.

    Args:
        names: as in `load_readers`; None leaves results as they are.
        layouts: where tokens are, of the pages for which it is known.
        pages: `all`, or only the `doubtful` ones; see `is_doubtful`.

    Raises:
        ValueError, ModuleNotFoundError: as in `load_reader`.
    """
    readers = load_readers(names)
    done = []
    for result in results:
        has = {each.reader for each in result.second_readings}
        wanted = [each for each in readers if each.name not in has]
        is_due = bool(wanted and result.tokens) and (pages == "all" or is_doubtful(result))
        page = images.get(result.page) if is_due else None
        if page:
            layout = layouts.get(result.page)
            new, failed = read_second(wanted, result.text, page.image, layout)
            for sentence in failed:
                where = f"page {result.page.page_number} of {result.page.document_path}"
                warnings.warn(f"{where}: {sentence}", stacklevel=2)
            result = replace(result, second_readings=(*result.second_readings, *new))
        done.append(result)
    return done


def compare(
    text: str, words: Sequence[ReadWord], layout: PageLayout | None = None
) -> list[Disagreement]:
    """Where a second reader does not confirm a reading's text, in the order of the text."""
    ours = tuple(word_spans(text))
    theirs = _in_our_order(words, layout) if layout else list(words)
    moved, theirs = _moved([text[start:stop] for start, stop in ours], theirs)
    order = [
        Disagreement("order", *ours[n], text[slice(*ours[n])], box) for n, box in moved.items()
    ]
    ours = tuple(word for n, word in enumerate(ours) if n not in moved)
    our_text, our_word = _characters([text[start:stop] for start, stop in ours])
    their_text, their_word = _characters([word.text for word in theirs])
    changed: dict[int, set[int]] = {}  # our word → theirs that touch it
    confirmed = np.zeros(len(ours), int)
    extra: dict[int, set[int]] = {}  # before our word → theirs that touch nothing
    taken: set[int] = set()
    for block in Levenshtein.opcodes(our_text, their_text):
        own = our_word[block.src_start : block.src_end]
        other = their_word[block.dest_start : block.dest_end]
        if block.tag == "equal":
            for mine, yours in zip(own, other, strict=True):
                confirmed[mine] += 1
                changed.setdefault(mine, set()).add(yours)
                taken.add(yours)
        elif block.tag != "insert":
            for mine in own:
                changed.setdefault(mine, set()).update(other)
            taken.update(other)
        if block.tag == "insert":
            before = our_word[block.src_start] if block.src_start < len(our_word) else len(ours)
            extra.setdefault(before, set()).update(other)
    lengths = np.bincount(our_word, minlength=len(ours)) if len(our_word) else np.zeros(0, int)
    found = [
        *order,
        *_about_ours(text, ours, theirs, changed, confirmed == lengths),
        *_left_out(ours, theirs, extra, taken, len(text)),
    ]
    return sorted(found, key=lambda each: (each.start, each.stop))


def _characters(words: Sequence[str]) -> tuple[str, list[int]]:
    """Characters to compare, in a row, and the word of each."""
    text, owner = [], []
    for number, word in enumerate(words):
        comparable = "".join(printed(word).text.translate(ALIKE).split())
        text.append(comparable)
        owner += [number] * len(comparable)
    return "".join(text), owner


def _about_ours(
    text: str,
    ours: Sequence[tuple[int, int]],
    theirs: Sequence[ReadWord],
    changed: dict[int, set[int]],
    is_confirmed: np.ndarray,
) -> Iterator[Disagreement]:
    for number, (start, stop) in enumerate(ours):
        touching = sorted(changed.get(number, ()))
        if not touching:
            yield Disagreement("made_up", start, stop, "")
            continue
        shared = [n for n in touching if theirs[n].text]
        joined = " ".join(theirs[n].text for n in shared)
        is_split = len(shared) > 1 and _spells(joined, text[start:stop])
        box = around(theirs[n].box for n in shared)
        if not is_confirmed[number] or is_split or not _contains(joined, text[start:stop]):
            yield Disagreement("other", start, stop, joined, box)
        elif len(shared) == 1 and _differ_in_signs(joined, text[start:stop]):
            yield Disagreement("sign", start, stop, joined, box)


def _contains(theirs: str, ours: str) -> bool:
    """Whether they read just our word, or it with what is next to it."""
    if _spells(theirs, ours) or f" {ours} " in f" {theirs} ":
        return True
    one, other = (_characters([text])[0] for text in (theirs, ours))
    return len(one) - len(other) > len(other)


def _differ_in_signs(theirs: str, ours: str) -> bool:
    return _spells(theirs, ours) and "".join(theirs.split()) != "".join(printed(ours).text.split())


def _spells(theirs: str, ours: str) -> bool:
    """Whether they read our word's characters, and no others."""
    one, other = (_characters([text])[0] for text in (theirs, ours))
    return one == other


def _left_out(
    ours: Sequence[tuple[int, int]],
    theirs: Sequence[ReadWord],
    extra: dict[int, set[int]],
    taken: set[int],
    length: int,
) -> Iterator[Disagreement]:
    for before, numbers in extra.items():
        alone = sorted(numbers - taken)
        if alone:
            at = ours[before][0] if before < len(ours) else length
            words = " ".join(theirs[n].text for n in alone)
            yield Disagreement("left_out", at, at, words, around(theirs[n].box for n in alone))


def _moved(
    ours: Sequence[str], theirs: Sequence[ReadWord]
) -> tuple[dict[int, Box], list[ReadWord]]:
    """Our words that they read elsewhere, with their boxes; and their other words."""
    texts = [word.text for word in theirs]
    gone: set[int] = set()
    there: dict[str, list[int]] = {}
    for block in Levenshtein.opcodes(ours, texts):
        if block.tag != "equal":
            gone |= set(range(block.src_start, block.src_end))
            for n in range(block.dest_start, block.dest_end):
                there.setdefault(texts[n], []).append(n)
    moved: dict[int, Box] = {}
    taken: set[int] = set()
    for n in sorted(gone):
        if len(ours[n]) >= SHORTEST_MOVED and there.get(ours[n]):
            other = there[ours[n]].pop(0)
            moved[n] = theirs[other].box
            taken.add(other)
    return moved, [word for n, word in enumerate(theirs) if n not in taken]


def _in_our_order(words: Sequence[ReadWord], layout: PageLayout) -> list[ReadWord]:
    """Their words along our printed lines; those on none come after the line above them."""
    found = [each for each in layout.found or layout.tokens if each is not None]
    if not found:
        return list(words)
    lines: dict[int, list[TokenBox]] = {}
    for each in found:
        lines.setdefault(each.line_index, []).append(each)
    boxes = {number: around(each.box for each in own) for number, own in lines.items()}
    known = {number: box for number, box in boxes.items() if box is not None}

    def place(word: ReadWord) -> tuple[float, float]:
        x, y = word.box.centre
        height = max(word.box.bottom - word.box.top, 1.0)
        on = [
            (abs(y - box.centre[1]), number)
            for number, box in known.items()
            if abs(y - box.centre[1]) < HIGH * height and _beside(box, word.box)
        ]
        if on:
            return min(on)[1], x
        above = [
            (y - box.centre[1], number)
            for number, box in known.items()
            if box.centre[1] < y and box.left < word.box.right and word.box.left < box.right
        ]
        return (min(above)[1] + 0.5 if above else -1.0), y * 1e4 + x

    return sorted(words, key=place)


def _beside(line: Box, word: Box) -> bool:
    """Whether a word may be of a line: in it, or not far from its ends."""
    near = word.bottom - word.top
    return line.left - near < word.right and word.left < line.right + near
