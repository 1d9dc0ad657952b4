"""Text with its boxes, for other programs: hOCR, ALTO XML, PAGE XML, searchable PDF."""

from glmocr_utils.ocr_formats.writing import FORMATS, check_formats, export_layouts

__all__ = ["FORMATS", "check_formats", "export_layouts"]
