"""Text with its boxes, for other programs: hOCR, ALTO XML, PAGE XML, searchable PDF."""

from glmocr_utils.ocr_formats.writing import FORMATS, check_formats, export_layouts, needs_boxes

__all__ = ["FORMATS", "check_formats", "export_layouts", "needs_boxes"]
