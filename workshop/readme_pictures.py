"""Draws the pictures in `notebooks/figures` from the samples: `make figures`.

They show what the notebooks show, for readers of the repository who have not run them. Those of
notebooks 05 and 06 take up the demo's runs, and where there are none they train and read again.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from glmocr_utils.confidence import fit_calibration, load_references, mark_pages
from glmocr_utils.coverage import cover
from glmocr_utils.figures.collection import run_overview
from glmocr_utils.figures.confidence import review_curves
from glmocr_utils.figures.labels import label_overview
from glmocr_utils.figures.pages import (
    page_and_tokens,
    page_both_ways,
    page_grid,
    page_with_coverage,
    page_with_unsure_words,
)
from glmocr_utils.figures.training import page_before_and_after
from glmocr_utils.finetune import finetune, make_config
from glmocr_utils.finetune.comparison import most_changed
from glmocr_utils.finetune.dataset import decode_image
from glmocr_utils.grounding import Locator
from glmocr_utils.labels import LabelStore
from glmocr_utils.labels.workflow import SourceOptions, label_from, label_report
from glmocr_utils.mass_infer import InferOptions, infer
from glmocr_utils.model import LoadedModel, load_model, load_processor
from glmocr_utils.notebook_run import BUNDLED_LAYOUT, BUNDLED_MODEL, FULL_DEMO, project_root
from glmocr_utils.ocr import PageImages, read_by_region, read_documents
from glmocr_utils.records import OcrResult
from glmocr_utils.render import (
    RenderOptions,
    find_documents,
    render_document,
    render_to_imagefolder,
)

FOLDER = Path("notebooks/figures")
GRID = ("letter.pdf", "decision.pdf", "decision_scan.pdf", "german.pdf", "rotated.pdf")
SKIPPED = "long.pdf", "17"
COLUMNS = "columns/bulletin.pdf"
SCANS = ("decision_scan.pdf",)
MAX_LENGTH = 2048  # tokens; the default of notebook 04
COLORS = 200  # a palette keeps a picture with a page scan in it small


def main() -> None:
    root = project_root()
    os.chdir(root)
    samples = root / "data/samples"
    first_page = RenderOptions(pages="1")
    pages = [next(render_document(samples / name, first_page)) for name in GRID]
    _save(page_grid(pages, columns=len(GRID)), root / FOLDER / "01_pages.png")
    scans = [samples / name for name in SCANS]
    model = load_model(root / BUNDLED_MODEL)
    read = list(read_documents(model, scans, batch_size=2))
    image = PageImages(read)[read[0].page]
    _save(page_and_tokens(image, read[0]), root / FOLDER / "02_tokens.png")
    layout = Locator(model).locate(read[0], image.image)
    _save(page_with_unsure_words(image, read[0], layout), root / FOLDER / "03_boxes.png")
    _save(_both_ways(samples, model), root / FOLDER / "02_regions.png")
    _save(_what_was_skipped(samples, model), root / FOLDER / "03_coverage.png")
    marked = mark_pages(read, load_references(samples / "truth.jsonl"))
    curves = review_curves(marked, fit_calibration(marked))
    _save(curves, root / FOLDER / "03_review_curves.png")
    _save(_label_set(root, read), root / FOLDER / "04_labels.png")
    _save(_whole_run(), root / FOLDER / "06_run.png")
    _save(_what_was_learned(), root / FOLDER / "05_before_and_after.png")


def _both_ways(samples: Path, model: LoadedModel) -> Figure:
    """The page in two columns as a whole and by regions."""
    path = [samples / COLUMNS]
    by_region = read_by_region(model, BUNDLED_LAYOUT, furniture="in")
    [whole] = read_documents(model, path, max_tokens=1024)
    [regions] = read_documents(model, path, max_tokens=1024, batch_size=8, by_region=by_region)
    return page_both_ways(PageImages([whole])[whole.page], whole, regions)


def _what_was_skipped(samples: Path, model: LoadedModel) -> Figure:
    """A clean page of which the bundled model really leaves a line out."""
    options = RenderOptions(pages=SKIPPED[1])
    [result] = read_documents(model, [samples / SKIPPED[0]], options=options)
    image = PageImages([result])[result.page]
    coverage = cover(Locator(model), result, image.image)
    return page_with_coverage(image, replace(result, coverage=coverage))


def _label_set(root: Path, read: Sequence[OcrResult]) -> Figure:
    """What notebook 04 makes of the samples: text layers, readings, and the sample review."""
    samples = root / "data/samples"
    options = SourceOptions(results=read, review_log=samples / "review.jsonl")
    with TemporaryDirectory() as folder:
        pages, store = Path(folder) / "pages", LabelStore(Path(folder) / "labels")
        render_to_imagefolder(find_documents(samples), pages, RenderOptions())
        label_from(store, "text_layer,model,review", pages, options)
        return label_overview(label_report(store, load_processor(root / BUNDLED_MODEL), MAX_LENGTH))


def _whole_run() -> Figure:
    """The demo's run over all samples."""
    options = InferOptions(**_demo_parameters("06_mass_infer"))
    infer(options)
    return run_overview(pd.read_parquet(Path(options.output_dir) / "pages"))


def _what_was_learned() -> Figure:
    """The page of black letter that gained most in the demo, trained with all weights."""
    options = _demo_parameters("05_finetune")
    result = finetune(make_config({"model_name": options.pop("model_id"), **options}))
    before, after = most_changed(result.before, result.after)[0]
    page = result.preflight.held_out[result.before.index(before)]
    return page_before_and_after(decode_image(page["image"]), before, after)


def _demo_parameters(notebook: str) -> dict[str, object]:
    """Those of its last run in the demo."""
    return dict([parameters for name, parameters in FULL_DEMO if name == notebook][-1])


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLORS)
    small.save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
