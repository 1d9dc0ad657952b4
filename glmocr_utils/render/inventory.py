"""The objects that a PDF lists on a page, because pixels alone cannot show what is missing.

pdfium names the objects of a page (images with their filters, runs of text with their fonts),
forms and attachments. It does not say how large a page's unit is, or whether the page's content
could be read: `FileInventory` asks a second parser. It knows nothing of the drawing; `undrawn`
compares the two.
"""

import ctypes
import logging
import mmap
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

MAX_OBJECTS = 50_000  # of a page are looked at
MAX_DEPTH = 8  # of forms within forms
MAX_CONTENT_BYTES = 16_000_000  # of a page's content are looked at
MAX_PAGE_BYTES = 100_000  # of a page's dictionary
MAX_TREE_DEPTH = 50  # of pages
CONTENT_BYTES = bytes([9, 10, 12, 13, *range(32, 127)])
INVISIBLE = 3  # text render mode

Box = tuple[float, float, float, float]  # left, bottom, right, top in the page's own units


@dataclass(frozen=True, slots=True)
class PageObject:
    """Text, a path, an image or a shading.

    Attributes:
        handle: pdfium's, valid while the page is open.
        to_page: matrix of the form that it is in; None outside of forms.
    """

    handle: Any
    to_page: np.ndarray | None

    @property
    def box(self) -> Box:
        """Where it is; asked for late, because most pages need it of few objects."""
        edges = [ctypes.c_float() for _ in range(4)]
        pdfium_c.FPDFPageObj_GetBounds(self.handle, *map(ctypes.byref, edges))
        left, bottom, right, top = (edge.value for edge in edges)
        if self.to_page is not None:
            corners = np.array([(x, y, 1) for x in (left, right) for y in (bottom, top)])
            placed = (corners @ self.to_page)[:, :2]
            (left, bottom), (right, top) = placed.min(axis=0), placed.max(axis=0)
        return left, bottom, right, top


@dataclass(frozen=True, slots=True)
class ImageObject(PageObject):
    """An image on a page.

    Attributes:
        filters: names of the filters that its data passes, the codec last.
        width_px, height_px: its own size.
    """

    filters: tuple[str, ...]
    width_px: int
    height_px: int

    @property
    def name(self) -> str:
        codec = "+".join(self.filters) or "uncompressed"
        return f"an image of {self.width_px} × {self.height_px} pixels ({codec})"


@dataclass(slots=True)
class PageInventory:
    """The objects of a page, those inside forms too.

    Attributes:
        images: in the order in which they are drawn.
        texts: that are meant to be seen.
        others: paths and shadings.
        font_is_embedded: by the font's name, of the fonts that the page's text uses.
        num_objects: of all kinds.
    """

    images: list[ImageObject] = field(default_factory=list)
    texts: list[PageObject] = field(default_factory=list)
    others: list[PageObject] = field(default_factory=list)
    font_is_embedded: dict[str, bool] = field(default_factory=dict)
    num_objects: int = 0


def page_inventory(page: pdfium.PdfPage) -> PageInventory:
    """The objects of an open page."""
    return _Walk(page).inventory


class _Walk:
    def __init__(self, page: pdfium.PdfPage) -> None:
        self.inventory = PageInventory()
        self._page = page
        self._fonts: set[int] = set()
        self._level(
            pdfium_c.FPDFPage_CountObjects(page),
            lambda index: pdfium_c.FPDFPage_GetObject(page, index),
            None,
            0,
        )

    def _level(
        self, count: int, get: Callable[[int], Any], to_page: np.ndarray | None, depth: int
    ) -> None:
        inventory = self.inventory
        for index in range(count):
            if inventory.num_objects >= MAX_OBJECTS:
                return
            inventory.num_objects += 1
            handle = get(index)
            kind = pdfium_c.FPDFPageObj_GetType(handle)
            if kind == pdfium_c.FPDF_PAGEOBJ_FORM:
                if depth < MAX_DEPTH:
                    self._form(handle, to_page, depth)
                continue
            if kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
                if pdfium_c.FPDFTextObj_GetTextRenderMode(handle) != INVISIBLE:
                    self._note_font(handle)
                    inventory.texts.append(PageObject(handle, to_page))
            elif kind == pdfium_c.FPDF_PAGEOBJ_IMAGE:
                inventory.images.append(self._image(handle, to_page))
            else:
                inventory.others.append(PageObject(handle, to_page))

    def _form(self, handle: Any, to_page: np.ndarray | None, depth: int) -> None:
        matrix = pdfium_c.FS_MATRIX()
        pdfium_c.FPDFPageObj_GetMatrix(handle, ctypes.byref(matrix))
        own = np.array([[matrix.a, matrix.b, 0], [matrix.c, matrix.d, 0], [matrix.e, matrix.f, 1]])
        self._level(
            max(0, pdfium_c.FPDFFormObj_CountObjects(handle)),
            lambda index: pdfium_c.FPDFFormObj_GetObject(handle, index),
            own if to_page is None else own @ to_page,
            depth + 1,
        )

    def _image(self, handle: Any, to_page: np.ndarray | None) -> ImageObject:
        width, height = ctypes.c_uint(), ctypes.c_uint()
        pdfium_c.FPDFImageObj_GetImagePixelSize(handle, ctypes.byref(width), ctypes.byref(height))
        filters = tuple(
            _string(pdfium_c.FPDFImageObj_GetImageFilter, handle, index)
            for index in range(pdfium_c.FPDFImageObj_GetImageFilterCount(handle))
        )
        return ImageObject(handle, to_page, filters, width.value, height.value)

    def _note_font(self, text_object: Any) -> None:
        font = pdfium_c.FPDFTextObj_GetFont(text_object)
        address = ctypes.cast(font, ctypes.c_void_p).value or 0
        if font and address not in self._fonts:
            self._fonts.add(address)
            embedded = pdfium_c.FPDFFont_GetIsEmbedded(font) == 1
            name = font_name(font)
            known = self.inventory.font_is_embedded
            known[name] = known.get(name, True) and embedded


def font_name(font: Any) -> str:
    """The name that the file gives a font, without the tag of a subset."""
    name = _string(pdfium_c.FPDFFont_GetBaseFontName, font)
    return re.sub(r"^[A-Z]{6}\+", "", name) or "without a name"


def _string(get: Callable[..., int], *arguments: Any) -> str:
    """A string of a pdfium function that is asked for its length first."""
    length = get(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(length)
    get(*arguments, buffer, length)
    return buffer.value.decode("utf-8", "replace")


# Of the document


def needs_adobe_reader(pdf: pdfium.PdfDocument) -> bool:
    """A dynamic XFA form: its pages are made by the program that shows it, and few can."""
    kind = pdfium_c.FPDF_GetFormType(pdf)
    if kind == pdfium_c.FORMTYPE_XFA_FULL:
        return True
    return kind == pdfium_c.FORMTYPE_XFA_FOREGROUND and any(
        b"required" in packet.partition(b"dynamicRender")[2][:12] for packet in _xfa_packets(pdf)
    )


def _xfa_packets(pdf: pdfium.PdfDocument) -> Iterator[bytes]:
    for index in range(max(0, pdfium_c.FPDF_GetXFAPacketCount(pdf))):
        length = ctypes.c_ulong()
        pdfium_c.FPDF_GetXFAPacketContent(pdf, index, None, 0, ctypes.byref(length))
        buffer = ctypes.create_string_buffer(length.value)
        pdfium_c.FPDF_GetXFAPacketContent(pdf, index, buffer, length, ctypes.byref(length))
        yield buffer.raw


def attached_files(pdf: pdfium.PdfDocument) -> list[str]:
    """Names of the files that are attached to the document as a whole."""
    return [
        _attachment_name(pdfium_c.FPDFDoc_GetAttachment(pdf, index))
        for index in range(pdfium_c.FPDFDoc_GetAttachmentCount(pdf))
    ]


def files_attached_to(page: pdfium.PdfPage) -> list[str]:
    """Names of the files that are attached to spots on the page."""
    names = []
    for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
        if pdfium_c.FPDFAnnot_GetSubtype(annotation) == pdfium_c.FPDF_ANNOT_FILEATTACHMENT:
            names.append(_attachment_name(pdfium_c.FPDFAnnot_GetFileAttachment(annotation)))
        pdfium_c.FPDFPage_CloseAnnot(annotation)
    return names


def _attachment_name(attachment: Any) -> str:
    if not attachment:
        return "without a name"
    length = pdfium_c.FPDFAttachment_GetName(attachment, None, 0)
    buffer = (pdfium_c.FPDF_WCHAR * (length // 2 + 1))()
    pdfium_c.FPDFAttachment_GetName(attachment, buffer, length)
    name = bytes(buffer)[:length].decode("utf-16-le", "replace").rstrip("\0")
    return name or "without a name"


class FileInventory:
    """Facts in the file's own objects that pdfium does not give.

    A file that this parser cannot read says nothing: pages are then taken as pdfium draws them.

    Args:
        num_pages: as pdfium counts them; where this parser counts others, it is not believed.
    """

    def __init__(self, path: Path, password: str | None, num_pages: int) -> None:
        self._path = path
        self._pdf: pikepdf.Pdf | None = None
        self._pages: list[pikepdf.Dictionary] = []
        self.is_portfolio = False
        with _believing_nothing():
            self._pdf = pikepdf.Pdf.open(path, password=password or "", suppress_warnings=True)
            self.is_portfolio = "/Collection" in self._pdf.Root
            if len(self._pdf.pages) == num_pages:
                self._pages = [page.obj for page in self._pdf.pages]

    def close(self) -> None:
        if self._pdf is not None:
            self._pdf.close()

    def user_unit(self, page_index: int) -> float:
        """Points per unit of the page; 1 for all but very large pages."""
        with _believing_nothing():
            unit = float(self._pages[page_index].get("/UserUnit", 1))
            return unit if 0 < unit < float("inf") else 1.0
        return 1.0

    def content_damage(self, page_index: int) -> list[str]:
        """What of the page's content is missing or damaged; empty where all of it can be read."""
        with _believing_nothing():
            return _content_damage(self._pages[page_index])
        return []

    def damage_of_empty_page(self, page_index: int) -> list[str]:
        """The same, of a page on which there is not one object: a closer look."""
        with _believing_nothing():
            page = self._pages[page_index]
            if "/Contents" not in page:
                return self._names_content(page)
            content = b"".join(_decoded(stream)[0] for stream in _streams(page))
            if not content and any(stream.read_raw_bytes().strip() for stream in _streams(page)):
                return ["its content cannot be decoded"]
            strange = len(content.translate(None, CONTENT_BYTES))
            return ["its content is damaged"] if strange > 0.1 * len(content) else []
        return []

    def _names_content(self, page: pikepdf.Dictionary) -> list[str]:
        """The parser takes a reference to what is not there for none; the file shows it."""
        start = b"%d %d obj" % page.objgen
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            found = data.rfind(start)
            end = min(data.find(b"endobj", found), found + MAX_PAGE_BYTES)
            text = data[found:end] if found >= 0 else b""
        named = re.search(rb"/Contents\s*\[?\s*(\d+)\s+\d+\s+R", text)
        return [f"its content (object {int(named[1])}) is missing"] if named else []


@contextmanager
def _believing_nothing() -> Iterator[None]:
    """A file that the parser fails on, in whatever way, says nothing."""
    try:
        yield
    except Exception as error:  # a damaged file raises nearly any type
        logging.getLogger(__name__).debug("second parser: %s", error)


@contextmanager
def without_notices() -> Iterator[None]:
    """Without what pdfium's wrapper says of itself, which names no file and no remedy."""
    notices = logging.getLogger("pypdfium2")
    level = notices.level
    notices.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        notices.setLevel(level)


def _content_damage(page: pikepdf.Dictionary) -> list[str]:
    damage, decoded = [], b""
    for stream in _streams(page):
        if not isinstance(stream, pikepdf.Stream):
            damage.append("a part of its content is missing")
            continue
        content, problem = _decoded(stream)
        decoded += content[: MAX_CONTENT_BYTES - len(decoded)] + b"\n"
        if problem:
            damage.append(f"its content (object {stream.objgen[0]}) {problem}")
    return damage + _missing_xobjects(page, decoded)


def _streams(page: pikepdf.Dictionary) -> list[Any]:
    contents = page.get("/Contents")
    if contents is None:
        return []
    return list(contents) if isinstance(contents, pikepdf.Array) else [contents]


def _decoded(stream: pikepdf.Stream) -> tuple[bytes, str]:
    """A stream's bytes, as far as they can be decoded, and what is wrong with the others."""
    raw = stream.read_raw_bytes()
    if not raw.strip():
        return b"", ""
    filters = stream.get("/Filter")
    if filters is None:
        return raw, ""
    if filters == "/FlateDecode" or (
        isinstance(filters, pikepdf.Array) and [*map(str, filters)] == ["/FlateDecode"]
    ):
        return _inflated(raw)
    try:
        return stream.read_bytes(), ""
    except pikepdf.PdfError:  # pdfium may know better, and draw it
        return b"", ""


def _inflated(raw: bytes) -> tuple[bytes, str]:
    # without the two bytes at its head and the sum at its end, which many files get wrong
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = b""
    try:
        for start in range(2, len(raw), 1024):
            content += inflater.decompress(raw[start : start + 1024])
            if inflater.eof or len(content) > MAX_CONTENT_BYTES:
                return content, ""
    except zlib.error:
        pass
    return content, "breaks off" if content.strip() else "cannot be decoded"


def _missing_xobjects(page: pikepdf.Dictionary, content: bytes) -> list[str]:
    """Images and forms that the content draws and the file lacks."""
    names = dict.fromkeys(re.findall(rb"(/[^\s/\[\]<>()%]+)\s+Do\b", content))
    if not names:
        return []
    resources = _inherited(page, "/Resources")
    there: Any = resources.get("/XObject", {}) if resources is not None else {}
    missing = [name.decode("latin-1") for name in names]
    missing = [name for name in missing if name not in there and "#" not in name]
    return [f"{name[1:]!r}, which it draws, is missing" for name in missing]


def _inherited(page: Any, key: str) -> Any:
    for _ in range(MAX_TREE_DEPTH):
        if page is None or key in page:
            break
        page = page.get("/Parent")
    return None if page is None else page.get(key)
