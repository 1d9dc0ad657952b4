"""`glmocr predictions`: readings for benchmarks and tools of others."""

import json

from glmocr_utils.evaluation import load_texts
from glmocr_utils.evaluation.other_benchmarks import FORMS, score_omni_parse
from glmocr_utils.options import PredictionsOptions


def run(options: PredictionsOptions) -> int:
    if options.readings is None:
        raise ValueError("predictions needs readings; --help shows what they may be")
    readings = load_texts(options.readings, options.text_column)
    written = FORMS[options.form](readings, options.benchmark or "", options.output_dir)
    print(*readings.problems, *written.problems, sep="\n")
    print(f"{written.pages} pages are in {written.path}")
    if options.scores:
        print(json.dumps(score_omni_parse(written.path, options.benchmark or ""), indent=1))
    return 0
