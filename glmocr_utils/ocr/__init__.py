"""Page images and documents → text with token probabilities.

for result in read_documents(load_model("zai-org/GLM-OCR"), ["scan.pdf"]):
    ...  # OcrResult, or FailedPage that says why
"""

from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
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
    from glmocr_utils.ocr.scoring import (
        SCORE_POSITIONS_AT_ONCE,
        score_text,
        score_tokens,
        token_logits,
    )
    from glmocr_utils.ocr.tokens import without_thought

_HOME = {
    "FAILURES_OF_A_PAGE": "failures",
    "FIRST_SAMPLE": "documents",
    "PAGE_BREAK": "reading_files",
    "SCORE_POSITIONS_AT_ONCE": "scoring",
    "ByRegion": "by_region",
    "PageImages": "results",
    "PageReader": "pages",
    "PreparedPage": "pages",
    "ReadingProgress": "progress",
    "ScaleCheck": "pages",
    "default_input": "documents",
    "is_out_of_memory": "failures",
    "load_results": "results",
    "read_by_region": "by_region",
    "read_documents": "documents",
    "read_pages": "pages",
    "score_text": "scoring",
    "score_tokens": "scoring",
    "show_reading": "progress",
    "token_logits": "scoring",
    "without_thought": "tokens",
}
__all__ = list(_HOME)
__getattr__ = lazy_names(__name__, _HOME)
