"""What is made of a run or of saved results: an index, hits of a search, other formats."""

from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.options.model import Dtype, ModelOptions
from glmocr_utils.options.option import Options, option, same_as
from glmocr_utils.options.reading import ReadingOptions
from glmocr_utils.options.rendering import RenderOptions
from glmocr_utils.options.steps import ReviewOptions


@dataclass(frozen=True)
class IndexOptions(Options):
    """Options of the command `index`."""

    results: str = option(
        "outputs/06_mass_infer", "a run of notebook 06, or a folder or .jsonl of notebook 02"
    )
    worst_n: int = option(50, "number of pages with a file of their own, most doubtful first")
    most_pages: int = option(
        5000, "maximum number of pages in the index, most doubtful first", at_least=1
    )
    thumbnails: bool = option(True, "show small pictures of the pages")
    password: str | None = same_as(RenderOptions, "password")
    output_dir: str | Path | None = option(None, "gets index.html and page_files/; None: results")


@dataclass(frozen=True)
class SearchOptions(Options):
    """Options of the command `search`."""

    results: str = same_as(IndexOptions, "results")
    words: str = option("", "what to search for; case and line ends do not matter")
    output_dir: str | Path | None = option(
        None, "gets search.html: the hits with cut-outs of their pages; None: hits are only printed"
    )
    most_hits: int = option(200, "maximum number of hits with a cut-out", at_least=1)
    boxes: bool = option(
        False,
        "True: locate the words on their pages; needs the model that read them",
        detail="otherwise a cut-out is the region, or about the height of the page",
    )
    password: str | None = same_as(RenderOptions, "password")
    model_id: str | None = option(None, "hub id or folder; None: the model that read the pages")
    adapter: str | None = same_as(ModelOptions, "adapter")


@dataclass(frozen=True)
class ConvertOptions(Options):
    """Options of the command `convert`."""

    results: str = same_as(IndexOptions, "results")
    formats: str = option(
        "txt",
        "txt, pdf, hocr, alto, alto-pages, page, docling; several with commas",
        detail="all but txt have the boxes of words, which the model locates",
    )
    review_log: str | None = option(
        None, "review.jsonl of notebook 03: pages are written as corrected there"
    )
    batch_size: int = same_as(ReadingOptions, "batch_size", help="pages located together")
    password: str | None = same_as(RenderOptions, "password")
    model_id: str | None = same_as(SearchOptions, "model_id")
    adapter: str | None = same_as(ModelOptions, "adapter")
    attn: str = same_as(ModelOptions, "attn")
    device_map: str = same_as(ModelOptions, "device_map")
    dtype: Dtype = same_as(ModelOptions, "dtype")
    output_dir: str | Path = option("outputs/convert", "gets the files, some for each document")


@dataclass(frozen=True)
class BrowserReviewOptions(Options):
    """Options of the command `review`."""

    results: str = same_as(IndexOptions, "results")
    num_pages: int = option(50, "pages that most need a look, in that order", at_least=1)
    max_flags: int = same_as(ReviewOptions, "max_flags")
    calibration: str | None = same_as(ReviewOptions, "calibration", help="calibration.json of 03")
    boxes: bool = option(
        False, "True: mark each flag on the page image; needs the model that read the pages"
    )
    reviewer: str = same_as(ReviewOptions, "reviewer")
    open_browser: bool = option(True, "False: only print the address")
    password: str | None = same_as(RenderOptions, "password")
    model_id: str | None = same_as(SearchOptions, "model_id")
    adapter: str | None = same_as(ModelOptions, "adapter")
    output_dir: str | Path = option(
        ReviewOptions.output_dir, "gets review.jsonl and reviewed/, as from notebook 03"
    )
