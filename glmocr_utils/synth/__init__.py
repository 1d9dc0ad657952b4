"""Pages whose text is known, drawn for tests, for the samples and to train the bundled model."""

from glmocr_utils.synth.degrade import Scan, degrade, skew_boxes
from glmocr_utils.synth.fonts import FAMILIES, FontFamily, families_found, find_font
from glmocr_utils.synth.page import (
    Block,
    PageStyle,
    PlacedText,
    SetPage,
    SynthPage,
    TextForm,
    draw_page,
    set_page,
)
from glmocr_utils.synth.table import TableCell, draw_table

__all__ = [
    "FAMILIES",
    "Block",
    "FontFamily",
    "PageStyle",
    "PlacedText",
    "Scan",
    "SetPage",
    "SynthPage",
    "TableCell",
    "TextForm",
    "degrade",
    "draw_page",
    "draw_table",
    "families_found",
    "find_font",
    "set_page",
    "skew_boxes",
]
