"""`glmocr evaluate`: readings against references, and one set against another."""

from glmocr_utils.cli.command import counted
from glmocr_utils.display.evaluation import (
    groups_table,
    pages_to_show,
    scores_table,
    write_evaluation,
)
from glmocr_utils.evaluation import compare, load_sets, score
from glmocr_utils.evaluation.breakdown import by_region
from glmocr_utils.evaluation.page_images import images_of
from glmocr_utils.options import EvaluateOptions


def run(options: EvaluateOptions) -> int:
    if options.readings is None or options.references is None:
        raise ValueError("evaluate needs readings and --references; --help shows an example")
    paths = filter(None, (options.readings, options.other_readings, options.references))
    *sets, references = load_sets(list(paths), options.text_column)
    scores = [score(each, references, options.seed) for each in sets]
    comparison = compare(scores[0], scores[1], options.seed) if len(scores) == 2 else None
    print(scores_table(scores).to_string())
    regions = groups_table(scores, by_region)
    if len(regions):
        print("headline CER by kind of region:")
        print(regions.to_string(index=False, float_format="{:.2%}".format, na_rep="not read"))
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
