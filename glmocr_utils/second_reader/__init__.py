"""A second OCR program, to compare readings with: offline, optional, and wrong in other ways.

reader = load_reader("tesseract")
second = second_reading(reader, result.text, page.image)  # SecondReading: typed disagreements
"""

from glmocr_utils.second_reader.comparing import (
    compare,
    is_doubtful,
    load_readers,
    read_second,
    second_reading,
    with_second_readings,
)
from glmocr_utils.second_reader.readers import ReadWord, SecondReader, load_reader

__all__ = [
    "ReadWord",
    "SecondReader",
    "compare",
    "is_doubtful",
    "load_reader",
    "load_readers",
    "read_second",
    "second_reading",
    "with_second_readings",
]
