"""Sources by their names → a label set in a folder, its doubtful labels, and its exports.

Notebook 04 and the command `label` run these functions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from glmocr_utils.confidence import Calibration, WordRisk, errors_to_rank_by, expected_errors
from glmocr_utils.labels import LabelRun, LabelStore, PageFile, find_pages
from glmocr_utils.labels.exports import export_imagefolder, export_sidecars
from glmocr_utils.labels.next_pages import Candidate, NextPage, choose_next_pages
from glmocr_utils.labels.regions import RegionFile, cut_regions
from glmocr_utils.labels.report import LabelReport, report
from glmocr_utils.labels.sources.hub import label_from_dataset
from glmocr_utils.labels.sources.layout_xml import label_from_alto, label_from_page_xml
from glmocr_utils.labels.sources.llm import PROMPT, label_with_llm
from glmocr_utils.labels.sources.results import label_from_results
from glmocr_utils.labels.sources.review_log import label_from_review_log
from glmocr_utils.labels.sources.sharegpt import export_sharegpt, label_from_sharegpt
from glmocr_utils.labels.sources.sidecar import label_from_sidecars
from glmocr_utils.labels.sources.text_layer import label_from_text_layer
from glmocr_utils.labels.splits import Split, read_split, split_by_document, write_split
from glmocr_utils.labels.suspects import Suspect, find_suspects
from glmocr_utils.model import LoadedModel
from glmocr_utils.prompt import TEXT_RECOGNITION, num_image_tokens
from glmocr_utils.records import Label, OcrResult, PageKey, PageRef, TokenProb
from glmocr_utils.render import decode_image
from glmocr_utils.render.documents import file_sha256

if TYPE_CHECKING:  # what it names takes seconds to import
    from transformers import ProcessorMixin

DEFAULT_PAGES = "outputs/01_render"
TRUSTED = ("gold", "silver")  # what may be trained on


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The inputs of the sources; each uses its own.

    Attributes:
        results: the model's readings. `model` makes drafts of it, and `text_layer` leaves out pages
            whose layer is at odds with it.
        calibration: of the model that made the readings.
        silver_above: share of right tokens to expect, 0 to 1, above which a draft is silver.
        review_log: for `review`.
        llm_model, llm_base_url, llm_prompt: for `llm`; no prompt takes `llm.PROMPT`.
        password: for `text_layer`, of encrypted PDFs.
        paragraphs: likewise: a paragraph is one line, as GLM-OCR writes it, or printed lines.
        regions: of pages that `results` has by regions; `label_from` finds them. Such a page gets a
            label for each of them from `text_layer`, `model` and `review`.
    """

    results: Sequence[OcrResult] = ()
    calibration: Calibration | None = None
    silver_above: float | None = None
    review_log: str | Path | None = None
    llm_model: str | None = None
    llm_base_url: str | None = None
    llm_prompt: str | None = None
    password: str | None = None
    paragraphs: bool = True
    regions: Mapping[PageKey, Sequence[RegionFile]] = field(default_factory=dict)

    def whole(self, pages: Sequence[PageFile]) -> list[PageFile]:
        """The pages that are labelled as a whole."""
        return [page for page in pages if page.page.key not in self.regions]

    def region_files(self) -> list[RegionFile]:
        return [each for of_page in self.regions.values() for each in of_page]


def label_from(
    store: LabelStore,
    source: str,
    input_path: str | Path | None = None,
    options: SourceOptions | None = None,
) -> list[LabelRun]:
    """Ask one source or several (separated by commas) for labels of pages without one from it.

    Args:
        source: names from `SOURCES`.
        input_path: for `sharegpt` its JSON file, for `hub` a dataset's id or folder; for all others
            the page images, see `find_pages`. None is what notebook 01 writes.

    Raises:
        ValueError: an unknown source, or a source's input is missing. Nothing is labelled then.
        FileNotFoundError: there are no page images, or not the file that a source takes.
    """
    options = options or SourceOptions()
    names = [name.strip() for name in source.split(",")]
    for name in names:
        _check(name, names, input_path, options)
    if names[0] in OWN_IMAGES:
        return [OWN_IMAGES[names[0]](store, str(input_path))]
    pages = find_pages(input_path or DEFAULT_PAGES)
    regions: dict[PageKey, list[RegionFile]] = {}
    if BY_REGION & set(names):
        regions = cut_regions(pages, options.results, store.directory / "regions")
    options = replace(options, regions=regions)
    return [FROM_PAGES[name](store, pages, options) for name in names]


def _check(
    name: str, names: Sequence[str], input_path: str | Path | None, options: SourceOptions
) -> None:
    if name not in SOURCES:
        raise ValueError(f"there is no source {name!r}; choose from {', '.join(SOURCES)}")
    if name in OWN_IMAGES and (len(names) > 1 or input_path is None):
        raise ValueError(
            f"{name} brings its own images: name it alone, with what it reads as input_path; "
            "other sources can follow with the same output_dir"
        )
    needed = {
        "model": ("results", options.results, "the .jsonl files of notebook 02"),
        "review": ("review_log", options.review_log, "the review.jsonl of notebook 03"),
        "llm": ("llm_model", options.llm_model, "the endpoint's name for the model"),
    }
    if name in needed:
        parameter, value, what = needed[name]
        if not value:
            raise ValueError(f"source {name} needs {parameter}: {what}")
    if options.silver_above is not None and options.calibration is None:
        raise ValueError(
            "silver_above needs a calibration, because the model's own probabilities promise too "
            "much; notebook 03 saves one where true texts are given"
        )


def _text_layer(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    readings = {result.page.key: result.text for result in options.results}
    regions = options.region_files()
    return label_from_text_layer(
        store,
        [*options.whole(pages), *(each.file for each in regions)],
        password=options.password,
        paragraphs=options.paragraphs,
        readings=readings,
        region_readings={each.file.key: each.reading.text for each in regions},
    )


def _llm(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    return label_with_llm(
        store,
        pages,
        model=str(options.llm_model),
        base_url=options.llm_base_url,
        prompt=options.llm_prompt or PROMPT,
    )


def _model(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    def share_right(result: OcrResult) -> float:
        errors = expected_errors(result, options.calibration).mean
        return 1 - errors / max(1, len(result.tokens))

    silver_above = options.silver_above
    score = None if silver_above is None else share_right
    return label_from_results(
        store,
        options.whole(pages),
        options.results,
        score=score,
        silver_above=silver_above,
        regions=options.region_files(),
    )


def _sidecar(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    return label_from_sidecars(store, pages)


def _page_xml(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    return label_from_page_xml(store, pages)


def _alto(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    return label_from_alto(store, pages)


def _review(store: LabelStore, pages: Sequence[PageFile], options: SourceOptions) -> LabelRun:
    return label_from_review_log(store, pages, str(options.review_log), regions=options.regions)


BY_REGION = frozenset({"text_layer", "model", "review"})
FROM_PAGES: dict[str, Callable[[LabelStore, Sequence[PageFile], SourceOptions], LabelRun]] = {
    "text_layer": _text_layer,
    "llm": _llm,
    "model": _model,
    "sidecar": _sidecar,
    "page": _page_xml,
    "alto": _alto,
    "review": _review,
}
OWN_IMAGES: dict[str, Callable[[LabelStore, str | Path], LabelRun]] = {
    "sharegpt": label_from_sharegpt,
    "hub": label_from_dataset,
}
SOURCES = (*FROM_PAGES, *OWN_IMAGES)


# What is doubtful


def suspect_gold(
    store: LabelStore, model: LoadedModel, max_labels: int, seed: int = 42
) -> list[Suspect]:
    """Gold labels by how improbable the model finds them, the most suspect first.

    Args:
        max_labels: how many are scored, drawn at random; each takes one pass of the model.
    """
    from glmocr_utils.ocr import score_text  # PyTorch takes seconds, and only this needs it

    gold = store.current_labels(["gold"])
    drawn = random.Random(seed).sample(gold, min(max_labels, len(gold)))

    def score(label: Label) -> tuple[TokenProb, ...]:
        image = decode_image(label.file.image_file)
        return score_text(model, image, label.text, prompt=label.file.task)

    return find_suspects(drawn, score)


def pages_to_label_next(
    store: LabelStore,
    results: Sequence[OcrResult],
    calibration: Calibration | None = None,
    budget: int = 10,
    risk: WordRisk | None = None,
) -> list[NextPage]:
    """Of the pages that were read and have no trusted label, those worth labelling first.

    Args:
        risk: the words that it expects to be wrong count instead of tokens, where it knows the
            page.
    """
    trusted = store.current_labels(TRUSTED)
    done = {label.key for label in trusted}
    candidates = [
        Candidate(result.page, result.text, errors_to_rank_by(result, calibration, risk))
        for result in results
        if not result.is_blank and (*result.page.key, result.prompt) not in done
    ]
    return choose_next_pages(candidates, budget, [label.text for label in trusted])


def pages_to_edit(store: LabelStore, first: Iterable[PageRef] = ()) -> list[PageFile]:
    """All pages of the label set, in the order in which a person should look at them.

    Args:
        first: pages that lead, in their order; then come those without gold, then the rest.
    """
    pages = {label.key: label.file for label in store.labels()}
    for left_out in store.left_out():
        image_file = left_out.image_file and Path(left_out.image_file)
        if image_file and image_file.is_file():  # a page that was reviewed may lack its image
            page = PageFile(left_out.page, image_file, file_sha256(image_file))
            pages.setdefault(page.key, page)
    leading = {page: rank for rank, page in enumerate(first)}

    def rank(page: PageFile) -> tuple[float, bool]:
        label = store.current(page.key)
        return leading.get(page.page, len(leading)), label is not None and label.status == "gold"

    return sorted(pages.values(), key=rank)


def label_report(store: LabelStore, processor: ProcessorMixin, max_length: int) -> LabelReport:
    """The label set in numbers, for the model that `processor` belongs to.

    Args:
        max_length: tokens that a page may take in training: image and text.
    """

    def image_tokens(label: Label) -> int:
        with Image.open(label.file.image_file) as image:
            return num_image_tokens(processor, *image.size)

    return report(store, processor.tokenizer, budget=max_length, image_tokens=image_tokens)


# What is written


def split_labels(
    labels: Sequence[Label], output_dir: str | Path, test_size: float | int, seed: int
) -> Split:
    """Part the documents, keeping where each was put by an earlier split of this kind.

    Writes `train.txt`, `test.txt` and `split.json`. Another test_size or seed splits them again.
    """
    settings = {"test_size": test_size, "seed": seed}
    before = read_split(output_dir, settings)
    split = split_by_document(labels, test_size, seed, before=before)
    write_split(split, labels, output_dir, settings)
    return split


def export_label_set(labels: Sequence[Label], split: Split, output_dir: str | Path) -> list[Path]:
    """Write the labels for training: an imagefolder, ShareGPT files, text files beside images.

    Text files are of whole texts; a page's table or formula has no place beside it.

    Returns:
        The folders: `dataset`, `sharegpt`, `sidecars`.
    """
    dataset, sharegpt, sidecars = (
        Path(output_dir) / name for name in ("dataset", "sharegpt", "sidecars")
    )
    export_imagefolder(labels, dataset, split)
    for name in ("train", "test"):
        part = [label for label in labels if split.of(label) == name]
        export_sharegpt(part, sharegpt / f"{name}.json")
    export_sidecars((label for label in labels if label.file.task == TEXT_RECOGNITION), sidecars)
    return [dataset, sharegpt, sidecars]
