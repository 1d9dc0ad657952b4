"""Words in the text of a collection, and among what else the model found possible."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from glmocr_utils.display.collection.entries import PageEntry

AROUND = 40  # characters shown on each side of a hit


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a word is, or could be.

    Attributes:
        line_number: of the text, from 1.
        before, found, after: what is read there.
        instead: what it could be where the words are among the alternatives; None where they
            were read. prob: its probability, 0 to 1.
        start, stop: characters of the page's text.
    """

    entry: PageEntry
    line_number: int
    before: str
    found: str
    after: str
    instead: str | None = None
    prob: float | None = None
    start: int = 0
    stop: int = 0


def find_words(entries: Iterable[PageEntry], words: str) -> Iterator[Hit]:
    """Every place with these words, in the order of the pages; case and line ends do not matter.

    Raises:
        ValueError: there are no words.
    """
    wanted = _folded(words.strip())
    if not wanted:
        raise ValueError("name the words to search for")
    for entry in entries:
        text = _folded(entry.text)
        # some letters are two in small letters
        entry_text = entry.text if len(text) == len(entry.text) else text
        start = text.find(wanted)
        while start >= 0:
            yield _hit(entry, entry_text, start, start + len(wanted))
            start = text.find(wanted, start + 1)
        for other in entry.others:
            if wanted in _folded(other.word) and wanted not in _folded(other.read):
                stop = other.start + len(other.read)
                yield _hit(entry, entry.text, other.start, stop, other.word, other.prob)


def _hit(
    entry: PageEntry,
    text: str,
    start: int,
    stop: int,
    instead: str | None = None,
    prob: float | None = None,
) -> Hit:
    before = text[max(0, start - AROUND) : start]
    after = text[stop : stop + AROUND]
    line_number = text.count("\n", 0, start) + 1
    return Hit(entry, line_number, before, text[start:stop], after, instead, prob, start, stop)


def _folded(text: str) -> str:
    """Small letters; line ends and other white space are spaces, each character for itself."""
    lowered = unicodedata.normalize("NFC", text).lower()
    return "".join(" " if character.isspace() else character for character in lowered)
