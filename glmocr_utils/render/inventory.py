"""What a PDF says is on a page, read beside the rendering: pixels alone cannot say what they lack.

pdfium names the objects of a page (images with their filters, runs of text with their fonts),
forms and attachments. It does not say how large a page's unit is, or whether the page's content
could be read: `FileInventory` asks a second parser. It knows nothing of what was drawn; `undrawn`
compares the two.
"""

import ctypes
import logging
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject, StreamObject

MAX_OBJECTS = 50_000  # of a page are looked at
MAX_DEPTH = 8  # of forms within forms
MAX_CONTENT_BYTES = 16_000_000  # of a page's content are looked at
MAX_FILE_BYTES = 1 << 30  # a damaged file is searched from end to end, in memory
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
        address = ctypes.cast(font, ctypes.c_void_p).value
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
    """Names of the files that are attached to places on the page."""
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
    """What the file's own objects say and pdfium does not.

    A file that this parser cannot read says nothing: pages are then taken as pdfium draws them.

    Args:
        num_pages: as pdfium counts them; where this parser counts others, it is not believed.
    """

    def __init__(self, path: Path, password: str | None, num_pages: int) -> None:
        self._pages: DictionaryObject | None = None
        self.is_portfolio = False
        self._file = None
        if path.stat().st_size > MAX_FILE_BYTES:
            return
        self._file = path.open("rb")
        with without_notices(), _believing_nothing():
            reader = pypdf.PdfReader(self._file, strict=False)
            if reader.is_encrypted:
                reader.decrypt(password or "")
            root = reader.trailer["/Root"]
            self.is_portfolio = "/Collection" in root
            if root["/Pages"]["/Count"] == num_pages:
                self._pages = root["/Pages"]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def user_unit(self, page_index: int) -> float:
        """Points per unit of the page; 1 for all but very large pages."""
        with without_notices(), _believing_nothing():
            unit = float(self._page(page_index).get("/UserUnit", 1))
            return unit if 0 < unit < float("inf") else 1.0
        return 1.0

    def content_damage(self, page_index: int) -> list[str]:
        """What of the page's content is missing or damaged; empty where all of it can be read."""
        with without_notices(), _believing_nothing():
            return _content_damage(self._page(page_index))
        return []

    def has_unreadable_content(self, page_index: int) -> bool:
        """The page has content, and it is not what draws a page. For pages without an object."""
        with without_notices(), _believing_nothing():
            content = b"".join(_decoded(stream)[0] for stream in _streams(self._page(page_index)))
            strange = len(content.translate(None, _CONTENT_BYTES))
            return strange > 0.1 * len(content)
        return False

    def _page(self, page_index: int) -> DictionaryObject:
        """The page's dictionary: down the tree, past branches that end before it."""
        node, left = self._pages, page_index
        while "/Kids" in node:
            for kid in node["/Kids"]:
                kid = kid.get_object()
                count = kid["/Count"] if "/Kids" in kid else 1
                if left < count:
                    node = kid
                    break
                left -= count
            else:
                raise KeyError(page_index)
        return node


_CONTENT_BYTES = bytes([9, 10, 12, 13, *range(32, 127)])


@contextmanager
def _believing_nothing() -> Iterator[None]:
    """A file that the parser fails on, in whatever way, says nothing."""
    try:
        yield
    except Exception as error:  # a damaged file raises nearly any type
        logging.getLogger(__name__).debug("second parser: %s", error)


@contextmanager
def without_notices() -> Iterator[None]:
    """Without the parsers' notices, which name no file and say nothing that a user can do."""
    notices = [logging.getLogger(name) for name in ("pypdf", "pypdfium2")]
    levels = [each.level for each in notices]
    for each in notices:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(notices, levels, strict=True):
            each.setLevel(level)


def _content_damage(page: DictionaryObject) -> list[str]:
    damage, decoded = [], b""
    contents = page.raw_get("/Contents") if "/Contents" in page else ArrayObject()
    resolved = contents.get_object()
    parts = resolved if isinstance(resolved, ArrayObject) else [contents]
    for part in parts:
        stream = part.get_object()
        if not isinstance(stream, StreamObject):
            if not isinstance(part, NullObject):
                damage.append(f"its content{_number(part)} is missing")
            continue
        content, problem = _decoded(stream)
        decoded += content[: MAX_CONTENT_BYTES - len(decoded)] + b"\n"
        if problem:
            damage.append(f"its content{_number(part)} {problem}")
    return damage + _missing_xobjects(page, decoded)


def _streams(page: DictionaryObject) -> list[StreamObject]:
    contents = page.get("/Contents", ArrayObject()).get_object()
    parts = contents if isinstance(contents, ArrayObject) else [contents]
    streams = [part.get_object() for part in parts]
    return [stream for stream in streams if isinstance(stream, StreamObject)]


def _number(part: Any) -> str:
    return f" (object {part.idnum})" if isinstance(part, IndirectObject) else ""


def _decoded(stream: StreamObject) -> tuple[bytes, str]:
    """A stream's bytes, as far as they can be decoded, and what ended that early."""
    data = stream._data if isinstance(stream._data, bytes) else b""
    filters = stream.get("/Filter", ArrayObject())
    filters = list(filters) if isinstance(filters, ArrayObject) else [filters]
    if not data.strip():
        return b"", ""
    if filters not in (["/FlateDecode"], ["/Fl"]):
        return (b"", "") if filters else (data, "")  # rare for content, and left to pdfium
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(data.lstrip(b"\r\n"), MAX_CONTENT_BYTES)
    except zlib.error:
        content = _as_far_as_it_goes(data)
        rest = zlib.decompressobj()
        try:  # all is there, and only the sum at the end is wrong
            rest.decompress(data)
        except zlib.error as error:
            if "incorrect data check" in str(error):
                return content, ""
        return content, "cannot be decompressed" if not content else "breaks off"
    if not inflater.eof and not inflater.unconsumed_tail and not content.rstrip():
        return content, "cannot be decompressed"
    return content, ""


def _as_far_as_it_goes(data: bytes) -> bytes:
    inflater, content = zlib.decompressobj(), b""
    try:
        for start in range(0, len(data), 64):
            content += inflater.decompress(data[start : start + 64])
    except zlib.error:
        pass
    return content


def _missing_xobjects(page: DictionaryObject, content: bytes) -> list[str]:
    """Images and forms that the content draws and the file lacks."""
    resources = _inherited(page, "/Resources")
    xobjects = resources.get("/XObject", DictionaryObject()).get_object()
    missing = []
    for name in dict.fromkeys(re.findall(rb"(/[^\s/\[\]<>()%]+)\s+Do\b", content)):
        key = name.decode("latin-1")
        if key in xobjects and isinstance(xobjects[key].get_object(), NullObject | type(None)):
            missing.append(f"{key[1:]}{_number(xobjects.raw_get(key))}, which it draws, is missing")
    return missing


def _inherited(page: DictionaryObject, key: str) -> DictionaryObject:
    for _ in range(MAX_DEPTH * 4):
        if key in page:
            return page[key]
        if "/Parent" not in page:
            break
        page = page["/Parent"]
    return DictionaryObject()
