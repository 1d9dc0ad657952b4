"""Pages whose text is known, drawn for tests, for the samples and to train the bundled model."""

from glmocr_utils.synth.degrade import Scan, degrade, skew_boxes
from glmocr_utils.synth.elements import Element, Look, SheetStyle
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
from glmocr_utils.synth.setting import draw_sheet
from glmocr_utils.synth.sheet import DrawnRegion, Sheet, SheetContent, scan_sheet
from glmocr_utils.synth.table import TableCell, draw_table

__all__ = [
    "FAMILIES",
    "Block",
    "DrawnRegion",
    "Element",
    "FontFamily",
    "Look",
    "PageStyle",
    "PlacedText",
    "Scan",
    "SetPage",
    "Sheet",
    "SheetContent",
    "SheetStyle",
    "SynthPage",
    "TableCell",
    "TextForm",
    "degrade",
    "draw_page",
    "draw_sheet",
    "draw_table",
    "families_found",
    "find_font",
    "scan_sheet",
    "set_page",
    "skew_boxes",
]
