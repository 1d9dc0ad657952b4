"""Pages and labels for the tests of the label set."""

from pathlib import Path

from PIL import Image
from render_inputs import Page

from glmocr_utils.labels import PageFile, find_pages
from glmocr_utils.labels.pages import make_label
from glmocr_utils.records import Label, PageRef
from glmocr_utils.render import RenderOptions, render_document, write_imagefolder

FONT = (
    b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica"
    b"/Encoding/WinAnsiEncoding>>>>>>"
)
FONT_PX = 10


def rendered(folder: Path, *documents: Path, scale: float = 0.5) -> list[PageFile]:
    """The pages of documents, in an imagefolder as notebook 01 writes it."""
    options = RenderOptions(scale=scale)
    write_imagefolder(
        (page for path in documents for page in render_document(path, options)), folder
    )
    return find_pages(folder)


def text_page(*lines: tuple[float, float, str], entries: bytes = b"", before: bytes = b"") -> Page:
    """A PDF page of 300 × 200 points with lines at (left, baseline from the bottom)."""
    drawn = b"".join(
        b"BT /F %d Tf 1 0 0 1 %a %a Tm (%s) Tj ET " % (FONT_PX, x, y, text.encode("cp1252"))
        for x, y, text in lines
    )
    return Page(before + drawn, (300, 200), FONT + entries)


def down(*texts: str, left: float = 20, top: float = 180, step: float = 12) -> list[tuple]:
    """Lines one under the other, for `text_page`."""
    return [(left, top - step * number, text) for number, text in enumerate(texts)]


def image_pages(folder: Path, count: int) -> list[PageFile]:
    """Pages of images that differ in their grey."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"page{number:03d}.png")
    return find_pages(folder)


def a_page(document: str = "a", page_index: int = 0, image: str | None = None) -> PageFile:
    """A page whose image is not on the disk. One letter or digit names a document or an image."""
    return PageFile(
        page=PageRef(f"{document}.pdf", (document * 64)[:64], page_index),
        image_file=Path(f"{document}_p{page_index + 1:04d}.png"),
        image_sha256=((image or f"{document}{page_index}") * 64)[:64],
    )


def a_label(
    text: str = "text",
    status: str = "gold",
    source: str = "sidecar",
    page: PageFile | None = None,
    **changes: object,
) -> Label:
    return make_label(page or a_page(), text, status, source, **changes)
