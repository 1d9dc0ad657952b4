"""Reading a whole collection unattended, with every page accounted for.

summary = infer(InferOptions("my-pdfs", output_dir="outputs/06_mass_infer"))
"""

from glmocr_utils.mass_infer.estimate import RunEstimate, estimate_run
from glmocr_utils.mass_infer.progress import Progress, RunSummary
from glmocr_utils.mass_infer.run import infer
from glmocr_utils.options import RETRYABLE, InferOptions

__all__ = [
    "RETRYABLE",
    "InferOptions",
    "Progress",
    "RunEstimate",
    "RunSummary",
    "estimate_run",
    "infer",
]
