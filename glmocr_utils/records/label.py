"""What stands on a page, as one source has it, and its JSON form."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.pages import PageRef

LabelStatus = Literal["gold", "silver", "draft", "rejected"]


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on a page, as one source has it.

    Attributes:
        page: which page; an image that came without its document is its own document.
        image_file: path of the page image that was labelled.
        image_sha256: hash of that file's bytes, 64 hex digits.
        text: the text to train on, with the labels' text rules applied.
        raw_text: the text as it came.
        status: `gold` (a person or the document itself says so), `silver` (a machine does, and it
            is trusted), `draft` (to be corrected) or `rejected` (a person found this text wrong).
        source: who or what it comes from, such as `text_layer` or `llm:some-model`.
        time: when, ISO 8601 with the time zone.
        task: the prompt that training is to give with the image. A page may have one text for
            `Text Recognition:` and another for `Table Recognition:`.
        reviewer: the person who checked it, None if nobody did.
        model_id: the model that it was drafted with, None without one.
        prompt: what an llm was asked, None where none was.
        scale: pixels per PDF point of the image; None where it is not known, as of an image file.
        angle: degrees clockwise by which the image is to be turned for this text: 0, 90, 180, 270.
    """

    page: PageRef
    image_file: str
    image_sha256: str
    text: str
    raw_text: str
    status: LabelStatus
    source: str
    time: str
    task: str
    reviewer: str | None = None
    model_id: str | None = None
    prompt: str | None = None
    scale: float | None = None
    angle: int = 0

    def __post_init__(self) -> None:
        check_one_of("status", self.status, LabelStatus)
        if len(self.image_sha256) != 64:
            raise ValueError(f"image_sha256 must be 64 hex digits, got {self.image_sha256!r}")
        if self.angle not in (0, 90, 180, 270):
            raise ValueError(f"angle must be 0, 90, 180 or 270, got {self.angle}")
        for name in ("image_file", "source", "task"):
            if not getattr(self, name):
                raise ValueError(f"a label needs its {name}, got an empty one")
        if "\r" in self.text:
            raise ValueError("a label's lines end with \\n; apply the text rules before")
        if datetime.fromisoformat(self.time).tzinfo is None:
            raise ValueError(f"a label's time names its time zone, got {self.time!r}")


def label_to_json(label: Label) -> str:
    """One line of JSON for `label`."""
    record = asdict(label)
    return json.dumps({**record.pop("page"), **record}, ensure_ascii=False)


def label_from_json(line: str) -> Label:
    """Inverse of `label_to_json`.

    Raises:
        ValueError: when the line is not such a record.
    """
    try:
        record = json.loads(line)
        return Label(page=PageRef.pop_from(record), **record)
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a label: {line[:80]!r} ({error})") from error
