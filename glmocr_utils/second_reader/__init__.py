"""A second OCR program, to compare readings with: offline, optional, and wrong in other ways.

reader = load_reader("tesseract")
second = second_reading(reader, result, page.image)  # SecondReading: typed disagreements
"""

from glmocr_utils.second_reader.comparing import compare, second_reading, with_second_readings
from glmocr_utils.second_reader.readers import ReadWord, SecondReader, load_reader

__all__ = [
    "ReadWord",
    "SecondReader",
    "compare",
    "load_reader",
    "second_reading",
    "with_second_readings",
]
