"""The records that flow between steps, and their JSON forms.

`PageRef → PageImage → OcrResult[TokenProb] | FailedPage → Decision → Label`. All are frozen and
check themselves when built, so that a wrong value is found where it is made and not three steps
later.

`page_index` counts from 0. `page_number` counts from 1 and is for people and file names.
"""

from glmocr_utils.records.coverage import (
    PageCoverage,
    UnreadInk,
    UnsupportedText,
    coverage_from_record,
    coverage_to_record,
)
from glmocr_utils.records.decision import (
    TEXT_COVERAGES,
    Action,
    Coverage,
    Decision,
    ReadAgain,
    append_decisions,
    finish_of,
    read_decisions,
    reviews_of,
    standing,
)
from glmocr_utils.records.label import (
    Label,
    LabelKey,
    LabelStatus,
    PageFile,
    label_from_json,
    label_to_json,
)
from glmocr_utils.records.layout import Box, PageLayout, TokenBox, around
from glmocr_utils.records.ocr_result import (
    STATUS_OF,
    STATUS_WARNINGS,
    Alternative,
    FinishReason,
    OcrResult,
    ReadStatus,
    TokenProb,
    from_json,
    page_status,
    read_results,
    read_status,
    to_json,
    write_results,
)
from glmocr_utils.records.pages import (
    FailedPage,
    FailureStatus,
    PageImage,
    PageKey,
    PageRef,
    storable_path,
)
from glmocr_utils.records.region import (
    REGION_BREAK,
    Furniture,
    Region,
    RegionStatus,
    in_text_order,
)
from glmocr_utils.records.second_reading import Disagreement, DisagreementKind, SecondReading

__all__ = [
    "REGION_BREAK",
    "STATUS_OF",
    "STATUS_WARNINGS",
    "TEXT_COVERAGES",
    "Action",
    "Alternative",
    "Box",
    "Coverage",
    "Decision",
    "Disagreement",
    "DisagreementKind",
    "FailedPage",
    "FailureStatus",
    "FinishReason",
    "Furniture",
    "Label",
    "LabelKey",
    "LabelStatus",
    "OcrResult",
    "PageCoverage",
    "PageFile",
    "PageImage",
    "PageKey",
    "PageLayout",
    "PageRef",
    "ReadAgain",
    "ReadStatus",
    "Region",
    "RegionStatus",
    "SecondReading",
    "TokenBox",
    "TokenProb",
    "UnreadInk",
    "UnsupportedText",
    "append_decisions",
    "around",
    "coverage_from_record",
    "coverage_to_record",
    "finish_of",
    "from_json",
    "in_text_order",
    "label_from_json",
    "label_to_json",
    "page_status",
    "read_decisions",
    "read_results",
    "read_status",
    "reviews_of",
    "standing",
    "storable_path",
    "to_json",
    "write_results",
]
