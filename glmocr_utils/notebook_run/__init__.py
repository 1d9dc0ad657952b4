"""Run notebooks without a browser: papermill with strict parameters, and a record of results."""

from glmocr_utils.notebook_run.demo import BUNDLED_LAYOUT, BUNDLED_MODEL, DEMO, FULL_DEMO, run_demo
from glmocr_utils.notebook_run.errors import show_errors_in_a_box
from glmocr_utils.notebook_run.parameters import notebook_parameters, take_parameters
from glmocr_utils.notebook_run.running import project_root, record_results, run_notebook

__all__ = [
    "BUNDLED_LAYOUT",
    "BUNDLED_MODEL",
    "DEMO",
    "FULL_DEMO",
    "notebook_parameters",
    "project_root",
    "record_results",
    "run_demo",
    "run_notebook",
    "show_errors_in_a_box",
    "take_parameters",
]
