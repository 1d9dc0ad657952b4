"""What second readers read in the place of flagged text, among its other readings."""

from collections.abc import Sequence
from dataclasses import replace

from glmocr_utils.confidence import PageTokens, changed, smallest_change
from glmocr_utils.records import Disagreement
from glmocr_utils.review.other_readings import OtherReading

MUCH_LONGER = 2  # than the word


def with_second_readers(
    tokens: PageTokens, start: int, stop: int, readings: Sequence[OtherReading]
) -> list[OtherReading]:
    """Other readings of characters `start` to `stop`, those of second readers first.

    Where the model thought of the same, it is one reading, with the model's probability.
    """
    by_text = {reading.text: reading for reading in readings}
    found: dict[str, OtherReading] = {}
    for second in tokens.result.second_readings:
        for each in second.disagreements:
            is_inside = start <= each.start and each.stop <= stop
            length = each.stop - each.start
            has_more = len(each.text) > MUCH_LONGER * length  # words beside it too
            if each.kind not in ("other", "sign") or not is_inside or not each.text or has_more:
                continue
            theirs = _reading(tokens, start, stop, each)
            known = found.get(theirs.text) or by_text.get(theirs.text) or theirs
            names = [*filter(None, known.readers.split(", ")), second.reader]
            found[theirs.text] = replace(known, readers=", ".join(names))
    return [*found.values(), *(each for each in readings if each.text not in found)]


def _reading(tokens: PageTokens, start: int, stop: int, each: Disagreement) -> OtherReading:
    """The flagged text with the second reader's word, as a change of whole tokens."""
    own = [tokens.spans[index] for index in tokens.tokens_of(each.start, each.stop)]
    first, last = own[0][0], own[-1][1]
    text = f"{tokens.text[first : each.start]}{each.text}{tokens.text[each.stop : last]}"
    change = smallest_change(tokens.text, first, last, text)
    return OtherReading(changed(tokens.text, [change], start, stop), 0.0, change)
