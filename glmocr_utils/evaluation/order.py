"""Misread or misplaced: what a page's errors are once the order of its lines is left aside."""

from dataclasses import dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from glmocr_utils.markup import printed
from glmocr_utils.metrics import character_edits, headline_pair, layout_aside

ENOUGH_ALIKE = 50.0  # percent; below, two stretches are not the same line
LONGEST_SEGMENT = 400  # characters; a paragraph that is written as one line


@dataclass(frozen=True, slots=True)
class OrderFree:
    """A page's errors without those of its order.

    Attributes:
        misread: edits that remain when each line of the reference is compared with the stretch of
            the reading that is most like it, wherever that is; never more than all edits.
        order: edit distance of the found lines' order to the right one, over their number: 0 to 1.
    """

    misread: int
    order: float


def order_free(reference: str, prediction: str) -> OrderFree:
    """Compare a page's lines with the reading, wherever they are in it.

    The method is that of the flexible character accuracy (Clausner, Pletschacher and Antonacopoulos
    2020): the longest line first takes the most similar stretch out of the reading, and what is
    left over on either side counts as missing or made up. Lines are those of the reference.
    """
    lines = [layout_aside(line) for line in printed(reference).text.split("\n")]
    lines = [line for line in lines if line]
    _, rest = headline_pair(reference, prediction)
    pieces = [(0, rest)] if rest else []  # what no line has taken yet, with its position
    edits, positions = 0, {}
    for number in sorted(range(len(lines)), key=lambda number: -len(lines[number])):
        found = _best_stretch(lines[number], pieces)
        if found is None:
            edits += len(lines[number]) + 1  # and the space before it
            continue
        which, start, stop = found
        offset, piece = pieces.pop(which)
        positions[number] = offset + start
        edits += Levenshtein.distance(lines[number], piece[start:stop].strip())
        pieces[which:which] = [
            (offset + begin, part)
            for begin, part in ((0, piece[:start]), (stop, piece[stop:]))
            if part.strip()
        ]
    edits += sum(len(piece.strip()) + 1 for _, piece in pieces)
    edits = min(edits, character_edits(*headline_pair(reference, prediction)))
    in_reading = sorted(positions, key=lambda number: positions[number])
    order = Levenshtein.distance(in_reading, sorted(positions)) / max(1, len(positions))
    return OrderFree(edits, min(1.0, order))


def _best_stretch(line: str, pieces: list[tuple[int, str]]) -> tuple[int, int, int] | None:
    """(which piece, start, stop) of the stretch most like a line; None where none is like it."""
    best, best_score = None, ENOUGH_ALIKE
    for number, (_, piece) in enumerate(pieces):
        if len(piece) >= len(line):
            match = fuzz.partial_ratio_alignment(line, piece, score_cutoff=best_score)
            found = match and (match.score, match.dest_start, match.dest_end)
        else:
            found = fuzz.ratio(line, piece), 0, len(piece)
        if found and found[0] > best_score:
            best, best_score = (number, *found[1:]), found[0]
            if best_score == 100:
                break
    return best
