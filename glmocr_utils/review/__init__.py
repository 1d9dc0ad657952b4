"""Checking what the model was unsure of: flags, decisions, and their log."""

from glmocr_utils.review.corrected_texts import corrected_texts
from glmocr_utils.review.flags import Flag, find_flags
from glmocr_utils.review.page_review import Offer, PageReview
from glmocr_utils.review.read_again import read_again_steps
from glmocr_utils.review.session import ReviewSession
from glmocr_utils.review.widget import ReviewWidget, show_review

__all__ = [
    "Flag",
    "Offer",
    "PageReview",
    "ReviewSession",
    "ReviewWidget",
    "corrected_texts",
    "find_flags",
    "read_again_steps",
    "show_review",
]
