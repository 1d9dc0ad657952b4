"""The two-column sample: `source/bulletin.txt` → a born-digital PDF, its scan, and the truth.

A block of the source begins with its class in brackets; `list` is a `text` of items, and what is in
the head or the foot has its slot behind the class.
"""

import io
import json
import random
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pypdfium2
from fpdf import FPDF
from PIL import Image, ImageChops

from glmocr_utils.synth import (
    DrawnRegion,
    Element,
    Look,
    PageStyle,
    Scan,
    Sheet,
    SheetContent,
    SheetStyle,
    TableCell,
    draw_sheet,
    find_font,
    scan_sheet,
)
from glmocr_utils.synth.elements import Slot, draw_texts
from glmocr_utils.synth.picture import draw_picture
from glmocr_utils.synth.sheet import Group

FAMILY = "Liberation Serif"
SHEET_PT = (420, 595)  # A5
EM_PT = 9.5
FINE_SCALE = 10  # pixels a point, at which the page is set
IMAGE_SCALE = 2  # at which it is read, scanned and its regions are given
PICTURE_SCALE = 3  # of pictures and rules in the PDF
PICTURE_PT = (150, 84)
HEAD, FOOT = ("header", "number"), ("footer",)
SCAN = Scan(skew_degrees=0.7, blur_px=0.4, noise=11, shade=0.12, shade_angle=30, fade=0.1)
JPEG_QUALITY = 60

Slots = list[tuple[Slot, Element]]


def build_bulletin(source: Path, folder: Path) -> None:
    """Write the PDF, its scan, `bulletin.md` and `regions.jsonl` into `folder`."""
    folder.mkdir(exist_ok=True)
    fine = draw_sheet(read_content(source.read_text(encoding="utf-8")), bulletin_style())
    (folder / "bulletin.pdf").write_bytes(_born_digital(fine))
    with pypdfium2.PdfDocument(folder / "bulletin.pdf") as document:
        page = document[0].render(scale=IMAGE_SCALE).to_pil()
    clean = Sheet(page, tuple(_reduced(region) for region in fine.regions))
    scan = scan_sheet(clean, SCAN, np.random.default_rng(7))
    (folder / "bulletin_scan.pdf").write_bytes(_image_pdf(scan.image))
    (folder / "bulletin.md").write_text(clean.markdown + "\n", encoding="utf-8")
    rows = [
        {"file_name": name, "page_index": 0, **asdict(region)}
        for name, sheet in (("bulletin.pdf", clean), ("bulletin_scan.pdf", scan))
        for region in sheet.regions
    ]
    lines = (json.dumps(_rounded(row), ensure_ascii=False) + "\n" for row in rows)
    (folder / "regions.jsonl").write_text("".join(lines), encoding="utf-8")


def read_content(source: str) -> SheetContent:
    """What the page prints; the blocks of the source are in reading order."""
    head: Slots = []
    foot: Slots = []
    top: list[Group] = []
    columns: list[Group] = []
    footnotes: list[Element] = []
    for block in source.strip().split("\n\n"):
        mark, _, text = block.removeprefix("[").partition("]")
        label, _, slot = mark.partition(" ")
        element = _element(label, text.strip())
        if label in HEAD:
            head.append((slot, element))
        elif label in FOOT:
            foot.append((slot, element))
        elif label == "footnote":
            footnotes.append(element)
        elif label == "doc_title":
            top.append((element,))
        elif columns and _belongs_to(columns[-1][-1], element):
            columns[-1] = (*columns[-1], element)
        else:
            columns.append((element,))
    return SheetContent(
        tuple(columns), tuple(head), tuple(foot), tuple(top), footnotes=tuple(footnotes),
        footnote_column=0,
    )  # fmt: skip


def _belongs_to(before: Element, element: Element) -> bool:
    """A caption and its table or picture stay in one column."""
    pair = (before.label, element.label)
    return pair in (("figure_title", "table"), ("image", "figure_title"))


def _element(label: str, text: str) -> Element:
    if label == "table":
        rows = [[TableCell(cell) for cell in line.split(" | ")] for line in text.split("\n")]
        return Element("table", rows=rows, rules="heads")
    if label == "image":
        width, height = (FINE_SCALE * side for side in PICTURE_PT)
        return Element("image", ink=draw_picture((width, height), random.Random(4)))
    if label == "list":
        return Element("text", text, is_list=True, align="left")
    return Element(label, text, align="left")


def bulletin_style() -> SheetStyle:
    """Two columns with hyphenation, at `FINE_SCALE`."""
    bold, italic = find_font(FAMILY, "bold"), find_font(FAMILY, "italic")
    width, height = (FINE_SCALE * side for side in SHEET_PT)
    page = PageStyle(
        find_font(FAMILY), bold, round(FINE_SCALE * EM_PT), 1.25, width, height, FINE_SCALE * 42,
        justify=True, hyphenate=True,
    )  # fmt: skip
    looks = {
        "doc_title": Look(2.0, bold, "centred"),
        "paragraph_title": Look(1.1, bold),
        "figure_title": Look(0.9, italic),
        "footnote": Look(0.85),
        "header": Look(0.9, italic),
        "footer": Look(0.9, italic),
    }
    return SheetStyle(page, looks, num_columns=2, gutter_px=FINE_SCALE * 16, gap=0.5)


def _reduced(region: DrawnRegion) -> DrawnRegion:
    """In pixels of the image that is read."""
    return replace(region, box=tuple(IMAGE_SCALE / FINE_SCALE * side for side in region.box))


def _rounded(row: dict[str, object]) -> dict[str, object]:
    return {**row, "box": [round(side, 1) for side in row["box"]]}


def _new_page() -> FPDF:
    pdf = FPDF(unit="pt", format=SHEET_PT)
    pdf.set_creation_date(datetime(2024, 1, 1, tzinfo=UTC))
    pdf.set_auto_page_break(False)
    pdf.add_page()
    return pdf


def _born_digital(sheet: Sheet) -> bytes:
    """Text as text in reading order, over an image of everything else: rules and pictures."""
    ink = ImageChops.invert(sheet.image.convert("L"))
    others = ImageChops.invert(ImageChops.subtract(ink, draw_texts(sheet.texts, ink.size)))
    pdf = _new_page()
    small = others.resize([PICTURE_SCALE * side for side in SHEET_PT], Image.Resampling.BOX)
    pdf.image(small, 0, 0, *SHEET_PT)
    for text in sheet.texts:
        name = text.font.stem.lower()
        if name not in pdf.fonts:
            pdf.add_font(name, fname=text.font)
        pdf.set_font(name, size=text.font_px / FINE_SCALE)
        # a real space behind each piece, so that readers of the text layer need not guess it
        pdf.text(text.left_px / FINE_SCALE, text.baseline_px / FINE_SCALE, text.text + " ")
    return bytes(pdf.output())


def _image_pdf(image: Image.Image) -> bytes:
    jpeg = io.BytesIO()
    image.convert("L").save(jpeg, "JPEG", quality=JPEG_QUALITY)
    pdf = _new_page()
    pdf.image(jpeg, 0, 0, *SHEET_PT)
    return bytes(pdf.output())
