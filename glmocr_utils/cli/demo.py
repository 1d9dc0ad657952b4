"""`glmocr demo`: notebooks on data/samples with the bundled model."""

from glmocr_utils.notebook_run import run_demo
from glmocr_utils.options import DemoOptions


def run(options: DemoOptions) -> int:
    """Run them. Returns the exit code."""
    return run_demo(options.full)
