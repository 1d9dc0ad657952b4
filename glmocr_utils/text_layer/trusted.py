"""Whether a page's text layer matches its visible text."""

from glmocr_utils.text_layer.characters import PageText
from glmocr_utils.text_layer.reading_order import in_reading_order

# Above these shares a layer is not trusted.
MAX_INVISIBLE = 0.02
MAX_UNMAPPED = 0.01

# What makes a layer suspect, so that a model's reading counts
SOME_IMAGE = 0.1  # share of the page
COMMON_LETTERS = frozenset("eainotsr")  # 55 to 65 % of the letters in European languages
MIN_COMMON = 0.4
ENOUGH_LETTERS = 100


class NoTextLayer(Exception):
    """The reason why a page's text layer is not there or not to be trusted."""


def trusted_text(page: PageText, max_image_share: float) -> str:
    """The text of a page's layer.

    Raises:
        NoTextLayer: there is none, or it may not match the visible text.
    """
    drawn = page.num_characters + page.invisible
    if not drawn and not page.hidden:
        raise NoTextLayer("the page has no text layer: it is a scan, a picture or blank")
    if page.invisible > MAX_INVISIBLE * drawn:
        raise NoTextLayer(
            f"{page.invisible / drawn:.0%} of the layer's characters are drawn invisibly: the "
            "layer is itself the work of an OCR program"
        )
    if page.image_share > max_image_share:
        raise NoTextLayer(
            f"images cover {page.image_share:.0%} of the page: what they show is not in the "
            "layer, or an OCR program put it there"
        )
    if not drawn:
        raise NoTextLayer(
            f"all {page.hidden} characters of the layer are drawn invisibly: white, covered, "
            "clipped, transparent, too small, or in a layer that is off"
        )
    if page.unmapped > MAX_UNMAPPED * page.num_characters:
        raise NoTextLayer(
            f"{page.unmapped / page.num_characters:.0%} of the layer's characters have no known "
            "Unicode value: its fonts do not say what their letters are"
        )
    return in_reading_order(page.lines)


def why_suspect(page: PageText, text: str) -> str | None:
    """Why a layer that passed may still not match the visible text; None for a sound one."""
    if page.invisible:
        return f"{page.invisible} of its characters are drawn invisibly"
    if page.unmapped:
        return f"{page.unmapped} of its characters have no known Unicode value"
    if page.image_share > SOME_IMAGE:
        return f"images cover {page.image_share:.0%} of the page"
    letters = [letter for letter in text.lower() if "a" <= letter <= "z"]
    common = sum(letter in COMMON_LETTERS for letter in letters)
    if len(letters) >= ENOUGH_LETTERS and common < MIN_COMMON * len(letters):
        return "its letters are not those of a language: its fonts may name them wrongly"
    return None
