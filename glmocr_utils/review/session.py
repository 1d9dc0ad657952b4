"""A review of pages, without a screen: what is to be checked, what was decided, what it now says.

The state is nothing but the read pages and the log of decisions, so that whoever opens them again,
after a crash or a year, goes on where the last one stopped.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from glmocr_utils.confidence import Calibration
from glmocr_utils.records import (
    Action,
    Coverage,
    Decision,
    OcrResult,
    PageImage,
    PageRef,
    append_decisions,
    read_decisions,
)
from glmocr_utils.review.page_review import Offer, PageReview, find_same, replace_word
from glmocr_utils.review.places import Place, find_places

SECONDS_A_PLACE = 10  # to tell a reviewer how long a page will take
Order = Literal["reading", "worst"]


class ReviewSession:
    """Pages, their places, and the log.

    Args:
        results: the read pages.
        log_path: the append-only JSONL; decisions in it that belong to these pages count.
        images: page images by page; pages may lack one.
        reviewer: who decides.
        find_options: those of `find_places`.
    """

    def __init__(
        self,
        results: Sequence[OcrResult],
        log_path: str | Path,
        *,
        images: Mapping[PageRef, PageImage] | None = None,
        reviewer: str = "",
        calibration: Calibration | None = None,
        **find_options: object,
    ) -> None:
        if not results:
            raise ValueError("there is no page to review; read some with notebook 02 first")
        self.log_path = Path(log_path)
        self.reviewer = reviewer
        self._images = images or {}
        self._image_hashes: dict[PageRef, str | None] = {}
        self.pages = [
            PageReview(result, find_places(result, calibration=calibration, **find_options))
            for result in results
        ]
        self._number_of = {_key(page.result): n for n, page in enumerate(self.pages)}
        self._decisions: list[list[Decision]] = [[] for _ in self.pages]
        self._step = 0
        self._asked_at = time.monotonic()
        self.saved_at: datetime | None = None
        self._replay()

    # what there is

    def image(self, number: int) -> PageImage | None:
        """The image of page `number`."""
        return self._images.get(self.pages[number].result.page)

    def next_open(
        self, number: int, place: Place | None = None, order: Order = "reading"
    ) -> Place | None:
        """The next undecided place after `place`, from the top again after the last; or None."""
        places = self.queue(number, order)
        if place is not None:
            ids = [other.place_id for other in places]
            at = ids.index(place.place_id) + 1 if place.place_id in ids else 0
            places = places[at:] + places[:at]
        decided = self.pages[number].decided
        return next((p for p in places if p.place_id not in decided), None)

    def queue(self, number: int, order: Order = "reading") -> list[Place]:
        places = self.pages[number].places
        return places if order == "reading" else sorted(places, key=lambda place: place.prob)

    def seconds_left(self, number: int) -> int:
        """What the rest of a page will take, about."""
        return SECONDS_A_PLACE * len(self.pages[number].open_places)

    def __str__(self) -> str:
        numbers = self.summary()
        finished = numbers["pages_flags_checked"] + numbers["pages_fully_read"]
        return (
            f"{numbers['reviewed']} of {numbers['places']} places reviewed, "
            f"{finished} of {numbers['pages']} pages finished"
        )

    def summary(self) -> dict[str, int]:
        """Numbers of pages, places, decided places, corrections and finished pages."""
        actions = [action for page in self.pages for action in page.decided.values()]
        return {
            "pages": len(self.pages),
            "places": sum(len(page.places) for page in self.pages),
            "reviewed": len(actions),
            "corrected": actions.count("correct"),
            "unsure": actions.count("unsure"),
            "pages_flags_checked": sum(p.coverage == "flags_checked" for p in self.pages),
            "pages_fully_read": sum(p.coverage == "fully_read" for p in self.pages),
        }

    # what a person does

    def accept(self, number: int, place: Place) -> None:
        """The place is right as it stands."""
        self._decide(number, [self._about("accept", number, place)])

    def unsure(self, number: int, place: Place) -> None:
        """The person cannot tell."""
        self._decide(number, [self._about("unsure", number, place)])

    def accept_rest(self, number: int) -> None:
        """All places of the page that are still open are right."""
        places = self.pages[number].open_places
        if places:
            self._decide(number, [self._about("accept", number, place) for place in places])

    def choose(self, number: int, place: Place, choice: str) -> Offer | None:
        """Put `choice` in the place's stead; see `correct_line`."""
        page = self.pages[number]
        start, end = page.span_of(place)
        line = page.lines[place.line_index]
        return self.correct_line(number, place, f"{line[:start]}{choice}{line[end:]}")

    def correct_line(self, number: int, place: Place, after: str) -> Offer | None:
        """The place's line reads `after`.

        Returns:
            The same correction elsewhere, if there are such places: for `apply_offer`.

        Raises:
            ValueError: `after` holds a line end; a line is corrected, not made two.
        """
        if "\n" in after:
            raise ValueError("a corrected line has no line end; correct the lines one by one")
        page = self.pages[number]
        before = page.lines[place.line_index]
        if after == before:
            self.accept(number, place)
            return None
        self._decide(number, [self._about("correct", number, place, after)])
        return find_same(self.pages, before, after, place)

    def apply_offer(self, offer: Offer) -> int:
        """Make an offered correction at all its places; returns at how many.

        They are one step of each page that they stand on, so that undoing takes back a page's.
        """
        made = 0
        for number in sorted({number for number, _ in offer.places}):
            step: list[Decision] = []
            lines = dict(enumerate(self.pages[number].lines))
            for at, place in offer.places:
                if at != number or place.place_id in self.pages[number].decided:
                    continue
                after = replace_word(lines[place.line_index], offer.before, offer.after)
                if after != lines[place.line_index]:
                    decision = self._about("correct", number, place, after)
                    step.append(replace(decision, before=lines[place.line_index]))
                    lines[place.line_index] = after
            if step:
                self._decide(number, step)
                made += len(step)
        return made

    def finish(self, number: int, coverage: Coverage) -> None:
        """The page is done; `fully_read` says that all of it was read, not only the places."""
        page = self.pages[number]
        text = {"before": page.result.text, "after": page.text}
        self._decide(number, [self._decision("finish", number, coverage=coverage, **text)])

    def undo(self, number: int) -> bool:
        """Take back the last step on a page; False when there is none."""
        standing = _standing(self._decisions[number])
        if not standing:
            return False
        step = standing[-1].step
        self._decide(number, [self._decision("undo", number, step=step)])
        return True

    # how it is kept

    def _about(
        self, action: Action, number: int, place: Place, after: str | None = None
    ) -> Decision:
        before = self.pages[number].lines[place.line_index]
        return self._decision(
            action,
            number,
            place_id=place.place_id,
            kind=place.kind,
            prob=round(place.prob, 6),
            line_index=place.line_index,
            before=before,
            after=before if after is None else after,
        )

    def _decision(
        self, action: Action, number: int, step: int | None = None, **fields: object
    ) -> Decision:
        result = self.pages[number].result
        return Decision(
            action=action,
            step=self._step if step is None else step,
            document_path=result.page.document_path,
            document_sha256=result.page.document_sha256,
            page_index=result.page.page_index,
            image_sha256=self._image_sha256(number),
            model_id=result.model_id,
            revision=result.revision,
            adapter=result.adapter,
            prompt=result.prompt,
            text_sha256=_text_sha256(result),
            reviewer=self.reviewer,
            time=datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._asked_at, 1),
            **fields,
        )

    def _decide(self, number: int, decisions: Sequence[Decision]) -> None:
        append_decisions(self.log_path, decisions)
        self.saved_at = datetime.now()
        self._asked_at = time.monotonic()
        self._step += 1
        self._decisions[number] += decisions
        self._rebuild(number)

    def _replay(self) -> None:
        """Take from the log what was decided about these pages."""
        for decision in read_decisions(self.log_path):
            self._step = max(self._step, decision.step + 1)
            number = self._number_of.get(_key(decision))
            if number is not None:
                self._decisions[number].append(decision)
        for number in range(len(self.pages)):
            self._rebuild(number)

    def _rebuild(self, number: int) -> None:
        page = self.pages[number]
        page.reset()
        for decision in _standing(self._decisions[number]):
            if decision.action == "finish":
                page.coverage = decision.coverage
                continue
            page.coverage = None  # whoever goes on with a finished page has not finished it
            page.decided[decision.place_id] = decision.action
            if decision.action == "correct":
                page.lines[decision.line_index] = decision.after

    def _image_sha256(self, number: int) -> str | None:
        page = self.pages[number].result.page
        if page not in self._image_hashes:
            image = self._images.get(page)
            self._image_hashes[page] = (
                hashlib.sha256(image.image.tobytes()).hexdigest() if image else None
            )
        return self._image_hashes[page]


def _standing(decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions that were not undone."""
    undone = {decision.step for decision in decisions if decision.action == "undo"}
    return [
        decision
        for decision in decisions
        if decision.action != "undo" and decision.step not in undone
    ]


def _key(read: OcrResult | Decision) -> tuple[object, ...]:
    """What a decision must share with a page to be about it."""
    if isinstance(read, Decision):
        page, text = (read.document_sha256, read.page_index), read.text_sha256
    else:
        page, text = (read.page.document_sha256, read.page.page_index), _text_sha256(read)
    return (*page, read.model_id, read.revision, read.adapter, read.prompt, text)


def _text_sha256(result: OcrResult) -> str:
    return hashlib.sha256(result.text.encode()).hexdigest()
