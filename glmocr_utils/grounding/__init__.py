"""Where on the page each token came from, shown by the decoder's own attention.

A box is never a measure of whether the text is right: where a model looks, it may misread.
"""

from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
    from glmocr_utils.grounding.attention import attend, strongest_cells
    from glmocr_utils.grounding.choice import HeadChoice, NoHeadsError, load_choice
    from glmocr_utils.grounding.default_boxes import choose_boxes
    from glmocr_utils.grounding.head import Head
    from glmocr_utils.grounding.layout import lay_out
    from glmocr_utils.grounding.locating import LayoutsOnDemand, Locator

_HOME = {
    "Head": "head",
    "HeadChoice": "choice",
    "LayoutsOnDemand": "locating",
    "Locator": "locating",
    "NoHeadsError": "choice",
    "attend": "attention",
    "choose_boxes": "default_boxes",
    "lay_out": "layout",
    "load_choice": "choice",
    "strongest_cells": "attention",
}
__all__ = list(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
