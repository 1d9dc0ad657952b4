"""How well a run read its pages, in plain words."""

from glmocr_utils.confidence import PageQuality, Verdict, reading_verdict
from glmocr_utils.options import InferOptions
from glmocr_utils.records.page_row import parts_of, read_part


def run_verdict(options: InferOptions) -> Verdict:
    """What to think of all pages in a run's ledger, and what to do next."""
    rows = (
        row
        for part in parts_of(options.output_dir)
        for row in read_part(part, ("status", "mean_prob", "text"))
    )
    return reading_verdict(
        map(PageQuality.of_row, rows),
        notebook="06",
        output_dir=str(options.output_dir),
        model_id=options.model_id,
        scale=options.scale,
        max_tokens=options.max_tokens,
    )
