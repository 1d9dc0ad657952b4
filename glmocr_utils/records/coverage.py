"""Text that a reading left out or made up."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.layout import Box

Unsupported = Literal["nowhere", "twice"]


@dataclass(frozen=True, slots=True)
class UnreadInk:
    """Ink that looks like text, where no text of the reading is.

    Attributes:
        box: around it, in pixels of the page image as it was read.
        num_characters: about how many it would be, by its width.
        token_stop: it comes after so many of the page's tokens, by its position on the page.
    """

    box: Box
    num_characters: float
    token_stop: int

    def __post_init__(self) -> None:
        if self.num_characters < 0 or self.token_stop < 0:
            raise ValueError(f"neither number of unread ink is below 0, got {self}")


@dataclass(frozen=True, slots=True)
class UnsupportedText:
    """Tokens of a reading that no ink of the page supports.

    Attributes:
        token_start, token_stop: of the run; `token_stop` is exclusive.
        num_characters: with ink, that they write.
        why: `nowhere` (when it wrote them, the model looked at nothing in particular) or `twice`
            (where it looked, other text of the reading is).
    """

    token_start: int
    token_stop: int
    num_characters: int
    why: Unsupported

    def __post_init__(self) -> None:
        check_one_of("why", self.why, Unsupported)
        if not 0 <= self.token_start < self.token_stop:
            raise ValueError(f"unsupported text has at least one token, got {self}")


@dataclass(frozen=True, slots=True)
class PageCoverage:
    """How a reading covers its page.

    Attributes:
        is_clear: it is known what was left out, since most of the text could be located, or the
            page has far more print than the text can fill.
        unread: ink without text, in the order of the page's text.
        unsupported: text without ink, likewise.
    """

    is_clear: bool
    unread: tuple[UnreadInk, ...] = ()
    unsupported: tuple[UnsupportedText, ...] = ()

    @property
    def unread_characters(self) -> float | None:
        """About how many characters were left out; None where that is not clear."""
        return sum(each.num_characters for each in self.unread) if self.is_clear else None

    @property
    def unsupported_characters(self) -> int:
        """How many characters no ink supports."""
        return sum(each.num_characters for each in self.unsupported)

    @property
    def is_complete(self) -> bool:
        """It is clear where the text is, nothing was left out, and nothing lacks support."""
        return self.is_clear and not self.unread and not self.unsupported

    @property
    def reason(self) -> str | None:
        """A message for the user, in one or two sentences; None for a complete page."""
        said = []
        if not self.is_clear:
            said.append("Where the text is on the page is unclear, so what it lacks is not known.")
        elif self.unread:
            places = "1 place" if len(self.unread) == 1 else f"{len(self.unread)} places"
            said.append(f"About {self.unread_characters:.0f} characters in {places} were not read.")
        if self.unsupported:
            said.append(
                f"{self.unsupported_characters} characters of the text may not be on the page."
            )
        return " ".join(said) or None


def coverage_to_record(coverage: PageCoverage) -> dict[str, object]:
    """Plain values for JSON and parquet; a box is a list (x1, y1, x2, y2), with 1 decimal."""
    unread = [
        {
            **asdict(each),
            "box": [round(side, 1) for side in each.box],
            "num_characters": round(each.num_characters, 1),
        }
        for each in coverage.unread
    ]
    unsupported = [asdict(each) for each in coverage.unsupported]
    return {"is_clear": coverage.is_clear, "unread": unread, "unsupported": unsupported}


def coverage_from_record(record: Mapping[str, Any]) -> PageCoverage:
    """Inverse of `coverage_to_record`."""
    return PageCoverage(
        record["is_clear"],
        tuple(UnreadInk(**{**each, "box": Box(*each["box"])}) for each in record["unread"]),
        tuple(UnsupportedText(**each) for each in record["unsupported"]),
    )
