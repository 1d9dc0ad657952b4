"""Where on the page each token came from, shown by the decoder's own attention.

A box is never a measure of whether the text is right: where a model looks, it may misread.
"""

from glmocr_utils.grounding.attention import Head, attend, strongest_cells
from glmocr_utils.grounding.choice import HeadChoice, NoHeadsError, load_choice
from glmocr_utils.grounding.default_boxes import choose_boxes
from glmocr_utils.grounding.layout import lay_out
from glmocr_utils.grounding.locating import LayoutsOnDemand, Locator

__all__ = [
    "Head",
    "HeadChoice",
    "LayoutsOnDemand",
    "Locator",
    "NoHeadsError",
    "attend",
    "choose_boxes",
    "lay_out",
    "load_choice",
    "strongest_cells",
]
