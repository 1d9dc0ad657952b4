"""The reading of a page, token by token, and its JSON form."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from glmocr_utils.files import replacing, whole_lines
from glmocr_utils.markup import ink
from glmocr_utils.records.checks import check_one_of
from glmocr_utils.records.coverage import (
    PageCoverage,
    coverage_from_record,
    coverage_to_record,
)
from glmocr_utils.records.pages import FailureStatus, PageRef
from glmocr_utils.records.region import (
    REGION_BREAK,
    Region,
    check_token_ranges,
    region_from_record,
    region_to_record,
    worst_status,
)
from glmocr_utils.records.second_reading import (
    SecondReading,
    second_from_record,
    second_to_record,
)

FinishReason = Literal["stop", "length", "loop"]
ReadStatus = Literal["ok", "incomplete", "truncated", "looped", "empty", "blank", "failed"]
PageStatus = Literal[ReadStatus, FailureStatus]
STATUS_OF: dict[FinishReason, ReadStatus] = {"stop": "ok", "length": "truncated", "loop": "looped"}
# What a person must know of a page that is not a plain `ok`.
STATUS_WARNINGS: dict[ReadStatus, str] = {
    "incomplete": "Not all of this page could be drawn, so what is missing was not read.",
    "truncated": "The token limit ended this page: its text is cut off. Raise max_tokens to read "
    "on.",
    "looped": "The model repeated itself and was stopped: the end is not what the page says.",
    "empty": "There is ink on this page, and the model wrote nothing: type it, or read it at "
    "another scale.",
    "blank": "There is no ink on this page: the model was not asked.",
    "failed": "A region of this page could not be read: its text has a mark there.",
}


def read_status(text: str, finish_reason: FinishReason, missing: str | None = None) -> ReadStatus:
    """What became of a page with ink: `empty` where nothing that was written leaves ink.

    Args:
        missing: what could not be drawn of the page, as in `PageImage`.
    """
    if not any(ink(text)):
        return "empty"
    return "incomplete" if missing and finish_reason == "stop" else STATUS_OF[finish_reason]


def page_status(
    text: str,
    finish_reason: FinishReason,
    regions: Sequence[Region],
    missing: str | None = None,
) -> ReadStatus:
    """What became of a page with ink; a page of pictures alone is `ok` without any text."""
    if not regions:
        return read_status(text, finish_reason, missing)
    has_pictures_only = all(region.status == "picture" for region in regions)
    if not has_pictures_only and not any(ink(text)):
        return "empty"
    return worst_status(regions) or ("incomplete" if missing else "ok")


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another token that the model could have chosen in a token's place.

    Attributes:
        token_id: in the model's vocabulary.
        text: what it would add to the page's text in the token's place; U+FFFD is in it where that
            is a part of a character.
        logprob: natural log of its probability, from the raw logits.
    """

    token_id: int
    text: str
    logprob: float

    @property
    def prob(self) -> float:
        """Probability, 0 to 1."""
        return math.exp(self.logprob)


@dataclass(frozen=True, slots=True)
class TokenProb:
    """One generated token with the probability that the model gave it.

    Attributes:
        token_id: in the model's vocabulary.
        text: what this token adds to the page's text. Of the tokens that spell one character in
            bytes, the last carries the character and the others the empty string, so that joining
            all texts gives the page's text.
        logprob: natural log of the softmax, in float32, of the raw logits; ≤ 0.
        alternatives: the most probable tokens at this position, best first; the chosen one is among
            them when it is one of the best.
    """

    token_id: int
    text: str
    logprob: float
    alternatives: tuple[Alternative, ...] = ()

    def __post_init__(self) -> None:
        if not self.logprob <= 0:
            raise ValueError(f"a log probability is ≤ 0, got {self.logprob} for {self.text!r}")

    @property
    def prob(self) -> float:
        """Probability, 0 to 1."""
        return math.exp(self.logprob)


@dataclass(frozen=True, slots=True)
class OcrResult:
    """The reading of one page.

    Attributes:
        page: which page was read.
        text: the model's text; equals the tokens' texts joined.
        tokens: one per generated token; special tokens (stop, padding, roles) are left out.
        finish_reason: `stop` (the model ended the page), `length` (the token limit did) or `loop`
            (it repeated itself and was stopped).
        prompt: the text sent with the image.
        model_id: hub id or folder of the model.
        revision: commit of the model on the hub, None for a folder.
        adapter: folder or hub id of the adapter, None without one.
        scale: pixels per point of the page image.
        seconds: wall-clock time; a step for several pages is divided equally among them.
        num_image_tokens: length of the image in the prompt, in tokens.
        angle: degrees clockwise by which the page was turned to be read: 0, 90, 180 or 270.
        is_blank: the page has no ink, so the model was not asked.
        dtype: of the model's numbers, such as `bfloat16`; None if unknown.
        attention: the implementation that computed it, such as `sdpa`; None likewise.
        missing: contents of the page that could not be drawn, so the model did not see them; None
            if nothing is missing.
        regions: of a page that was read by regions, in reading order; each token belongs to one of
            them. Empty for a page that was read as a whole.
        size_px: width and height of the page image that the regions' boxes are given for.
        coverage: text that was left out or made up; None if it was not searched for.
        second_readings: disagreements with other OCR programs, one entry per program.
    """

    page: PageRef
    text: str
    tokens: tuple[TokenProb, ...]
    finish_reason: FinishReason
    prompt: str
    model_id: str
    revision: str | None
    adapter: str | None
    scale: float
    seconds: float
    num_image_tokens: int = 0
    angle: int = 0
    is_blank: bool = False
    dtype: str | None = None
    attention: str | None = None
    missing: str | None = None
    regions: tuple[Region, ...] = ()
    size_px: tuple[int, int] | None = None
    coverage: PageCoverage | None = None
    second_readings: tuple[SecondReading, ...] = ()

    def __post_init__(self) -> None:
        check_one_of("finish_reason", self.finish_reason, FinishReason)
        if "".join(token.text for token in self.tokens) != self.text:
            raise ValueError(
                f"the tokens of page {self.page.page_number} of {self.page.document_path} "
                "do not spell its text"
            )
        if self.is_blank and self.text:
            raise ValueError(f"a page without ink has no text, got {self.text[:40]!r}")
        if self.regions:
            check_token_ranges(self.regions, len(self.tokens))

    @property
    def status(self) -> ReadStatus:
        """`ok`, `incomplete` (a part was not drawn), `truncated`, `looped`, `empty` or `blank`.

        With regions, the worst of theirs: `failed` where one of them could not be read.
        """
        if self.is_blank:
            return "blank"
        return page_status(self.text, self.finish_reason, self.regions, self.missing)

    @property
    def text_sha256(self) -> str:
        """Hash of the text, 64 hex digits, by which a review knows its reading."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def body_text(self) -> str:
        """The text without headers, footers, page numbers, footnotes and side notes."""
        if not any(region.is_furniture for region in self.regions):
            return self.text
        body = [region for region in self.regions if not region.is_furniture]
        texts = map(self.region_text, sorted(body, key=lambda region: region.token_start))
        return REGION_BREAK.join(filter(None, texts))

    def region_text(self, region: Region) -> str:
        """The text of one of the page's regions."""
        tokens = self.tokens[region.token_start : region.token_stop]
        text = "".join(token.text for token in tokens)
        is_last = region.token_stop == len(self.tokens)
        return text if is_last else text.removesuffix(REGION_BREAK)

    def of_region(self, region: Region) -> "OcrResult":
        """The reading of a region, as if its crop were a page: its tokens without the break."""
        tokens = self.tokens[region.token_start : region.token_stop]
        text = self.region_text(region)
        cut = sum(len(token.text) for token in tokens) - len(text)
        if cut:  # the break belongs to the last token
            *before, last = tokens
            tokens = (*before, replace(last, text=last.text[:-cut]))
        reasons: dict[str | None, FinishReason] = {"looped": "loop", "truncated": "length"}
        finish_reason: FinishReason = reasons.get(region.status, "stop")
        return replace(
            self,
            text=text,
            tokens=tuple(tokens),
            finish_reason=finish_reason,
            prompt=region.task or self.prompt,
            scale=self.scale * region.factor,
            num_image_tokens=region.num_image_tokens,
            regions=(),
            size_px=None,
            coverage=None,
            second_readings=(),
        )

    def region_of(self, token_index: int) -> Region | None:
        """The region that a token belongs to; None on a page that was read as a whole."""
        return next(
            (each for each in self.regions if each.token_start <= token_index < each.token_stop),
            None,
        )

    @property
    def warning(self) -> str | None:
        """One or two sentences for a person where the page is not a plain `ok`."""
        is_said = self.status == "incomplete" and self.missing
        of_status = None if is_said else STATUS_WARNINGS.get(self.status)
        of_coverage = self.coverage.reason if self.coverage else None
        return " ".join(filter(None, (self.missing, of_status, of_coverage))) or None


def to_json(result: OcrResult) -> str:
    """One line of JSON for `result`; log probabilities and times keep 6 decimals."""
    record: dict[str, object] = {
        "document_path": result.page.document_path,
        "document_sha256": result.page.document_sha256,
        "page_index": result.page.page_index,
        "text": result.text,
        "finish_reason": result.finish_reason,
        "prompt": result.prompt,
        "model_id": result.model_id,
        "revision": result.revision,
        "adapter": result.adapter,
        "scale": result.scale,
        "seconds": round(result.seconds, 6),
        "num_image_tokens": result.num_image_tokens,
        "angle": result.angle,
        "is_blank": result.is_blank,
        "dtype": result.dtype,
        "attention": result.attention,
        "missing": result.missing,
        "tokens": [
            {
                "token_id": token.token_id,
                "text": token.text,
                "logprob": round(token.logprob, 6),
                "alternatives": [
                    [other.token_id, other.text, round(other.logprob, 6)]
                    for other in token.alternatives
                ],
            }
            for token in result.tokens
        ],
    }
    if result.regions:
        record["regions"] = [region_to_record(region) for region in result.regions]
        record["size_px"] = result.size_px
    if result.coverage is not None:
        record["coverage"] = coverage_to_record(result.coverage)
    if result.second_readings:
        record["second_readings"] = list(map(second_to_record, result.second_readings))
    return json.dumps(record, ensure_ascii=False)


def from_json(line: str) -> OcrResult:
    """Inverse of `to_json`.

    Raises:
        ValueError: when the line is not such a record.
    """
    try:
        record = json.loads(line)
        page = PageRef.pop_from(record)
        tokens = tuple(
            TokenProb(
                token_id=token["token_id"],
                text=token["text"],
                logprob=token["logprob"],
                alternatives=tuple(Alternative(*other) for other in token["alternatives"]),
            )
            for token in record.pop("tokens")
        )
        regions = tuple(map(region_from_record, record.pop("regions", ())))
        size = record.pop("size_px", None)
        covered = record.pop("coverage", None)
        return OcrResult(
            page=page,
            tokens=tokens,
            regions=regions,
            size_px=size and tuple(size),
            coverage=covered and coverage_from_record(covered),
            second_readings=tuple(map(second_from_record, record.pop("second_readings", ()))),
            **record,
        )
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"not an OCR result: {line[:80]!r} ({error})") from error


def write_results(results: Iterable[OcrResult], path: Path) -> None:
    """Write one line of JSON a page, all or nothing: the file appears when it is complete."""
    # bytes of a file name that aren't Unicode become JSON escapes, and come back unchanged
    with (
        replacing(path) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        file.writelines(to_json(result) + "\n" for result in results)


def read_results(path: Path) -> Iterator[OcrResult]:
    """The pages of a file of results, in its order; half a line at its end is left out."""
    yield from map(from_json, whole_lines(path))
