"""The text of a page, and a set of them with one text a page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glmocr_utils.records import OcrResult

NO_LAYER = "no text layer"  # status of a PDF's page without one that can be trusted

# What a page is known by: its document's name without folder and suffix, and its index from 0.
PageKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of one page, as written.

    Attributes:
        document: file name of its document, or of the file with its text.
        page_index: from 0.
        text: None where the page was not read.
        status: of a run's ledger; `ok` elsewhere.
        result: with token probabilities, where there are any.
    """

    document: str
    page_index: int
    text: str | None
    status: str = "ok"
    result: OcrResult | None = None

    @property
    def key(self) -> PageKey:
        name = Path(self.document).name
        for suffix in (".gt.txt", ".alto.xml", ".page.xml", ".searchable.pdf"):
            name = name.removesuffix(suffix)
        return Path(name).stem.casefold() if "." in name else name.casefold(), self.page_index

    @property
    def name(self) -> str:
        """For people; pages count from 1."""
        return f"{Path(self.document).name}, page {self.page_index + 1}"


@dataclass(frozen=True, slots=True)
class TextSet:
    """Pages by their key.

    Attributes:
        name: where they come from, for people.
        pages: one text a page.
        problems: what was found and is not among the pages, in sentences.
    """

    name: str
    pages: Mapping[PageKey, PageText]
    problems: tuple[str, ...] = field(default=())


def text_set(name: str, pages: Iterable[PageText]) -> TextSet:
    """One text a page; of two different ones for a page neither counts, and both are named."""
    kept: dict[PageKey, PageText] = {}
    twice: dict[PageKey, None] = {}
    for page in pages:
        first = kept.setdefault(page.key, page)
        if first is not page and (first.text, first.status) != (page.text, page.status):
            twice[page.key] = None
    problems = [
        f"{kept[key].name} has two different texts in {name}; neither counts" for key in twice
    ]
    for key in twice:
        del kept[key]
    return TextSet(name, kept, tuple(problems))
