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

__all__ = [
    "FAMILIES",
    "Block",
    "FontFamily",
    "PageStyle",
    "PlacedText",
    "Scan",
    "SetPage",
    "SynthPage",
    "TextForm",
    "degrade",
    "draw_page",
    "families_found",
    "find_font",
    "set_page",
    "skew_boxes",
]
