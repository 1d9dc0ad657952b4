"""What can be set, a dataclass for each step; every default and help text is here and only here.

Commands, the parameters of notebooks and `docs/parameters.md` follow from these fields. Nothing
heavy is imported, so that `glmocr ocr --help` needn't wait for a model's libraries.
"""

from glmocr_utils.options.collection import (
    BrowserReviewOptions,
    ConvertOptions,
    IndexOptions,
    SearchOptions,
)
from glmocr_utils.options.evaluation import (
    CertifyOptions,
    DiffOptions,
    EvaluateOptions,
    GroundOptions,
    PredictionsOptions,
)
from glmocr_utils.options.finetune import FinetuneOptions
from glmocr_utils.options.infer import RETRYABLE, EngineName, InferOptions
from glmocr_utils.options.layout import (
    OFFICIAL_LAYOUT,
    LayoutOptions,
    Tasks,
    parse_tasks,
    resolve_layout,
)
from glmocr_utils.options.model import DEFAULT_MODEL, Dtype, ModelOptions
from glmocr_utils.options.option import Options, option, same_as
from glmocr_utils.options.reading import ReadingOptions
from glmocr_utils.options.rendering import RenderOptions, parse_pages
from glmocr_utils.options.second import SecondOptions, SecondPages
from glmocr_utils.options.steps import (
    DemoOptions,
    ExportOptions,
    ImagefolderOptions,
    LabelOptions,
    OcrOptions,
    ReviewOptions,
)
from glmocr_utils.options.values import check_at_least_one, coerce_all, kinds_of, text_reader

__all__ = [
    "DEFAULT_MODEL",
    "OFFICIAL_LAYOUT",
    "RETRYABLE",
    "BrowserReviewOptions",
    "CertifyOptions",
    "ConvertOptions",
    "DemoOptions",
    "DiffOptions",
    "Dtype",
    "EngineName",
    "EvaluateOptions",
    "ExportOptions",
    "FinetuneOptions",
    "GroundOptions",
    "ImagefolderOptions",
    "IndexOptions",
    "InferOptions",
    "LabelOptions",
    "LayoutOptions",
    "ModelOptions",
    "OcrOptions",
    "Options",
    "PredictionsOptions",
    "ReadingOptions",
    "RenderOptions",
    "ReviewOptions",
    "SearchOptions",
    "SecondOptions",
    "SecondPages",
    "Tasks",
    "check_at_least_one",
    "coerce_all",
    "kinds_of",
    "option",
    "parse_pages",
    "parse_tasks",
    "resolve_layout",
    "same_as",
    "text_reader",
]
