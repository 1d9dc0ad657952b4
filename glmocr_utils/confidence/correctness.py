"""Which tokens are right, where the true text of a page is known."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from glmocr_utils.metrics import normalize
from glmocr_utils.records import OcrResult


@dataclass(frozen=True, slots=True)
class MarkedPage:
    """A page whose tokens are marked right or wrong.

    Attributes:
        result: what was read.
        is_wrong: one for each token: True when a character that it spells is not in the reference.
        omissions: characters of the reference that no token stands for. Looking at tokens cannot
            find them.
    """

    result: OcrResult
    is_wrong: tuple[bool, ...]
    omissions: int

    def __post_init__(self) -> None:
        if len(self.is_wrong) != len(self.result.tokens):
            raise ValueError(
                f"{len(self.is_wrong)} marks for {len(self.result.tokens)} tokens of page "
                f"{self.result.page.page_number} of {self.result.page.document_path}"
            )

    @property
    def num_wrong(self) -> int:
        return sum(self.is_wrong)


def mark_tokens(result: OcrResult, reference: str) -> MarkedPage:
    """Align a page's text with its true text, character by character, and mark its tokens.

    The alignment is one with the fewest edits (Levenshtein, from rapidfuzz). `reference` is
    normalised as for the CER; white space in the page's text that normalising would drop counts as
    right.
    """
    kept = _kept_by_normalizing(result.text)
    read = "".join(result.text[position] for position in kept)
    wrong_characters = set()
    omissions = 0
    for tag, _, position in Levenshtein.editops(normalize(reference), read):
        if tag == "delete":
            omissions += 1
        else:
            wrong_characters.add(kept[position])
    marks = tuple(any(position in wrong_characters for position in span) for span in _spans(result))
    return MarkedPage(result, marks, omissions)


def load_references(path: str | Path) -> dict[tuple[str, int], str]:
    """True texts by (file name of the document, page_index).

    Args:
        path: lines of JSON with `file_name`, `page_index` (from 0) and `text`; or the
            `metadata.jsonl` of exported labels, or its folder. Of labels only gold texts count.

    Raises:
        ValueError: a line lacks one of them, or a page has two texts; the message names it.
    """
    path = Path(path)
    path = path / "metadata.jsonl" if path.is_dir() else path
    references: dict[tuple[str, int], str] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                document = Path(row.get("document", row["file_name"]))
                key, text = (document.name, row["page_index"]), row["text"]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {number} has no file_name, page_index and text ({error!r})"
                ) from error
            is_gold = row.get("status", "gold") == "gold"
            if is_gold and references.setdefault(key, text) != text:
                raise ValueError(
                    f"{path}, line {number} has a second text for {key[0]}, page_index {key[1]}; "
                    "leave the one that is true of the page"
                )
    return references


def mark_pages(
    results: Sequence[OcrResult], references: Mapping[tuple[str, int], str]
) -> list[MarkedPage]:
    """`mark_tokens` for each page whose true text is known; the others are left out."""
    named = [(result, _name(result)) for result in results]
    return [mark_tokens(result, references[name]) for result, name in named if name in references]


def _name(result: OcrResult) -> tuple[str, int]:
    return result.page.document_name, result.page.page_index


def _kept_by_normalizing(text: str) -> list[int]:
    """Positions of the characters that are left when runs of white space are made one."""
    kept: list[int] = []
    for position, character in enumerate(text):
        if not character.isspace():
            kept.append(position)
            continue
        if not kept:
            continue
        previous = text[kept[-1]]
        if character == "\n" and previous.isspace() and previous != "\n":
            kept[-1] = position  # the line end stays, the spaces before it go
        elif character == "\n" or not previous.isspace():
            kept.append(position)
    while kept and text[kept[-1]].isspace():
        kept.pop()
    return kept


def _spans(result: OcrResult) -> Iterator[range]:
    """The characters that each token stands for; the first bytes of a character stand for it."""
    position = 0
    for token in result.tokens:
        end = position + len(token.text)
        yield range(position, max(end, min(position + 1, len(result.text))))
        position = end
