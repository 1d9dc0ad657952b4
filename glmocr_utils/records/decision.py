"""A reviewer's decisions: one line of JSON each, on disk before the next key is pressed."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from glmocr_utils.files import append_lines
from glmocr_utils.records.pages import PageRef

Action = Literal["accept", "correct", "unsure", "type", "finish", "undo"]
Coverage = Literal["flags_checked", "fully_read", "not_usable", "read_again"]
TEXT_COVERAGES = ("flags_checked", "fully_read")  # the others leave a page without a text
ReadAgain = Literal["scale", "regions"]
NULLABLE = ("document_sha256", "image_sha256", "revision", "adapter")  # left out where None


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that a person decided about one page.

    Attributes:
        action: `accept` (the flagged text is right), `correct` (the line now reads `after`),
            `unsure` (the person cannot tell either), `type` (the whole page reads `after`),
            `finish` (the page is done) or `undo` (the decisions of the same `step` of this page no
            longer count).
        step: number of the person's action; one action can decide several flags.
        document_path, document_sha256, page_index: of the page, as in `PageRef`.
        image_sha256: of the page image's RGB pixels, None where there was no image.
        model_id, revision, adapter, prompt: what read the page.
        text_sha256: of the text that was read; decisions hold for that text alone.
        flag_id, kind, prob: of the flag, if the decision is about one.
        line_index: 0-based; before, after: the line. Of a whole page when it is finished.
        token_start, token_stop, token_text: of a choice: the characters of the page's text that the
            replaced tokens spelled, and what they say now. They count, and `after` only shows it.
        coverage: of a finished page: `flags_checked` (only the flags), `fully_read`, `not_usable`
            (it is to have no text) or `read_again` (the model is to read it once more).
        read_again: with what: another `scale`, or one region after the other (`regions`).
        angle: degrees clockwise by which the page was turned to be read.
        reviewer: who decided; time: ISO 8601 with time zone; seconds: spent on it.
    """

    action: Action
    step: int
    document_path: str
    document_sha256: str | None
    page_index: int
    image_sha256: str | None
    model_id: str
    revision: str | None
    adapter: str | None
    prompt: str
    text_sha256: str
    reviewer: str
    time: str
    seconds: float
    flag_id: str | None = None
    kind: str | None = None
    prob: float | None = None
    line_index: int | None = None
    before: str | None = None
    after: str | None = None
    token_start: int | None = None
    token_stop: int | None = None
    token_text: str | None = None
    coverage: Coverage | None = None
    read_again: ReadAgain | None = None
    angle: int = 0

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ValueError(f"action must be one of {get_args(Action)}, got {self.action!r}")
        if (self.action == "finish") != (self.coverage in get_args(Coverage)):
            raise ValueError(
                f"a finished page, and no other decision, has a coverage among "
                f"{', '.join(get_args(Coverage))}; {self.action!r} has {self.coverage!r}"
            )
        if (self.coverage == "read_again") != (self.read_again in get_args(ReadAgain)):
            raise ValueError(
                f"a page to be read again, and no other, names one of "
                f"{', '.join(get_args(ReadAgain))}; {self.coverage!r} names {self.read_again!r}"
            )
        if len({self.token_start is None, self.token_stop is None, self.token_text is None}) > 1:
            raise ValueError("a choice says token_start, token_stop and token_text, all or none")

    @property
    def page(self) -> PageRef:
        """Which page it is about."""
        return PageRef(self.document_path, self.document_sha256, self.page_index)


def standing(decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions of one review that were not undone, in their order."""
    decisions = list(decisions)
    undone = {decision.step for decision in decisions if decision.action == "undo"}
    return [
        decision
        for decision in decisions
        if decision.action != "undo" and decision.step not in undone
    ]


def reviews_of(decisions: Iterable[Decision]) -> list[list[Decision]]:
    """The decisions grouped into reviews: those about one reading of one page belong together."""
    reviews: dict[tuple[object, ...], list[Decision]] = {}
    for decision in decisions:
        reading = (decision.model_id, decision.revision, decision.adapter, decision.prompt)
        reviews.setdefault((decision.page.key, decision.text_sha256, *reading), []).append(decision)
    return list(reviews.values())


def finish_of(review: Iterable[Decision]) -> Decision | None:
    """The decision that finished a review; None where it was undone, or others came after it."""
    [*_, last] = [None, *standing(review)]
    return last if last and last.action == "finish" else None


def append_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Append and wait until it is on disk: a crash later loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = (
        {key: value for key, value in asdict(decision).items() if value is not None}
        for decision in decisions
    )
    append_lines(path, *(json.dumps(record, ensure_ascii=False) for record in records))


def read_decisions(path: Path) -> Iterator[Decision]:
    """The decisions of a file, undone ones and their `undo` included; a torn line is left out.

    Raises:
        ValueError: a whole line isn't a decision, or none is; the message names file and line.
    """
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")
    whole = torn = 0
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError:
            torn += bool(line.strip())  # else it is empty
            continue
        whole += 1
        if isinstance(record, dict) and "place_id" in record:  # as logs once had it
            record["flag_id"] = record.pop("place_id")
        try:
            fields = dict.fromkeys(NULLABLE)
            yield Decision(**fields | record)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number} isn't a review decision ({error})") from error
    if torn > 1 and not whole:  # a crash tears one
        raise ValueError(
            f"{path} isn't a review log; give the review.jsonl that notebook 03 writes"
        )
