"""What a file says is on a page and the rendering lacks; only what has nothing to show is blank."""

import io
import os
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from render_inputs import Page, PdfObjects, pdf_bytes, write_pdf

from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import RenderOptions, render_document, render_documents

pytestmark = pytest.mark.slow

HELVETICA = b"/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
TEXT = b"BT /F 12 Tf 20 %d Td (Some words of text) Tj ET "


def one(folder: Path, data: bytes) -> PageImage | FailedPage:
    (folder / "a.pdf").write_bytes(data)
    (page,) = render_document(folder / "a.pdf")
    return page


def why(folder: Path, data: bytes) -> str:
    """Why the page is unreadable."""
    page = one(folder, data)
    assert isinstance(page, FailedPage) and page.status == "unreadable", page
    return page.reason


def assert_nothing_missing(folder: Path, data: bytes) -> None:
    page = one(folder, data)
    assert isinstance(page, PageImage), page
    assert page.missing is None


# Images


def drawn() -> Image.Image:
    image = Image.new("L", (400, 300), 255)
    draw = ImageDraw.Draw(image)
    for row in range(20, 280, 20):
        draw.line((30, row, 370, row), fill=0, width=6)
    return image


def encoded(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    drawn().save(file, kind, **options)
    return file.getvalue()


def scan(
    data: bytes, image_filter: bytes, *, content: bytes = b"", entries: bytes = b"", bits: int = 8
) -> bytes:
    """A page that is one image, and `content` over it."""
    image = (
        b"<</Type/XObject/Subtype/Image/Width 400/Height 300/ColorSpace/DeviceGray"
        b"/BitsPerComponent %d/Filter%s%s/Length %d>>stream\n%s\nendstream"
        % (bits, image_filter, entries, len(data), data)
    )
    page = Page(
        b"q 400 0 0 300 0 0 cm /Im Do Q " + content,
        (400, 300),
        b"/Resources<<%s/XObject<</Im 3 0 R>>>>" % HELVETICA,
    )
    return pdf_bytes(page, extra=(image,))


SOUND = {
    b"/FlateDecode": zlib.compress(drawn().tobytes()),
    b"/DCTDecode": encoded("JPEG"),
    b"/JPXDecode": encoded("JPEG2000"),
    b"[/FlateDecode/DCTDecode]": zlib.compress(encoded("JPEG")),
}
UNREADABLE = {
    **SOUND,
    b"/JBIG2Decode": b"no JBIG2 at all" * 9,
    b"/CCITTFaxDecode": b"",
    b"/UnheardOfDecode": b"?" * 99,
}


@pytest.mark.parametrize("image_filter", SOUND)
def test_a_scan_that_can_be_decoded_is_whole(tmp_path: Path, image_filter: bytes) -> None:
    assert_nothing_missing(tmp_path, scan(SOUND[image_filter], image_filter))


@pytest.mark.parametrize("image_filter", UNREADABLE)
def test_a_scan_that_cannot_be_decoded_is_unreadable(tmp_path: Path, image_filter: bytes) -> None:
    data = UNREADABLE[image_filter]
    damaged = b"\0" * 200 + data[200:]
    reason = why(tmp_path, scan(damaged, image_filter, bits=8 if b"F" in image_filter else 1))
    assert "an image of 400 × 300 pixels" in reason
    assert image_filter.strip(b"[/]").split(b"/")[-1].decode() in reason


def test_a_scan_that_cannot_be_decoded_under_its_text_layer_is_unreadable(tmp_path: Path) -> None:
    layer = b"3 Tr " + TEXT % 100
    assert "cannot be decoded" in why(tmp_path, scan(b"?" * 99, b"/DCTDecode", content=layer))
    stamp = TEXT % 100
    assert "cannot be decoded" in why(tmp_path, scan(b"?" * 99, b"/DCTDecode", content=stamp))


@pytest.mark.parametrize("image_filter", [b"/FlateDecode", b"/DCTDecode"])
def test_a_scan_that_breaks_off_lacks_a_part(tmp_path: Path, image_filter: bytes) -> None:
    noise = Image.effect_noise((400, 300), 90)
    file = io.BytesIO()
    noise.save(file, "JPEG")
    data = zlib.compress(noise.tobytes()) if b"Flate" in image_filter else file.getvalue()
    page = one(tmp_path, scan(data[: len(data) * 3 // 4], image_filter))
    assert isinstance(page, PageImage)
    assert "breaks off" in page.missing


def test_white_covered_tiny_and_hidden_images_are_not_faults(tmp_path: Path) -> None:
    white = zlib.compress(Image.new("L", (400, 300), 255).tobytes())
    assert_nothing_missing(tmp_path, scan(white, b"/FlateDecode"))
    over = b"1 g 0 0 400 300 re f 0 g " + TEXT % 100
    assert_nothing_missing(tmp_path, scan(SOUND[b"/DCTDecode"], b"/DCTDecode", content=over))
    broken = scan(b"?" * 99, b"/DCTDecode", content=TEXT % 100)
    for placed in (b"q 2 0 0 2 50 50 cm /Im Do", b"q 400 0 0 300 900 0 cm /Im Do"):
        data = broken.replace(b"q 400 0 0 300 0 0 cm /Im Do", placed)
        assert_nothing_missing(tmp_path, data)


def test_an_image_with_a_small_palette_is_whole(tmp_path: Path) -> None:
    rows = bytes([0b00011011]) * 100 * 150 + b"\0" * 100 * 150  # two bits a pixel
    data = scan(zlib.compress(rows), b"/FlateDecode", bits=2)
    palette = b"[/Indexed/DeviceRGB 3<000000FFFFFF808080FF0000>]"
    assert_nothing_missing(tmp_path, data.replace(b"/DeviceGray", palette))


# Content


def with_content(contents: bytes, *streams: tuple[bytes, bytes]) -> bytes:
    """A page with this entry; the streams are numbered from 4."""
    pdf = PdfObjects()
    pdf.add(b"<</Type/Catalog/Pages 2 0 R>>")
    pdf.add(b"<</Type/Pages/Count 1/Kids[3 0 R]>>")
    pdf.add(
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]%s/Resources<<%s>>>>"
        % (contents, HELVETICA)
    )
    for entries, content in streams:
        pdf.add_stream(entries, content)
    return pdf.to_bytes()


FLATE = b"/Filter/FlateDecode"
LONG = b"".join(TEXT % (190 - row) + b"%% %d\n" % row**5 for row in range(180))


@pytest.mark.parametrize(
    "contents",
    [
        (b"",),
        (b"/Contents[]",),
        (b"/Contents 4 0 R", (b"", b"q Q % nothing to draw\n")),
        (b"/Contents 4 0 R", (FLATE, b"")),
        (b"/Contents 4 0 R", (FLATE, zlib.compress(LONG))),
        (b"/Contents 4 0 R", (FLATE, zlib.compress(LONG)[:-4])),  # without the sum at its end
        (b"/Contents 4 0 R", (b"", b"1 g " + TEXT % 90)),
    ],
)
def test_content_that_is_sound_or_not_there(tmp_path: Path, contents: tuple) -> None:
    assert_nothing_missing(tmp_path, with_content(*contents))


@pytest.mark.parametrize(
    "contents",
    [
        (b"/Contents 9 0 R",),
        (b"/Contents 4 0 R", (FLATE, b"\x99" * 300)),
        (b"/Contents 4 0 R", (b"", bytes(range(128, 256)) * 5)),
        (b"/Contents 4 0 R", (b"/Filter/LZWDecode", b"\x99" * 300)),
        (b"/Contents 4 0 R", (b"", b"q 300 0 0 200 0 0 cm /Gone Do Q")),
    ],
)
def test_content_that_is_missing_or_broken_is_unreadable(tmp_path: Path, contents: tuple) -> None:
    assert "lacks what its file says is on it" in why(tmp_path, with_content(*contents))


def test_content_that_breaks_off_lacks_a_part(tmp_path: Path) -> None:
    half = zlib.compress(LONG)[:600]
    page = one(tmp_path, with_content(b"/Contents 4 0 R", (FLATE, half)))
    assert isinstance(page, PageImage)
    assert "its content (object 4) breaks off" in page.missing


# Text


def font(name: bytes, ordering: bytes, encoding: bytes) -> bytes:
    return (
        b"<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/%s/DescendantFonts[<</Type/Font"
        b"/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(%s)"
        b"/Supplement 0>>/FontDescriptor<</Type/FontDescriptor/FontName/%s/Flags 4/ItalicAngle 0"
        b"/FontBBox[0 -200 1000 900]/Ascent 800/Descent -200/CapHeight 700/StemV 80>>>>]>>"
    ) % (name, encoding, name, ordering, name)


def in_unknown_font(text: str, content: bytes = b"") -> Page:
    """Text in a made-up Ethiopic font, which no machine has."""
    names = b"".join(b"/uni%04X" % ord(sign) for sign in text)
    unknown = (
        b"<</Type/Font/Subtype/TrueType/BaseFont/ABCDEF+NoSuchEthiopic/FirstChar 65/LastChar %d"
        b"/Widths[%s]/Encoding<</Differences[65%s]>>/FontDescriptor<</Type/FontDescriptor"
        b"/FontName/NoSuchEthiopic/Flags 32/ItalicAngle 0/FontBBox[0 -200 1000 900]/Ascent 800"
        b"/Descent -200/CapHeight 700/StemV 80>>>>"
    ) % (64 + len(text), b" 600" * len(text), names)
    codes = bytes(range(65, 65 + len(text)))
    drawn = b"BT /U 16 Tf 20 50 Td (%s) Tj ET " % codes
    resources = HELVETICA.removesuffix(b">>") + b"/U " + unknown + b">>"
    return Page(content + drawn, (300, 200), b"/Resources<<%s>>" % resources)


def test_text_in_a_font_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    reason = why(tmp_path, pdf_bytes(in_unknown_font("ሀለሐመሠ")))
    assert "5 characters in the font 'NoSuchEthiopic'" in reason
    assert "neither embedded nor installed" in reason and "fonts embedded" in reason


def test_a_word_in_a_font_that_is_not_there_is_a_part(tmp_path: Path) -> None:
    page = one(tmp_path, pdf_bytes(in_unknown_font("ሀለሐመ", TEXT % 100)))
    assert isinstance(page, PageImage)
    assert "4 characters in the font 'NoSuchEthiopic'" in page.missing


def test_chinese_text_names_the_package_to_install(tmp_path: Path) -> None:
    song = font(b"STSong-Light", b"GB1", b"UniGB-UCS2-H")
    text = "合同编号".encode("utf-16-be").hex().encode()
    resources = b"/Resources<</Font<</F %s>>>>" % song
    page = one(
        tmp_path,
        pdf_bytes(Page(b"BT /F 16 Tf 20 50 Td <%s> Tj ET " % text, (300, 200), resources)),
    )
    if isinstance(page, PageImage):
        pytest.skip("this machine has a Chinese font")
    assert "'STSong-Light'" in page.reason and "install fonts-noto-cjk" in page.reason


@pytest.mark.parametrize("name", [b"Helvetica", b"Times-Roman", b"Courier", b"Arial", b"Corporate"])
def test_latin_text_needs_no_font(tmp_path: Path, name: bytes) -> None:
    resources = b"/Resources<<%s>>" % HELVETICA.replace(b"Helvetica", name)
    assert_nothing_missing(tmp_path, pdf_bytes(Page(TEXT % 90, (300, 200), resources)))


@pytest.mark.parametrize("before", [b"3 Tr ", b"1 g ", b"0 0 1 1 re W n "])
def test_text_that_is_not_meant_to_be_seen_is_not_a_fault(tmp_path: Path, before: bytes) -> None:
    resources = b"/Resources<<%s>>" % HELVETICA
    assert_nothing_missing(tmp_path, pdf_bytes(Page(before + TEXT % 90, (300, 200), resources)))


# More than pages


def test_a_dynamic_form_is_unreadable(tmp_path: Path) -> None:
    form = b"<</Length 9>>stream\n<xdp:xdp>\nendstream"
    data = pdf_bytes(
        Page(TEXT % 90, (300, 200), b"/Resources<<%s>>" % HELVETICA),
        catalog=b"/NeedsRendering true/AcroForm<</Fields[]/XFA 3 0 R>>",
        extra=(form,),
    )
    assert "print it to a PDF" in why(tmp_path, data)


@pytest.mark.parametrize("collection", [b"", b"/Collection<</View/D>>"])
def test_attached_files_are_named(tmp_path: Path, collection: bytes) -> None:
    data = pdf_bytes(
        Page(TEXT % 90, (300, 200), b"/Resources<<%s>>" % HELVETICA),
        catalog=b"/Names<</EmbeddedFiles<</Names[(bill) 4 0 R]>>>>" + collection,
        extra=(
            b"<</Type/EmbeddedFile/Length 4>>stream\nbill\nendstream",
            b"<</Type/Filespec/F(invoice.pdf)/UF(invoice.pdf)/EF<</F 3 0 R>>>>",
        ),
    )
    page = one(tmp_path, data)
    assert page.missing is None
    assert "'invoice.pdf'" in page.remark
    assert ("portfolio" in page.remark) == bool(collection)


def test_a_page_in_larger_units_has_its_size(tmp_path: Path) -> None:
    plain = write_pdf(tmp_path / "plain.pdf", Page(b"0 0 300 200 re f", (600, 400)))
    large = write_pdf(tmp_path / "large.pdf", Page(b"0 0 30 20 re f", (60, 40), b"/UserUnit 10"))
    pages = [next(iter(render_document(path, RenderOptions(scale=1.5)))) for path in (plain, large)]
    assert pages[0].image.tobytes() == pages[1].image.tobytes()
    assert pages[0].scale == pages[1].scale == 1.5
    (small,) = render_document(large, RenderOptions(max_pixels=60_000))
    assert small.scale == pytest.approx(0.5)


def test_libraries_print_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiff = tmp_path / "a.tif"
    drawn().save(tiff, compression="tiff_lzw")
    content = bytearray(tiff.read_bytes())
    content[200:400] = os.urandom(200)
    tiff.write_bytes(content)
    (tmp_path / "a.pdf").write_bytes(scan(SOUND[b"/JPXDecode"][:900], b"/JPXDecode"))
    pages = list(render_documents([tiff, tmp_path / "a.pdf"], workers=1))
    assert len(pages) == 2
    assert capfd.readouterr() == ("", "")
