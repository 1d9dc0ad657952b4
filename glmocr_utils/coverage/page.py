"""A page whose text has been located → what was left out, and what was made up."""

from collections.abc import Sequence

from glmocr_utils.coverage.text_on_page import TextOnPage, text_on_page
from glmocr_utils.coverage.unread import find_unread
from glmocr_utils.coverage.unsupported import find_unsupported
from glmocr_utils.grounding.placed_page import PlacedPage
from glmocr_utils.records import Box, PageCoverage

MIN_CLEAR = 0.5  # share of the characters that must be clear, to know what is left out
CLEAR = 0.5  # a character less certain than this is not


def page_coverage(placed: PlacedPage, pictures: Sequence[Box] = ()) -> PageCoverage:
    """What a reading left out of its page, and what it says that isn't there.

    Args:
        placed: the reading's text on the page image.
        pictures: regions of the image whose ink is no text, in pixels.
    """
    text = text_on_page(placed)
    unread = find_unread(placed, text, pictures)
    return PageCoverage(
        is_clear=_is_clear(text),
        unread=tuple(unread),
        unsupported=tuple(find_unsupported(text)),
    )


def _is_clear(text: TextOnPage) -> bool:
    clear = text.num_characters[text.certainty >= CLEAR].sum()
    return bool(clear >= MIN_CLEAR * text.num_characters.sum())
