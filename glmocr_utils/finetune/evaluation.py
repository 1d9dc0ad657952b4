"""Evaluation by reading: the model's texts of held-out pages, not only its scores for labels."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import datasets

from glmocr_utils.decoding import NotFiniteError
from glmocr_utils.finetune.dataset import decode_image
from glmocr_utils.metrics import cer, corpus_cer, headline_pair, wer
from glmocr_utils.model import LoadedModel
from glmocr_utils.ocr import ReadingProgress, read_pages, show_reading
from glmocr_utils.ocr.progress import Watch
from glmocr_utils.prompt import PromptStyle
from glmocr_utils.records import OcrResult, PageImage, PageRef

LEGIBLE = 0.5  # CER of a page from which on its line ends say nothing
MANY_MORE_LINES = 1.5


@dataclass(frozen=True, slots=True)
class PageReading:
    """A held-out page: its text and its reading.

    Attributes:
        document: name of the page's document.
        reference: the label's text.
        result: the model's reading, with token probabilities.
    """

    document: str
    reference: str
    result: OcrResult

    @property
    def pair(self) -> tuple[str, str]:
        """(reference, prediction) as the headline CER compares them: layout left aside."""
        return headline_pair(self.reference, self.result.text)


def read_held_out(
    model: LoadedModel,
    pages: datasets.Dataset,
    *,
    batch_size: int,
    max_tokens: int,
    prompt_style: PromptStyle,
    scale: float | None = None,
    numbers: Sequence[int] | None = None,
) -> list[PageReading]:
    """Read pages as inference does, long ones first, so that a batch is of pages of like size.

    Args:
        pages: in the form of `data.load_pages`.
        scale: pixels per PDF point of the images; None where it is not known.
        numbers: which rows; None reads all.

    A page whose numbers are NaN or infinite is warned about and counts as an empty reading: left
    out, a model that breaks would look better than it is.

    Returns:
        One reading a row, in the order of `numbers`.
    """
    numbers = list(range(len(pages)) if numbers is None else numbers)
    order = sorted(numbers, key=lambda number: -pages[number].get("length", 0))
    readings: dict[int, PageReading] = {}
    for prompt in dict.fromkeys(pages["prompt"]):
        chosen = [number for number in order if pages[number]["prompt"] == prompt]
        images = (_page_image(pages[number], number, scale) for number in chosen)
        empty: list[OcrResult] = []

        def fail(page: PageImage, error: Exception, prompt=prompt, empty=empty) -> None:
            if not isinstance(error, NotFiniteError):
                raise error
            ref = page.page
            warnings.warn(f"{ref.document_path}: {error}. It counts as empty", stacklevel=2)
            empty.append(_nothing(model, page, prompt))

        results = read_pages(
            model,
            images,
            prompt=prompt,
            style=prompt_style,
            max_tokens=max_tokens,
            batch_size=batch_size,
            on_failure=fail,
            watch=partial(_show, show_reading(), pages, len(chosen)),
        )
        for result in chain(results, empty):
            number = result.page.page_index
            row = pages[number]
            page = replace(result.page, page_index=row["page_index"])
            result = replace(result, page=page)
            readings[number] = PageReading(row["document"], row["text"], result)
    return [readings[number] for number in numbers]


def _show(
    shown: Watch, pages: Sequence[dict[str, Any]], num_pages: int, progress: ReadingProgress
) -> None:
    """Show where the reading is, by the document and page of the row."""
    page = progress.page
    if page is not None:
        page = replace(page, page_index=pages[page.page_index]["page_index"])
    shown(replace(progress, page=page, pages=num_pages))


def other_form(readings: Sequence[PageReading]) -> str | None:
    """A sentence where labels and readings end lines differently; None where they are alike.

    A model learns the form of its labels with their text, and a form of its own that it has to
    give up costs it accuracy. Pages that it can hardly read say nothing about that.
    """
    read = [each for each in readings if cer(*each.pair) < LEGIBLE]
    labelled, written = (
        sum(bool(line.strip()) for text in texts for line in text.split("\n"))
        for texts in ([each.reference for each in read], [each.result.text for each in read])
    )
    fewer, more = sorted((labelled, written))
    if not fewer or more < MANY_MORE_LINES * fewer:
        return None
    how = "printed lines, and it writes a paragraph on one"
    if labelled < written:
        how = "paragraphs on one line each, and it writes printed lines"
    return (
        f"The labels have {labelled / len(read):.0f} lines a page where the model writes "
        f"{written / len(read):.0f}. If they have {how}, training teaches it another form as "
        "well, which costs accuracy: label again with paragraphs="
        f"{labelled > written} in 04, unless the other form is what you want"
    )


def scores(readings: Sequence[PageReading]) -> dict[str, float | None]:
    """The quality of the readings.

    Returns:
        `cer`: headline CER of the corpus, layout left aside; `cer_raw`: of the texts as written;
        `wer`: word error rate over all words; `loop_rate`, `stop_rate`: shares of pages that were
        stopped for repeating themselves, and that ended by themselves. None each without
        readings: nothing was read, which is not to have read without error.
    """
    if not readings:
        return dict.fromkeys(("cer", "cer_raw", "wer", "loop_rate", "stop_rate"))
    pairs = [reading.pair for reading in readings]
    reasons = [reading.result.finish_reason for reading in readings]
    words = sum(len(reference.split()) for reference, _ in pairs)
    word_edits = sum(wer(*pair) * max(1, len(pair[0].split())) for pair in pairs)
    return {
        "cer": corpus_cer(pairs),
        "cer_raw": corpus_cer((r.reference, r.result.text) for r in readings),
        "wer": word_edits / max(1, words),
        "loop_rate": reasons.count("loop") / len(reasons),
        "stop_rate": reasons.count("stop") / len(reasons),
    }


def _nothing(model: LoadedModel, page: PageImage, prompt: str) -> OcrResult:
    """An empty reading, which the model did not end by itself."""
    return OcrResult(
        page=page.page,
        text="",
        tokens=(),
        finish_reason="length",
        prompt=prompt,
        model_id=model.model_id,
        revision=model.revision,
        adapter=model.adapter,
        scale=page.scale,
        seconds=0.0,
        dtype=model.dtype_name,
        attention=model.attention.implementation,
    )


def _page_image(row: dict[str, Any], number: int, scale: float | None) -> PageImage:
    # the row's number keeps pages apart whose data set does not number them
    page = PageRef(row["document"], None, number)
    return PageImage(page, decode_image(row["image"]), scale or 1.0)
