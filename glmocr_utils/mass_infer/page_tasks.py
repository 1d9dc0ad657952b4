"""A run's options → the task of each of its pages."""

from collections.abc import Callable

from glmocr_utils.mass_infer.passes import Limits
from glmocr_utils.mass_infer.task import PageTask, RegionOptions
from glmocr_utils.options import InferOptions, parse_tasks, resolve_layout
from glmocr_utils.records import FailedPage, storable_path
from glmocr_utils.records.page_row import PageRow
from glmocr_utils.render import CheckedPage

MakeTask = Callable[..., PageTask]


def page_tasks(options: InferOptions) -> MakeTask:
    """What makes the task of a page: `make(page, num_pages, before=None)`.

    `num_pages` is of the page's document; `before` the row of an earlier reading by regions, of
    which only what `retry` names is read again.
    """
    limits = Limits(options.max_tokens, options.retry_max_tokens)
    by_region = region_options(options, options.layout)
    cover_by_region = region_options(options, options.coverage_layout)
    again = options.statuses_to_retry()
    second = options.second_reader_pages if options.second_reader else None

    def make(page: CheckedPage, num_pages: int, before: PageRow | None = None) -> PageTask:
        return PageTask(
            page,
            num_pages,
            limits,
            by_region,
            before,
            again,
            options.coverage,
            second,
            cover_by_region,
        )

    return make


def region_options(options: InferOptions, layout: str | None) -> RegionOptions | None:
    """How pages are read by the regions that `layout` finds; None without one."""
    if resolve_layout(layout) is None:
        return None
    return RegionOptions(parse_tasks(options.tasks, options.prompt), options.furniture)


def document_row(failed: FailedPage) -> PageRow:
    """The row of a page, or of a document that does not open."""
    path = storable_path(failed.document_path)
    return PageRow(path, None, failed.page_index, None, failed.status, reason=failed.reason)
