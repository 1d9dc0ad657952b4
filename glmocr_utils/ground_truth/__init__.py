"""Pages whose characters' places are known, to choose heads on and to judge layouts by."""

from glmocr_utils.ground_truth.choosing import choose_for
from glmocr_utils.ground_truth.drawn import draw_pages, scanned
from glmocr_utils.ground_truth.evaluation import PlaceTable, evaluate_places
from glmocr_utils.ground_truth.text_layer import pages_with_text_layer

__all__ = [
    "PlaceTable",
    "choose_for",
    "draw_pages",
    "evaluate_places",
    "pages_with_text_layer",
    "scanned",
]
