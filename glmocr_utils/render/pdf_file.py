"""PDF files, drawn by pdfium and compared with the objects listed in the file."""

import functools
import math
from dataclasses import replace
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from glmocr_utils.options import RenderOptions
from glmocr_utils.render.errors import DocumentError, named
from glmocr_utils.render.inventory import (
    FileInventory,
    attached_files,
    files_attached_to,
    needs_adobe_reader,
    without_notices,
)
from glmocr_utils.render.raster import Canvas, Raster, as_bytes, largest_scale
from glmocr_utils.render.undrawn import find_undrawn

# A page so long and thin that the pixel budget leaves its short side less than this shows nothing.
SMALLEST_SIDE_PX = 16

# pdfium keeps what it read of a file until the document is closed. Opening it again now and then
# keeps a scanned book of gigabytes from filling the memory.
PAGES_PER_OPENING = 50

MAX_NAMES = 5  # of attached files are given


class PdfReader:
    """An open PDF. Use it in one thread only: pdfium is not thread-safe.

    Raises:
        DocumentError: `encrypted` or `unreadable`.
    """

    def __init__(self, path: Path, password: str | None) -> None:
        self._path = path
        self._password = password
        self._pdf = _open(path, password)
        self._pages_since_opening = 0
        self.num_pages = len(self._pdf)
        self._file: FileInventory | None = None

    def close(self) -> None:
        self._pdf.close()
        if self._file is not None:
            self._file.close()

    def render(self, page_index: int, options: RenderOptions, canvas: Canvas) -> Raster:
        """Draw a page with its annotations and form fields on white, turned as it says.

        Sides are `ceil(points × scale)` pixels; a page with larger units has more points.

        Raises:
            DocumentError: most of the page's contents cannot be drawn, or too much for
                `options.max_pixels`.
        """
        if self._pages_since_opening == PAGES_PER_OPENING:
            self._pdf.close()
            self._pdf = _open(self._path, self._password)
            self._pages_since_opening = 0
        self._pages_since_opening += 1
        try:
            page = self._pdf[page_index]
        except pdfium.PdfiumError as error:
            raise DocumentError(
                "unreadable",
                f"{named(self._path, page_index)} is damaged and cannot be loaded; save the file "
                "again with another PDF program, or leave the page out with pages=",
            ) from error
        try:
            return self._draw(page, page_index, options, canvas)
        finally:
            page.close()

    def _draw(
        self, page: pdfium.PdfPage, page_index: int, options: RenderOptions, canvas: Canvas
    ) -> Raster:
        if self._file is None:  # a document that is only counted does without
            self._file = FileInventory(self._path, self._password, self.num_pages)
        unit = self._file.user_unit(page_index)  # in points
        width, height = page.get_size()  # in units, after rotation
        asked_scale = options.scale * unit
        scale = largest_scale(width, height, asked_scale, options.max_pixels)
        if scale < asked_scale and min(width, height) * scale < SMALLEST_SIDE_PX:
            raise DocumentError(
                "too_large",
                f"{named(self._path, page_index)} measures {width * unit:g} × {height * unit:g} "
                f"points, and fitted into {options.max_pixels:,} pixels nothing on it can be "
                "read; cut the page into parts",
            )
        bitmap = page.render(
            scale=scale,
            rev_byteorder=True,  # with the next: RGBX
            prefer_bgrx=True,
            bitmap_maker=functools.partial(pdfium.PdfBitmap.new_native, buffer=canvas),
        )
        bitmap.close()
        size = math.ceil(width * scale), math.ceil(height * scale)
        points = options.scale if scale == asked_scale else scale / unit
        raster = Raster(*size, points, options.scale)
        drawn = as_bytes(canvas)
        undrawn = find_undrawn(self._pdf, page, raster, drawn, self._file, page_index)
        if undrawn is None:
            return replace(raster, remark=self._attachments(page, page_index))
        where = named(self._path, page_index)
        missing = f"{where} lacks what its file says is on it: {undrawn.what}"
        if undrawn.is_most:
            raise DocumentError("unreadable", missing)
        return replace(raster, missing=missing, remark=self._attachments(page, page_index))

    def _attachments(self, page: pdfium.PdfPage, page_index: int) -> str | None:
        """What goes with the document and is not on its pages, said of its first one."""
        files = files_attached_to(page)
        if page_index == 0:
            files += attached_files(self._pdf)
        is_portfolio = page_index == 0 and self._file is not None and self._file.is_portfolio
        if not files and not is_portfolio:
            return None
        names = ", ".join(map(repr, files[:MAX_NAMES]))
        if len(files) > MAX_NAMES:
            names += f" and {len(files) - MAX_NAMES} more"
        what = "is a portfolio of files" if is_portfolio else "has attached files"
        return (
            f"{named(self._path, page_index)} {what}, and they are not read: "
            f"{names or 'without names'}; save them from a PDF viewer and read them as documents"
        )


def _open(path: Path, password: str | None) -> pdfium.PdfDocument:
    try:
        pdf = pdfium.PdfDocument(path, password)
        if needs_adobe_reader(pdf):
            pdf.close()
            raise DocumentError(
                "unreadable",
                f"{named(path)} is a dynamic XFA form, whose pages only Adobe's programs draw; "
                "open it in Adobe Acrobat Reader, print it to a PDF, and read that",
            )
        with without_notices():
            pdf.init_forms()  # form fields are drawn only on pages that are loaded after this
    except pdfium.PdfiumError as error:
        raise _opening_error(path, password, error) from error
    return pdf


def _opening_error(path: Path, password: str | None, error: pdfium.PdfiumError) -> DocumentError:
    if error.err_code == pdfium_c.FPDF_ERR_PASSWORD:
        if password is None:
            advice = "is encrypted and needs a password; give it as the option password"
        else:
            advice = "is encrypted and the password given does not open it; give the right one"
        return DocumentError("encrypted", f"{named(path)} {advice}")
    if error.err_code == pdfium_c.FPDF_ERR_SECURITY:
        return DocumentError(
            "encrypted",
            f"{named(path)} is encrypted in a way that pdfium cannot open; decrypt it with "
            "another PDF program first",
        )
    return DocumentError(
        "unreadable",
        f"{named(path)} is not a complete PDF or is damaged ({error}); copy or download it again, "
        "or save it again with another PDF program",
    )
