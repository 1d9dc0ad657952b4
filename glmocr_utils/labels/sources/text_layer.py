"""Labels from a PDF's own text: exact for pages that a program set, useless for scans.

A page is left out, with the reason, if its layer differs from its visible text.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

from glmocr_utils.coverage import unread_by_layer
from glmocr_utils.labels.pages import LeftOut, make_label
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.metrics import cer
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import Label, LabelKey, PageFile, PageKey
from glmocr_utils.render.documents import PDF_MARK, file_sha256
from glmocr_utils.text_layer.characters import PageText, TextLine, read_page_text
from glmocr_utils.text_layer.paragraphs import in_paragraphs
from glmocr_utils.text_layer.reading_order import in_reading_order
from glmocr_utils.text_layer.trusted import NoTextLayer, trusted_text, why_suspect

SOURCE = "text_layer"
MAX_LACKING = 15  # characters of ink that a layer may not have: a logo, a signature
HEAD_BYTES = 1024  # a PDF may begin anywhere within these


def label_from_text_layer(
    store: LabelStore,
    pages: Sequence[PageFile],
    *,
    password: str | None = None,
    readings: Mapping[PageKey, str] | None = None,
    region_readings: Mapping[LabelKey, str] | None = None,
    max_cer: float = 0.3,
    max_image_share: float = 0.5,
    paragraphs: bool = True,
    progress: bool = True,
) -> LabelRun:
    """Label pages with the text of the PDFs that they come from; the labels are gold.

    Args:
        pages: page images, or regions of them, whose documents are still where they were when they
            were rendered. A region has the lines of the layer whose middles are in it.
        password: opens encrypted PDFs.
        readings: of a model, by `PageRef.key`. They count only where the
            layer itself is suspect (see `why_suspect`): a weak model isn't a witness against a
            sound layer.
        region_readings: the same for regions, by `PageFile.key`.
        max_cer: a page with a suspect layer is left out where reading and layer differ by more, in
            characters per character of the layer, whatever their line ends.
        max_image_share: of the page, 0 to 1. If images cover more, the page counts as a scan: their
            text is not in the layer, or an OCR program put it there.
        paragraphs: a paragraph is one line with whole words, as GLM-OCR writes it; False keeps
            printed lines, and the hyphens at their ends.
    """
    as_text = in_paragraphs if paragraphs else in_reading_order

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        with ExitStack() as opened:
            document = _OpenPdf(opened, password)
            for page in missing:
                try:
                    if page.missing:
                        raise NoTextLayer(page.missing)
                    page_text = document.read(page)
                    text = trusted_text(page_text, max_image_share)
                    why = why_suspect(page_text, text)
                    raw = page_text.raw
                    if page.region is not None:
                        raw = text = as_text(_within(page, page_text))
                        reading = (region_readings or {}).get(page.key)
                    else:
                        reading = (readings or {}).get(page.page.key)
                    _compare(text, reading, max_cer, why)
                    if page.region is None:
                        _check_complete(page, page_text)
                        text = as_text(page_text.lines)
                except NoTextLayer as error:
                    yield LeftOut(page.page, str(page.image_file), SOURCE, str(error))
                    continue
                yield make_label(page, raw, "gold", SOURCE, text=text, angle=page.angle)

    return store.record(SOURCE, pages, label_pages, progress=progress)


def _check_complete(page: PageFile, layer: PageText) -> None:
    """Raises NoTextLayer where the page shows text that the layer does not have."""
    if not layer.is_upright:
        return
    with Image.open(page.image_file) as image:
        unread = unread_by_layer(page.page, image.convert("RGB"), layer)
    lacking = sum(each.num_characters for each in unread)
    if lacking > MAX_LACKING:
        raise NoTextLayer(
            f"the page shows about {lacking:.0f} characters that the layer does not have, as where "
            "letters are drawn as shapes; read it with a model, or type it"
        )


def _within(page: PageFile, layer: PageText) -> list[TextLine]:
    """The layer's lines in a region. Raises NoTextLayer where there is no text in them."""
    if page.task != TEXT_RECOGNITION:
        raise NoTextLayer("the layer has characters, and no table or formula; type it, or read it")
    if page.scale is None or page.angle or not layer.is_upright or page.region is None:
        raise NoTextLayer("the layer's lines lie otherwise than the region; read it with a model")
    x1, y1, x2, y2 = (side / page.scale for side in page.region)
    left, top = layer.frame[:2]
    inside = [
        replace(line, text=part)
        for line in layer.lines
        if y1 <= (line.top + line.bottom) / 2 - top <= y2
        and (part := _between(line, x1 + left, x2 + left))
    ]
    if not any(line.text.strip() for line in inside):
        raise NoTextLayer("the layer has nothing in this region")
    return inside


def _between(line: TextLine, left: float, right: float) -> str:
    """The characters of a line whose middles are in a region: a line may run through columns."""
    if not line.boxes:
        return line.text if left <= (line.left + line.right) / 2 <= right else ""
    inside = (
        character
        for character, box in zip(line.text, line.boxes, strict=True)
        if left <= (box[0] + box[2]) / 2 <= right
    )
    return "".join(inside).strip()


class _OpenPdf:
    """Keeps the last document open, for its next page."""

    def __init__(self, opened: ExitStack, password: str | None) -> None:
        self._opened = opened
        self._password = password
        self._path: str | None = None
        self._pdf: pdfium.PdfDocument | None = None
        self._why_not = ""

    def read(self, page: PageFile) -> PageText:
        if self._path != page.page.document_path:
            self._open(page)
        if self._pdf is None:
            raise NoTextLayer(self._why_not)
        try:
            return read_page_text(self._pdf, page.page.page_index)
        except pdfium.PdfiumError as error:
            raise NoTextLayer(f"the page is damaged and cannot be loaded ({error})") from error

    def _open(self, page: PageFile) -> None:
        self._opened.close()
        self._path, self._pdf = page.page.document_path, None
        path = Path(self._path)
        try:
            with path.open("rb") as file:
                is_pdf = PDF_MARK in file.read(HEAD_BYTES)
            if not is_pdf:
                self._why_not = "the document is an image and has no text layer"
            elif file_sha256(path) != page.page.document_sha256:
                self._why_not = "the document has changed since it was rendered; render it again"
            else:
                self._pdf = self._opened.enter_context(pdfium.PdfDocument(path, self._password))
                self._pdf.init_forms()
        except OSError as error:
            self._why_not = f"the document cannot be read ({error.strerror}); check its path"
        except pdfium.PdfiumError as error:
            self._why_not = f"the document cannot be opened ({error}); check file and password"


def _compare(text: str, reading: str | None, max_cer: float, suspicion: str | None) -> None:
    if reading is None or suspicion is None:
        return
    rate = cer(" ".join(text.split()), " ".join(reading.split()))
    if rate > max_cer:
        raise NoTextLayer(
            f"the layer is suspect ({suspicion}) and at odds with the model's reading: CER "
            f"{rate:.2f}, more than max_cer={max_cer:g}; look at the page"
        )
