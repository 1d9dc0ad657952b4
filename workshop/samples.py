"""The project's sample documents: plain source text → PDFs, an image, and their true texts.

In `ordinances/` are the chapters of an old book in black letter, which the bundled model reads
badly: what notebook 05 teaches it. Their text layer is their truth.

In `columns/` is a page in two columns with a table, a picture and a footnote, clean and scanned,
with its regions.

Beside them a review log, as notebook 03 leaves one, that says who made it: this script did, from
the known texts. It shows how a review becomes labels, and isn't a real review.

`python -m workshop.samples` writes `data/samples` again from `data/samples/source`; the
same library versions and fonts give the same bytes. It needs fpdf2 and the Liberation fonts.
"""

import hashlib
import io
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pypdfium2
from fpdf import FPDF
from PIL import Image

from glmocr_utils.records import Decision, append_decisions
from glmocr_utils.synth.degrade import Scan, degrade
from glmocr_utils.synth.fonts import find_font
from glmocr_utils.synth.page import (
    Block,
    BlockKind,
    PageStyle,
    PlacedText,
    SetPage,
    draw_page,
    set_page,
)
from workshop.black_letter import write_black_letter
from workshop.bulletin import build_bulletin

SAMPLES_DIR = Path(__file__).parents[1] / "data" / "samples"

SHEET_PT = (298, 420)  # A6
OCTAVO_PT = (298, 308)  # what a chapter of the ordinances fills
ORDINANCES = "ordinances"
COLUMNS = "columns"
IMAGE_SCALE = 2  # pixels per point
FINE_SCALE = 10  # for PDFs: at so many pixels per point, whole pixels are too small to be seen

BLOCK_MARKS: dict[str, BlockKind] = {"# ": "heading", "^ ": "centred", "> ": "right"}


@dataclass(frozen=True, slots=True)
class Print:
    """How a document is printed.

    Attributes:
        font_pt: the size of an em, in points; margin_pt: on all four sides.
        line_spacing: line height as a multiple of `font_pt`.
        rotate: degrees that a viewer has to turn the page clockwise; its content is turned the
            other way, so that it is seen upright.
        sheet_pt: width and height.
    """

    family: str
    font_pt: float
    line_spacing: float = 1.3
    margin_pt: int = 30
    justify: bool = False
    rotate: int = 0
    sheet_pt: tuple[int, int] = SHEET_PT


PRINTS = {
    "letter": Print("Liberation Serif", 10.5),
    "decision": Print("Liberation Serif", 10.5, justify=True),
    "rotated": Print("DejaVu Sans", 9, line_spacing=1.6, rotate=90),
    "german": Print("Liberation Sans", 10, line_spacing=1.4),
    "long": Print("Liberation Serif", 11, line_spacing=1.4),
    "receipt": Print("Liberation Sans", 10.5, line_spacing=1.4),
    ORDINANCES: Print("black letter", 12, justify=True, sheet_pt=OCTAVO_PT),
}

# What the office scanner did to the two pages of the decision
DECISION_SCANS = (
    Scan(skew_degrees=-0.8, blur_px=0.45, noise=11, shade=0.12, shade_angle=20, fade=0.12),
    Scan(skew_degrees=1.1, blur_px=0.4, noise=13, shade=0.16, shade_angle=200, show_through=0.08),
)
BLANK_PAPER = 238
BLANK_SCAN = Scan(noise=6, shade=0.07, shade_angle=35)
JPEG_QUALITY = 60

# How each page of the review log ended; None: it was begun only.
REVIEWED = (
    ("decision_scan.pdf", 0, "fully_read"),
    ("decision_scan.pdf", 1, None),
    ("receipt.png", 0, "flags_checked"),
)


def build_samples(folder: Path) -> None:
    """Write all sample documents and `truth.jsonl` into `folder`."""
    truth: dict[str, list[str]] = {}
    for stem in ("letter", "decision", "rotated", "german", "long"):
        pages = [_set_sheet(blocks, PRINTS[stem]) for blocks in read_source(stem)]
        (folder / f"{stem}.pdf").write_bytes(_text_pdf(pages, PRINTS[stem]))
        truth[f"{stem}.pdf"] = [page.text for page in pages]

    # paper copies of the decision, put through a scanner
    rng = np.random.default_rng(7)
    copies = _render(folder / "decision.pdf")
    scans = [degrade(*pair, rng) for pair in zip(copies, DECISION_SCANS, strict=True)]
    (folder / "decision_scan.pdf").write_bytes(_image_pdf(scans))
    truth["decision_scan.pdf"] = truth["decision.pdf"]

    sheet_px = tuple(IMAGE_SCALE * side for side in SHEET_PT)
    paper = degrade(Image.new("L", sheet_px, BLANK_PAPER), BLANK_SCAN, rng)
    (folder / "blank.pdf").write_bytes(_image_pdf([paper]))
    truth["blank.pdf"] = [""]

    [blocks] = read_source("receipt")
    receipt = draw_page(blocks, _page_style(PRINTS["receipt"], IMAGE_SCALE))
    receipt.image.convert("L").save(folder / "receipt.png", optimize=True)
    truth["receipt.png"] = [receipt.text]

    (folder / "truth.jsonl").write_text(
        "".join(
            json.dumps({"file_name": name, "page_index": i, "text": text}, ensure_ascii=False)
            + "\n"
            for name, texts in sorted(truth.items())
            for i, text in enumerate(texts)
        ),
        encoding="utf-8",
    )
    write_review_log(folder, truth)
    build_ordinances(folder / ORDINANCES)
    build_bulletin(SAMPLES_DIR / "source" / "bulletin.txt", folder / COLUMNS)


def build_ordinances(folder: Path) -> None:
    """Write the chapters in black letter, a PDF each, into `folder`."""
    folder.mkdir(exist_ok=True)
    how = PRINTS[ORDINANCES]
    with tempfile.TemporaryDirectory() as fonts:
        black_letter = write_black_letter(Path(fonts) / "blackletter.ttf")
        for source in sorted((SAMPLES_DIR / "source" / ORDINANCES).glob("*.txt")):
            chapter = read_source(f"{ORDINANCES}/{source.stem}")
            pages = [_set_sheet(blocks, how, black_letter) for blocks in chapter]
            (folder / f"{source.stem}.pdf").write_bytes(_text_pdf(pages, how))


def write_review_log(folder: Path, truth: dict[str, list[str]]) -> None:
    """Write `review.jsonl`: pages finished and begun, as `REVIEWED` has it."""
    path = folder / "review.jsonl"
    path.unlink(missing_ok=True)
    for step, (name, page_index, coverage) in enumerate(REVIEWED):
        text = truth[name][page_index]
        decision = Decision(
            action="finish" if coverage else "accept",
            step=step,
            document_path=f"data/samples/{name}",
            document_sha256=hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            page_index=page_index,
            image_sha256=None,
            model_id="none",
            revision=None,
            adapter=None,
            prompt="Text Recognition:",
            text_sha256=hashlib.sha256(b"").hexdigest(),  # no model has read anything
            reviewer="sample script",
            time="2024-01-01T00:00:00+00:00",
            seconds=0.0,
            before="",
            after=text if coverage else "",
            coverage=coverage,
        )
        append_decisions(path, [decision])


def read_source(stem: str) -> list[list[Block]]:
    """The blocks of each page of `source/<stem>.txt`.

    A line is a block, right under the one before it unless a blank line parts them. `# ` begins a
    heading, `^ ` a centred and `> ` a flush-right line; ` | ` parts a row's label from its value;
    `===` begins a new page.
    """
    source = (SAMPLES_DIR / "source" / f"{stem}.txt").read_text(encoding="utf-8")
    return [_read_page(page) for page in source.split("\n===\n")]


def _read_page(page: str) -> list[Block]:
    blocks = []
    tight = False
    for line in page.strip().split("\n"):
        if line:
            blocks.append(_read_block(line, tight))
        tight = bool(line)
    return blocks


def _read_block(line: str, tight: bool) -> Block:
    if " | " in line:
        return Block(line.replace(" | ", "\t"), "row", tight)
    if line[:2] in BLOCK_MARKS:
        return Block(line[2:], BLOCK_MARKS[line[:2]], tight)
    return Block(line, tight=tight)


def _page_style(how: Print, scale: int, font: Path | None = None) -> PageStyle:
    """`scale` is in pixels per point; `font` takes the place of the family's."""
    width_pt, height_pt = how.sheet_pt
    return PageStyle(
        font=font or find_font(how.family),
        bold_font=font or find_font(how.family, "bold"),
        font_px=round(scale * how.font_pt),
        line_spacing=how.line_spacing,
        width_px=scale * width_pt,
        height_px=scale * height_pt,
        margin_px=scale * how.margin_pt,
        justify=how.justify,
    )


def _set_sheet(blocks: list[Block], how: Print, font: Path | None = None) -> SetPage:
    page = set_page(blocks, _page_style(how, FINE_SCALE, font))
    if page.text.split() != " ".join(block.text for block in blocks).split():
        raise ValueError(
            f"the page that begins {blocks[0].text!r} does not fit on its sheet; break it in two "
            "with a line '==='"
        )
    return page


def _new_pdf(sheet_pt: tuple[int, int]) -> FPDF:
    pdf = FPDF(unit="pt", format=sheet_pt)
    pdf.set_creation_date(datetime(2024, 1, 1, tzinfo=UTC))
    pdf.set_auto_page_break(False)
    return pdf


def _text_pdf(pages: list[SetPage], how: Print) -> bytes:
    """A born-digital PDF; its text layer has the lines in reading order."""
    width_pt, height_pt = how.sheet_pt
    pdf = _new_pdf((height_pt, width_pt) if how.rotate else how.sheet_pt)
    for page in pages:
        pdf.add_page()
        # a quarter turn about this point moves the upright sheet onto the lying one
        middle = width_pt / 2
        with pdf.rotation(how.rotate, middle, middle):
            for line in page.lines:
                _write_line(pdf, line, how.font_pt)
        if how.rotate:
            pdf.pages[pdf.page].rotate = how.rotate
    return bytes(pdf.output())


def _write_line(pdf: FPDF, line: tuple[PlacedText, ...], font_pt: float) -> None:
    for number, piece in enumerate(line, start=1):
        name = piece.font.stem.lower()
        if name not in pdf.fonts:
            pdf.add_font(name, fname=piece.font)
        pdf.set_font(name, size=font_pt)
        # a real space between the pieces, so that readers of the text layer need not guess it
        text = piece.text if number == len(line) else piece.text + " "
        pdf.text(piece.left_px / FINE_SCALE, piece.baseline_px / FINE_SCALE, text)


def _image_pdf(pages: list[Image.Image]) -> bytes:
    """A PDF of images alone, as a scanner makes it."""
    pdf = _new_pdf(SHEET_PT)
    for image in pages:
        jpeg = io.BytesIO()
        image.convert("L").save(jpeg, "JPEG", quality=JPEG_QUALITY)
        pdf.add_page()
        pdf.image(jpeg, 0, 0, *SHEET_PT)
    return bytes(pdf.output())


def _render(path: Path) -> list[Image.Image]:
    with pypdfium2.PdfDocument(path) as document:
        return [page.render(scale=IMAGE_SCALE).to_pil() for page in document]


if __name__ == "__main__":
    build_samples(SAMPLES_DIR)
