"""The page images that are to be labelled: a folder that notebook 01 wrote, or any images."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from glmocr_utils.labels.text_rules import clean_text
from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records import Label, LabelStatus, PageFile, PageRef
from glmocr_utils.render.documents import IMAGE_SUFFIXES, file_sha256
from glmocr_utils.render.image_file import num_frames
from glmocr_utils.render.imagefolder import METADATA, page_of_row

ROW_FIELDS = {"file_name", "document", "document_sha256", "page_index", "sha256"}
UNNAMED = "unnamed"  # the reviewer who did not say who it is


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A page that a source gave no label, and why.

    Attributes:
        page: which page; image_file: its image, None where there is none.
        source: which source, named as in `Label`.
        reason: one sentence that says why.
    """

    page: PageRef
    image_file: str | None
    source: str
    reason: str


def find_pages(input_path: str | Path) -> list[PageFile]:
    """The page images that `input_path` stands for.

    Args:
        input_path: a folder with `metadata.jsonl` as notebook 01 or an export writes it, in its
            order; or a folder of images, found at any depth and sorted; or one image.

    Raises:
        FileNotFoundError: nothing is there, or a folder without images.
    """
    path = Path(input_path)
    rows = _rendered_rows(path)
    if rows:
        pages = [_rendered_page(path, row) for row in rows]
        pages = [page for page in pages if page.image_file.is_file()]  # a crash may leave a line
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        pages = [page_of_image(file) for file in files]
    else:
        pages = [page_of_image(path)] if path.suffix.lower() in IMAGE_SUFFIXES else []
    if not pages:
        raise FileNotFoundError(
            f"no page images in {str(path)!r}; give the folder that notebook 01 wrote, or one "
            f"with {', '.join(sorted(IMAGE_SUFFIXES))} files"
        )
    return pages


def page_of_image(path: Path, task: str = TEXT_RECOGNITION) -> PageFile:
    """An image file that is its own document.

    Raises:
        OSError: it cannot be read.
    """
    sha256 = file_sha256(path)
    return PageFile(PageRef(str(path), sha256, 0), path, sha256, task)


def why_no_single_page(page: PageFile) -> str | None:
    """Why an image file is not one page to label; None where it is."""
    try:
        frames = num_frames(page.image_file)
    except (OSError, ValueError):  # what opens it says why it does not open
        return None
    if frames == 1:
        return None
    return (
        f"{page.image_file.name} has {frames} pages, and a label is of one; render it with "
        "notebook 01 and label the pages that it writes"
    )


def find_duplicates(pages: Iterable[PageFile]) -> list[list[PageFile]]:
    """Groups of two or more pages, of documents at different paths too, with the same image."""
    of_image: dict[str, dict[tuple[str, int], PageFile]] = defaultdict(dict)
    for page in pages:
        # by path: copies of an image file are the same page and yet duplicates
        at = page.page.document_path, page.page.page_index
        of_image[page.image_sha256].setdefault(at, page)
    return [list(group.values()) for group in of_image.values() if len(group) > 1]


def make_label(
    page: PageFile,
    raw_text: str,
    status: LabelStatus,
    source: str,
    *,
    text: str | None = None,
    time: str | None = None,
    reviewer: str | None = None,
    model_id: str | None = None,
    prompt: str | None = None,
    angle: int = 0,
) -> Label:
    """The label of a page, with the text rules applied.

    Args:
        text: the source's version of `raw_text`; None takes `raw_text`.
        time: when it was made, ISO 8601 with the time zone; None is now.
        angle: degrees clockwise by which the document's page was turned to be read.
    """
    # half a surrogate pair, as JSON can spell it, isn't text and has no UTF-8 form
    raw_text = raw_text.encode("utf-8", "replace").decode()
    return Label(
        file=page,
        text=clean_text(raw_text if text is None else text),
        raw_text=raw_text,
        status=status,
        source=source,
        time=time or datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        model_id=model_id,
        prompt=prompt,
        angle=(angle - page.angle) % 360,
    )


def _rendered_rows(folder: Path) -> list[dict]:
    """The lines of `metadata.jsonl`; none when there is no such file, or one of another kind."""
    path = folder / METADATA
    if not path.is_file():
        return []
    # what a crash left half written has no line end
    lines = path.read_bytes().rpartition(b"\n")[0].split(b"\n")
    try:
        rows = [json.loads(line) for line in lines if line]
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} has a line that is not JSON ({error}); run notebook 01 again, or "
            "remove the file"
        ) from error
    return rows if all(row.keys() >= ROW_FIELDS for row in rows) else []


def _rendered_page(folder: Path, row: dict) -> PageFile:
    page = page_of_row(row)
    # an image file has no points, so its scale says nothing
    scale = row.get("scale") if page.document_path.lower().endswith(".pdf") else None
    return PageFile(
        page,
        folder / row["file_name"],
        row["sha256"],
        scale=scale,
        angle=row.get("angle") or 0,
        missing=row.get("missing"),
    )
