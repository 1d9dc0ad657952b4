"""How long a reviewer will take, about, in seconds."""

from glmocr_utils.review.page_review import PageReview

SECONDS_A_FLAG = 10
SECONDS_A_WORD_MORE = 1.5  # in a flag of several words
TYPED_CHARACTERS_A_SECOND = 3.5  # 40 words a minute
CHARACTERS_A_PAGE = 1500  # where nothing is known of a page


def seconds_left(page: PageReview) -> int:
    """To check the rest of a page's flags."""
    words = sum(max(1, len(flag.text.split())) for flag in page.open_flags)
    more = words - len(page.open_flags)
    return round(SECONDS_A_FLAG * len(page.open_flags) + SECONDS_A_WORD_MORE * more)


def seconds_to_type(page: PageReview) -> int:
    """To type a page; its text, if any, says how long it is."""
    length = len(page.result.text.strip()) or CHARACTERS_A_PAGE
    return round(max(length, CHARACTERS_A_PAGE / 3) / TYPED_CHARACTERS_A_SECOND)
