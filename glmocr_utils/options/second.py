"""Another OCR program that reads the pages too."""

from dataclasses import dataclass
from typing import Literal

from glmocr_utils.options.option import Options, option

SecondPages = Literal["all", "doubtful"]


@dataclass(frozen=True)
class SecondOptions(Options):
    """Options of reading pages with a second reader."""

    second_reader: str | None = option(
        None,
        '"tesseract", "rapidocr", or both with a comma: reads the pages too',
        detail="tesseract:deu+eng names languages; disagreements are typed, and show how risky "
        "a word is",
    )
    second_reader_pages: SecondPages = option(
        "all",
        '"all", or "doubtful": those that the second reader reads',
        detail="doubtful pages are those that were not read well, or of which something was left "
        "out",
    )
