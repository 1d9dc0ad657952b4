"""Pages whose characters have known boxes, to choose heads on and to judge layouts by."""

from glmocr_utils.grounding.evaluation.choosing import choose_for
from glmocr_utils.grounding.evaluation.drawn import draw_pages, scanned
from glmocr_utils.grounding.evaluation.table import BoxTable, evaluate_boxes
from glmocr_utils.grounding.evaluation.text_layer import pages_with_text_layer

__all__ = [
    "BoxTable",
    "choose_for",
    "draw_pages",
    "evaluate_boxes",
    "pages_with_text_layer",
    "scanned",
]
