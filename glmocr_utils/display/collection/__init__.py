"""All pages of a run at a glance: one HTML file, a file for each page that most needs a look."""

from glmocr_utils.display.collection.entries import PageEntry, entries_of
from glmocr_utils.display.collection.index import index_html, write_index

__all__ = ["PageEntry", "entries_of", "index_html", "write_index"]
