"""Text laid over a PDF's own pages: where the words are, and what of the file stays."""

import io
import math

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from glmocr_utils.ocr_formats import export_layouts
from glmocr_utils.ocr_formats.overlaid_pdf import OverlaidPdf
from glmocr_utils.records import Box, OcrResult, PageImage, PageLayout, TokenBox, TokenProb
from glmocr_utils.render import RenderOptions, render_document

# word → (left, bottom, width, height) in the page's units, and the colour that marks it
WORDS = {
    "Alpha": ((110, 640, 120, 20), (255, 0, 0)),
    "beta": ((260, 640, 80, 20), (0, 160, 0)),
    "gamma": ((110, 300, 140, 30), (0, 0, 255)),
}


def scan(path, *, rotate=0, crop=None, unit=None, draw=lambda canvas: None, pages=1):
    """A page with a coloured rectangle for each word, as a scan without text has ink."""
    canvas = Canvas(str(path), pagesize=(500, 800))
    canvas.setTitle("The old deeds")
    canvas.setAuthor("A clerk")
    for number in range(pages):
        canvas.bookmarkPage(f"p{number}")
        canvas.addOutlineEntry(f"Deed {number + 1}", f"p{number}")
        for (left, bottom, width, height), color in WORDS.values():
            canvas.setFillColorRGB(*(part / 255 for part in color))
            canvas.rect(left, bottom, width, height, stroke=0, fill=1)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        labels = pikepdf.Dictionary(S=pikepdf.Name.r)
        pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array([0, labels]))
        for page in pdf.pages:
            page.Rotate = rotate
            if crop:
                page.MediaBox, page.CropBox = (-50, -30, 500, 800), crop
            if unit:
                page.UserUnit = unit
        pdf.save(path)
    return path


def read(path, angle=0, page_index=0, password=None, words=tuple(WORDS)):
    """A reading of the words where their colours are on the rendered page."""
    options = RenderOptions(scale=1.5, pages=str(page_index + 1), password=password)
    [page] = render_document(path, options)
    assert isinstance(page, PageImage)
    image = page.turned(angle)
    pixels = np.asarray(image.image).astype(int)
    tokens, boxes = [], []
    for number, word in enumerate(words):
        rows, columns = np.nonzero(np.abs(pixels - WORDS[word][1]).max(axis=2) < 40)
        box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        boxes += [TokenBox(box, 0.9, number), None]
        tokens += [TokenProb(number, word, math.log(0.9)), TokenProb(99, "\n", -0.1)]
    tokens, boxes = tokens[:-1], boxes[:-1]
    text = "".join(token.text for token in tokens)
    result = OcrResult(
        page.page, text, tuple(tokens), "stop", "p", "m", None, None, 1.5, 0.0, angle=angle
    )
    lines = (None,) * len(words)
    layout = PageLayout(page.page, image.width_px, image.height_px, tuple(boxes), lines)
    return result, layout


def overlaid(path, *readings, texts=None, password=None):
    pdf = OverlaidPdf(path, [result for result, _ in readings], texts, password)
    for result, layout in readings:
        pdf.add(result, layout)
    return pdf.content()


def found(content, word, page_index=0, password=None):
    """The boxes of a word in the page's units, as a viewer finds it."""
    pdf = pdfium.PdfDocument(content, password)
    textpage = pdf[page_index].get_textpage()
    search = textpage.search(word, match_whole_word=True)
    boxes = []
    while (hit := search.get_next()) is not None:
        chars = [textpage.get_charbox(n, loose=True) for n in range(hit[0], sum(hit))]
        left, bottom, right, top = zip(*chars, strict=True)
        boxes.append((min(left), min(bottom), max(right), max(top)))
    return boxes


def is_at(box, word):
    (left, bottom, width, height), _ = WORDS[word]
    expected = left, bottom, left + width, bottom + height
    return all(abs(a - b) <= 3 for a, b in zip(box, expected, strict=True))


@pytest.mark.parametrize("angle", [0, 90, 270])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_words_are_where_they_are_seen_on_turned_and_cropped_pages(tmp_path, rotate, angle):
    path = scan(tmp_path / "deed.pdf", rotate=rotate, crop=(60, 250, 420, 700), unit=2)
    content = overlaid(path, read(path, angle))
    for word in WORDS:
        [box] = found(content, word)
        assert is_at(box, word), (word, box)
    own, written = pdfium.PdfDocument(path)[0], pdfium.PdfDocument(content)[0]
    images = [page.render(scale=1).to_numpy() for page in (own, written)]
    assert np.array_equal(*images)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert pdf.pages[0].UserUnit == 2 and pdf.pages[0].Rotate == rotate


def test_the_rest_of_the_file_stays(tmp_path):
    path = scan(tmp_path / "deed.pdf", pages=3)
    content = overlaid(path, read(path, page_index=1))
    pdf = pdfium.PdfDocument(content)
    assert [mark.get_title() for mark in pdf.get_toc()] == ["Deed 1", "Deed 2", "Deed 3"]
    assert [mark.get_dest().get_index() for mark in pdf.get_toc()] == [0, 1, 2]
    assert pdf.get_metadata_dict()["Title"] == "The old deeds"
    assert pdf.get_metadata_dict()["Author"] == "A clerk"
    assert [pdf.get_page_label(n) for n in range(3)] == ["i", "ii", "iii"]
    assert [len(found(content, "Alpha", n)) for n in range(3)] == [0, 1, 0]


def test_an_unbalanced_page_does_not_move_the_text(tmp_path):
    path = scan(tmp_path / "deed.pdf")
    result, layout = read(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.pages[0].contents_add(b"q 2 0 0 2 10 10 cm", prepend=False)
        pdf.save(path)
    [box] = found(overlaid(path, (result, layout)), "gamma")
    assert is_at(box, "gamma")


def drawn(word, text, mode=0):
    def draw(canvas):
        (left, bottom, width, height), _ = WORDS[word]
        canvas.saveState()  # the mode would hold for the text after it
        canvas.setFillColorRGB(0, 0, 0)
        writing = canvas.beginText(left, bottom + 0.2 * height)
        writing.setFont("Helvetica", height)
        writing.setTextRenderMode(mode)
        writing.setHorizScale(100 * width / canvas.stringWidth(text, "Helvetica", height))
        writing.textOut(text)
        canvas.drawText(writing)
        canvas.restoreState()

    return draw


def test_a_word_that_is_drawn_there_is_not_written_again(tmp_path):
    own = scan(tmp_path / "plain.pdf")
    path = scan(tmp_path / "deed.pdf", draw=drawn("beta", "beta"))
    content = overlaid(path, read(own))
    assert {word: len(found(content, word)) for word in WORDS} == dict.fromkeys(WORDS, 1)


@pytest.mark.parametrize("is_form", [False, True])
def test_a_layer_of_an_ocr_program_is_replaced(tmp_path, is_form):
    def draw(canvas):
        if is_form:
            canvas.beginForm("old")
        drawn("beta", "bcta", mode=3)(canvas)
        if is_form:
            canvas.endForm()
            canvas.doForm("old")
        drawn("gamma", "printed")(canvas)

    own = scan(tmp_path / "plain.pdf")
    path = scan(tmp_path / "deed.pdf", draw=draw)
    assert len(found(path.read_bytes(), "bcta")) == 1
    content = overlaid(path, read(own))
    words = ["bcta", "beta", "Alpha", "printed", "gamma"]
    assert [len(found(content, word)) for word in words] == [0, 1, 1, 1, 0]


def test_writing_twice_does_not_double_the_words(tmp_path):
    path = scan(tmp_path / "deed.pdf")
    reading = read(path)
    twice = tmp_path / "twice.pdf"
    twice.write_bytes(overlaid(path, reading))
    content = overlaid(twice, reading)
    assert all(len(found(content, word)) == 1 for word in WORDS)


def test_corrected_words_are_where_the_wrong_ones_were_read(tmp_path):
    path = scan(tmp_path / "deed.pdf")
    result, layout = read(path)
    content = overlaid(path, (result, layout), texts={result.page: "Alpha\nbêta 北京\ngamma"})
    assert found(content, "beta") == []
    [(left, _, right, _)] = found(content, "bêta")
    assert abs(left - 260) < 3 and right < 330 and len(found(content, "北京")) == 1


def test_an_encrypted_file_stays_encrypted(tmp_path):
    path = scan(tmp_path / "deed.pdf")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(user="sesame", owner="owner"))
    reading = read(path, password="sesame")
    content = overlaid(path, reading, password="sesame")
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(content))
    assert is_at(found(content, "Alpha", password="sesame")[0], "Alpha")
    with pytest.raises(ValueError, match="only with its password"):
        overlaid(path, reading, password="wrong")


def test_a_scan_keeps_its_picture_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "JPEG", quality=90)

    def draw(canvas):
        canvas.drawImage(ImageReader(picture), 20, 20, 60, 60)

    def pictures(content):
        with pikepdf.open(io.BytesIO(content)) as pdf:
            objects = pdf.pages[0].resources.XObject.values()
            return [each.read_raw_bytes() for each in objects if each.Subtype == "/Image"]

    path = scan(tmp_path / "deed.pdf", draw=draw)
    assert pictures(overlaid(path, read(path))) == pictures(path.read_bytes()) != []


def test_the_format_takes_the_pdf_s_own_pages(tmp_path):
    path = scan(tmp_path / "deed.pdf", pages=2)
    result, layout = read(path)

    class Located:
        def locate_all(self, pages):
            return (layout for _ in pages)

    class Images(dict):
        def get(self, page):
            return next(iter(render_document(path, RenderOptions(scale=1.5))))

    [written] = export_layouts(Located(), [result], Images(), tmp_path / "out", ["pdf"])
    pdf = pdfium.PdfDocument(written)
    assert len(pdf) == 2 and pdf.get_metadata_dict()["Title"] == "The old deeds"
    assert written.name == "deed.searchable.pdf" and len(found(written, "beta")) == 1
