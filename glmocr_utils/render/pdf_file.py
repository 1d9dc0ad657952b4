"""PDF files, drawn by pdfium."""

import functools
import math
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from glmocr_utils.render.errors import DocumentError, named
from glmocr_utils.render.options import RenderOptions
from glmocr_utils.render.raster import Canvas, Raster, largest_scale

# A page so long and thin that the pixel budget leaves its short side less than this shows nothing.
SMALLEST_SIDE_PX = 16

# pdfium keeps what it read of a file until the document is closed. Opening it anew now and then
# keeps a scanned book of gigabytes from filling the memory.
PAGES_PER_OPENING = 50


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

    def close(self) -> None:
        self._pdf.close()

    def render(self, page_index: int, options: RenderOptions, canvas: Canvas) -> Raster:
        """Draw a page with its annotations and form fields on white, turned as it says.

        Sides are `ceil(points × scale)` pixels.
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
        width, height = page.get_size()  # points, after rotation
        scale = largest_scale(width, height, options.scale, options.max_pixels)
        if scale < options.scale and min(width, height) * scale < SMALLEST_SIDE_PX:
            raise DocumentError(
                "too_large",
                f"{named(self._path, page_index)} measures {width:g} × {height:g} points, and "
                f"fitted into {options.max_pixels:,} pixels nothing on it can be read; cut the "
                "page into parts",
            )
        bitmap = page.render(
            scale=scale,
            rev_byteorder=True,  # with the next: RGBX
            prefer_bgrx=True,
            bitmap_maker=functools.partial(pdfium.PdfBitmap.new_native, buffer=canvas),
        )
        bitmap.close()
        return Raster(math.ceil(width * scale), math.ceil(height * scale), scale, options.scale)


def _open(path: Path, password: str | None) -> pdfium.PdfDocument:
    try:
        pdf = pdfium.PdfDocument(path, password)
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
