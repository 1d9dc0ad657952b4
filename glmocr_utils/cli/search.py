"""`glmocr search`: words in the readings, and among what else the model found possible."""

import os
from collections.abc import Sequence
from pathlib import Path

from glmocr_utils.cli.command import counted
from glmocr_utils.cli.own_model import load_model_of
from glmocr_utils.display import visible
from glmocr_utils.display.collection import entries_of
from glmocr_utils.display.collection.hits import write_hits
from glmocr_utils.display.collection.page_files import results_of
from glmocr_utils.display.collection.search import Hit, find_words
from glmocr_utils.grounding import Locator
from glmocr_utils.options import SearchOptions

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


def run(options: SearchOptions) -> int:
    """Print each hit, and show it on its page. Returns 1 where there is none, as grep does."""
    colored = os.isatty(1) and "NO_COLOR" not in os.environ
    number = 0
    pages = set()
    shown: list[Hit] = []
    for hit in find_words(entries_of(options.results), options.words):
        number += 1
        pages.add((hit.entry.document_path, hit.entry.page))
        print(_line(hit, colored))
        if options.output_dir and number <= options.most_hits:
            shown.append(hit)
    print(f"{counted(number, 'hit')} on {counted(len(pages), 'page')}")
    if shown and options.output_dir:
        print(f"open {_write(shown, options, options.output_dir)} in a browser")
        if number > len(shown):
            print(f"it shows the first {len(shown)}; most_hits sets how many")
    return 0 if number else 1


def _write(hits: Sequence[Hit], options: SearchOptions, output_dir: str | Path) -> Path:
    locator = None
    if options.boxes:
        pages = [hit.entry.page for hit in hits if hit.entry.page]
        results = results_of(Path(options.results), pages)
        locator = Locator(load_model_of(results, options.model_id, options.adapter))
    return write_hits(
        hits,
        options.words,
        options.results,
        output_dir,
        locator=locator,
        password=options.password,
    )


def _line(hit: Hit, colored: bool) -> str:
    found = f"{BOLD}{visible(hit.found)}{PLAIN}" if colored else visible(hit.found)
    page = f", page {hit.entry.page.page_number}" if hit.entry.page else ""
    where = f"{hit.entry.document_path}{page}, line {hit.line_number}"
    also = "" if hit.instead is None else f"  [could be {visible(hit.instead)}, {hit.prob:.2f}]"
    return f"{where}: {_flat(hit.before)}{found}{_flat(hit.after)}{also}"


def _flat(text: str) -> str:
    return "".join(" " if character.isspace() else character for character in text)
