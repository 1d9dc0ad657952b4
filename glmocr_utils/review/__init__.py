"""Checking what the model was unsure of: flags, decisions, and their log.

Names are loaded when they are first used: only the widget needs the packages of notebooks.
"""

from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
    from glmocr_utils.review.flags import Flag, find_flags
    from glmocr_utils.review.outcome import corrected_texts
    from glmocr_utils.review.page_review import Offer, PageReview
    from glmocr_utils.review.read_again import read_again_steps
    from glmocr_utils.review.session import ReviewSession
    from glmocr_utils.review.widget import ReviewWidget, show_review

_HOME = {
    "Flag": "flags",
    "Offer": "page_review",
    "PageReview": "page_review",
    "ReviewSession": "session",
    "ReviewWidget": "widget",
    "corrected_texts": "outcome",
    "find_flags": "flags",
    "read_again_steps": "read_again",
    "show_review": "widget",
}
__all__ = list(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
