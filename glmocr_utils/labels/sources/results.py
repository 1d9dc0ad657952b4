"""Labels from the model's own readings: drafts, and silver if a score supports them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from glmocr_utils.labels.pages import LeftOut, make_label
from glmocr_utils.labels.regions import RegionFile
from glmocr_utils.labels.store import LabelRun, LabelStore
from glmocr_utils.records import Label, LabelKey, LabelStatus, OcrResult, PageFile

NO_INK = "there is no ink on the page"
NOTHING_READ = "the model wrote nothing on a page with ink; type it, or read it at another scale"


def label_from_results(
    store: LabelStore,
    pages: Sequence[PageFile],
    results: Iterable[OcrResult],
    *,
    score: Callable[[OcrResult], float] | None = None,
    silver_above: float | None = None,
    regions: Iterable[RegionFile] = (),
    progress: bool = True,
) -> LabelRun:
    """Take the model's readings of `pages` as labels; the model's prompt is their task.

    Args:
        results: readings of notebook 02, all of one model. Readings of other pages are passed over.
        score: how far a reading can be trusted; higher is better.
        silver_above: readings that score more than this and that the model ended itself are
            silver, all others drafts, as are those that lack something of their page. None leaves
            all of them drafts.

        regions: of pages that were read by regions; each gets a label of its own.

    Raises:
        ValueError: `silver_above` without `score`, or readings of two models.
    """
    if (score is None) != (silver_above is None):
        raise ValueError("score and silver_above belong together; give both or neither")
    page_of = {page.page.key: page for page in pages}
    read: dict[LabelKey, tuple[PageFile, OcrResult]] = {}
    for result in results:
        if page := page_of.get(result.page.key):
            page = replace(page, task=result.prompt)
            read[page.key] = page, result
    read |= {each.file.key: (each.file, each.reading) for each in regions}
    models = {_model(result) for _, result in read.values()}
    if len(models) > 1:
        raise ValueError(
            f"these are readings of {', '.join(sorted(models))}; give those of one model, and "
            "those of the next model afterwards"
        )
    model_id = models.pop() if models else "none"

    def label_pages(missing: Iterator[PageFile]) -> Iterator[Label | LeftOut]:
        for page in missing:
            _, result = read[page.key]
            if not result.text.strip():
                why = NO_INK if result.is_blank else NOTHING_READ
                yield LeftOut(page.page, str(page.image_file), f"model:{model_id}", why)
                continue
            trusted = (
                score is not None
                and silver_above is not None
                and result.status == "ok"  # not cut off, and nothing missing on its image
                and (result.coverage is None or result.coverage.is_complete)
                and score(result) > silver_above
            )
            status: LabelStatus = "silver" if trusted else "draft"
            yield make_label(
                page,
                result.text,
                status,
                f"model:{model_id}",
                model_id=model_id,
                angle=result.angle,
            )

    found = [page for page, _ in read.values()]
    return store.record(f"model:{model_id}", found, label_pages, progress=progress)


def _model(result: OcrResult) -> str:
    return result.model_id if result.adapter is None else f"{result.model_id}+{result.adapter}"
