"""`python -m glmocr_utils evaluate`: readings against references, and one set against another."""

import argparse

from glmocr_utils.cli.command import Command, Option, counted
from glmocr_utils.display.evaluation import (
    pages_to_show,
    scores_table,
    write_evaluation,
)
from glmocr_utils.evaluation import compare, load_texts, score
from glmocr_utils.evaluation.page_images import images_of

OPTIONS = (
    Option("references", None, "the true texts, in any form that readings may have"),
    Option("other_readings", None, "a second set, compared with the first page by page"),
    Option("text_column", None, "of parquet files and JSON lines; default: text, markdown, …"),
    Option("documents", None, "PDFs and images of the pages, to show where the worst errors are"),
    Option("seed", 0, "random seed of the bootstrap"),
    Option("output_dir", "outputs/07_evaluate", "gets evaluation.html, pages.csv, evaluation.json"),
)


def _evaluate(options: argparse.Namespace) -> int:
    if options.readings is None or options.references is None:
        raise ValueError("evaluate needs readings and --references; --help shows an example")
    references = load_texts(options.references, options.text_column)
    paths = filter(None, (options.readings, options.other_readings))
    scores = [
        score(load_texts(path, options.text_column), references, options.seed) for path in paths
    ]
    comparison = compare(*scores, options.seed) if len(scores) == 2 else None
    print(scores_table(scores).to_string())
    for problem in dict.fromkeys(problem for each in scores for problem in each.problems):
        print(problem)
    if comparison:
        print(comparison.verdict)
        print(
            f"{counted(comparison.num_better, 'page')} better, "
            f"{counted(comparison.num_worse, 'page')} worse"
        )
    images = images_of(pages_to_show(scores, comparison), options.documents)
    files = write_evaluation(options.output_dir, scores, comparison, images)
    print(f"files are in {', '.join(map(str, files))}")
    return 0


COMMAND = Command(
    "evaluate",
    OPTIONS,
    _evaluate,
    input_name="readings",
    input_help="a run of notebook 06, results of 02, or a folder of .txt, .md, .jsonl or .parquet",
)
main = COMMAND.main
