"""Page images and documents → text with token probabilities.

for result in read_documents(load_model("zai-org/GLM-OCR"), ["scan.pdf"]):
    ...  # OcrResult, or FailedPage that says why
"""

from glmocr_utils.ocr.by_region import ByRegion, read_by_region
from glmocr_utils.ocr.documents import FIRST_SAMPLE, default_input, read_documents
from glmocr_utils.ocr.failures import FAILURES_OF_A_PAGE, is_out_of_memory
from glmocr_utils.ocr.pages import (
    PageReader,
    PreparedPage,
    ScaleCheck,
    read_pages,
)
from glmocr_utils.ocr.progress import ReadingProgress, show_reading
from glmocr_utils.ocr.reading_files import PAGE_BREAK
from glmocr_utils.ocr.results import PageImages, load_results
from glmocr_utils.ocr.scoring import SCORE_POSITIONS_AT_ONCE, score_text, score_tokens, token_logits
from glmocr_utils.ocr.tokens import without_thought

__all__ = [
    "FAILURES_OF_A_PAGE",
    "FIRST_SAMPLE",
    "PAGE_BREAK",
    "SCORE_POSITIONS_AT_ONCE",
    "ByRegion",
    "PageImages",
    "PageReader",
    "PreparedPage",
    "ReadingProgress",
    "ScaleCheck",
    "default_input",
    "is_out_of_memory",
    "load_results",
    "read_by_region",
    "read_documents",
    "read_pages",
    "score_text",
    "score_tokens",
    "show_reading",
    "token_logits",
    "without_thought",
]
