"""A Hugging Face imagefolder: PNG files, and `metadata.jsonl` with a line for each.

Each line has `file_name`, `document` (path as given), `document_sha256`, `page_index` (0-based),
`scale` (pixels per point, or per file pixel) and `sha256` (of the PNG file's bytes), and `missing`
where the file says that more is on the page than could be drawn. `render.json` holds the settings
that all pages were rendered with.

A page is written in three steps: its PNG under a partial name, its line, the PNG's final name. A
crash therefore leaves no PNG without a line, and a line without its PNG is dropped when the folder
is opened again, as is a line that was half written.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glmocr_utils.files import PARTIAL_SUFFIX, replacing, same_name, write_file
from glmocr_utils.options import RenderOptions
from glmocr_utils.records import FailedPage, PageImage, PageKey, PageRef
from glmocr_utils.render.errors import named
from glmocr_utils.render.worker import encode_png

METADATA = "metadata.jsonl"
SETTINGS = "render.json"
ROW_FIELDS = {"file_name", "document", "document_sha256", "page_index", "scale", "sha256"}

# File systems hold 255 bytes; a stem leaves room for a hash, the page number and the suffixes.
MAX_STEM_BYTES = 150

# `datasets` takes these words in a file name for the name of a split, and then leaves all other
# files out. It looks for lower case only.
SPLIT_WORD = re.compile(
    r"(?<![^-._ 0-9])"
    r"(train|training|validation|valid|dev|val|test|testing|eval|evaluation)"
    r"(?![^-._ 0-9])"
)


@dataclass(frozen=True, slots=True)
class RenderSummary:
    """What became of the pages.

    Attributes:
        written: pages that were added.
        already_there: pages that the folder held before.
        failed: pages and documents that could not be rendered, and why.
        duplicates: documents left out because another has the same bytes.
        shortfall: pages by which the folder stays below the number asked for.
        incomplete: of the pages that were added, those that lack something: what, and why.
    """

    written: int
    already_there: int
    failed: tuple[FailedPage, ...] = ()
    duplicates: tuple[str, ...] = ()
    shortfall: int = 0
    incomplete: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Pages that the folder holds now."""
        return self.written + self.already_there


class ImageFolder:
    """An imagefolder that grows. One process at a time may write to it.

    Raises:
        ValueError: the folder holds a `metadata.jsonl` of another kind.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._scales: dict[PageKey, float] = {}
        self._stems: dict[str, str] = {}  # by document_key
        self._taken: set[str] = set()
        for row in self._read_and_repair():
            stem = row["file_name"].rpartition("_p")[0]
            page = page_of_row(row)
            self._scales[page.key] = row["scale"]
            self._stems[page.document_key] = stem
            self._taken.add(same_name(stem))

    def __len__(self) -> int:
        return len(self._scales)

    def scale_of(self, page: PageRef) -> float | None:
        """The scale of the page that is there, or None."""
        return self._scales.get(page.key)

    def claim(self, options: RenderOptions) -> None:
        """Make this a folder of pages rendered with `options`.

        Raises:
            ValueError: it contains pages rendered with other settings.
        """
        settings = {"scale": options.scale, "max_pixels": options.max_pixels}
        path = self._directory / SETTINGS
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        if len(self) and before != settings:
            rendered = _spelled(before) if before else "in another way"
            raise ValueError(
                f"{named(self._directory)} contains pages rendered {rendered}, and these would be "
                f"rendered {_spelled(settings)}; choose another output_dir, or delete this one to "
                "render all pages again"
            )
        if before != settings:
            write_file(path, json.dumps(settings).encode())

    def name_document(self, page: PageRef) -> str:
        """The start of a document's file names: its stem, with a hash where another has that."""
        key = page.document_key
        if key not in self._stems:
            stem = safe_stem(page.document_path)
            names = [stem, f"{stem}_{key[:8]}", f"{stem}_{key}"]
            name = next(name for name in names if same_name(name) not in self._taken)
            self._stems[key] = name
            self._taken.add(same_name(name))
        return self._stems[key]

    def add(self, page: PageRef, scale: float, png: bytes, missing: str | None = None) -> None:
        """Add a page: the PNG file appears whole or not at all."""
        stem = self.name_document(page)
        file_name = f"{stem}_p{page.page_number:04d}.png"
        row = {
            "file_name": file_name,
            "document": page.document_path.encode("utf-8", "replace").decode(),
            "document_sha256": page.document_sha256,
            "page_index": page.page_index,
            "scale": scale,
            "sha256": hashlib.sha256(png).hexdigest(),
        }
        if missing is not None:
            row["missing"] = missing
        with replacing(self._directory / file_name, durable=False) as partial:
            partial.write_bytes(png)
            with (self._directory / METADATA).open("a", encoding="utf-8") as metadata:
                metadata.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._scales[page.key] = scale

    def _read_and_repair(self) -> list[dict]:
        """The rows whose PNG is there. What a crash left half done is removed."""
        for partial in self._directory.glob("*.png" + PARTIAL_SUFFIX):
            partial.unlink()
        path = self._directory / METADATA
        if not path.exists():
            return []
        whole, _, half_written = path.read_bytes().rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        rows = [self._parse(line) for line in lines]
        kept = [(self._directory / row["file_name"]).is_file() for row in rows]
        if half_written or not all(kept):
            text = b"".join(line + b"\n" for line, keep in zip(lines, kept, strict=True) if keep)
            write_file(path, text)
        return [row for row, keep in zip(rows, kept, strict=True) if keep]

    def _parse(self, line: bytes) -> dict:
        try:
            row = json.loads(line)
            if not row.keys() >= ROW_FIELDS:
                raise ValueError("fields are missing")
        except (ValueError, AttributeError) as error:
            raise ValueError(
                f"{named(self._directory / METADATA)} has a line that is not of a rendered page "
                f"({error}); choose another output_dir"
            ) from error
        return row


def write_imagefolder(
    pages: Iterable[PageImage | FailedPage], output_dir: str | Path
) -> RenderSummary:
    """Write pages into an imagefolder, as they come. Pages that it has already are kept.

    To leave such pages out before they are rendered, use `render_to_imagefolder`; it does not add
    to a folder that was begun here, because the settings of its pages are not known.

    Raises:
        ValueError: the folder has one of the pages at another scale.
    """
    folder = ImageFolder(Path(output_dir))
    already_there, written = len(folder), 0
    failed, incomplete = [], []
    for page in pages:
        if isinstance(page, FailedPage):
            failed.append(page)
            continue
        scale = folder.scale_of(page.page)
        if scale is None:
            folder.add(page.page, page.scale, encode_png(page.image), page.missing)
            written += 1
            incomplete += [page.missing] if page.missing else []
        elif scale != page.scale:
            raise ValueError(
                f"{named(Path(output_dir))} has page {page.page.page_number} of "
                f"{page.page.document_path!r} at scale {scale:g}, and now it comes at "
                f"{page.scale:g}; choose another output_dir"
            )
    return RenderSummary(written, already_there, tuple(failed), incomplete=tuple(incomplete))


def page_of_row(row: dict) -> PageRef:
    """The page that a line of `metadata.jsonl` is about."""
    return PageRef(row["document"], row["document_sha256"], row["page_index"])


def _spelled(settings: dict) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())


def safe_stem(path: str) -> str:
    """The document's name without its suffix, as a file name that every system takes."""
    stem = unicodedata.normalize("NFC", Path(path).stem)
    stem = "".join("_" if _is_unsafe(character) else character for character in stem)
    stem = stem.encode()[:MAX_STEM_BYTES].decode(errors="ignore")
    stem = SPLIT_WORD.sub(lambda word: word[0].capitalize(), stem)
    # A leading dot or two underscores would hide the file from `datasets`.
    return stem.strip(" .").lstrip("_") or "document"


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character)[0] == "C" or character in '/\\:*?"<>|[]{}#%\u2028\u2029'
