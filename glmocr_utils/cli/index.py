"""`glmocr index`: all pages of a run at a glance, in a browser."""

from glmocr_utils.display.collection import write_index
from glmocr_utils.options import IndexOptions


def run(options: IndexOptions) -> int:
    path = write_index(
        options.results,
        options.output_dir,
        worst_n=options.worst_n,
        most_pages=options.most_pages,
        with_thumbnails=options.thumbnails,
        password=options.password,
    )
    print(f"open {path} in a browser")
    return 0
