"""Labels from a review: the log of decisions that notebook 03 leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from glmocr_utils.labels.pages import UNNAMED, LeftOut, make_label
from glmocr_utils.labels.regions import RegionFile, texts_of_regions
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import (
    TEXT_COVERAGES,
    Decision,
    Label,
    LabelStatus,
    PageFile,
    PageKey,
    finish_of,
    read_decisions,
    reviews_of,
)

SOURCE = "review"
NO_IMAGE = "it was reviewed, and is not among the page images; render its document with notebook 01"
NO_TEXT = {
    "not_usable": "its reviewer marked it as not usable",
    "read_again": "its reviewer noted that it is to be read again; read it, and review it then",
}


def label_from_review_log(
    store: LabelStore,
    pages: Sequence[PageFile],
    path: str | Path,
    *,
    flags_checked: LabelStatus = "silver",
    regions: Mapping[PageKey, Sequence[RegionFile]] | None = None,
    progress: bool = True,
) -> LabelRun:
    """Take over the pages that were finished in a review.

    A page that was read in full is gold. Each finish gives one label, with its reviewer, model and
    time, so that a page that is reviewed again gets another one.

    Args:
        path: the log of decisions.
        flags_checked: the status of pages of which only the flags were checked.
        regions: of pages that were read by regions: each gets a label of its own, instead of the
            page.

    Raises:
        FileNotFoundError: there is no such log.
        ValueError: a line of it isn't a decision.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no review log {str(path)!r}; give the review.jsonl that notebook 03 writes"
        )
    page_of = {page.page.key: page for page in pages}
    statuses: dict[str, LabelStatus] = {"fully_read": "gold", "flags_checked": flags_checked}
    outcomes = [
        outcome
        for review in reviews_of(read_decisions(path))
        for outcome in _outcomes(review, page_of, statuses, regions or {})
    ]
    labels = [outcome for outcome in outcomes if isinstance(outcome, Label)]
    labels.sort(key=lambda label: datetime.fromisoformat(label.time))
    left_out = [outcome for outcome in outcomes if isinstance(outcome, LeftOut)]
    known = {_identity(label) for label in store.labels()}

    def is_known(outcome: Label | LeftOut) -> bool:
        return isinstance(outcome, Label) and _identity(outcome) in known

    made: list[Label | LeftOut] = [*labels, *left_out]
    return store.record(SOURCE, made, lambda new: new, is_known, progress=progress)


def _identity(label: Label) -> tuple[object, ...]:
    """What identifies one finish of a page."""
    return label.key, label.source, label.time, label.raw_text


def _outcomes(
    review: Sequence[Decision],
    page_of: Mapping[PageKey, PageFile],
    statuses: Mapping[str, LabelStatus],
    regions: Mapping[PageKey, Sequence[RegionFile]],
) -> list[Label | LeftOut]:
    """What a review makes of a page, or of each region of it."""
    of_page = _outcome(review, page_of, statuses)
    own = regions.get(review[0].page.key, ())
    if not own or isinstance(of_page, LeftOut):
        return [of_page]
    result = own[0].result
    if result.text_sha256 != review[0].text_sha256:  # another reading was reviewed
        return [of_page]
    texts = texts_of_regions(result, of_page.raw_text)
    made = [
        make_label(
            each.file,
            texts[each.region.index],
            of_page.status,
            SOURCE,
            time=of_page.time,
            reviewer=of_page.reviewer,
            model_id=of_page.model_id,
            angle=result.angle,
        )
        for each in own
        if texts.get(each.region.index)
    ]
    return list(made)


def _outcome(
    review: Sequence[Decision],
    page_of: Mapping[PageKey, PageFile],
    statuses: Mapping[str, LabelStatus],
) -> Label | LeftOut:
    first, finish = review[0], finish_of(review)
    page = page_of.get(first.page.key)
    coverage = finish.coverage if finish else None
    if finish and page and coverage in TEXT_COVERAGES:
        return make_label(
            replace(page, task=finish.prompt),
            finish.after or "",
            statuses[coverage or ""],
            SOURCE,
            time=finish.time,
            reviewer=finish.reviewer or UNNAMED,
            model_id="+".join(filter(None, [finish.model_id, finish.adapter])),
            angle=finish.angle,
        )
    if finish is None:
        reason = "its review was begun and is not finished; finish it in notebook 03"
    else:
        reason = NO_IMAGE if coverage in TEXT_COVERAGES else NO_TEXT[coverage or ""]
    return LeftOut(first.page, str(page.image_file) if page else None, SOURCE, reason)
