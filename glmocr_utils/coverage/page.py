"""A page whose text has been located → what was left out, and what was made up."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from PIL import Image

from glmocr_utils.coverage.text_on_page import TextOnPage, text_on_page
from glmocr_utils.coverage.unread import find_unread, width_of_print
from glmocr_utils.coverage.unsupported import find_unsupported
from glmocr_utils.grounding import Locator
from glmocr_utils.records import OcrResult, PageCoverage, PageImage, PageLayout, PageRef

MIN_CLEAR = 0.5  # share of the characters that must be clear, to know what is left out
CLEAR = 0.5  # a character less certain than this is not
# Inked columns that a character takes on average, in ems by the distance of the lines: 0.29 to 0.46
# on pages in one to three columns, clean and scanned. More print than that was left out.
WIDEST_CHARACTER = 0.5


def page_coverage(image: Image.Image, result: OcrResult, layout: PageLayout) -> PageCoverage:
    """What a reading left out of its page, and what it says that isn't there.

    Ink of regions that are pictures isn't text.

    Args:
        image: the page, as it was read.
        layout: where the reading's tokens are, of `grounding.Locator`.
    """
    text = text_on_page(image, layout, [token.text for token in result.tokens])
    pictures = [region.box for region in result.regions if region.is_picture]
    unread = tuple(find_unread(text, pictures))
    return PageCoverage(
        is_clear=_is_located(text) or (bool(unread) and _has_too_little(text)),
        unread=unread,
        unsupported=tuple(find_unsupported(text)),
    )


def cover(locator: Locator, result: OcrResult, image: Image.Image) -> PageCoverage:
    """The same for a page whose tokens are not located yet: one pass of the model."""
    empty = PageLayout(result.page, *image.size, (), ())
    layout = locator.locate(result, image) if result.tokens else empty
    return page_coverage(image, result, layout)


def with_coverage(
    results: Iterable[OcrResult],
    layouts: Mapping[PageRef, PageLayout],
    images: Mapping[PageRef, PageImage],
) -> list[OcrResult]:
    """Results with their coverage, as far as they have none and their page has an image.

    Args:
        layouts: where their tokens are; a page without one stays as it is.
    """
    done = []
    for result in results:
        page = images.get(result.page) if result.coverage is None and result.tokens else None
        layout = layouts.get(result.page) if page else None
        if page and layout:
            result = replace(result, coverage=page_coverage(page.image, result, layout))
        done.append(result)
    return done


def _is_located(text: TextOnPage) -> bool:
    clear = text.num_characters[text.certainty >= CLEAR].sum()
    return bool(clear >= MIN_CLEAR * text.num_characters.sum())


def _has_too_little(text: TextOnPage) -> bool:
    """Whether the text cannot fill the page's print, wherever each line of it is."""
    return width_of_print(text) > WIDEST_CHARACTER * int(text.num_characters.sum())
