"""A review of pages, without a screen: what is to be checked, what was decided, what it now says.

The state is nothing but the read pages and the log of decisions, so a review that is opened again,
after a crash or a year, resumes where it left off. The texts of finished pages are written beside
the log, in `reviewed/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from glmocr_utils.confidence import Calibration, PageQuality, WordRisk
from glmocr_utils.options import ReviewOptions
from glmocr_utils.records import (
    TEXT_COVERAGES,
    Action,
    Coverage,
    Decision,
    OcrResult,
    PageImage,
    PageLayout,
    PageRef,
    ReadAgain,
    standing,
)
from glmocr_utils.review.decision_log import DecisionLog
from glmocr_utils.review.finished_texts import text_files, write_text
from glmocr_utils.review.flags import MAX_CHOICES, NUM_AUDITS, THRESHOLD, Flag, find_flags
from glmocr_utils.review.page_review import Offer, PageReview, find_same, replace_word

Order = Literal["reading", "worst"]


class ReviewSession:
    """Pages, their flags, and the log.

    Args:
        results: the read pages.
        log_path: the append-only JSONL; decisions in it that belong to these pages count.
        images: page images by page; pages may lack one.
        layouts: where their tokens are, looked up when a page is shown; pages may lack one.
        reviewer: who decides.
        calibration: of the model that read the pages; its probabilities choose the flags.
        flags: what to check on each page, in reading order; None finds it by `find_flags`.
        threshold, max_flags, num_audits, max_choices, risk: as in `find_flags`.
    """

    def __init__(
        self,
        results: Sequence[OcrResult],
        log_path: str | Path,
        *,
        images: Mapping[PageRef, PageImage] | None = None,
        layouts: Mapping[PageRef, PageLayout] | None = None,
        reviewer: str = "",
        calibration: Calibration | None = None,
        flags: Mapping[PageRef, Sequence[Flag]] | None = None,
        threshold: float = THRESHOLD,
        max_flags: int = ReviewOptions.max_flags,
        num_audits: int = NUM_AUDITS,
        max_choices: int = MAX_CHOICES,
        risk: WordRisk | None = None,
    ) -> None:
        if not results:
            raise ValueError("there is no page to review; read some with notebook 02 first")
        self.log_path = Path(log_path)
        self.calibration = calibration
        self._images = images or {}
        self._layouts = layouts or {}
        self._log = DecisionLog(self.log_path, self._images, reviewer)
        self.pages = [
            PageReview(
                result,
                flags[result.page]
                if flags is not None
                else find_flags(
                    result,
                    threshold=threshold,
                    max_flags=max_flags,
                    num_audits=num_audits,
                    max_choices=max_choices,
                    calibration=calibration,
                    risk=risk,
                ),
            )
            for result in results
        ]
        self.text_files = text_files(
            (result.page for result in results), self.log_path.parent / "reviewed"
        )
        # of given flags, all are to be decided, whatever the page reads like
        self._why_not_read = [
            None if flags is not None else PageQuality.of(result).why_not_read for result in results
        ]
        self._decisions: list[list[Decision]] = [[] for _ in self.pages]
        self._replay()

    # what there is

    @property
    def saved_at(self) -> datetime | None:
        """When the last decision was written."""
        return self._log.saved_at

    def image(self, number: int) -> PageImage | None:
        """The image of page `number`."""
        return self._images.get(self.pages[number].result.page)

    def layout(self, number: int) -> PageLayout | None:
        """Where the tokens of page `number` are; to find out may take the model seconds."""
        return self._layouts.get(self.pages[number].result.page)

    @property
    def has_layouts(self) -> bool:
        return bool(self._layouts)

    @property
    def unfinished(self) -> list[int]:
        """The numbers of the pages that are not finished."""
        return [number for number, page in enumerate(self.pages) if page.coverage is None]

    def next_open(
        self, number: int, flag: Flag | None = None, order: Order = "reading"
    ) -> Flag | None:
        """The next undecided flag after `flag`, from the top again after the last; or None."""
        flags = list(self.queue(number, order))
        if flag is not None:
            ids = [other.flag_id for other in flags]
            at = ids.index(flag.flag_id) + 1 if flag.flag_id in ids else 0
            flags = flags[at:] + flags[:at]
        decided = self.pages[number].decided
        return next((p for p in flags if p.flag_id not in decided), None)

    def queue(self, number: int, order: Order = "reading") -> Sequence[Flag]:
        page = self.pages[number]
        flags = page.flags if page.typed is None else []  # they are of the text that was read
        return flags if order == "reading" else sorted(flags, key=lambda flag: flag.prob or 0.0)

    def decisions(self, number: int) -> list[Decision]:
        """What was decided about page `number` and not undone, in its order."""
        return standing(self._decisions[number])

    def why_not_read(self, number: int) -> str | None:
        """Why a page counts as not read, so that its flags are not worth checking; else None.

        It is None as well once something was decided about it: typed, finished, or a flag.
        """
        page = self.pages[number]
        if page.typed is not None or page.decided or page.coverage:
            return None
        return self._why_not_read[number]

    def __str__(self) -> str:
        numbers = self.summary()
        finished = len(self.pages) - len(self.unfinished)
        unread = numbers["pages_not_read"]
        noun = "page was" if unread == 1 else "pages were"
        return (
            f"{numbers['reviewed']} of {numbers['flags']} flags reviewed, "
            f"{finished} of {numbers['pages']} pages finished"
            + (f"; {unread} {noun} not read, and can be typed or put aside" if unread else "")
        )

    def summary(self) -> dict[str, int]:
        """Numbers of pages, flags, decided flags, corrections and finished pages."""
        actions = [action for page in self.pages for action in page.decided.values()]
        return {
            "pages": len(self.pages),
            "flags": sum(len(page.flags) for page in self.pages if page.typed is None),
            "reviewed": len(actions),
            "corrected": actions.count("correct"),
            "unsure": actions.count("unsure"),
            "pages_flags_checked": sum(p.coverage == "flags_checked" for p in self.pages),
            "pages_fully_read": sum(p.coverage == "fully_read" for p in self.pages),
            "pages_not_usable": sum(p.coverage == "not_usable" for p in self.pages),
            "pages_to_read_again": sum(p.coverage == "read_again" for p in self.pages),
            "pages_not_read": sum(
                self.why_not_read(number) is not None for number in range(len(self.pages))
            ),
        }

    # what a person does

    def accept(self, number: int, flag: Flag) -> None:
        """The flagged text is right."""
        self._decide({number: [self._about("accept", number, flag)]})

    def unsure(self, number: int, flag: Flag) -> None:
        """The person cannot tell."""
        self._decide({number: [self._about("unsure", number, flag)]})

    def accept_rest(self, number: int) -> None:
        """The text of all flags that are still open on the page is right.

        Not of those for what was left out or made up: each of them is to be looked at.
        """
        flags = [flag for flag in self.pages[number].open_flags if not flag.is_of_coverage]
        if flags:
            self._decide({number: [self._about("accept", number, flag) for flag in flags]})

    def choose(self, number: int, flag: Flag, choice: str) -> Offer | None:
        """The flagged text becomes `choice`: one of its choices, or any text.

        Returns:
            As `correct_line`.
        """
        page = self.pages[number]
        replacement = page.replacement(flag, choice)
        if replacement:
            return self._replace_token(number, flag, replacement)
        start, end = page.span_of(flag)
        line = page.lines[flag.line_index]
        return self.correct_line(number, flag, f"{line[:start]}{choice}{line[end:]}")

    def _replace_token(
        self, number: int, flag: Flag, replacement: tuple[int, int, str]
    ) -> Offer | None:
        page = self.pages[number]
        chosen = page.text_with(*replacement)
        if str(chosen) == page.text:
            self.accept(number, flag)
            return None
        before, after = page.lines[flag.line_index], chosen.line(flag.line_index)
        decision = self._about("correct", number, flag, after)
        start, stop, text = replacement
        token = replace(decision, token_start=start, token_stop=stop, token_text=text)
        self._decide({number: [token]})
        return find_same(self.pages, before, after, flag)

    def correct_line(self, number: int, flag: Flag, after: str) -> Offer | None:
        """The flag's line reads `after`: several lines where some were missing, or nothing.

        Returns:
            The same correction elsewhere, if other flags allow it: for `apply_offer`.
        """
        page = self.pages[number]
        before = page.lines[flag.line_index]
        if after == before:
            self.accept(number, flag)
            return None
        self._decide({number: [self._about("correct", number, flag, after)]})
        return find_same(self.pages, before, after, flag)

    def apply_offer(self, offer: Offer) -> int:
        """Make an offered correction for all its flags; returns for how many.

        They are one step, so that undoing takes all of them back.
        """
        flags = [(n, flag) for n, flag in offer.flags if flag.flag_id not in self.pages[n].decided]
        lines: dict[tuple[int, int], str] = {}  # a line may have several of the flags
        for number, flag in reversed(flags):  # an edit moves only what comes after it
            page, at = self.pages[number], (number, flag.line_index)
            line = lines.get(at, page.lines[flag.line_index])
            lines[at] = replace_word(page, flag, line, offer.before, offer.after)
        step: dict[int, list[Decision]] = {}
        for number, flag in flags:
            after = lines[number, flag.line_index]
            if after != self.pages[number].lines[flag.line_index]:
                step.setdefault(number, []).append(self._about("correct", number, flag, after))
        if step:
            self._decide(step)
        return sum(map(len, step.values()))

    def type_page(self, number: int, text: str) -> None:
        """The whole page reads `text`, as a person typed it."""
        changed: dict[str, Any] = {"before": self.pages[number].text, "after": text}
        self._decide({number: [self._decision("type", number, **changed)]})

    def finish(self, number: int, coverage: Coverage, read_again: ReadAgain | None = None) -> None:
        """The page is done; where it has a text, that is written to its file in `text_files`.

        Args:
            coverage: `fully_read` says that all of it was read, not only the flags.
            read_again: with `read_again`: at another `scale`, or by `regions`.

        Raises:
            ValueError: what was left out or made up is not decided yet.
        """
        page = self.pages[number]
        undecided = sum(flag.is_of_coverage for flag in page.open_flags)
        if undecided and coverage in TEXT_COVERAGES:
            raise ValueError(
                f"page {page.result.page.page_number} has {undecided} flags for text that was left "
                "out or made up; decide them before you finish the page"
            )
        told: dict[str, Any] = {
            "before": page.result.text,
            "after": page.text,
            "read_again": read_again,
        }
        self._decide({number: [self._decision("finish", number, coverage=coverage, **told)]})

    def undo(self) -> tuple[int, Flag | None] | None:
        """Take back the last step, on every page that it changed.

        Returns:
            The number of its first page, and the flag there that is open again (None if it was
            the page's finish); or None when there is no step left.
        """
        left = {n: of_page for n, ds in enumerate(self._decisions) if (of_page := standing(ds))}
        if not left:
            return None
        step = max(of_page[-1].step for of_page in left.values())
        undone = {n: of_page for n, of_page in left.items() if of_page[-1].step == step}
        self._decide({n: [self._decision("undo", n, step=step)] for n in undone})
        number, decisions = next(iter(undone.items()))
        first = next(decision for decision in decisions if decision.step == step)
        page = self.pages[number]
        flag = page.find_flag(first.flag_id)
        if flag is None and first.line_index is not None:
            flag = page.line_flag(first.line_index)
        return number, flag

    # how it is kept

    def _about(self, action: Action, number: int, flag: Flag, after: str | None = None) -> Decision:
        before = self.pages[number].lines[flag.line_index]
        return self._decision(
            action,
            number,
            flag_id=flag.flag_id,
            kind=flag.kind,
            prob=None if flag.prob is None else round(flag.prob, 6),
            line_index=flag.line_index,
            before=before,
            after=before if after is None else after,
        )

    def _decision(
        self, action: Action, number: int, step: int | None = None, **fields: Any
    ) -> Decision:
        return self._log.make(action, self.pages[number].result, step, **fields)

    def _decide(self, step: Mapping[int, Sequence[Decision]]) -> None:
        """One step, by page number: first on disk, then counted."""
        self._log.append([d for of_page in step.values() for d in of_page])
        for number, decisions in step.items():
            page = self.pages[number]
            had_text = page.coverage in TEXT_COVERAGES
            self._decisions[number] += decisions
            page.replay(standing(self._decisions[number]))
            if page.coverage in TEXT_COVERAGES:
                write_text(self.text_files[page.result.page], page.text)
            elif had_text:
                self.text_files[page.result.page].unlink(missing_ok=True)

    def _replay(self) -> None:
        """Take from the log what was decided about these pages; lost texts are written again."""
        for number, decision in self._log.read([page.result for page in self.pages]):
            self._decisions[number].append(decision)
        for number, page in enumerate(self.pages):
            page.replay(standing(self._decisions[number]))
            file = self.text_files[page.result.page]
            if page.coverage in TEXT_COVERAGES and not file.exists():
                write_text(file, page.text)
