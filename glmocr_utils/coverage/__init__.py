"""Ink without text, text without ink: what a reading left out, and what it made up.

It builds on where each token is on the page (`grounding`) and asks the model for nothing more.
Whether text that *is* on the page was read rightly is not its business.
"""

from glmocr_utils.coverage.layer import unread_by_layer
from glmocr_utils.coverage.page import cover, page_coverage, with_coverage

__all__ = ["cover", "page_coverage", "unread_by_layer", "with_coverage"]
