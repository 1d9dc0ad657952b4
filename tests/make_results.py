"""OCR results made by hand, for tests of what is done with them."""

import math
from dataclasses import replace

from glmocr_utils.records import Alternative, OcrResult, PageRef, TokenProb


def page_of(*tokens: tuple, index: int = 0, **fields: object) -> OcrResult:
    """A page of (text, probability) or (text, probability, {alternative text: probability})."""
    records = tuple(
        TokenProb(number, text, math.log(prob), _alternatives(*others))
        for number, (text, prob, *others) in enumerate(tokens)
    )
    result = OcrResult(
        page=PageRef("a.pdf", "0" * 64, index),
        text="".join(token.text for token in records),
        tokens=records,
        finish_reason="stop",
        prompt="Text Recognition:",
        model_id="some/model",
        revision=None,
        adapter=None,
        scale=2.0,
        seconds=1.0,
    )
    return replace(result, **fields)


def _alternatives(others: dict[str, float] | None = None) -> tuple[Alternative, ...]:
    return tuple(
        Alternative(1000 + number, text, math.log(prob))
        for number, (text, prob) in enumerate((others or {}).items())
    )
