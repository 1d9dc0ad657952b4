"""Text with its boxes in other formats: what their schemas ask for, and words where they are."""

import re
import sys
from dataclasses import replace
from weakref import finalize
from xml.etree import ElementTree

import pypdfium2 as pdfium
import pytest
from make_results import page_of
from PIL import Image

from glmocr_utils.grounding import Locator
from glmocr_utils.ocr import score_text
from glmocr_utils.ocr_formats import check_formats, export_layouts
from glmocr_utils.ocr_formats.alto import NAMESPACE, alto
from glmocr_utils.ocr_formats.hocr import XHTML, hocr
from glmocr_utils.ocr_formats.page_xml import NAMESPACE as PAGE_NAMESPACE
from glmocr_utils.ocr_formats.page_xml import page_xml
from glmocr_utils.ocr_formats.paper_size import paper_size
from glmocr_utils.ocr_formats.placed_text import placed_blocks
from glmocr_utils.ocr_formats.searchable_pdf import SearchablePdf
from glmocr_utils.records import (
    Box,
    OcrResult,
    PageImage,
    PageLayout,
    PageRef,
    TokenBox,
    TokenProb,
)
from glmocr_utils.synth import Block, PageStyle, draw_page, find_font

pytestmark = pytest.mark.slow

TEXT = "The bookbinder's shop\nin the old street.\n\nTwo pounds, five shillings."


@pytest.fixture(scope="module")
def page():
    font = find_font("DejaVu Sans")
    blocks = [Block("The bookbinder's shop in the old street."), Block(TEXT.split("\n\n")[1])]
    drawn = draw_page(blocks, PageStyle(font, font, 20, width_px=308, height_px=168, margin_px=20))
    assert drawn.text.split() == TEXT.split()
    return drawn


@pytest.fixture(scope="module")
def result(bundled_model, page):
    """The page read without an error, for which the bundled model is too small."""
    tokens = score_text(bundled_model, page.image, page.text)
    return page_of(page=PageRef("shop <1>.pdf", "a" * 64, 4), text=page.text, tokens=tokens)


@pytest.fixture(scope="module")
def layout(bundled_model, result, page):
    return Locator(bundled_model).locate(result, page.image)


def made_up(tokens: list[str], clear: list[bool]) -> tuple[OcrResult, PageLayout]:
    """A page of these tokens, each 10 px wide, some of them without a box."""
    text = "".join(tokens)
    read = tuple(TokenProb(n, token, -0.1 * n) for n, token in enumerate(tokens))
    boxes = tuple(
        TokenBox(Box(10 * n, 0, 10 * n + 10, 20), 0.9, 0) if is_clear else None
        for n, is_clear in enumerate(clear)
    )
    ref = PageRef("x.png", "b" * 64, 0)
    lines = tuple(None for _ in text.split("\n"))
    result = OcrResult(ref, text, read, "stop", "p", "m", None, None, 1.0, 0.0)
    return result, PageLayout(ref, 200, 50, boxes, lines)


def test_words_have_the_box_and_the_least_probability_of_their_tokens():
    result, layout = made_up(["on", "e t", "", "ü", " x"], [True] * 5)
    ((line,),) = placed_blocks(result, layout)
    assert [word.text for word in line.words] == ["one", "tü", "x"]
    assert [(word.box.left, word.box.right) for word in line.words] == [(0, 15), (15, 40), (40, 50)]
    assert line.words[1].prob == result.tokens[3].prob


def test_a_word_with_an_unclear_token_has_no_box():
    result, layout = made_up(["on", "e", " ", "x"], [True, False, True, True])
    ((line,),) = placed_blocks(result, layout)
    assert [word.box is None for word in line.words] == [True, False]


def test_blank_lines_part_blocks(result, layout):
    blocks = placed_blocks(result, layout)
    assert len(blocks) == 2
    words = [word.text for block in blocks for line in block for word in line.words]
    assert words == result.text.split()


# What version 4.4 of the schema says of the elements that are written here: required attributes,
# optional ones, and the order of children.
SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
ALTO = {
    "alto": (set(), {"SCHEMAVERSION", SCHEMA_LOCATION}, "Description? Layout"),
    "Description": (set(), set(), "MeasurementUnit sourceImageInformation? Processing*"),
    "MeasurementUnit": (set(), set(), ""),
    "sourceImageInformation": (set(), set(), "fileName? documentIdentifier*"),
    "documentIdentifier": (set(), set(), ""),
    "fileName": (set(), set(), ""),
    "Processing": ({"ID"}, set(), "processingCategory? processingSoftware?"),
    "processingCategory": (set(), set(), ""),
    "processingSoftware": (set(), set(), "softwareName?"),
    "softwareName": (set(), set(), ""),
    "Layout": (set(), set(), "Page+"),
    "Page": ({"ID", "PHYSICAL_IMG_NR"}, {"WIDTH", "HEIGHT"}, "PrintSpace?"),
    "PrintSpace": (set(), {"HPOS", "VPOS", "WIDTH", "HEIGHT"}, "TextBlock*"),
    "TextBlock": ({"ID"}, {"HPOS", "VPOS", "WIDTH", "HEIGHT"}, "TextLine*"),
    "TextLine": (
        set(),
        {"ID", "HPOS", "VPOS", "WIDTH", "HEIGHT", "BASELINE"},
        "Shape? (String SP?)+",
    ),
    "Shape": (set(), set(), "Polygon"),
    "Polygon": ({"POINTS"}, set(), ""),
    "String": ({"CONTENT"}, {"ID", "HPOS", "VPOS", "WIDTH", "HEIGHT", "WC"}, ""),
    "SP": (set(), set(), ""),
}


def check_alto(element: ElementTree.Element) -> None:
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    required, optional, children = ALTO[name]
    assert required <= set(element.keys()) <= required | optional
    pattern = re.sub(r"(\w+)", r"(?:\1 )", children).replace(") ", ")").replace(" (", "(")
    found = "".join(child.tag.removeprefix(f"{{{NAMESPACE}}}") + " " for child in element)
    assert re.fullmatch(pattern.replace(" ?", " ?"), found), (name, found, pattern)
    for number in ("HPOS", "VPOS", "WIDTH", "HEIGHT", "WC", "PHYSICAL_IMG_NR"):
        float(element.get(number, 0))
    assert 0 <= float(element.get("WC", 0)) <= 1
    for child in element:
        check_alto(child)


def test_alto_has_the_structure_of_its_schema(result, layout):
    root = ElementTree.fromstring(alto([(result, layout), (result, layout)]))
    check_alto(root)
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", own) for own in ids)
    strings = list(root.iter(f"{{{NAMESPACE}}}String"))
    assert [s.get("CONTENT") for s in strings] == result.text.split() * 2
    unit = root.find(f".//{{{NAMESPACE}}}MeasurementUnit")
    assert unit.text == "pixel"
    assert root.get(SCHEMA_LOCATION).split()[0] == NAMESPACE
    for line in root.iter(f"{{{NAMESPACE}}}TextLine"):
        (left, y), (right, _) = [
            map(int, point.split(",")) for point in line.get("BASELINE").split(" ")
        ]
        top, height = float(line.get("VPOS")), float(line.get("HEIGHT"))
        assert left < right and top + height / 2 < y < top + height


def test_alto_of_pages_without_text_and_without_boxes():
    nothing, layout = made_up([], [])
    check_alto(ElementTree.fromstring(alto([(nothing, layout)])))
    unclear, layout = made_up(["a", " ", "b"], [False] * 3)
    root = ElementTree.fromstring(alto([(unclear, layout)]))
    check_alto(root)
    assert next(root.iter(f"{{{NAMESPACE}}}String")).get("HPOS") is None


TABLE = "<table><tr><td>alpha</td><td>beta &amp; co</td></tr></table>\n\n**Bold** words"


@pytest.mark.parametrize("pattern", [r".", r"</?\w+>?|><| ?\w+|\W"], ids=["characters", "words"])
def test_exports_have_the_words_of_the_print(pattern, page, tmp_path):
    tokens = re.findall(pattern, TABLE, re.DOTALL)
    assert "".join(tokens) == TABLE
    result, layout = made_up(tokens, [True] * len(tokens))
    layout = replace(layout, width_px=10 * len(tokens))
    words = "alpha beta & co Bold words".split()
    root = ElementTree.fromstring(alto([(result, layout)]))
    assert [s.get("CONTENT") for s in root.iter(f"{{{NAMESPACE}}}String")] == words
    root = ElementTree.fromstring(hocr([(result, layout)]))
    assert [e.text for e in root.iter() if e.get("class") == "ocrx_word"] == words
    write_pdf(result, layout, PageImage(result.page, page.image, 1.0), tmp_path / "out.pdf")
    with pdfium.PdfDocument(tmp_path / "out.pdf") as pdf:
        assert pdf[0].get_textpage().search("alpha beta & co").get_next()


def test_a_word_ends_with_its_printed_line():
    result, layout = made_up(["Ge", "-", "richt", " ", "in"], [True] * 5)
    tokens = list(layout.tokens)
    tokens[2:] = [TokenBox(Box(10 * n, 30, 10 * n + 10, 50), 0.9, 1) for n in range(3)]
    boxes = (Box(0, 0, 20, 20), Box(0, 30, 30, 50))
    (lines,) = placed_blocks(result, replace(layout, tokens=tuple(tokens), lines=boxes))
    assert [[word.text for word in line.words] for line in lines] == [["Ge-"], ["richt", "in"]]
    assert [line.box for line in lines] == list(boxes)


def test_word_boxes_are_within_the_page():
    result, layout = made_up(["off", " ", "page"], [True] * 3)
    layout = replace(layout, width_px=25, height_px=15)
    ((line,),) = placed_blocks(result, layout)
    assert max(word.box.right for word in line.words) == 25
    assert max(word.box.bottom for word in line.words) == 15


PAGE_XML = (
    "PcGts Metadata Creator Created LastChange Page ReadingOrder OrderedGroup RegionRefIndexed "
    "TextRegion Coords TextLine Baseline Word TextEquiv Unicode"
).split()


def test_page_xml_has_what_its_schema_asks_for(result, layout):
    root = ElementTree.fromstring(page_xml(result, layout, "shop_p0005.png"))
    names = dict.fromkeys(element.tag.rpartition("}")[2] for element in root.iter())
    assert list(names) == PAGE_XML
    page = root.find("{*}Page")
    assert (page.get("imageFilename"), page.get("imageWidth")) == ("shop_p0005.png", "308")
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        children = [child.tag.rpartition("}")[2] for child in element]
        if name in ("TextRegion", "TextLine", "Word"):
            assert element.get("id") and children[0] == "Coords" and children[-1] == "TextEquiv"
        if name == "Coords":
            assert re.fullmatch(r"(\d+,\d+ )+\d+,\d+", element.get("points"))
    lines = [
        line.find("{*}TextEquiv/{*}Unicode").text
        for line in root.iter(f"{{{PAGE_NAMESPACE}}}TextLine")
    ]
    assert lines == [line for line in result.text.split("\n") if line]


@pytest.mark.parametrize("dpi", [300, None])
def test_a_searchable_image_has_the_size_of_its_paper(dpi, tmp_path):
    path = tmp_path / "scan.png"
    scan = Image.new("RGB", (1240, 1754), "white")
    scan.save(path, **({"dpi": (dpi, dpi)} if dpi else {}))
    page = PageRef(str(path), "a" * 64, 0)
    half = scan.resize((620, 877))  # as one over the pixel budget is reduced
    paper = paper_size(PageImage(page, half, 0.5))
    expected = (1240 * 72 / 300, 1754 * 72 / 300) if dpi else (595.2, 841.9)
    assert (paper.width_pt, paper.height_pt) == pytest.approx(expected, abs=0.1)
    assert paper.is_guess == (dpi is None)


def test_hocr_names_pages_lines_and_words(result, layout):
    root = ElementTree.fromstring(hocr([(result, layout)]))
    by_class = {}
    for element in root.iter():
        by_class.setdefault(element.get("class"), []).append(element)
    assert [word.text for word in by_class["ocrx_word"]] == result.text.split()
    assert len(by_class["ocr_line"]) == len([line for line in result.text.split("\n") if line])
    (page,) = by_class["ocr_page"]
    assert page.get("title") == "bbox 0 0 308 168; ppageno 4"
    box = r"bbox \d+ \d+ \d+ \d+"
    assert all(re.fullmatch(box, line.get("title")) for line in by_class["ocr_line"])
    words = by_class["ocrx_word"]
    assert all(re.fullmatch(box + r"; x_wconf \d+", word.get("title")) for word in words)
    names = {meta.get("name") for meta in root.iter(f"{{{XHTML}}}meta")}
    assert {"ocr-system", "ocr-capabilities"} <= names


def test_hostile_text_stays_text():
    tokens = ["<script>", "&amp;", '"', "\x00\x1b", "]]>"]
    result, layout = made_up(tokens, [True] * len(tokens))
    for write in (hocr, alto):
        text = write([(result, layout)])
        assert "<script>" not in text
        root = ElementTree.fromstring(text)
        written = [e.text or e.get("CONTENT") for e in root.iter() if e.get("ID", e.get("id", ""))]
        assert any('<script>&"' in (word or "") for word in written)


def write_pdf(result, layout, image, path):
    pdf = SearchablePdf([result])
    pdf.add(result, layout, image)
    path.write_bytes(pdf.content())


def test_a_word_is_found_in_its_box(result, layout, page, tmp_path):
    image = PageImage(result.page, page.image, scale=2.0)
    path = tmp_path / "out.pdf"
    write_pdf(result, layout, image, path)
    with pdfium.PdfDocument(path) as pdf:
        assert pdf[0].get_size() == (154, 84)
        textpage = pdf[0].get_textpage()
        for word in ("bookbinder's", "street.", "shillings."):
            start, count = textpage.search(word).get_next()
            assert count == len(word)
            first = page.text.index(word)
            true = page.boxes[first : first + count]
            boxes = [textpage.get_charbox(n) for n in range(start, start + count)]
            left, right = (min(b[0] for b in boxes) * 2, max(b[2] for b in boxes) * 2)
            assert left == pytest.approx(true[:, 0].min(), abs=10)
            assert right == pytest.approx(true[:, 2].max(), abs=10)
            baseline = 168 - sum(b[1] + b[3] for b in boxes) / count  # of letters without shape
            assert baseline == pytest.approx(true[:, 3].mean() - 0.1 * 20, abs=4)
        assert textpage.get_text_bounded().split() == result.text.split()


def test_the_text_of_the_pdf_is_not_seen(result, layout, page, tmp_path):
    blank = PageImage(result.page, page.image.point(lambda _: 255), scale=2.0)
    write_pdf(result, layout, blank, tmp_path / "out.pdf")
    with pdfium.PdfDocument(tmp_path / "out.pdf") as pdf:
        shown = pdf[0].render().to_pil().convert("L")
    assert shown.getextrema() == (255, 255)


def test_words_without_a_box_are_still_found(tmp_path, page):
    result, layout = made_up(["日本語한국\x00", " ", "𝑥²+𠮷", " ", "lost"], [False] * 5)
    image = PageImage(result.page, page.image, scale=1.0)
    write_pdf(result, layout, image, tmp_path / "out.pdf")
    with pdfium.PdfDocument(tmp_path / "out.pdf") as pdf:
        assert "lost" in pdf[0].get_textpage().get_text_bounded()
        assert "日本語한국" in pdf[0].get_textpage().get_text_bounded()
        assert "𝑥²+𠮷" in pdf[0].get_textpage().get_text_bounded()  # beyond U+FFFF


def test_one_file_a_document_and_format(bundled_model, result, page, tmp_path):
    other = replace(result, page=PageRef("sub/shop <1>.pdf", "c" * 64, 0))
    gone = replace(result, page=PageRef("gone.pdf", "d" * 64, 0))
    images = {r.page: PageImage(r.page, page.image, scale=2.0) for r in (result, other)}
    files = list(
        export_layouts(
            Locator(bundled_model), [result, other, gone], images, tmp_path, ("hocr", "alto", "pdf")
        )
    )
    assert len({file.name for file in files}) == 6
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_images_of_a_long_document_are_not_all_held(bundled_model, result, page, tmp_path):
    held = [0]
    most = 0

    class Images(dict):
        """Makes an image when asked, and counts those that are still held."""

        def get(self, ref):
            nonlocal most
            image = page.image.copy()
            held[0] += 1
            finalize(image, lambda: held.__setitem__(0, held[0] - 1))
            most = max(most, held[0])
            return PageImage(ref, image, scale=2.0)

    results = [replace(result, page=PageRef("long.pdf", "a" * 64, n)) for n in range(8)]
    formats = ("alto", "pdf")
    list(export_layouts(Locator(bundled_model), results, Images(), tmp_path, formats, batch_size=2))
    with pdfium.PdfDocument(tmp_path / "long.searchable.pdf") as pdf:
        assert len(pdf) == 8
    assert most <= 5  # a batch, the one before it, and the page being fetched


def test_one_file_a_page(bundled_model, result, page, tmp_path):
    refs = [PageRef("book.pdf", "c" * 64, 6), PageRef("leaf.jpg", "d" * 64, 0)]
    results = [replace(result, page=ref) for ref in refs]
    images = {ref: PageImage(ref, page.image, scale=2.0) for ref in refs}
    formats = check_formats("alto-pages,page")
    files = export_layouts(Locator(bundled_model), results, images, tmp_path, formats)
    names = [str(file.relative_to(tmp_path)) for file in files]
    assert names == [
        "book.alto/book_p0007.xml",
        "book.page/book_p0007.xml",
        "leaf.alto/leaf.xml",
        "leaf.page/leaf.xml",
    ]
    root = ElementTree.parse(tmp_path / names[0]).getroot()
    assert root.find(".//{*}fileName").text == "book_p0007.png"
    assert ElementTree.parse(tmp_path / names[2]).find(".//{*}fileName").text == "leaf.jpg"


def test_formats_are_checked():
    assert check_formats(None) == ()
    assert check_formats("alto, hocr") == ("alto", "hocr")
    with pytest.raises(ValueError, match="hocr, alto, pdf, docling, alto-pages, page"):
        check_formats("docx")


def test_docling_without_its_package_is_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "docling_core", None)
    monkeypatch.delitem(sys.modules, "docling_core.types.doc.document", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'glmocr-utils\[docling\]'"):
        check_formats("hocr,docling")
