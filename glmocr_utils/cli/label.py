"""`glmocr label`: page images → a label set, split and exported."""

import sys
from collections import Counter

from glmocr_utils.cli.command import counted
from glmocr_utils.confidence import load_calibration
from glmocr_utils.labels import LabelRun, LabelStore
from glmocr_utils.labels.leaks import find_leaks
from glmocr_utils.labels.workflow import (
    TRUSTED,
    SourceOptions,
    export_label_set,
    label_from,
    split_labels,
)
from glmocr_utils.ocr import load_results
from glmocr_utils.options import LabelOptions


def run(options: LabelOptions) -> int:
    calibration = options.calibration
    source_options = SourceOptions(
        results=load_results(options.results) if options.results else (),
        calibration=load_calibration(calibration) if calibration else None,
        silver_above=options.silver_above,
        review_log=options.review_log,
        llm_model=options.llm_model,
        llm_base_url=options.llm_base_url,
        llm_prompt=options.llm_prompt,
        password=options.password,
        paragraphs=options.paragraphs,
    )
    store = LabelStore(options.output_dir)
    try:
        for run in label_from(store, options.source, options.input_path, source_options):
            _say(run)
    except (BlockingIOError, RuntimeError) as error:  # another writer, or no endpoint
        print(f"error: {error}", file=sys.stderr)
        return 2
    labels = store.current_labels(TRUSTED)
    if not labels:
        print(f"no gold or silver label in {options.output_dir}, so nothing is exported")
        return 1
    split = split_labels(labels, options.output_dir, options.test_size, options.seed)
    find_leaks(labels, split)  # which warns
    folders = export_label_set(labels, split, options.output_dir)
    sizes = Counter(split.of(label) for label in labels)
    parts = f"{sizes['train']} for training, {sizes['test']} for testing"
    print(f"{counted(len(labels), 'label')}: {parts}")
    print(f"files are in {', '.join(map(str, folders))}")
    return 0


def _say(run: LabelRun) -> None:
    print(
        f"{run.source}: {counted(run.labelled, 'page')} labelled, {run.already_there} were there, "
        f"{len(run.left_out)} left out"
    )
    reasons = Counter(left_out.reason for left_out in run.left_out)
    for reason, count in reasons.most_common():
        print(f"  {count} × {reason}")
