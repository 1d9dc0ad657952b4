"""One document in this process: what a page looks like, and what is said of bad files."""

import io
import logging
import zlib
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter
from render_inputs import Page, grey_page, pdf_bytes, write_grey_pdf, write_pdf

from glmocr_utils.records import FailedPage, PageImage
from glmocr_utils.render import (
    DocumentError,
    RenderOptions,
    count_pages,
    first_page,
    render_document,
)

pytestmark = pytest.mark.slow

WHITE, RED, GREEN, BLUE = (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)


def render(path: Path, **options: object) -> list[PageImage | FailedPage]:
    return list(render_document(path, RenderOptions(**options)))


def render_one(path: Path, **options: object) -> PageImage:
    (page,) = render(path, **options)
    assert isinstance(page, PageImage), page
    return page


def failure(path: Path, **options: object) -> FailedPage:
    """The one failure, with the checks that every reason has to pass."""
    (page,) = render(path, **options)
    assert isinstance(page, FailedPage)
    assert page.document_path == str(path)
    assert repr(str(path)) in page.reason
    assert ";" in page.reason, "the reason has to say what to do"
    assert "\n" not in page.reason
    return page


# PDF pages


def test_pages_come_in_order_with_their_own_sizes(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", grey_page(0, (60, 40)), grey_page(90, (20.3, 100)))
    first, second = render(path, scale=2.0)
    assert (first.width_px, first.height_px) == (120, 80)
    assert (second.width_px, second.height_px) == (41, 200)  # 40.6 is rounded up
    assert [page.page.page_index for page in (first, second)] == [0, 1]
    assert second.image.getpixel((20, 100)) == (90, 90, 90)
    assert first.page.document_sha256 == second.page.document_sha256
    assert first.scale == 2.0


def test_pages_of_the_range_in_its_order(tmp_path: Path) -> None:
    path = write_grey_pdf(tmp_path / "a.pdf", [0, 50, 100, 150])
    pages = render(path, pages="4,1-2")
    assert [page.page.page_index for page in pages] == [3, 0, 1]
    assert [page.image.getpixel((5, 5))[0] for page in pages] == [150, 0, 50]


def test_rotation_of_the_page_is_honoured(tmp_path: Path) -> None:
    # Red in the lower left corner, which a turn by 90° clockwise brings to the upper left.
    page = Page(b"1 0 0 rg 0 0 10 10 re f", (60, 40), b"/Rotate 90")
    image = render_one(write_pdf(tmp_path / "a.pdf", page), scale=1.0).image
    assert image.size == (40, 60)
    assert image.getpixel((3, 3)) == RED
    assert image.getpixel((3, 56)) == WHITE


def test_transparency_is_flattened_on_white(tmp_path: Path) -> None:
    page = Page(
        b"/Half gs 1 0 0 rg 0 0 60 40 re f",
        entries=b"/Resources<</ExtGState<</Half<</ca 0.5>>>>>>",
    )
    red, green, blue = render_one(write_pdf(tmp_path / "a.pdf", page)).image.getpixel((9, 9))
    assert red == 255
    assert green == blue == pytest.approx(127, abs=2)


def appearance(colour: bytes) -> bytes:
    content = colour + b" rg 0 0 20 20 re f"
    return b"<</Type/XObject/Subtype/Form/BBox[0 0 20 20]/Length %d>>stream\n%s\nendstream" % (
        len(content),
        content,
    )


def test_form_fields_are_drawn_with_their_value(tmp_path: Path) -> None:
    field = (
        b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Edgar)/F 4"
        b"/Rect[20 10 40 30]/AP<</N 4 0 R>>>>"
    )
    path = tmp_path / "form.pdf"
    path.write_bytes(
        pdf_bytes(
            Page(entries=b"/Annots[3 0 R]"),
            catalog=b"/AcroForm<</Fields[3 0 R]>>",
            extra=(field, appearance(b"0 0 1")),
        )
    )
    image = render_one(path, scale=1.0).image
    assert image.getpixel((30, 20)) != WHITE
    assert image.getpixel((5, 5)) == WHITE


def test_annotations_are_drawn(tmp_path: Path) -> None:
    stamp = b"<</Type/Annot/Subtype/Stamp/F 4/Rect[20 10 40 30]/AP<</N 4 0 R>>>>"
    path = tmp_path / "stamp.pdf"
    path.write_bytes(
        pdf_bytes(Page(entries=b"/Annots[3 0 R]"), extra=(stamp, appearance(b"0 1 0")))
    )
    assert render_one(path, scale=1.0).image.getpixel((30, 20)) == GREEN


def test_a_document_of_more_pages_than_one_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glmocr_utils.render.pdf_file.PAGES_PER_OPENING", 3)
    path = write_grey_pdf(tmp_path / "a.pdf", list(range(0, 100, 10)))
    shown = [page.image.getpixel((5, 5))[0] for page in render(path)]
    assert shown == list(range(0, 100, 10))


def test_a_page_over_the_budget_is_rendered_as_large_as_it_fits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_pdf(tmp_path / "poster.pdf", grey_page(70, (14173, 14173)))  # 5 m × 5 m
    with caplog.at_level(logging.WARNING):
        page = render_one(path, scale=2.0, max_pixels=1_000_000)
    assert 990_000 <= page.width_px * page.height_px <= 1_000_000
    assert page.scale == pytest.approx(1000 / 14173, rel=0.01)
    assert page.image.getpixel((500, 500)) == (70, 70, 70)
    assert "poster.pdf', page 1 was rendered at scale 0.0706 instead of 2" in caplog.text


def test_a_page_that_fits_is_rendered_as_asked_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_pdf(tmp_path / "a.pdf", grey_page(70, (60, 40)))
    assert render_one(path, scale=2.0, max_pixels=120 * 80).scale == 2.0
    assert render_one(path, scale=2.0, max_pixels=120 * 80 - 1).scale < 2.0
    assert len(caplog.records) == 1


def test_a_page_of_which_nothing_would_be_seen_is_too_large(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", grey_page(0, (10_000_000, 20)))
    page = failure(path, max_pixels=1_000_000)
    assert (page.status, page.page_index) == ("too_large", 0)
    assert "cut the page into parts" in page.reason


# Bad documents


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").touch()
    page = failure(tmp_path / "a.pdf")
    assert (page.status, page.page_index) == ("unreadable", None)
    assert "is empty (0 bytes)" in page.reason


def test_a_file_that_is_missing_or_a_folder_or_of_another_kind(tmp_path: Path) -> None:
    assert "does not exist" in failure(tmp_path / "missing.pdf").reason
    assert "is a folder" in failure(tmp_path).reason
    (tmp_path / "notes.pdf").write_text("Just notes.")
    assert "neither a PDF nor a PNG" in failure(tmp_path / "notes.pdf").reason


def test_a_pdf_without_anything_but_its_mark(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n")
    assert failure(tmp_path / "a.pdf").status == "unreadable"


def test_a_pdf_cut_in_half(tmp_path: Path) -> None:
    # As scanners write them: the page tree comes last, so that half a file has none.
    whole = io.BytesIO()
    Image.effect_noise((300, 300), 80).save(whole, "PDF")
    path = tmp_path / "half.pdf"
    path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    page = failure(path)
    assert (page.status, page.page_index) == ("unreadable", None)
    assert "copy or download it again" in page.reason


def test_a_damaged_page_costs_no_other_page(tmp_path: Path) -> None:
    pdf = pdf_bytes(grey_page(10), grey_page(20), grey_page(30))
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf.replace(b"Kids[3 0 R 5 0 R 7 0 R]", b"Kids[3 0 R 9 0 R 7 0 R]"))
    first, second, third = render(path)
    assert isinstance(first, PageImage) and isinstance(third, PageImage)
    assert isinstance(second, FailedPage)
    assert (second.status, second.page_index) == ("unreadable", 1)
    assert "page 2," in second.reason


def test_pages_beyond_the_end(tmp_path: Path) -> None:
    page = failure(write_grey_pdf(tmp_path / "a.pdf", [0, 1]), pages="1-3")
    assert (page.status, page.page_index) == ("failed", None)
    assert "has only 2 pages" in page.reason


def test_the_reason_is_one_line_whatever_the_name_holds(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.pdf"
    path.touch()
    assert "\n" not in failure(path).reason


def encrypt(path: Path, password: str) -> Path:
    writer = PdfWriter(PdfReader(path))
    writer.encrypt(password, algorithm="RC4-128")
    writer.write(path)
    return path


def test_an_encrypted_pdf_needs_its_password(tmp_path: Path) -> None:
    path = encrypt(write_grey_pdf(tmp_path / "a.pdf", [80]), "gehëim")
    without = failure(path)
    assert (without.status, without.page_index) == ("encrypted", None)
    assert "needs a password" in without.reason
    wrong = failure(path, password="guess-1")
    assert wrong.status == "encrypted"
    assert "does not open it" in wrong.reason
    assert "guess-1" not in wrong.reason
    page = render_one(path, password="gehëim")
    assert page.image.getpixel((5, 5)) == (80, 80, 80)


def test_the_first_page_is_the_first_that_can_be_rendered(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"")
    good = write_grey_pdf(tmp_path / "good.pdf", [0, 1])
    page = first_page([empty, good], RenderOptions()).page
    assert (page.document_path, page.page_index) == (str(good), 0)
    with pytest.raises(ValueError, match=r"no page can be rendered: .*empty\.pdf.*0 bytes"):
        first_page([empty], RenderOptions())


def test_count_pages(tmp_path: Path) -> None:
    assert count_pages(write_grey_pdf(tmp_path / "a.pdf", [0, 1, 2])) == 3
    locked = encrypt(write_grey_pdf(tmp_path / "b.pdf", [0, 1]), "key")
    assert count_pages(locked, password="key") == 2
    with pytest.raises(DocumentError, match="needs a password") as error:
        count_pages(locked)
    assert error.value.status == "encrypted"


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = write_grey_pdf(tmp_path / "\udcff.pdf", [80])
    assert render_one(path).image.getpixel((5, 5)) == (80, 80, 80)


# Image files


def save(image: Image.Image, path: Path, **parameters: object) -> Path:
    image.save(path, **parameters)
    return path


def test_an_image_is_not_scaled(tmp_path: Path) -> None:
    path = save(Image.new("RGB", (30, 20), BLUE), tmp_path / "a.png")
    page = render_one(path, scale=3.0)
    assert page.image.size == (30, 20)
    assert page.scale == 1.0
    assert page.image.getpixel((5, 5)) == BLUE


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_an_image_named_pdf_is_read_as_what_it_is(tmp_path: Path, suffix: str) -> None:
    path = save(Image.new("RGB", (30, 20), (0, 0, 254)), tmp_path / f"a{suffix}")
    disguised = path.rename(tmp_path / "a.pdf")
    red, green, blue = render_one(disguised).image.getpixel((9, 9))
    assert (red < 9, green < 9, blue > 246) == (True, True, True)


def test_alpha_is_blended_with_white(tmp_path: Path) -> None:
    rgba = save(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), tmp_path / "rgba.png")
    assert render_one(rgba).image.getpixel((4, 4)) == WHITE
    half = save(Image.new("LA", (9, 9), (0, 128)), tmp_path / "la.png")
    assert render_one(half).image.getpixel((4, 4)) == (127, 127, 127)


def test_palette_with_and_without_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (9, 9), 1)
    image.putpalette([0, 0, 0, 0, 255, 0])
    assert render_one(save(image, tmp_path / "p.png")).image.getpixel((4, 4)) == GREEN
    transparent = save(image, tmp_path / "t.png", transparency=1)
    assert render_one(transparent).image.getpixel((4, 4)) == WHITE


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_keeps_its_brightness(tmp_path: Path, suffix: str) -> None:
    image = Image.new("I;16", (3, 1))
    for x, grey in enumerate((0, 0x8080, 0xFFFF)):
        image.putpixel((x, 0), grey)
    page = render_one(save(image, tmp_path / f"a{suffix}"))
    assert [page.image.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def test_float_pixels_are_refused_rather_than_clipped(tmp_path: Path) -> None:
    page = failure(save(Image.new("F", (9, 9), 0.5), tmp_path / "a.tif"))
    assert page.status == "unreadable"
    assert "8-bit grey" in page.reason


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGB", (64, 32), BLUE)
    image.paste(RED, (0, 0, 32, 32))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90° clockwise
    page = render_one(save(image, tmp_path / f"a{suffix}", exif=exif, quality=95))
    assert page.image.size == (32, 64)
    top, bottom = page.image.getpixel((16, 10)), page.image.getpixel((16, 54))
    assert top[0] > 240 > bottom[0] and bottom[2] > 240 > top[2]
    assert page.scale == 1.0


def test_orientation_is_kept_by_an_image_with_alpha_and_one_that_is_reduced(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(Image.new("RGBA", (64, 32), (0, 0, 0, 90)), tmp_path / "a.png", exif=exif)
    assert render_one(path).image.size == (32, 64)
    reduced = render_one(path, max_pixels=1200)
    assert 1100 <= reduced.width_px * reduced.height_px <= 1200
    assert reduced.height_px == pytest.approx(2 * reduced.width_px, abs=1)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg")
    red, green, blue = render_one(path).image.getpixel((8, 8))
    assert red > 240 and green < 15 and blue < 15


def test_each_frame_of_a_tiff_is_a_page(tmp_path: Path) -> None:
    frames = [Image.new("L", (20 + grey, 20), grey) for grey in (0, 100, 200)]
    path = save(frames[0], tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert count_pages(path) == 3
    pages = render(path, pages="3,1-2")
    assert [page.page.page_index for page in pages] == [2, 0, 1]
    assert [page.width_px for page in pages] == [220, 20, 120]
    assert [page.image.getpixel((5, 5))[0] for page in pages] == [200, 0, 100]


def test_bilevel_tiff(tmp_path: Path) -> None:
    path = save(Image.new("1", (40, 30), 1), tmp_path / "a.tif", compression="group4")
    assert render_one(path).image.getpixel((5, 5)) == WHITE


def test_an_image_somewhat_over_the_budget_is_reduced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = save(Image.new("RGB", (150, 100), GREEN), tmp_path / "a.png")
    page = render_one(path, max_pixels=10_000)
    assert 9_700 <= page.width_px * page.height_px <= 10_000
    assert page.scale == pytest.approx(page.width_px / 150)
    assert page.image.getpixel((50, 50)) == GREEN
    assert "max_pixels=10000" in caplog.text


def test_a_jpeg_far_over_the_budget_is_reduced_while_it_is_decoded(tmp_path: Path) -> None:
    path = save(Image.new("RGB", (1000, 800), (0, 200, 0)), tmp_path / "a.jpg")
    page = render_one(path, max_pixels=10_000)
    assert 9_500 <= page.width_px * page.height_px <= 10_000
    assert page.scale == pytest.approx(page.width_px / 1000)
    progressive = save(
        Image.new("RGB", (1000, 800)), tmp_path / "progressive.jpg", progressive=True
    )
    assert failure(progressive, max_pixels=10_000).status == "too_large"


def test_grey_may_be_further_over_the_budget_than_colour(tmp_path: Path) -> None:
    size = (200, 200)  # four times the budget: 40,000 bytes of grey, 160,000 of colour
    grey = save(Image.new("L", size, 90), tmp_path / "grey.png")
    assert render_one(grey, max_pixels=10_000).image.getpixel((9, 9)) == (90, 90, 90)
    colour = save(Image.new("RGB", size), tmp_path / "colour.png")
    assert failure(colour, max_pixels=10_000).status == "too_large"


def huge_png(side: int) -> bytes:
    """A small PNG file that says it is `side` × `side` RGB pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data).to_bytes(4)
        return len(data).to_bytes(4) + name + data + checksum

    header = side.to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    pixels = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_huge_image_is_too_large_and_never_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(30_000))
    monkeypatch.setattr(
        "PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("the image was decoded")
    )
    page = failure(path)
    assert (page.status, page.page_index) == ("too_large", 0)
    assert "30,000 × 30,000 pixels" in page.reason


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_an_image_cut_in_half(tmp_path: Path, suffix: str) -> None:
    path = save(Image.effect_noise((200, 200), 80).convert("RGB"), tmp_path / f"a{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    page = failure(path)
    assert page.status == "unreadable"
    assert "is damaged" in page.reason


def test_a_damaged_frame_costs_no_other_frame(tmp_path: Path) -> None:
    frames = [Image.effect_noise((64, 64), 80) for _ in range(3)]
    path = save(
        frames[0],
        tmp_path / "a.tif",
        save_all=True,
        append_images=frames[1:],
        compression="tiff_lzw",
    )
    with Image.open(path) as tiff:
        tiff.seek(1)
        (start,), (length,) = tiff.tag_v2[273], tiff.tag_v2[279]
    content = bytearray(path.read_bytes())
    content[start : start + length] = b"\xff" * length
    path.write_bytes(content)
    statuses = [getattr(page, "status", "ok") for page in render(path)]
    assert statuses == ["ok", "unreadable", "ok"]
