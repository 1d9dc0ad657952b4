"""`glmocr search`: words in the readings, and among what else the model found possible."""

import os

from glmocr_utils.cli.command import counted
from glmocr_utils.display import visible
from glmocr_utils.display.collection import entries_of
from glmocr_utils.display.collection.search import Hit, find_words
from glmocr_utils.options import SearchOptions

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def run(options: SearchOptions) -> int:
    """Print each hit. Returns 1 where there is none, as grep does."""
    colored = os.isatty(1) and "NO_COLOR" not in os.environ
    number = 0
    pages = set()
    for hit in find_words(entries_of(options.results), options.words):
        number += 1
        pages.add((hit.entry.document_path, hit.entry.page))
        print(_line(hit, colored))
    print(f"{counted(number, 'hit')} on {counted(len(pages), 'page')}")
    return 0 if number else 1


def _line(hit: Hit, colored: bool) -> str:
    found = f"{BOLD}{visible(hit.found)}{PLAIN}" if colored else visible(hit.found)
    page = f", page {hit.entry.page.page_number}" if hit.entry.page else ""
    where = f"{hit.entry.document_path}{page}, line {hit.line_number}"
    also = "" if hit.instead is None else f"  [could be {visible(hit.instead)}, {hit.prob:.2f}]"
    return f"{where}: {_flat(hit.before)}{found}{_flat(hit.after)}{also}"


def _flat(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in text)
