"""The ledger of a run over a collection: what became of each page, a row a page, in parquet."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from glmocr_utils.files import replacing
from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.coverage import (
    PageCoverage,
    coverage_from_record,
    coverage_to_record,
)
from glmocr_utils.records.ocr_result import (
    STATUS_OF,
    FinishReason,
    OcrResult,
    PageStatus,
    ReadStatus,
    TokenProb,
)
from glmocr_utils.records.pages import PageRef
from glmocr_utils.records.region import (
    Region,
    check_token_ranges,
    region_from_record,
    region_to_record,
)
from glmocr_utils.records.second_reading import (
    SecondReading,
    second_from_record,
    second_to_record,
)

FINISH_REASON_OF: dict[ReadStatus, FinishReason] = {v: k for k, v in STATUS_OF.items()}
PART = "part-{:06d}.parquet"
PARTS = "part-*.parquet"

REGION = pa.struct(
    [
        ("index", pa.int32()),
        ("label", pa.string()),
        ("box", pa.list_(pa.float32())),
        ("score", pa.float32()),
        ("task", pa.string()),
        ("status", pa.string()),
        ("token_start", pa.int32()),
        ("token_stop", pa.int32()),
        ("factor", pa.float32()),
        ("num_image_tokens", pa.int32()),
        ("reason", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("document_path", pa.string()),
        ("document_sha256", pa.string()),
        ("page_index", pa.int32()),
        ("num_pages", pa.int32()),
        ("status", pa.string()),
        ("text", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("logprobs", pa.list_(pa.float32())),
        ("token_lengths", pa.list_(pa.uint16())),
        ("min_prob", pa.float32()),
        ("mean_prob", pa.float32()),
        ("expected_errors", pa.float32()),
        ("expected_wrong_words", pa.float32()),
        ("angle", pa.int16()),
        ("dtype", pa.string()),
        ("attention", pa.string()),
        ("scale", pa.float32()),
        ("num_image_tokens", pa.int32()),
        ("seconds", pa.float32()),
        ("finished_at", pa.float64()),
        ("attempts", pa.string()),
        ("reason", pa.string()),
        ("regions", pa.list_(REGION)),
        ("unread_characters", pa.float32()),
        ("unsupported_characters", pa.int32()),
        ("coverage", pa.string()),
        ("disagreements", pa.int32()),
        ("second_readings", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
    ]
)

# What makes a page of 1,000 tokens small: bytes of like weight lie together and compress.
TOKEN_COLUMNS = ("token_ids.list.element", "logprobs.list.element", "token_lengths.list.element")
# few values, often
NAMES_AND_STATUSES = ["document_path", "document_sha256", "status", "dtype", "attention"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One pass of the model over a page.

    Attributes:
        angle: degrees clockwise by which the page was turned for it.
        scale: pixels per point.
        max_tokens: new tokens, at most.
        finish_reason: how it ended.
        mean_prob: mean probability of its tokens, 0 to 1; None where it is not known.
        region: 0-based index of the region that was read; None for the whole page, or for
            unread ink that was read alone.
    """

    angle: int
    scale: float
    max_tokens: int
    finish_reason: FinishReason
    mean_prob: float | None
    region: int | None = None


@dataclass(frozen=True, slots=True)
class PageRow:
    """What became of one page, or of a document that could not be opened.

    Attributes:
        document_path: as the user gave it, in the form of `storable_path`.
        document_sha256: 64 hex digits; None where the file could not be read.
        page_index: 0-based; None where the document could not be opened, so that its pages are
            not known.
        num_pages: of the document.
        status: `ok`, `incomplete` (a part of the page could not be drawn), `truncated` (the token
            limit ended it), `looped` (it repeated itself and was stopped), `empty` (ink, and the
            model wrote nothing), `blank` (no ink: the model was not asked), or why it was not read.
            `failed` with a text: one of its regions could not be read.
        text: the model's text, unchanged; None if nothing was read.
        token_ids, logprobs: (num_tokens,) of the chosen tokens; None where the engine gives none.
            Log probabilities as in `TokenProb`; one is None where a server's tokens do not say it.
        token_lengths: (num_tokens,) characters that each token adds to the text.
        min_prob, mean_prob: over the page's tokens, 0 to 1.
        expected_errors: wrong tokens to expect, by a calibration; None without one.
        expected_wrong_words: by the risk beside it; None without one, and where it takes second
            readers into account that did not read the page.
        angle: degrees clockwise by which the page was turned to be read.
        scale: pixels per point at which it was read.
        num_image_tokens: length of the image in the prompt.
        dtype, attention: as in `OcrResult`; None where a server read it.
        seconds: wall-clock time of its passes, each divided by the pages in it.
        finished_at: when its last pass ended, in seconds since 1970 (UTC).
        attempts: the passes, in their order.
        reason: of everything but a plain `ok`: one sentence.
        regions: of a page that was read by regions, in reading order; empty for whole pages.
        width_px, height_px: of the page image that the regions' boxes are given for.
        coverage: as in `OcrResult`. Its columns are `unread_characters` (null where it is not
            clear), `unsupported_characters` and, with the boxes, `coverage` as JSON.
        second_readings: what second readers disagree about; empty where none read the page. Its
            columns are `disagreements`, how many (signs that look alike aside), and
            `second_readings` as JSON.
    """

    document_path: str
    document_sha256: str | None
    page_index: int | None
    num_pages: int | None
    status: PageStatus
    text: str | None = None
    token_ids: Sequence[int] | None = None
    logprobs: Sequence[float | None] | None = None
    token_lengths: Sequence[int] | None = None
    min_prob: float | None = None
    mean_prob: float | None = None
    expected_errors: float | None = None
    expected_wrong_words: float | None = None
    angle: int = 0
    scale: float | None = None
    num_image_tokens: int = 0
    dtype: str | None = None
    attention: str | None = None
    seconds: float = 0.0
    finished_at: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    reason: str | None = None
    regions: tuple[Region, ...] = ()
    width_px: int | None = None
    height_px: int | None = None
    coverage: PageCoverage | None = None
    second_readings: tuple[SecondReading, ...] = ()

    def __post_init__(self) -> None:
        check_one_of("status", self.status, PageStatus)
        if self.regions and self.logprobs is not None:
            check_token_ranges(self.regions, len(self.logprobs))
        spelled = sum(self.token_lengths or ())
        if self.logprobs is not None and spelled != len(self.text or ""):
            raise ValueError(f"the tokens of {self.document_path} do not spell its text")

    @property
    def key(self) -> tuple[str, str | None, int | None]:
        """Which row: a run accounts for each file, so a document under two paths is two of them."""
        return self.document_path, self.document_sha256, self.page_index


def write_part(rows: Iterable[PageRow], path: Path) -> None:
    """Write rows as one parquet file, which appears complete and on the disk, or not at all."""
    table = pa.Table.from_pylist([_to_record(row) for row in rows], schema=SCHEMA)
    with replacing(path) as partial:
        pq.write_table(
            table,
            partial,
            compression="zstd",
            use_dictionary=NAMES_AND_STATUSES,
            column_encoding=dict.fromkeys(TOKEN_COLUMNS, "BYTE_STREAM_SPLIT"),
        )


def read_part(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of one part as dictionaries, of some columns or of all.

    A column that an earlier version did not write is missing.
    """
    if columns is not None:
        there = set(pq.read_schema(path).names)
        columns = [name for name in columns if name in there]
    yield from pq.read_table(path, columns=columns).to_pylist()


def read_rows(folder: str | Path) -> Iterator[PageRow]:
    """All rows of a run, part by part; `folder` is the run's."""
    for path in parts_of(folder):
        yield from map(row_from_record, read_part(path))


def row_from_record(record: dict[str, Any]) -> PageRow:
    """A row from all its columns, as `read_part` gives them."""
    attempts = tuple(Attempt(**each) for each in json.loads(record["attempts"]))
    # parts of an earlier version have no such column
    regions = tuple(map(region_from_record, record.get("regions") or ()))
    covered = record.get("coverage")
    values = {**record, "attempts": attempts, "regions": regions}
    values["coverage"] = covered and coverage_from_record(json.loads(covered))
    seconds = json.loads(record.get("second_readings") or "[]")
    values["second_readings"] = tuple(map(second_from_record, seconds))
    known = {field.name for field in fields(PageRow)}
    return PageRow(**{name: value for name, value in values.items() if name in known})


def row_for_text(record: Mapping[str, Any]) -> PageRow:
    """A row from its key, status, text, and what divides the text into regions."""
    regions = tuple(map(region_from_record, record.get("regions") or ()))
    return PageRow(**{**record, "regions": regions})


def parts_of(folder: str | Path) -> list[Path]:
    """The finished parts of a run, in the order in which they were written."""
    return sorted((Path(folder) / "pages").glob(PARTS))


def to_result(row: PageRow, run: Mapping[str, Any]) -> OcrResult | None:
    """The reading, for review and labels; None if there is no text with probabilities.

    A page that was read as nothing has a result, whatever the engine. Alternatives are not kept by
    a run.

    Args:
        run: the run's settings, from its `run.json`.
    """
    known = [each is not None for each in row.logprobs or ()]
    has_tokens = row.logprobs is not None and (any(known) or not known)
    if row.text is None or row.page_index is None or row.scale is None:
        return None
    if not (has_tokens or row.status == "empty"):
        return None
    tokens = _tokens(row) if has_tokens else ()
    kept = list(accumulate(known, initial=0))
    return OcrResult(
        page=PageRef(row.document_path, row.document_sha256, row.page_index),
        text=row.text if has_tokens else "",
        tokens=tokens,
        finish_reason=_finish_reason(row),
        prompt=run["prompt"],
        model_id=run["model_id"],
        revision=run["revision"],
        adapter=run["adapter"],
        scale=row.scale,
        seconds=row.seconds,
        num_image_tokens=row.num_image_tokens,
        angle=row.angle,
        dtype=row.dtype,
        attention=row.attention,
        missing=row.reason if row.status == "incomplete" else None,
        regions=_with_ranges(row.regions, kept) if has_tokens else row.regions,
        size_px=(row.width_px, row.height_px) if row.width_px and row.height_px else None,
        coverage=row.coverage,
        second_readings=row.second_readings,
    )


def _finish_reason(row: PageRow) -> FinishReason:
    statuses: set[str | None] = {region.status for region in row.regions} or {row.status}
    return next(
        (FINISH_REASON_OF[each] for each in ("looped", "truncated") if each in statuses), "stop"
    )


def _with_ranges(regions: Sequence[Region], kept: Sequence[int]) -> tuple[Region, ...]:
    """Regions whose ranges count tokens with a probability alone.

    Args:
        kept: (num_tokens + 1,) how many of the row's tokens before each have one.
    """
    return tuple(
        replace(region, token_start=kept[region.token_start], token_stop=kept[region.token_stop])
        for region in regions
    )


def _tokens(row: PageRow) -> tuple[TokenProb, ...]:
    """The row's tokens; text without a probability goes with a token beside it."""
    logprobs = row.logprobs or ()
    ids = row.token_ids if row.token_ids is not None else [-1] * len(logprobs)
    texts = [""] * len(ids)
    known = [number for number, logprob in enumerate(logprobs) if logprob is not None]
    starts = {region.token_start for region in row.regions}
    ends = accumulate(row.token_lengths or (), initial=0)
    last_of_region: int | None = None  # the last token with a probability in the same region
    waiting = ""
    for number, (start, end) in enumerate(pairwise(ends)):
        text = (row.text or "")[start:end]
        if number in starts:
            last_of_region = None
        if logprobs[number] is not None:
            texts[number], waiting, last_of_region = waiting + text, "", number
        elif last_of_region is not None:
            texts[last_of_region] += text
        else:
            waiting += text
    if waiting and known:
        texts[known[-1]] += waiting
    return tuple(
        TokenProb(ids[number], texts[number], logprob)
        for number, logprob in enumerate(logprobs)
        if logprob is not None
    )


def _to_record(row: PageRow) -> dict[str, object]:
    record = {field.name: getattr(row, field.name) for field in fields(row)}
    record["attempts"] = json.dumps([asdict(attempt) for attempt in row.attempts])
    record["regions"] = [region_to_record(region) for region in row.regions]
    if row.coverage is not None:
        record["unread_characters"] = row.coverage.unread_characters
        record["unsupported_characters"] = row.coverage.unsupported_characters
        record["coverage"] = json.dumps(coverage_to_record(row.coverage))
    seconds = row.second_readings
    record["second_readings"] = (
        json.dumps(list(map(second_to_record, seconds))) if seconds else None
    )
    if seconds:
        record["disagreements"] = sum(each.num_disagreements for each in seconds)
    return record
