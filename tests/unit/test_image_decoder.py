"""Image files: one decoder, whatever the bits, the profile, the size and the format."""

import base64
import io
import logging
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from label_inputs import image_pages
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from glmocr_utils.finetune.dataset import decode_image as decode_row
from glmocr_utils.labels import LabelStore, find_pages
from glmocr_utils.labels.sources.llm import _url_of
from glmocr_utils.labels.sources.sidecar import label_from_sidecars
from glmocr_utils.render import decode_image, find_documents, render_document

pytestmark = pytest.mark.slow

PAGE = np.full((60, 50), 255, np.uint8)
PAGE[20:30, 10:40] = 0
GREY_16 = PAGE.astype(np.uint16) * 257


def white_is_zero(tiff: bytes) -> bytes:
    """The same TIFF with another PhotometricInterpretation."""
    changed = bytearray(tiff)
    (start,) = struct.unpack("<I", tiff[4:8])
    for entry in range(struct.unpack("<H", tiff[start : start + 2])[0]):
        at = start + 2 + 12 * entry
        if struct.unpack("<H", tiff[at : at + 2])[0] == 262:
            changed[at + 8 : at + 10] = struct.pack("<H", 0)
    return bytes(changed)


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def with_texts() -> PngInfo:
    texts = PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", "x" * 9_000_000, zip=True)
    texts.add_text("comment", "y" * 3_000_000, zip=True)
    return texts


RGB = np.stack([PAGE] * 3, axis=2)
FILES = {
    "16 bits.png": lambda: saved(GREY_16, "PNG"),
    "16 bits.tif": lambda: saved(GREY_16, "TIFF"),
    "white is zero.tif": lambda: white_is_zero(saved(65535 - GREY_16, "TIFF")),
    "12 bits in 16.png": lambda: saved(GREY_16 >> 4, "PNG"),
    "12 bits in 16.tif": lambda: saved(GREY_16 >> 4, "TIFF"),
    "profile.png": lambda: saved(RGB, "PNG", icc_profile=os.urandom(2_600_000)),
    "texts.png": lambda: saved(RGB, "PNG", pnginfo=with_texts()),
    "profile.jpg": lambda: saved(RGB, "JPEG", icc_profile=os.urandom(3_000_000), quality=95),
    "a.jp2": lambda: saved(RGB, "JPEG2000"),
    "a.bmp": lambda: saved(RGB, "BMP"),
    "a.gif": lambda: saved(PAGE, "GIF"),
    "a.webp": lambda: saved(RGB, "WEBP", lossless=True),
    "a.ppm": lambda: saved(RGB, "PPM"),
    "a.pbm": lambda: saved(PAGE > 0, "PPM"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_page_looks_the_same_in_every_step(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = FILES[name]()
    path.write_bytes(content)
    (page,) = render_document(path)
    sent = _url_of(path).partition(",")[2]
    steps = {
        "render": page.image,
        "file": decode_image(path),
        "bytes": decode_image(content),
        "training": decode_row({"path": None, "bytes": content}),
        "llm": Image.open(io.BytesIO(base64.b64decode(sent))).convert("RGB"),
    }
    for step, image in steps.items():
        assert np.abs(np.asarray(image).astype(int) - RGB).max() <= 12, step


def test_a_bilevel_sheet_of_a0_is_reduced_and_read(tmp_path: Path) -> None:
    sheet = Image.new("1", (13_244, 18_724), 1)
    sheet.paste(0, (2000, 2000, 9000, 3000))
    sheet.save(tmp_path / "a0.tif", compression="group4")
    limit = Image.MAX_IMAGE_PIXELS
    image = decode_image(tmp_path / "a0.tif", max_pixels=2_000_000)
    assert image.width * image.height <= 2_000_000
    assert image.getpixel((image.width // 3, image.height * 2500 // 18_724)) == (0, 0, 0)
    assert limit and limit == Image.MAX_IMAGE_PIXELS  # others still are protected


def test_an_animation_says_that_its_first_image_is_read(tmp_path: Path) -> None:
    frames = [Image.new("L", (9, 9), grey) for grey in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (page,) = render_document(tmp_path / "a.gif")
    assert page.image.getpixel((3, 3)) == (10, 10, 10)
    assert "first of its 2 images" in page.remark


def test_a_tiff_of_several_pages_gets_no_label_of_its_first(tmp_path: Path) -> None:
    image_pages(tmp_path, 1)
    (tmp_path / "page000.txt").write_text("one page")
    frames = [Image.new("L", (9, 9), grey) for grey in (10, 200, 90)]
    frames[0].save(tmp_path / "three.tif", save_all=True, append_images=frames[1:])
    (tmp_path / "three.txt").write_text("one\ftwo\fthree")
    run = label_from_sidecars(LabelStore(tmp_path / "labels"), find_pages(tmp_path), progress=False)
    assert run.labelled == 1
    assert "has 3 pages" in run.left_out[0].reason and "notebook 01" in run.left_out[0].reason


def test_what_a_folder_has_and_is_not_read_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a.png", "b.BMP", "c.jp2", "scan.heic", "notes.docx", "a.txt", ".hidden", "noend"):
        (tmp_path / name).touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with caplog.at_level(logging.WARNING):
        documents = find_documents(tmp_path)
    assert [path.name for path in documents] == ["a.png", "b.BMP", "c.jp2"]
    assert [path.name for path in documents.not_read] == [
        "link",
        "noend",
        "notes.docx",
        "scan.heic",
    ]
    assert "4 files are not read" in caplog.text and "notes.docx" in caplog.text
