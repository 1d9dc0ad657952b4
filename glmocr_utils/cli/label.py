"""`python -m glmocr_utils label`: page images → a label set, split and exported."""

import argparse
import sys
from collections import Counter

from glmocr_utils.cli.command import Command, Option, counted
from glmocr_utils.cli.render import PASSWORD
from glmocr_utils.confidence import load_calibration
from glmocr_utils.labels import LabelRun, LabelStore
from glmocr_utils.labels.leaks import find_leaks
from glmocr_utils.labels.workflow import (
    DEFAULT_PAGES,
    SOURCES,
    TRUSTED,
    SourceOptions,
    export_label_set,
    label_from,
    split_labels,
)
from glmocr_utils.ocr import load_results

OPTIONS = (
    Option("source", "text_layer", f"one, or several with commas: {', '.join(SOURCES)}"),
    Option("results", None, "model: a .jsonl of notebook 02, a folder of them, or a run of 06"),
    Option("calibration", None, "of that model: the calibration.json of notebook 03"),
    Option("silver_above", None, "share of right tokens above which a draft is silver"),
    Option("review_log", None, "review: the review.jsonl of notebook 03"),
    Option("llm_model", None, "llm: the endpoint's name for the model"),
    Option("llm_base_url", None, "llm: the endpoint; default: OpenAI's. Key: OPENAI_API_KEY"),
    Option("llm_prompt", None, "llm: what to ask; default: an exact transcription"),
    PASSWORD,
    Option("test_size", 0.1, "share of documents (0.1) or number of pages (5)"),
    Option("seed", 42, "of the split"),
    Option("output_dir", "outputs/04_labels", "gets the label set and what is made of it"),
)


def _label(options: argparse.Namespace) -> int:
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


COMMAND = Command(
    "label",
    OPTIONS,
    _label,
    input_help=f"page images, see notebook 01 (default: {DEFAULT_PAGES}); for sharegpt its JSON "
    "file, for hub a dataset",
)
main = COMMAND.main
