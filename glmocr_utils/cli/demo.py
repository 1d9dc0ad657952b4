"""`python -m glmocr_utils demo`: the notebooks on data/samples with the bundled model."""

from collections.abc import Sequence

from glmocr_utils.cli.command import parser_of
from glmocr_utils.notebook_run import run_demo


def main(arguments: Sequence[str]) -> int:
    parser_of("demo").parse_args(arguments)
    return run_demo()
