"""`python -m glmocr_utils predictions`: readings for benchmarks and tools of others."""

import argparse
import json

from glmocr_utils.cli.command import Command, Option
from glmocr_utils.evaluation import load_texts
from glmocr_utils.evaluation.other_benchmarks import FORMS, score_omni_parse

OPTIONS = (
    Option("form", "hub", f"whose: {', '.join(FORMS)}"),
    Option("benchmark", None, "the benchmark's own folder, with its pages and tests"),
    Option("scores", False, "score them too, where the scorer is a package (omni-parse-bench)"),
    Option("text_column", None, "of parquet files and JSON lines; default: text, markdown, …"),
    Option("output_dir", "outputs/predictions", "gets the files; olmocr-bench has its own place"),
)


def _predictions(options: argparse.Namespace) -> int:
    if options.readings is None:
        raise ValueError("predictions needs readings; --help shows what they may be")
    if options.form not in FORMS:
        raise ValueError(f"form is one of {', '.join(FORMS)}, got {options.form!r}")
    if options.form != "hub" and options.benchmark is None:
        raise ValueError(f"form {options.form} needs --benchmark, its folder with pages and tests")
    readings = load_texts(options.readings, options.text_column)
    written = FORMS[options.form](readings, options.benchmark, options.output_dir)
    print(*readings.problems, *written.problems, sep="\n")
    print(f"{written.pages} pages are in {written.path}")
    if options.scores:
        if options.form != "omni-parse-bench":
            raise ValueError(f"the scorer of {options.form} is no package; run its own script")
        print(json.dumps(score_omni_parse(written.path, options.benchmark), indent=1))
    return 0


COMMAND = Command(
    "predictions",
    OPTIONS,
    _predictions,
    input_name="readings",
    input_help="a run of notebook 06, results of 02, or a folder of .txt, .md, .jsonl or .parquet",
)
main = COMMAND.main
