"""A page under review: its lines as they are now, and the same correction elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from glmocr_utils.records import Action, Coverage, Decision, OcrResult
from glmocr_utils.review.places import Place


@dataclass
class PageReview:
    """One page under review.

    Attributes:
        result: what was read.
        places: what is to be checked, in reading order.
        lines: the text as it is now; a correction may put several lines in one's place, or none.
        typed: the whole page as a person typed it, which counts instead of the lines; or None.
        decided: action by `place_id`.
        coverage: how thoroughly the page was finished, None while it is not.
    """

    result: OcrResult
    places: list[Place]
    lines: list[str] = field(init=False)
    typed: str | None = field(init=False)
    decided: dict[str, Action] = field(init=False)
    coverage: Coverage | None = field(init=False)

    def __post_init__(self) -> None:
        self.replay([])

    def replay(self, decisions: Iterable[Decision]) -> None:
        """Begin anew with what was read, and do what was decided and not undone."""
        self.lines, self.typed, self.decided = self.original_lines, None, {}
        self.coverage = None
        for decision in decisions:
            if decision.action == "finish":
                self.coverage = decision.coverage
                continue
            self.coverage = None  # whoever goes on with a finished page has not finished it
            if decision.action == "type":
                self.typed = decision.after
                continue
            if self.find_place(decision.place_id):  # not a line that the reviewer went to
                self.decided[decision.place_id] = decision.action
            if decision.action == "correct":
                self.lines[decision.line_index] = decision.after

    @property
    def original_lines(self) -> list[str]:
        return self.result.text.split("\n")

    @property
    def text(self) -> str:
        """The text as it is now, without the lines that were corrected to nothing."""
        if self.typed is not None:
            return self.typed
        pairs = zip(self.lines, self.original_lines, strict=True)
        return "\n".join(line for line, original in pairs if line or not original)

    @property
    def open_places(self) -> list[Place]:
        if self.typed is not None:
            return []
        return [place for place in self.places if place.place_id not in self.decided]

    def line_place(self, line_index: int) -> Place:
        """A line as a place, for a reviewer who found something that no place points at."""
        end = len(self.original_lines[line_index])
        return Place("line", line_index, end, end, "", None)

    def find_place(self, place_id: str | None) -> Place | None:
        return next((place for place in self.places if place.place_id == place_id), None)

    def span_of(self, place: Place) -> tuple[int, int]:
        """Where a place now stands in its line, which may have been edited since."""
        original = self.original_lines[place.line_index]
        return _carry_over(original, self.lines[place.line_index], place.start, place.end)


@dataclass(frozen=True, slots=True)
class Offer:
    """The same correction, possible at other places too; it is never made by itself."""

    before: str
    after: str
    places: tuple[tuple[int, Place], ...]  # (number of the page under review, place)


def find_same(pages: Sequence[PageReview], before: str, after: str, place: Place) -> Offer | None:
    """Open places that say the word that was replaced between two states of a line.

    None when more than one word changed, or no other open place says it.
    """
    words = _replaced_word(before, after)
    if words is None:
        return None
    others = tuple(
        (number, other)
        for number, page in enumerate(pages)
        for other in page.open_places
        if other is not place
        and words[0] in other.text.split()
        and words[0] in page.lines[other.line_index].split(" ")
    )
    return Offer(*words, others) if others else None


def _replaced_word(before: str, after: str) -> tuple[str, str] | None:
    """The one word that differs between two lines, before and after; None if more do."""
    old, new = before.split(), after.split()
    if len(old) != len(new):
        return None
    differing = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    return differing[0] if len(differing) == 1 else None


def replace_word(line: str, before: str, after: str) -> str:
    """`line` with the whole word `before` replaced wherever it stands; its spaces stay."""
    return " ".join(after if word == before else word for word in line.split(" "))


def _carry_over(original: str, current: str, start: int, end: int) -> tuple[int, int]:
    """Where characters `start` to `end` of a line are after it was edited."""
    new_start, new_end = start, end
    if start == len(original):
        new_start = new_end = len(current)  # the end of the line stays the end
    elif original != current:
        new_start = new_end = None
        for block in Levenshtein.opcodes(original, current):
            if new_start is None and start <= block.src_end:
                ahead = min(start - block.src_start, block.dest_end - block.dest_start)
                new_start = block.dest_start + ahead
            if end <= block.src_end:
                whole = end == block.src_end
                ahead = min(end - block.src_start, block.dest_end - block.dest_start)
                new_end = block.dest_end if whole else block.dest_start + ahead
                break
        new_start = len(current) if new_start is None else new_start
        new_end = len(current) if new_end is None else new_end
    return new_start, max(new_start, new_end)
