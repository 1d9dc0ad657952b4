"""Find documents, open them by their content, and render them in this process."""

import hashlib
import logging
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn, Protocol

from glmocr_utils.options import RenderOptions, parse_pages
from glmocr_utils.records import FailedPage, PageImage, PageRef
from glmocr_utils.render.errors import DocumentError, failed_page, named
from glmocr_utils.render.image_file import ImageReader, image_plugin
from glmocr_utils.render.pdf_file import PdfReader
from glmocr_utils.render.raster import Canvas, Raster, as_bytes, new_canvas

IMAGE_SUFFIXES = frozenset(
    ".png .jpg .jpeg .tif .tiff .webp .jp2 .j2k .j2c .jpx .jpf".split()
    + ".bmp .dib .gif .pbm .pgm .ppm .pnm".split()
)
DOCUMENT_SUFFIXES = IMAGE_SUFFIXES | {".pdf"}
PDF_MARK = b"%PDF-"
DEFAULT_INPUT = Path("data")
SAMPLES = DEFAULT_INPUT / "samples"
NOT_READ_ADVICE = "convert them to PDF or PNG, or name a linked folder itself"
HEAD_BYTES = 1024  # a PDF may begin anywhere within these

logger = logging.getLogger(__name__)


# Text and data that lie beside documents, and no page anybody would want read.
COMPANION_SUFFIXES = frozenset(
    ".txt .json .jsonl .csv .tsv .md .xml .html .yaml .yml .toml .log .parquet .hocr .py".split()
    + ".ipynb .jinja .safetensors .partial .css .js".split()
)
NAMES_SHOWN = 5  # of files that are not read


class Documents(list[Path]):
    """Documents that were found, and what lies beside them and is not read.

    Attributes:
        not_read: files of other kinds, and links to folders.
    """

    def __init__(self, paths: Iterable[Path] = (), not_read: Iterable[Path] = ()) -> None:
        super().__init__(paths)
        self.not_read = tuple(not_read)

    def not_read_sentence(self) -> str:
        """How many files are not read, and which; "" where there are none."""
        if not self.not_read:
            return ""
        names = ", ".join(named(path) for path in self.not_read[:NAMES_SHOWN])
        more = len(self.not_read) - NAMES_SHOWN
        count = f"{len(self.not_read)} file{'s are' if len(self.not_read) != 1 else ' is'} not read"
        return f"{count}: {names}{f' and {more} more' if more > 0 else ''}; {NOT_READ_ADVICE}"


class Document(Protocol):
    """An open PDF or image file."""

    num_pages: int

    def render(self, page_index: int, options: RenderOptions, canvas: Canvas) -> Raster:
        """Draw a page onto `canvas`. Raises DocumentError when it cannot be drawn."""

    def close(self) -> None: ...


def find_documents(input_path: str | Path) -> Documents:
    """The documents that `input_path` names; a warning names files that are not read.

    Args:
        input_path: a PDF or image file; a folder, in which PDFs and images are found at any
            depth and sorted, but for hidden ones and symbolic links to folders; or a list, a
            `.txt` file (UTF-8) with one path a line, relative to the list's own folder.

    Raises:
        FileNotFoundError: nothing is there, or a folder or list without documents.
        ValueError: a list that is not text.
    """
    path = Path(input_path)
    if path.is_dir():
        documents = _find_in_folder(path)
        nothing = f"no PDF or image in {named(path)}; it has to hold {_suffixes()} files"
        if documents.not_read:
            logger.warning("in %s, %s", named(path), documents.not_read_sentence())
    elif path.is_file() and path.suffix.lower() == ".txt":
        documents = Documents(_read_list(path))
        nothing = f"no path in {named(path)}; write one path of a PDF or image a line"
    else:
        documents = Documents([path] if path.exists() else [])
        nothing = f"{named(path)} does not exist; give a PDF, an image, a folder or a .txt list"
    if not documents:
        raise FileNotFoundError(nothing)
    return documents


def input_documents(input_path: str | Path | None) -> Documents:
    """The documents of `input_path`; without one those under `data/`, the samples only if alone.

    Raises:
        FileNotFoundError, ValueError: as `find_documents` does.
    """
    if input_path is not None:
        return find_documents(input_path)
    documents = find_documents(DEFAULT_INPUT)
    own = [path for path in documents if not path.is_relative_to(SAMPLES)]
    return Documents(own, documents.not_read) if own else documents


def first_page(documents: Iterable[Path], options: RenderOptions) -> PageImage:
    """The first page that can be rendered.

    Raises:
        ValueError: there is none; the message says why of the first few.
    """
    reasons = []
    for document in documents:
        for page in render_document(document, options):
            if isinstance(page, PageImage):
                return page
            reasons.append(page.reason)
    raise ValueError("no page can be rendered: " + "; ".join(reasons[:3]))


def open_document(path: Path, password: str | None = None) -> Document:
    """Open a PDF or an image, whatever its name says.

    Raises:
        DocumentError: `unreadable`, `encrypted` or `too_large`.
    """
    head = _read_head(path)
    if (plugin := image_plugin(head)) is not None:
        return ImageReader(path, plugin)
    if PDF_MARK in head:
        return PdfReader(path, password)
    raise DocumentError(
        "unreadable",
        f"{named(path)} is neither a PDF nor a PNG, JPEG, TIFF, WebP, JPEG 2000, BMP, GIF or "
        "PNM image, whatever its name says; convert it to one of these",
    )


def file_sha256(path: Path) -> str:
    """Hash of the file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def select_pages(
    path: Path, pages: str | None, num_pages: int, *, one_of_many: bool = False
) -> list[int]:
    """`parse_pages` with an error that names the file.

    Args:
        one_of_many: the range is for documents of any length: as far as this one has pages.

    Raises:
        DocumentError: `failed`, when the document has fewer pages.
    """
    try:
        return parse_pages(pages, num_pages, as_far_as_there_are=one_of_many)
    except ValueError as error:
        raise DocumentError("failed", f"{named(path)}: {error}") from error


def count_pages(path: str | Path, password: str | None = None) -> int:
    """Number of pages, in this process: a hostile PDF can end it.

    Raises:
        DocumentError: the document cannot be opened; the message says why and what to do.
    """
    with closing(open_document(Path(path), password)) as document:
        return document.num_pages


def render_document(
    path: str | Path, options: RenderOptions | None = None
) -> Generator[PageImage | FailedPage, None, None]:
    """Render one document page by page in this process.

    A hostile PDF can end the process or keep it forever; `render_documents` is safe from that.
    """
    path, options = Path(path), options or RenderOptions()
    try:
        document = open_document(path, options.password)
    except DocumentError as error:
        yield failed_page(path, None, error)
        return
    with closing(document):
        try:
            sha256 = file_sha256(path)
            page_indices = select_pages(path, options.pages, document.num_pages)
        except (OSError, DocumentError) as error:
            yield failed_page(path, None, error)
            return
        canvas = new_canvas(options.max_pixels)
        for page_index in page_indices:
            page = PageRef(str(path), sha256, page_index)
            try:
                raster = document.render(page_index, options, canvas)
            except DocumentError as error:
                yield failed_page(path, page_index, error)
                continue
            warn_of(page, raster, options)
            yield raster.to_page(page, as_bytes(canvas))


def warn_of(page: PageRef, raster: Raster, options: RenderOptions) -> None:
    """Log problems of a page: it is smaller than requested, or incomplete."""
    for sentence in filter(None, (raster.missing, raster.remark)):
        logger.warning("%s", sentence)
    if raster.scale < raster.asked_scale:
        logger.warning(
            "%s was rendered at scale %.3g instead of %.3g to stay within max_pixels=%d",
            named(Path(page.document_path), page.page_index).rstrip(","),
            raster.scale,
            raster.asked_scale,
            options.max_pixels,
        )


def _find_in_folder(folder: Path) -> Documents:
    documents: list[str] = []  # text, since paths are slow where there are very many
    not_read: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = (os.path.join(parent, name) for name in folders)
        not_read += [path for path in below if os.path.islink(path)]
        for name in names:
            suffix = os.path.splitext(name)[1].lower()
            if name.startswith(".") or suffix in COMPANION_SUFFIXES:
                continue
            found = documents if suffix in DOCUMENT_SUFFIXES else not_read
            found.append(os.path.join(parent, name))
    return Documents(_in_order(documents), _in_order(not_read))


def _in_order(paths: list[str]) -> Iterator[Path]:
    """Paths sorted by their folders, then their names."""
    return map(Path, sorted(paths, key=lambda path: path.split(os.sep)))


def _raise(error: OSError) -> NoReturn:
    """A subfolder that cannot be listed is an error, not pages that are silently missing."""
    raise error


def _read_list(list_path: Path) -> list[Path]:
    try:
        text = list_path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{named(list_path)} is not UTF-8 text ({error}); a list holds one path a line"
        ) from error
    lines = [line.strip() for line in text.split("\n")]
    return list(dict.fromkeys(list_path.parent / line for line in lines if line))


def _suffixes() -> str:
    return ", ".join(sorted(DOCUMENT_SUFFIXES))


def _read_head(path: Path) -> bytes:
    if path.is_dir():
        raise DocumentError(
            "unreadable", f"{named(path)} is a folder; give the PDFs or images in it"
        )
    if not path.is_file():  # reading from a pipe or a device might never end
        raise DocumentError(
            "unreadable", f"{named(path)} does not exist or is not a file; check the path"
        )
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DocumentError(
            "unreadable", f"{named(path)} cannot be read ({error.strerror}); check its permissions"
        ) from error
    if not head:
        raise DocumentError(
            "unreadable", f"{named(path)} is empty (0 bytes); copy or download it again"
        )
    return head
