"""How well pages were read, in plain words, and what to do next.

The thresholds come from reading pages with the bundled model's first edition: clean samples have a
mean token probability of 0.97 to 0.99 and up to 5 % of the characters wrong; at 0.94 it is 16 %, at
0.80 to 0.88 (another typeface, another scale) about 30 %, at 0.69 over 40 %. With a third of a page
wrong, typing it is faster than checking it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from glmocr_utils.records import OcrResult

Quality = Literal["well_read", "doubtful", "not_read", "blank", "not_opened", "unknown"]

WELL_READ_FROM = 0.95  # mean token probability
NOT_READ_BELOW = 0.80
MIN_TOKENS = 20  # of fewer, the mean says little: a page with nothing but its number
MAX_LOOP_SHARE = 0.5  # of a page's text
MAX_PERIOD = 400  # characters of what a loop repeats
MOSTLY = 0.8  # of the pages with ink
READ_STATUSES = ("ok", "incomplete", "truncated", "looped", "empty")
WORDS = {
    "incomplete": "not drawn in full",
    "empty": "empty",
    "truncated": "cut by the token limit",
    "looped": "looped",
}


@dataclass(frozen=True, slots=True)
class PageQuality:
    """How well one page was read, as far as it is known.

    Attributes:
        status: of the page, as in the ledger.
        mean_prob: mean probability of its tokens, 0 to 1; None without probabilities.
        num_tokens: how many they are.
        loop_share: of the text, 0 to 1, that repeats itself at the end.
    """

    status: str
    mean_prob: float | None
    num_tokens: int
    loop_share: float = 0.0

    @classmethod
    def of(cls, result: OcrResult) -> "PageQuality":
        probs = [token.prob for token in result.tokens]
        mean = sum(probs) / len(probs) if probs else None
        return cls(result.status, mean, len(probs), _loop_share(result.status, result.text))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "PageQuality":
        """Of a row of the ledger that has status, mean_prob and text.

        The number of tokens is not among these columns; a token has about three characters.
        """
        text, mean, status = row["text"] or "", row["mean_prob"], row["status"]
        mean = None if mean is None or np.isnan(mean) else float(mean)
        return cls(status, mean, len(text) // 3, _loop_share(status, text))

    @property
    def quality(self) -> Quality:
        if self.status == "blank":
            return "blank"
        has_some = self.status == "failed" and self.num_tokens > 0  # some regions were read
        if self.status not in READ_STATUSES and not has_some:
            return "not_opened"
        if self.status == "empty" or self.loop_share > MAX_LOOP_SHARE:
            return "not_read"
        ended = self.status == "ok"
        if self.mean_prob is None:
            return "unknown" if ended else "doubtful"
        if self.num_tokens >= MIN_TOKENS and self.mean_prob < NOT_READ_BELOW:
            return "not_read"
        return "well_read" if ended and self.mean_prob >= WELL_READ_FROM else "doubtful"

    @property
    def why_not_read(self) -> str | None:
        """Why a page counts as not read, as the end of a sentence; None for other pages."""
        if self.quality != "not_read":
            return None
        if self.status == "empty":
            return "there is ink on it, and the model wrote nothing"
        if self.loop_share > MAX_LOOP_SHARE:
            return f"{self.loop_share:.0%} of what the model wrote repeats itself"
        return (
            f"the model's mean probability is {self.mean_prob:.2f}, and below {NOT_READ_BELOW:g} "
            "about a third of the characters are wrong"
        )


@dataclass(frozen=True, slots=True)
class NextStep:
    """Something to do, with its parameters filled in.

    Attributes:
        why: its purpose, as the beginning of a sentence.
        notebook: such as `02`; command: of the terminal, where there is one.
        parameters: those to set.
    """

    why: str
    notebook: str
    command: str | None
    parameters: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.as_parameters()

    def as_parameters(self) -> str:
        """`To …: notebook 02 with scale=3.0, start_over=True`"""
        values = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{self.why}: notebook {self.notebook}" + (f" with {values}" if values else "")

    def as_command(self, given: str = "…") -> str:
        """`To …: glmocr ocr my.pdf --scale 3.0 --start-over`

        Args:
            given: what was read, as in the shell.
        """
        if self.command is None:
            return self.as_parameters()
        options = " ".join(
            f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
            for name, value in self.parameters.items()
        )
        given = given if self.command in ("ocr", "infer") else ""
        return " ".join(filter(None, (f"{self.why}: glmocr {self.command}", given, options)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well pages were read.

    Attributes:
        sentence: in plain words.
        next_steps: what to do about it, the most useful first.
    """

    sentence: str
    next_steps: tuple[NextStep, ...]

    def __str__(self) -> str:
        return "\n".join([self.sentence, *(f"→ {s.as_parameters()}" for s in self.next_steps)])

    def for_terminal(self, given: str = "…") -> str:
        """With commands instead of notebooks; `given` is what was read, as in the shell."""
        return "\n".join([self.sentence, *(f"→ {s.as_command(given)}" for s in self.next_steps)])


def verdict_of_results(
    results: Sequence[OcrResult],
    *,
    notebook: Literal["02", "03"],
    output_dir: str,
    max_tokens: int | None = None,
    num_failed: int = 0,
) -> Verdict:
    """What to think of readings, after notebook 02 or 03.

    Args:
        num_failed: pages and documents that could not be read at all.
    """
    pages = [PageQuality.of(result) for result in results]
    pages += [PageQuality("failed", None, 0)] * num_failed
    first = next(iter(results), None)
    return reading_verdict(
        pages,
        notebook=notebook,
        output_dir=output_dir,
        model_id=first.model_id if first else "",
        scale=first.scale if first else 2.0,
        max_tokens=max_tokens,
    )


def reading_verdict(
    pages: Iterable[PageQuality],
    *,
    notebook: Literal["02", "03", "06"],
    output_dir: str,
    model_id: str,
    scale: float = 2.0,
    max_tokens: int | None = 2048,
) -> Verdict:
    """What to think of a reading, after notebook 02, 03 or 06.

    Args:
        pages: all of them, those that could not be opened included.
        output_dir: of the notebook. In 03, the folder of the review.
        model_id, scale, max_tokens: the settings of the reading; `max_tokens` None where that is
            not known.
    """
    pages = list(pages)
    found = Counter(page.quality for page in pages)
    with_ink = len(pages) - found["blank"] - found["not_opened"]
    if not with_ink:
        return Verdict("No page with ink was read.", ())
    unread_share = found["not_read"] / with_ink
    trouble = _Trouble(notebook, output_dir, model_id, scale, max_tokens)
    statuses = Counter(page.status for page in pages)
    counts = _counts(pages, found, statuses, with_ink)
    return Verdict(
        f"{counts}: {_conclusion(unread_share, found, with_ink)}",
        tuple(trouble.next_steps(unread_share, found, statuses)),
    )


def _counts(
    pages: list[PageQuality], found: Counter[Quality], statuses: Counter[str], with_ink: int
) -> str:
    garbage = sum(p.quality == "not_read" and p.status == "ok" for p in pages)
    middling = sum(p.quality == "doubtful" and p.status == "ok" for p in pages)
    noun = "page looks" if with_ink == 1 else "pages look"
    parts = [f"{found['well_read']} of {with_ink} {noun} well read"]
    parts += [f"{middling} in need of a check"] if middling else []
    parts += [f"{garbage} read as garbage"] if garbage else []
    parts += [f"{statuses[name]} {word}" for name, word in WORDS.items() if statuses[name]]
    parts += [f"{found['unknown']} without probabilities"] if found["unknown"] else []
    parts += [f"{found['blank']} blank"] if found["blank"] else []
    parts += [f"{found['not_opened']} not opened"] if found["not_opened"] else []
    return ", ".join(parts)


def _conclusion(unread_share: float, found: Counter[Quality], with_ink: int) -> str:
    if unread_share > 0.5:
        return "this model cannot read these pages as they are"
    if found["not_read"]:
        number = found["not_read"]
        return f"{number} {'page was' if number == 1 else 'pages were'} not read"
    if found["well_read"] >= MOSTLY * with_ink:
        return "this model reads these pages"
    if found["unknown"] == with_ink:
        return "how sure the model was is not known; look at some pages"
    return "check the unsure words before you use the text"


@dataclass(frozen=True, slots=True)
class _Trouble:
    """From what went wrong to what may help."""

    notebook: str
    output_dir: str
    model_id: str
    scale: float
    max_tokens: int | None

    def next_steps(
        self, unread_share: float, found: Counter[Quality], statuses: Counter[str]
    ) -> Iterable[NextStep]:
        if unread_share > 0.5:
            yield self._other_scale()
            if not self.model_id.startswith("zai-org/"):
                yield self._step("To read with GLM-OCR itself", {"model_id": "zai-org/GLM-OCR"})
        elif found["not_read"]:
            yield self._other_scale()
        if statuses["truncated"] and self.max_tokens is not None:
            yield self._longer(self.max_tokens)
        yield self._onwards(unread_share)

    def _other_scale(self) -> NextStep:
        scale = {"scale": other_scale(self.scale)}
        return self._step("To try another scale, on a few pages first", scale)

    def _longer(self, max_tokens: int) -> NextStep:
        parameters: dict[str, object] = {"max_tokens": 2 * max_tokens}
        if self.notebook == "06":
            parameters = {"retry": "truncated", **parameters, "output_dir": self.output_dir}
            parameters |= self._own_model()
            return NextStep("To read on where the limit cut", "06", "infer", parameters)
        return self._step("To read on where the limit cut", parameters)

    def _step(self, why: str, parameters: Mapping[str, object]) -> NextStep:
        if self.notebook == "06":
            # a run does not mix settings, so it needs a folder of its own
            return NextStep(why, "02", "ocr", {**self._own_model(), **parameters, "pages": "1-3"})
        return NextStep(why, "02", "ocr", {**parameters, "start_over": True})

    def _own_model(self) -> dict[str, object]:
        """The model where it is not the default one: another step has to be given it again."""
        return {} if self.model_id.startswith("zai-org/") else {"model_id": self.model_id}

    def _onwards(self, unread_share: float) -> NextStep:
        if self.notebook == "03":
            log = {"source": "review", "review_log": f"{self.output_dir}/review.jsonl"}
            return NextStep("To make labels of what you check below", "04", "label", log)
        why = "To check the unsure words"
        if unread_share > 0.5:
            why = "To type pages, or note what becomes of them"
        return NextStep(why, "03", None, {"results": self.output_dir})


def other_scale(scale: float) -> float:
    """A scale to try where a page could not be read at `scale`: 216 DPI, or 144 DPI again."""
    return 3.0 if scale <= 2.5 else 2.0


def _loop_share(status: str, text: str) -> float:
    """How much of a looped text its repeating tail is, 0 to 1."""
    if status != "looped" or not text:
        return 0.0
    codes = np.array([ord(character) for character in text])
    longest = 0
    for period in range(1, min(MAX_PERIOD, len(codes) // 2) + 1):
        differing = np.flatnonzero(codes[period:] != codes[:-period])
        same = len(codes) - period - (differing[-1] + 1 if len(differing) else 0)
        if same >= period:  # at least twice
            longest = max(longest, same + period)
    return longest / len(codes)
