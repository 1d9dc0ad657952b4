"""The log of a review: which of its decisions are about which pages, and how new ones are made."""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from glmocr_utils.records import (
    Action,
    Decision,
    OcrResult,
    PageImage,
    PageRef,
    append_decisions,
    read_decisions,
)


def decisions_about(
    decisions: Iterable[Decision], results: Sequence[OcrResult]
) -> Iterator[tuple[int, Decision]]:
    """Those that are about these readings, undone ones too.

    Yields:
        The number of the page among `results`, and the decision.
    """
    number_of = {reading_key(result): number for number, result in enumerate(results)}
    for decision in decisions:
        number = number_of.get(reading_key(decision))
        if number is not None:
            yield number, decision


def reading_key(read: OcrResult | Decision) -> tuple[object, ...]:
    """What a decision must share with a page to be about it."""
    text = read.text_sha256
    return (read.page.key, read.model_id, read.revision, read.adapter, read.prompt, text)


class DecisionLog:
    """The log of decisions about some pages, on the disk before anything is counted.

    Args:
        path: the append-only JSONL.
        images: whose hashes decisions record; pages may lack one.
        reviewer: who decides.

    Attributes:
        saved_at: the time of the last decision about these pages; None before the first.
    """

    def __init__(self, path: Path, images: Mapping[PageRef, PageImage], reviewer: str) -> None:
        self.path = path
        self.saved_at: datetime | None = None
        self._images = images
        self._reviewer = reviewer
        self._image_hashes: dict[PageRef, str | None] = {}
        self._step = 0
        self._asked_at = time.monotonic()

    def read(self, results: Sequence[OcrResult]) -> Iterator[tuple[int, Decision]]:
        """As `decisions_about`; steps that are made later have higher numbers than all of them."""
        decisions = list(read_decisions(self.path))
        self._step = max((decision.step + 1 for decision in decisions), default=0)
        for number, decision in decisions_about(decisions, results):
            self.saved_at = datetime.fromisoformat(decision.time)
            yield number, decision

    def make(
        self, action: Action, result: OcrResult, step: int | None = None, **fields: Any
    ) -> Decision:
        """A decision about a page, not yet written."""
        return Decision(
            action=action,
            step=self._step if step is None else step,
            document_path=result.page.document_path,
            document_sha256=result.page.document_sha256,
            page_index=result.page.page_index,
            image_sha256=self._image_sha256(result.page),
            model_id=result.model_id,
            revision=result.revision,
            adapter=result.adapter,
            prompt=result.prompt,
            text_sha256=result.text_sha256,
            reviewer=self._reviewer,
            time=datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._asked_at, 1),
            angle=result.angle,
            **fields,
        )

    def append(self, step: Iterable[Decision]) -> None:
        """Write the decisions of one step."""
        append_decisions(self.path, step)
        self.saved_at = datetime.now().astimezone()
        self._asked_at = time.monotonic()
        self._step += 1

    def _image_sha256(self, page: PageRef) -> str | None:
        if page not in self._image_hashes:
            image = self._images.get(page)
            self._image_hashes[page] = (
                hashlib.sha256(image.image.tobytes()).hexdigest() if image else None
            )
        return self._image_hashes[page]
