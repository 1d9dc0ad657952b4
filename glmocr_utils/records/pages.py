"""Pages: which one, its image, and why one could not be read."""

import hashlib
import io
import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from PIL import Image

from glmocr_utils.records.checks import check_one_of

FailureStatus = Literal["unreadable", "encrypted", "too_large", "failed"]
PageKey = tuple[str, int]  # see `PageRef.key`


def storable_path(path: str | Path) -> str:
    """A path as text that can be written: bytes of a name that aren't Unicode become `\\xff`."""
    return os.fsencode(path).decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True, eq=False)
class PageRef:
    """One page of one document.

    Two are equal if they have the same `key`: a page is known by its content, wherever its document
    was moved or copied to.

    Attributes:
        document_path: path of the PDF or image file, as the user gave it.
        document_sha256: hash of the file's bytes, 64 hex digits; None for a page without a file,
            such as a drawn one.
        page_index: 0-based; a TIFF's frames count as pages.
    """

    document_path: str
    document_sha256: str | None
    page_index: int

    def __post_init__(self) -> None:
        if self.page_index < 0:
            raise ValueError(f"page_index counts from 0, got {self.page_index}")
        if self.document_sha256 is not None and len(self.document_sha256) != 64:
            raise ValueError(
                f"document_sha256 must be 64 hex digits or None, got {self.document_sha256!r}"
            )

    @property
    def document_key(self) -> str:
        """Which document: the hash of its bytes; without a file that of its path. 64 hex digits."""
        if self.document_sha256 is not None:
            return self.document_sha256
        return hashlib.sha256(storable_path(self.document_path).encode()).hexdigest()

    @property
    def key(self) -> PageKey:
        """Which page: (`document_key`, `page_index`). All that knows pages knows them by this."""
        return self.document_key, self.page_index

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, PageRef) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def document_name(self) -> str:
        """The file's name, for people; bytes of it that aren't Unicode appear as `\\xff`."""
        return storable_path(Path(self.document_path).name)

    @property
    def page_number(self) -> int:
        """1-based, for people and file names."""
        return self.page_index + 1

    @classmethod
    def pop_from(cls, record: dict) -> "PageRef":
        """Take the page's fields out of a JSON record, in which they are among others.

        Raises:
            KeyError: one of them is missing.
        """
        return cls(*(record.pop(field.name) for field in fields(cls)))


# Clockwise angle → Pillow's name for it; Pillow turns the other way round.
TURNS = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class PageImage:
    """A rendered page.

    Attributes:
        page: which page it shows.
        image: RGB, `height_px` × `width_px`.
        scale: pixels per PDF point (2.0 = 144 DPI). For an image file: its pixels per file pixel.
        missing: contents of the page that could not be drawn, so the image is incomplete. One
            sentence.
        remark: further notes on the page, such as attached files. One sentence.
    """

    page: PageRef
    image: Image.Image
    scale: float
    missing: str | None = None
    remark: str | None = None

    def __post_init__(self) -> None:
        if self.image.mode != "RGB":
            raise ValueError(f"a page image is RGB, got mode {self.image.mode!r}")
        if not self.scale > 0:
            raise ValueError(f"scale (pixels per point) must be positive, got {self.scale}")

    def jpeg(self, max_width_px: int, quality: int = 80) -> bytes:
        """The image for a browser, reduced to `max_width_px` where it is wider."""
        image = self.image
        if image.width > max_width_px:
            height = round(image.height * max_width_px / image.width)
            image = image.resize((max_width_px, height), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    def turned(self, angle: int) -> "PageImage":
        """The page turned clockwise by 0, 90, 180 or 270 degrees."""
        if angle == 0:
            return self
        return replace(self, image=self.image.transpose(TURNS[angle]))

    def resized(self, factor: float) -> "PageImage":
        """The page with `factor` times its width and height."""
        if factor == 1:
            return self
        size = [max(1, round(side * factor)) for side in self.image.size]
        image = self.image.resize(size, Image.Resampling.LANCZOS)
        return replace(self, image=image, scale=self.scale * factor)

    @property
    def width_px(self) -> int:
        return self.image.width

    @property
    def height_px(self) -> int:
        return self.image.height


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page, or a whole document, that could not be read, and why.

    Attributes:
        document_path: path as the user gave it.
        page_index: 0-based, or None if the document could not be opened, so its pages are unknown.
        status: `unreadable` (damaged or not a document), `encrypted`, `too_large`, `failed`.
        reason: one sentence with the file, the cause and what to do.
    """

    document_path: str
    page_index: int | None
    status: FailureStatus
    reason: str

    def __post_init__(self) -> None:
        check_one_of("status", self.status, FailureStatus)
