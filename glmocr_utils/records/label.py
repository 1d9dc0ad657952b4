"""The text of a page, from one source, and its JSON form."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from glmocr_utils.prompt import TEXT_RECOGNITION
from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.pages import PageRef

LabelStatus = Literal["gold", "silver", "draft", "rejected"]
LabelKey = tuple[str, int, str] | tuple[str, int, str, str]  # see `PageFile.key`
RegionBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PageFile:
    """A page image on the disk, to be labelled for a task.

    Attributes:
        page: the page of the document that it shows; an image alone is its own document.
        image_file: where it is.
        image_sha256: hash of the file's bytes, 64 hex digits.
        task: the prompt that training is to give with it. A page may have one text for
            `Text Recognition:` and another for `Table Recognition:`.
        scale: pixels per PDF point; None where it is not known, as of an image file.
        angle: degrees clockwise by which the image is turned from its document's page: 0, 90, 180
            or 270.
        missing: contents of the page that its image lacks; None if it is complete.
        region: x1, y1, x2, y2 in pixels of the page's image, turned by `angle`, of which this is a
            region; None for a whole page.
    """

    page: PageRef
    image_file: Path
    image_sha256: str
    task: str = TEXT_RECOGNITION
    scale: float | None = None
    angle: int = 0
    missing: str | None = None
    region: RegionBox | None = None

    def __post_init__(self) -> None:
        if len(self.image_sha256) != 64:
            raise ValueError(f"image_sha256 must be 64 hex digits, got {self.image_sha256!r}")
        if not self.image_file.name:
            raise ValueError("a page image needs its image_file, got an empty one")
        if not self.task:
            raise ValueError("a page image needs its task, got an empty one")
        _check_angle(self.angle)

    @property
    def key(self) -> LabelKey:
        """What its label is known by: `PageRef.key`, the task, and the box of a region."""
        if self.region is not None:
            return *self.page.key, self.task, ",".join(map(str, self.region))
        return *self.page.key, self.task


@dataclass(frozen=True, slots=True)
class Label:
    """The text of a page, from one source.

    Attributes:
        file: the page image that was labelled.
        text: the text to train on, with the labels' text rules applied.
        raw_text: the text as it came.
        status: `gold` (a person or the document itself says so), `silver` (a machine does, and it
            is trusted), `draft` (to be corrected) or `rejected` (a person found this text wrong).
        source: its origin, such as `text_layer` or `llm:some-model`.
        time: when, ISO 8601 with the time zone.
        reviewer: the person who checked it, None if it is unchecked.
        model_id: the model that it was drafted with, None without one.
        prompt: what an llm was asked, None where none was.
        angle: degrees clockwise by which the image is to be turned for this text: 0, 90, 180, 270.
    """

    file: PageFile
    text: str
    raw_text: str
    status: LabelStatus
    source: str
    time: str
    reviewer: str | None = None
    model_id: str | None = None
    prompt: str | None = None
    angle: int = 0

    def __post_init__(self) -> None:
        check_one_of("status", self.status, LabelStatus)
        _check_angle(self.angle)
        if not self.source:
            raise ValueError("a label needs its source, got an empty one")
        if "\r" in self.text:
            raise ValueError("a label's lines end with \\n; apply the text rules before")
        if datetime.fromisoformat(self.time).tzinfo is None:
            raise ValueError(f"a label's time names its time zone, got {self.time!r}")

    @property
    def page(self) -> PageRef:
        """Which page; an image that came without its document is its own document."""
        return self.file.page

    @property
    def key(self) -> LabelKey:
        """Labels with the same key compete; see `PageFile.key`."""
        return self.file.key


def _region(sides: list[int] | None) -> RegionBox | None:
    if sides is None:
        return None
    x1, y1, x2, y2 = sides
    return x1, y1, x2, y2


def _check_angle(angle: int) -> None:
    if angle not in (0, 90, 180, 270):
        raise ValueError(f"angle must be 0, 90, 180 or 270, got {angle}")


def label_to_json(label: Label) -> str:
    """One line of JSON for `label`, the fields of page and image file beside its own."""
    file = label.file
    record = {
        **asdict(file.page),
        "image_file": str(file.image_file),
        "image_sha256": file.image_sha256,
        "image_angle": file.angle,
        "missing": file.missing,
        "region": file.region,
        "task": file.task,
        "scale": file.scale,
        **{name: value for name, value in asdict(label).items() if name != "file"},
    }
    return json.dumps(record, ensure_ascii=False)


def label_from_json(line: str) -> Label:
    """Inverse of `label_to_json`.

    Raises:
        ValueError: when the line is not such a record.
    """
    try:
        record = json.loads(line)
        file = PageFile(
            PageRef.pop_from(record),
            Path(record.pop("image_file")),
            record.pop("image_sha256"),
            record.pop("task"),
            record.pop("scale", None),
            record.pop("image_angle", 0),  # older files lack it, and what follows
            record.pop("missing", None),
            _region(record.pop("region", None)),
        )
        return Label(file, **record)
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a label: {line[:80]!r} ({error})") from error
