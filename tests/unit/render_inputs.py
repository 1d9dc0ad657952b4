"""Hand-written PDFs for the tests of rendering, small enough to know every pixel of."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Page:
    """A page for `write_pdf`.

    Attributes:
        content: drawing operators.
        size: width and height in points.
        entries: further entries of the page's dictionary.
    """

    content: bytes = b""
    size: tuple[float, float] = (60, 40)
    entries: bytes = b""


@dataclass
class PdfObjects:
    """The objects of a PDF; `add` gives the number of the new one."""

    objects: list[bytes] = field(default_factory=list)

    def add(self, body: bytes) -> int:
        self.objects.append(body)
        return len(self.objects)

    def add_stream(self, entries: bytes, content: bytes) -> int:
        return self.add(b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(content), content))

    def to_bytes(self) -> bytes:
        out = b"%PDF-1.7\n"
        offsets = []
        for number, body in enumerate(self.objects, 1):
            offsets.append(len(out))
            out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
        table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
        size = len(self.objects) + 1
        return out + (
            b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\n"
            b"startxref\n%d\n%%%%EOF" % (size, table, size, len(out))
        )


def pdf_bytes(*pages: Page, catalog: bytes = b"", extra: tuple[bytes, ...] = ()) -> bytes:
    """A PDF of `pages`. The objects `extra` are numbered from 3."""
    pdf = PdfObjects()
    pdf.add(b"<</Type/Catalog/Pages 2 0 R%s>>" % catalog)
    first_kid = 3 + len(extra)
    kids = b" ".join(b"%d 0 R" % (first_kid + 2 * index) for index in range(len(pages)))
    pdf.add(b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids))
    for body in extra:
        pdf.add(body)
    for page in pages:
        content_number = len(pdf.objects) + 2
        pdf.add(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %a %a]/Contents %d 0 R%s>>"
            % (*page.size, content_number, page.entries)
        )
        pdf.add_stream(b"", page.content)
    return pdf.to_bytes()


def write_pdf(path: Path, *pages: Page) -> Path:
    path.write_bytes(pdf_bytes(*pages))
    return path


def grey_page(grey: int, size: tuple[float, float] = (60, 40)) -> Page:
    """A page that is all of one grey, 0 to 255, so that an image shows which page it is."""
    return Page(b"%f g 0 0 %a %a re f" % (grey / 255, *size), size)


def write_grey_pdf(path: Path, greys: list[int]) -> Path:
    return write_pdf(path, *(grey_page(grey) for grey in greys))


def endless_pdf() -> bytes:
    """Two grey pages around one that draws a square 10 ** 9 times."""
    levels = 9
    extra = []
    for level in range(levels):
        last = level == levels - 1
        content = b"0 0 9 9 re f" if last else b"/F Do " * 10
        resources = b"" if last else b"/Resources<</XObject<</F %d 0 R>>>>" % (level + 4)
        extra.append(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 60 40]%s/Length %d>>stream\n%s\nendstream"
            % (resources, len(content), content)
        )
    endless = Page(b"/F Do " * 10, entries=b"/Resources<</XObject<</F 3 0 R>>>>")
    return pdf_bytes(grey_page(10), endless, grey_page(30), extra=tuple(extra))
