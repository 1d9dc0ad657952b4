"""The results of a run, in lines for a terminal."""

from collections.abc import Sequence

from glmocr_utils.finetune.comparison import changed_confusions, compare_documents
from glmocr_utils.finetune.evaluation import PageReading, scores
from glmocr_utils.finetune.kinds import kinds_verdict
from glmocr_utils.finetune.run import FinetuneResult

SCORES = {
    "cer": "CER (layout aside)",
    "cer_raw": "raw CER (as written)",
    "wer": "WER",
    "loop_rate": "pages that loop",
    "stop_rate": "pages that end by themselves",
}
DOCUMENTS_SHOWN = 10
CONFUSIONS_SHOWN = 10


def summary_lines(result: FinetuneResult) -> list[str]:
    """Before against after: scores, documents, confusions; and the pages to retain."""
    if result.comparison is None:
        return [result.verdict]
    comparison = result.comparison
    lines = [
        f"{'held-out pages':<32}{'before':>10}{'after':>10}",
        *_score_lines(result.before, result.after),
        f"CER {comparison.before} before, {comparison.after} after: {comparison.verdict} "
        f"(95 % intervals over {comparison.resampled})",
        *filter(None, [kinds_verdict(result.kinds)]),
    ]
    if result.retained_before:
        lines.append(f"{'pages not to be forgotten':<32}{'before':>10}{'after':>10}")
        lines += _score_lines(result.retained_before, result.retained_after)
    lines.append(f"{'document':<32}{'before':>10}{'after':>10}")
    lines += [
        f"{change.document[-32:]:<32}{change.cer_before:>10.2%}{change.cer_after:>10.2%}"
        for change in compare_documents(result.before, result.after)[:DOCUMENTS_SHOWN]
    ]
    lines.append(f"{'read as':<32}{'before':>10}{'after':>10}")
    lines += [
        f"{f'{expected!r} as {got!r}':<32}{before:>10}{after:>10}"
        for expected, got, before, after in changed_confusions(result.before, result.after)[
            :CONFUSIONS_SHOWN
        ]
    ]
    return lines


def _score_lines(before: Sequence[PageReading], after: Sequence[PageReading]) -> list[str]:
    first, second = scores(before), scores(after)
    return [
        f"  {title:<30}{first[name]:>10.2%}{second[name]:>10.2%}" for name, title in SCORES.items()
    ]
