"""Where the errors are within pages: by script of the characters, by kind of region."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from rapidfuzz.distance import Levenshtein

from glmocr_utils.evaluation.scores import PageScore
from glmocr_utils.metrics import comparable_pair, headline_pair
from glmocr_utils.records import OcrResult

NO_REGION = "no region"
# first words of Unicode names that aren't a script
NOT_SCRIPTS = frozenset(
    """LEFT RIGHT FULL COMBINING MODIFIER SUPERSCRIPT SUBSCRIPT EM EN DOUBLE SINGLE LOW HORIZONTAL
    BLACK WHITE EURO POUND SECTION DEGREE PLUS MICRO""".split()
)


@dataclass(frozen=True, slots=True)
class GroupRate:
    """Errors of a group of characters; `rate` is edits over characters."""

    characters: int
    edits: int

    @property
    def rate(self) -> float:
        return self.edits / max(1, self.characters)


def by_script(pages: Iterable[PageScore]) -> dict[str, GroupRate]:
    """script → characters of the references and their edits, the largest script first.

    An edit belongs to the script of the true character; a made-up character to its own. Scripts are
    the first word of a letter's Unicode name (`Latin`, `Greek`, `Cjk`); digits are `digits`, and
    what is neither is `signs`.
    """
    characters: Counter[str] = Counter()
    edits: Counter[str] = Counter()
    for page in pages:
        true, read = headline_pair(page.reference.text or "", page.reading.text or "")
        characters.update(map(script_of, true))
        for edit in Levenshtein.editops(true, read):
            is_made_up = edit.tag == "insert"
            edits[script_of(read[edit.dest_pos] if is_made_up else true[edit.src_pos])] += 1
    return _rates(characters, edits)


@lru_cache(4096)
def script_of(character: str) -> str:
    """`Latin`, `Cyrillic`, `Cjk`, … for a letter; `digits`; or `signs`."""
    if character.isdigit():
        return "digits"
    name = unicodedata.name(character, "").split()
    if not character.isalpha() or not name or name[0] in NOT_SCRIPTS:
        return "signs"
    return name[0].partition("-")[0].capitalize()


def by_region(pages: Sequence[PageScore]) -> dict[str, GroupRate]:
    """kind of region → characters read in such regions and their edits, the largest first.

    Only pages that were read by regions count. A character that is missing belongs to the region
    before it.
    """
    characters: Counter[str] = Counter()
    edits: Counter[str] = Counter()
    for page in pages:
        result = page.reading.result
        if result is None or not result.regions:
            continue
        true, read = comparable_pair(page.reference.text or "", result.text)
        labels = _labels(result)
        of_read = [labels[start] for start, _ in read.spans]
        characters.update(of_read)
        for edit in Levenshtein.editops(true.text, read.text):
            at = max(0, edit.dest_pos - 1) if edit.tag == "delete" else edit.dest_pos
            edits[of_read[at] if of_read else NO_REGION] += 1
    return _rates(characters, edits)


def _labels(result: OcrResult) -> list[str]:
    """The kind of region of each character of a page's text."""
    of_token = [NO_REGION] * len(result.tokens)
    for region in result.regions:
        for token in range(region.token_start, region.token_stop):
            of_token[token] = region.label
    return list(_spread(result, of_token))


def _spread(result: OcrResult, of_token: Sequence[str]) -> Iterator[str]:
    stops = list(accumulate(len(token.text) for token in result.tokens))
    start = 0
    for label, stop in zip(of_token, stops, strict=True):
        yield from [label] * (stop - start)
        start = stop


def _rates(characters: Counter[str], edits: Counter[str]) -> dict[str, GroupRate]:
    names = sorted(characters.keys() | edits.keys(), key=lambda name: -characters[name])
    return {name: GroupRate(characters[name], edits[name]) for name in names}
