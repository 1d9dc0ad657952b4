"""Checking what the model was unsure of: places to look at, decisions, and their log."""

from glmocr_utils.review.page_review import Offer, PageReview
from glmocr_utils.review.places import Place, find_places
from glmocr_utils.review.read_again import read_again_steps
from glmocr_utils.review.session import ReviewSession
from glmocr_utils.review.widget import ReviewWidget, show_review

__all__ = [
    "Offer",
    "PageReview",
    "Place",
    "ReviewSession",
    "ReviewWidget",
    "find_places",
    "read_again_steps",
    "show_review",
]
