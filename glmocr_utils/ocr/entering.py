"""Pages that begin: small ones, such as regions, go through the model in one pass."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from glmocr_utils.model import give_back_memory
from glmocr_utils.ocr.failures import FAILURES_OF_A_PAGE
from glmocr_utils.records import PageRef

if TYPE_CHECKING:
    from glmocr_utils.ocr.pages import Entry, PageReader, PreparedPage

# Image tokens of a pass, padding included. With more, it takes as long as a pass for each page.
TOKENS_IN_A_PASS_CPU = 512
TOKENS_IN_A_PASS_GPU = 2048

Outcome = tuple[Any, Exception | None]  # a page's key; None if it is under way, or why it is not


class Entering:
    """Pages that wait for a pass which they share.

    Args:
        look: called with the first page of each pass.
    """

    def __init__(self, reader: PageReader, look: Callable[[PageRef], object]) -> None:
        self._reader = reader
        self._look = look
        on_cpu = reader.model.device.type == "cpu"
        self._most = TOKENS_IN_A_PASS_CPU if on_cpu else TOKENS_IN_A_PASS_GPU
        self._waiting: list[Entry] = []

    def __len__(self) -> int:
        """How many pages wait."""
        return len(self._waiting)

    def takes(self, page: PreparedPage) -> bool:
        """Whether a pass with this page too takes less time than one more pass."""
        tokens = [page.num_image_tokens, *(each.num_image_tokens for _, each, _ in self._waiting)]
        return not self._waiting or len(tokens) * max(tokens) <= self._most

    def add(self, key: Hashable, page: PreparedPage, max_tokens: int) -> None:
        """Let a page wait, which comes out under `key`."""
        self._waiting.append((key, page, max_tokens))

    def begin(self) -> list[Outcome]:
        """Begin the pages that wait, in one pass; where that fails, one by one.

        Returns:
            What became of each, those that are under way first.
        """
        pages, self._waiting = self._waiting, []
        if not pages:
            return []
        self._look(pages[0][1].page.page)
        error = self._enter(pages)
        if error is None or len(pages) == 1:
            return [(key, error) for key, *_ in pages]
        outcomes = [(page[0], self._enter([page])) for page in pages]
        return sorted(outcomes, key=lambda outcome: outcome[1] is not None)

    def _enter(self, pages: list[Entry]) -> Exception | None:
        try:
            self._reader.enter_together(pages)
        except FAILURES_OF_A_PAGE as error:
            give_back_memory(self._reader.model.device)
            return error
        return None
