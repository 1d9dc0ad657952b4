"""How good readings and boxes are: notebook 07 and the commands beside it."""

from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.options.model import Dtype, ModelOptions
from glmocr_utils.options.option import Options, option, same_as
from glmocr_utils.options.reading import ReadingOptions
from glmocr_utils.options.rendering import RenderOptions

PREDICTION_FORMS = ("omni-parse-bench", "olmocr-bench", "omnidocbench", "hub")
READINGS = "a run of 06, results of 02, or .txt, .md, .jsonl, .parquet, hOCR, ALTO, PAGE"


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """Options of notebook 07 and of the command `evaluate`."""

    readings: str | None = option(None, READINGS)
    references: str | None = option(
        None, "true texts, in any of these forms, labels of 04, or PDFs with a text layer"
    )
    other_readings: str | None = option(
        None, "second set of readings, compared with the first page by page"
    )
    text_column: str | None = option(
        None, "text column of parquet and JSON lines; None: text, markdown, ground_truth, …"
    )
    documents: str | None = option(
        None, "PDFs and images of the pages; None: where the readings say they are"
    )
    certificate: str | None = option(
        None,
        "certificate.json of a collection, or the folder of its reviewed audit",
        only="notebook",
    )
    worst_pages: int = option(3, "pages to show with their errors", only="notebook")
    seed: int = option(0, "random seed of the bootstrap")
    model_id: str = same_as(
        ModelOptions,
        "model_id",
        help="not used here: the pages are read already",
        only="notebook",
    )
    adapter: str | None = same_as(ModelOptions, "adapter", help="the same", only="notebook")
    output_dir: str | Path = option(
        "outputs/07_evaluate", "gets evaluation.html, evaluation.json, pages.csv, groups.csv"
    )


@dataclass(frozen=True)
class DiffOptions(Options):
    """Options of the command `diff`."""

    readings: str | None = same_as(EvaluateOptions, "readings")
    other_readings: str | None = same_as(
        EvaluateOptions, "other_readings", help="the second set, in any of these forms"
    )
    text_column: str | None = same_as(EvaluateOptions, "text_column")
    documents: str | None = same_as(EvaluateOptions, "documents")
    audit: int = option(50, "number of disagreements drawn at random for a person to decide")
    audited: str | None = option(
        None, "audit.csv with its column `right` filled: shows how often each set is right"
    )
    seed: int = option(0, "random seed of the audit")
    output_dir: str | Path = option(
        "outputs/diff", "gets diff.html, disagreements.csv and audit.csv"
    )


@dataclass(frozen=True)
class CertifyOptions(Options):
    """Options of the command `certify`."""

    readings: str | None = option(
        None, "a run of notebook 06, results of 02, or a certificate.json to verify"
    )
    num_flags: int = option(
        200, "number of flags for a person to check; 200 take about an hour", at_least=1
    )
    calibration: str | None = option(None, "calibration.json of notebook 03, for expected errors")
    collection: str | None = option(
        None, "if `readings` is a certificate: its readings, to draw the sample again"
    )
    seed: int = option(0, "random seed of the sample")
    output_dir: str | Path = option(
        "outputs/certificate", "gets audit.json, then certificate.json and pages_above.csv"
    )


@dataclass(frozen=True)
class PredictionsOptions(Options):
    """Options of the command `predictions`."""

    readings: str | None = same_as(EvaluateOptions, "readings")
    form: str = option(
        "hub", "output format: omni-parse-bench, olmocr-bench, omnidocbench, hub (a parquet file)"
    )
    benchmark: str | None = option(
        None, "the benchmark's own folder, with its pages and tests", detail="hub needs none"
    )
    scores: bool = option(False, "also score them, if the scorer is a package (omni-parse-bench)")
    text_column: str | None = same_as(EvaluateOptions, "text_column")
    output_dir: str | Path = option(
        "outputs/predictions", "gets the files; those of olmocr-bench go into its own folder"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in PREDICTION_FORMS:
            raise ValueError(f"form is one of {', '.join(PREDICTION_FORMS)}, got {self.form!r}")
        if self.form != "hub" and self.benchmark is None:
            raise ValueError(f"form {self.form} needs benchmark, its folder with pages and tests")
        if self.scores and self.form != "omni-parse-bench":
            raise ValueError(f"the scorer of {self.form} isn't a package; run its own script")


@dataclass(frozen=True)
class GroundOptions(Options):
    """Options of the command `ground`."""

    input_path: str | None = option(
        None, "born-digital PDFs: one, a folder, or a .txt list; None: drawn pages"
    )
    choose: bool = option(True, "False: evaluate the current choice of heads, on all pages")
    num_pages: int = option(32, "number of drawn pages, if no PDF is given", at_least=1)
    seed: int = option(42, "random seed for the drawn pages and for their split")
    with_reading: bool = option(True, "also read the pages, and locate the tokens of the readings")
    scale: float = same_as(RenderOptions, "scale")
    pages: str | None = same_as(RenderOptions, "pages")
    password: str | None = same_as(RenderOptions, "password")
    max_tokens: int = same_as(ReadingOptions, "max_tokens")
    batch_size: int = same_as(ReadingOptions, "batch_size")
    model_id: str = same_as(ModelOptions, "model_id")
    adapter: str | None = same_as(ModelOptions, "adapter")
    attn: str = same_as(ModelOptions, "attn")
    device_map: str = same_as(ModelOptions, "device_map")
    dtype: Dtype = same_as(ModelOptions, "dtype")
