"""The other steps: notebooks 01 to 04, and commands without a notebook.

Of an option that several steps have, default and help text are in one place; `same_as` takes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glmocr_utils.options.layout import LayoutOptions
from glmocr_utils.options.model import Dtype, ModelOptions
from glmocr_utils.options.option import Options, option, same_as
from glmocr_utils.options.reading import ReadingOptions
from glmocr_utils.options.rendering import RenderOptions
from glmocr_utils.options.second import SecondOptions, SecondPages
from glmocr_utils.records import Furniture


@dataclass(frozen=True)
class ImagefolderOptions(Options):
    """Options of notebook 01 and of the command `render`."""

    input_path: str | Path | Sequence[str] | None = option(
        None,
        "a PDF, an image, a folder of them or a .txt list; None: those under data/",
        detail="images: PNG, JPEG, TIFF, WebP, JPEG 2000, BMP, GIF, PNM",
    )
    scale: float = same_as(RenderOptions, "scale")
    pages: str | None = same_as(RenderOptions, "pages")
    num_pages: int | None = option(
        None,
        "total number of pages in output_dir, drawn at random; None: every page",
        detail="a larger number later adds to them",
    )
    seed: int = option(42, "random seed for the sample")
    password: str | None = same_as(RenderOptions, "password")
    output_dir: str | Path = option("outputs/01_render", "gets the PNG files and metadata.jsonl")
    model_id: str = same_as(
        ModelOptions,
        "model_id",
        help="hub id or folder; here only its page budget is looked up",
        only="notebook",
    )
    adapter: str | None = same_as(ModelOptions, "adapter", only="notebook")


@dataclass(frozen=True)
class OcrOptions(Options):
    """Options of notebook 02 and of the command `ocr`."""

    input_path: str | Path | Sequence[str] | None = option(
        None, "a PDF, an image, a folder of them or a .txt list; None: first PDF under data/"
    )
    prompt: str = same_as(ReadingOptions, "prompt")
    layout: str | None = same_as(LayoutOptions, "layout")
    tasks: str | Mapping[str, str] | None = same_as(LayoutOptions, "tasks")
    furniture: Furniture = same_as(LayoutOptions, "furniture")
    scale: float = same_as(RenderOptions, "scale")
    pages: str | None = same_as(RenderOptions, "pages")
    password: str | None = same_as(RenderOptions, "password")
    max_tokens: int = same_as(ReadingOptions, "max_tokens")
    batch_size: int = same_as(ReadingOptions, "batch_size")
    show_tokens: bool = option(False, "print the number of generated tokens")
    show_probs: bool = option(
        False, "print token probabilities and draw them", detail="the 50 lowest in their context"
    )
    formats: str | None = option(
        None,
        "exports with word boxes: hocr, alto, alto-pages, page, pdf, docling, or plain txt",
        detail="several with commas",
    )
    start_over: bool = option(
        False,
        "True: read documents in output_dir again and replace their results",
        detail="False: refuse documents that were read with other settings",
    )
    model_id: str = same_as(ModelOptions, "model_id")
    adapter: str | None = same_as(ModelOptions, "adapter")
    attn: str = same_as(ModelOptions, "attn")
    device_map: str = same_as(ModelOptions, "device_map")
    dtype: Dtype = same_as(ModelOptions, "dtype")
    output_dir: str | Path = option(
        "outputs/02_ocr_explore", "gets a .jsonl and a .txt file per document"
    )


@dataclass(frozen=True)
class ReviewOptions(Options):
    """Options of notebook 03."""

    input_path: str | Path | None = option(
        None, "documents to read now, if there are no results; None: first PDF under data/"
    )
    results: str | None = option(
        None, "a .jsonl of notebook 02, a folder of them, or a run of notebook 06"
    )
    references: str | None = option(
        None,
        "true texts: exported labels, or JSON lines of file_name, page_index, text",
        detail="they show how well doubt finds errors, and a calibration is fitted on them",
    )
    calibration: str | None = option(
        None, "calibration.json of an earlier run with this model; None fits one"
    )
    worst_n: int = option(50, "number of tokens in the list of the least sure")
    context_tokens: int = option(10, "tokens of context on each side of them")
    top_k: int = same_as(
        ReadingOptions, "top_k", help="alternatives per token, when documents are read now"
    )
    layout: str | None = same_as(LayoutOptions, "layout")
    tasks: str | Mapping[str, str] | None = same_as(LayoutOptions, "tasks")
    furniture: Furniture = same_as(LayoutOptions, "furniture")
    max_flags: int = option(12, "doubtful words to check per page, at most")
    audit: int = option(
        0,
        "flags drawn for a certificate of the collection, such as 200; 0: a normal review",
    )
    boxes: bool | Literal["auto"] = option(
        "auto",
        'locate tokens: True, False, or "auto": if the model is here, up to 50 pages',
    )
    second_reader: str | None = same_as(SecondOptions, "second_reader")
    second_reader_pages: SecondPages = same_as(SecondOptions, "second_reader_pages")
    formats: str | None = same_as(
        OcrOptions, "formats", detail="several with commas; with your corrections"
    )
    review: bool | Literal["auto"] = option(
        "auto", 'show the widget: True, False, or "auto": if a person can use it'
    )
    reviewer: str = option("", "reviewer's name, for the log")
    password: str | None = same_as(RenderOptions, "password")
    model_id: str = same_as(ModelOptions, "model_id")
    adapter: str | None = same_as(ModelOptions, "adapter")
    dtype: Dtype = same_as(ModelOptions, "dtype")
    output_dir: str | Path = option("outputs/03_probs_viz", "gets HTML files, CSV and the review")


@dataclass(frozen=True)
class LabelOptions(Options):
    """Options of notebook 04 and of the command `label`."""

    input_path: str | Path | None = option(
        None, "None: pages in outputs/01_render; for sharegpt a JSON file, for hub a dataset"
    )
    source: str = option(
        "text_layer",
        "also model, review, llm, sidecar, page, alto, with commas; sharegpt; hub",
        detail="sharegpt and hub bring their own images and must be the only source",
    )
    results: str | None = option(
        None, "for model: a .jsonl of notebook 02, a folder of them, or a run of 06"
    )
    calibration: str | None = option(
        None, "calibration.json of notebook 03 for that model, or its folder"
    )
    silver_above: float | None = option(
        None, "expected share of right tokens (0 to 1) above which a draft becomes silver"
    )
    review_log: str | None = option(None, "for review: review.jsonl of notebook 03")
    llm_model: str | None = option(None, "for llm: the model's name at the endpoint")
    llm_base_url: str | None = option(
        None,
        'for llm: address, such as "http://localhost:8000/v1"; None: OpenAI\'s',
        detail="the key comes from OPENAI_API_KEY",
    )
    llm_prompt: str | None = option(
        None, "for llm: the prompt; None: asks for an exact transcription"
    )
    password: str | None = same_as(RenderOptions, "password")
    paragraphs: bool = option(
        True,
        "for text_layer: a paragraph as one line, as GLM-OCR writes it",
        detail="False: printed lines",
    )
    test_size: float | int = option(
        0.1, "share of documents (0.1) or number of pages (5) to test on"
    )
    seed: int = option(42, "random seed for the split, and for the gold labels to score")
    reviewer: str = option("", "who edits by hand", only="notebook")
    edit: bool | Literal["auto"] = option(
        "auto", 'show the editor: True, False, or "auto": if a person can use it', only="notebook"
    )
    max_scored: int = option(
        20,
        "number of gold labels to score, to find suspect ones; 0 loads no model",
        only="notebook",
    )
    max_length: int = option(
        2048, "token limit of a page in training, image and text", only="notebook"
    )
    model_id: str = same_as(ModelOptions, "model_id", only="notebook")
    adapter: str | None = same_as(ModelOptions, "adapter", only="notebook")
    output_dir: str | Path = option("outputs/04_labels", "gets the label set and its exports")


@dataclass(frozen=True)
class ExportOptions(Options):
    """Options of the command `export`."""

    trained_model: str | None = option(None, "folder of a LoRA adapter or of a full checkpoint")
    base: str | None = option(
        None, "hub id or folder of its base model, if the folder doesn't name it"
    )
    output_dir: str | Path = option("outputs/export", "new folder for the model")
    check_pages: str | None = option(
        None, "document that both models must read the same; None: a drawn page"
    )
    max_tokens: int = same_as(ReadingOptions, "max_tokens", default=256)
    device_map: str = same_as(ModelOptions, "device_map")
    push_to_hub: str | None = option(
        None, "repository such as user/name; the token comes from HF_TOKEN"
    )


@dataclass(frozen=True)
class DemoOptions(Options):
    """Options of the command `demo`."""

    full: bool = option(
        False, "all notebooks on all samples, training too; takes about 20 minutes on two cores"
    )
