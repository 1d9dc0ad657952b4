"""Why a page or a document could not be rendered."""

from pathlib import Path

from glmocr_utils.records import FailedPage, FailureStatus


class DocumentError(ValueError):
    """A document or a page that cannot be rendered.

    The message is one sentence that names the file, says why and what to do.

    Attributes:
        status: `unreadable`, `encrypted`, `too_large` or `failed`, as in `FailedPage`.
    """

    def __init__(self, status: FailureStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def named(path: Path, page_index: int | None = None) -> str:
    """The file, and the page when there is one, on one line whatever the name holds."""
    name = repr(str(path))
    return name if page_index is None else f"{name}, page {page_index + 1},"


def failed_page(path: Path, page_index: int | None, error: Exception) -> FailedPage:
    """The record of `error`."""
    if isinstance(error, DocumentError):
        return FailedPage(str(path), page_index, error.status, str(error))
    reason = (
        f"{named(path, page_index)} could not be rendered "
        f"({type(error).__name__}: {error}); check that the file opens in a viewer"
    )
    return FailedPage(str(path), page_index, "failed", reason)
