"""The label set: the text of each page, its source, and all earlier versions.

store = LabelStore("outputs/labels")
label_from_text_layer(store, find_pages("outputs/01_render"))
store.current_labels(["gold"])  # what training takes

Each source, each export and each look at the set is a module of its own; the ones that need a
large library (`hub`, `llm`, `exports`, `next_pages`) are imported by their own names.
"""

from glmocr_utils.labels.pages import LeftOut, find_duplicates, find_pages
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import PageFile

__all__ = [
    "LabelRun",
    "LabelStore",
    "LeftOut",
    "PageFile",
    "find_duplicates",
    "find_pages",
]
