"""`glmocr convert`: readings, corrected or as they are → other formats."""

from glmocr_utils.cli.command import counted
from glmocr_utils.cli.own_model import load_model_of
from glmocr_utils.grounding import Locator
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import PageImages, load_results
from glmocr_utils.ocr_formats import check_formats, export_layouts, needs_boxes
from glmocr_utils.options import ConvertOptions
from glmocr_utils.records import OcrResult
from glmocr_utils.review.outcome import corrected_texts


def run(options: ConvertOptions) -> int:
    formats = check_formats(options.formats)
    if not formats:
        raise ValueError("formats names nothing to write; --help lists what it may be")
    results = load_results(options.results)
    if not results:
        raise ValueError(f"{options.results} has no page with a text to write")
    texts = corrected_texts(results, options.review_log) if options.review_log else {}
    if options.review_log:
        print(f"{counted(len(texts), 'page')} of {len(results)} as reviewed")
    locator = Locator(_model(results, options)) if needs_boxes(formats) else None
    for path in export_layouts(
        locator,
        results,
        PageImages(results, options.password),
        options.output_dir,
        formats,
        texts=texts,
        password=options.password,
        batch_size=options.batch_size,
    ):
        print(f"written: {path}", flush=True)
    return 0


def _model(results: list[OcrResult], options: ConvertOptions) -> LoadedModel:
    return load_model_of(
        results,
        options.model_id,
        options.adapter,
        attn=options.attn,
        device_map=options.device_map,
        dtype=options.dtype,
    )
