"""Read scanned pages with GLM-OCR, see where the model was unsure, and make it better.

    import glmocr_utils as glm

    model = glm.load_model("zai-org/GLM-OCR")
    for page in glm.read_documents(model, ["scan.pdf"]):
        print(page.reason if isinstance(page, glm.FailedPage) else page.text)

These names are the front door. Everything else is in the rooms behind it, such as
`glm.confidence.summarize`. Both are loaded when they are first used, so importing the package costs
nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from glmocr_utils.lazy import lazy_names

if TYPE_CHECKING:  # for editors and type checkers; the same names as below
    from glmocr_utils import (
        confidence,
        coverage,
        display,
        evaluation,
        figures,
        finetune,
        grounding,
        labels,
        layout,
        markdown,
        mass_infer,
        metrics,
        model,
        model_export,
        ocr,
        ocr_formats,
        options,
        prompt,
        records,
        render,
        review,
        second_reader,
    )
    from glmocr_utils.confidence import expected_errors, worst_tokens
    from glmocr_utils.grounding import Locator
    from glmocr_utils.labels import LabelStore
    from glmocr_utils.mass_infer import InferOptions, infer
    from glmocr_utils.metrics import headline_cer
    from glmocr_utils.model import LoadedModel, load_model
    from glmocr_utils.model_export import export_model
    from glmocr_utils.ocr import load_results, read_documents, read_pages, score_text
    from glmocr_utils.records import FailedPage, OcrResult, PageImage
    from glmocr_utils.render import RenderOptions, render_documents

_HOME = {
    "FailedPage": "records",
    "InferOptions": "mass_infer",
    "LabelStore": "labels",
    "LoadedModel": "model",
    "Locator": "grounding",
    "OcrResult": "records",
    "PageImage": "records",
    "RenderOptions": "render",
    "expected_errors": "confidence",
    "export_model": "model_export",
    "headline_cer": "metrics",
    "infer": "mass_infer",
    "load_model": "model",
    "load_results": "ocr",
    "read_documents": "ocr",
    "read_pages": "ocr",
    "render_documents": "render",
    "score_text": "ocr",
    "worst_tokens": "confidence",
}
_ROOMS = frozenset(
    """confidence coverage display evaluation figures finetune grounding labels layout markdown
    mass_infer metrics model model_export ocr ocr_formats options prompt records render review
    second_reader""".split()
)
__all__ = list(_HOME)
_find = lazy_names(__name__, _HOME)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version  # as slow as all the rest

        try:
            return version("glmocr-utils")
        except PackageNotFoundError:  # a checkout on the path, not installed
            return "0+unknown"
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    return _find(name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS, "__version__"])
