"""`glmocr demo`: the notebooks on data/samples with the bundled model."""

from glmocr_utils.notebook_run import run_demo
from glmocr_utils.options import DemoOptions


def run(_: DemoOptions) -> int:
    """Run them all. Returns the exit code."""
    return run_demo()
