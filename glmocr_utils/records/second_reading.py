"""A second OCR program's reading of a page, compared with the first."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.layout import Box

DisagreementKind = Literal["other", "sign", "left_out", "made_up", "order"]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where the second reader does not confirm the first.

    Attributes:
        kind: `other` (it reads other characters), `sign` (it reads another quotation mark, dash or
            apostrophe, which look alike in print), `left_out` (it reads a word that the text
            lacks), `made_up` (it reads nothing where the text has a word) or `order` (it reads the
            same word elsewhere on the page).
        start, stop: characters of the page's text; equal for `left_out`.
        text: the second reader's text there; empty for `made_up`.
        box: of that, in pixels of the page image; None where it reads nothing.
    """

    kind: DisagreementKind
    start: int
    stop: int
    text: str
    box: Box | None = None

    def __post_init__(self) -> None:
        check_one_of("kind", self.kind, DisagreementKind)
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"a disagreement ends where it starts or later, got {self}")


@dataclass(frozen=True, slots=True)
class SecondReading:
    """The disagreements of one second reader with a page's text.

    Attributes:
        reader: such as `tesseract` or `tesseract:deu+eng`.
        disagreements: in the order of the text.
        seconds: that it took.
    """

    reader: str
    disagreements: tuple[Disagreement, ...]
    seconds: float = 0.0

    @property
    def num_disagreements(self) -> int:
        """How many, signs that look alike aside."""
        return sum(each.kind != "sign" for each in self.disagreements)


def second_to_record(second: SecondReading) -> dict[str, object]:
    """Plain values for JSON; a box is a list (x1, y1, x2, y2), with 1 decimal."""
    disagreements = [
        {**asdict(each), "box": each.box and [round(side, 1) for side in each.box]}
        for each in second.disagreements
    ]
    return {
        "reader": second.reader,
        "disagreements": disagreements,
        "seconds": round(second.seconds, 3),
    }


def second_from_record(record: Mapping[str, Any]) -> SecondReading:
    """Inverse of `second_to_record`."""
    disagreements = tuple(
        Disagreement(**{**each, "box": each["box"] and Box(*each["box"])})
        for each in record["disagreements"]
    )
    return SecondReading(record["reader"], disagreements, record["seconds"])
