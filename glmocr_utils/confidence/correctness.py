"""Which tokens are right, where the true text of a page is known."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz.distance import Editops, Levenshtein

from glmocr_utils.metrics import comparable_pair
from glmocr_utils.records import OcrResult


@dataclass(frozen=True, slots=True)
class MarkedPage:
    """A page whose tokens are marked right or wrong.

    Attributes:
        result: the reading.
        is_wrong: one for each token: True when it spells a character that is not in the reference,
            or lacks one.
        omissions: characters of the reference that no token spells or lacks. Looking at tokens
            cannot find them.
        incomplete: positions in the text, of a character of each word that lacks one, whether a
            token lacks it or not.
    """

    result: OcrResult
    is_wrong: tuple[bool, ...]
    omissions: int
    incomplete: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.is_wrong) != len(self.result.tokens):
            raise ValueError(
                f"{len(self.is_wrong)} marks for {len(self.result.tokens)} tokens of page "
                f"{self.result.page.page_number} of {self.result.page.document_path}"
            )

    @property
    def num_wrong(self) -> int:
        return sum(self.is_wrong)


def mark_tokens(result: OcrResult, reference: str) -> MarkedPage:
    """Align a page's printed text with its true text, and mark its tokens.

    The alignment is that of the headline CER, so layout makes no token wrong: not a paragraph on
    one line, not other white space, not markup. It is one with the fewest edits (Levenshtein, from
    rapidfuzz). A token is wrong when a character that it spells is not in the reference, or when it
    is a piece of a word and lacks a character of that word (`Gerich` for `Gericht`). A character
    that no token lacks in this way is an omission.
    """
    true, read = comparable_pair(reference, result.text)
    token_of = _token_of_each_character(result)
    edits = Levenshtein.editops(true.text, read.text)
    is_wrong = [False] * len(result.tokens)
    for edit in edits:
        if edit.tag != "delete":
            for token in token_of[slice(*read.spans[edit.dest_pos])]:
                is_wrong[token] = True
    # the token that ends each compared character of the reading
    tokens = [token_of[stop - 1] for _, stop in read.spans]
    omissions = 0
    incomplete = []
    for missing in _missing_runs(edits, true.text):
        beside = missing.same_word(true.text, len(tokens))
        incomplete += [read.spans[position][0] for position in beside]
        lacking = missing.lacking_tokens(true.text, tokens)
        omissions += lacking.count(None)
        for index in lacking:
            if index is not None:
                is_wrong[index] = True
    return MarkedPage(result, _with_first_bytes(result, is_wrong), omissions, tuple(incomplete))


def load_references(path: str | Path) -> dict[tuple[str, int], str]:
    """True texts by (file name of the document, page_index).

    Args:
        path: lines of JSON with `file_name`, `page_index` (from 0) and `text`; or the
            `metadata.jsonl` of exported labels, or its folder. Of labels only gold texts count.

    Raises:
        ValueError: a line lacks one of them, or a page has two texts; the message names it.
    """
    path = Path(path)
    path = path / "metadata.jsonl" if path.is_dir() else path
    references: dict[tuple[str, int], str] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                document = Path(row.get("document", row["file_name"]))
                key, text = (document.name, row["page_index"]), row["text"]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, line {number} has no file_name, page_index and text ({error!r})"
                ) from error
            is_gold = row.get("status", "gold") == "gold"
            if is_gold and references.setdefault(key, text) != text:
                raise ValueError(
                    f"{path}, line {number} has a second text for {key[0]}, page_index {key[1]}; "
                    "keep the one that matches the page"
                )
    return references


def mark_pages(
    results: Sequence[OcrResult], references: Mapping[tuple[str, int], str]
) -> list[MarkedPage]:
    """`mark_tokens` for each page whose true text is known; the others are left out."""
    named = [(result, _name(result)) for result in results]
    return [mark_tokens(result, references[name]) for result, name in named if name in references]


def _name(result: OcrResult) -> tuple[str, int]:
    return result.page.document_name, result.page.page_index


@dataclass(frozen=True, slots=True)
class _MissingRun:
    """Characters [start, stop) of the reference that are missing in the reading before `gap`."""

    start: int
    stop: int
    gap: int

    def is_whole_words(self, true: str) -> bool:
        inner, outer = true[self.start : self.stop], true[max(0, self.start - 1) : self.stop + 1]
        starts = self.start == 0 or inner[0].isspace() or outer[0].isspace()
        ends = self.stop == len(true) or inner[-1].isspace() or outer[-1].isspace()
        return starts and ends

    def shifted(self, true: str) -> "_MissingRun":
        """The same edits as whole words, if they can be: `th[e quick ]en` is `the [quick th]en`."""
        for step in (-1, 1):
            run = self
            while not run.is_whole_words(true):
                first, last = (run.start - 1, run.stop - 1) if step < 0 else (run.start, run.stop)
                if first < 0 or last >= len(true) or true[first] != true[last]:
                    break
                run = _MissingRun(run.start + step, run.stop + step, run.gap + step)
            else:
                return run
        return self

    def same_word(self, true: str, length: int) -> list[int]:
        """The compared characters on both sides of the gap that are of the word that lacks some.

        Args:
            length: of the reading.
        """
        around = true[max(0, self.start - 1) : self.start + 1], true[self.stop - 1 : self.stop + 1]
        is_joined = true[self.start : self.stop].isspace()  # two words in one
        before = self.gap > 0 and (is_joined or not _has_space(around[0]))
        behind = self.gap < length and (is_joined or not _has_space(around[1]))
        return [self.gap - 1] * before + [self.gap] * behind

    def lacking_tokens(self, true: str, tokens: Sequence[int]) -> list[int | None]:
        """For each missing character the token that lacks it, or None where no token does.

        It is the one before the gap, otherwise the one behind it, where no white space of the
        reference comes between; one that spells a single character lacks none.

        Args:
            tokens: of each character of the reading.
        """
        missing = true[self.start : self.stop]
        before, behind = (
            tokens[position]
            if 0 <= position < len(tokens) and tokens.count(tokens[position]) > 1
            else None
            for position in (self.gap - 1, self.gap)
        )
        if missing.isspace():  # two words in one
            return [behind] * len(missing)
        head = true[self.start - 1 : self.start] + missing
        tail = missing + true[self.stop : self.stop + 1]
        lacking: list[int | None] = []
        for number in range(len(missing)):
            if before is not None and not _has_space(head[: number + 2]):
                lacking.append(before)
            elif behind is not None and not _has_space(tail[number:]):
                lacking.append(behind)
            else:
                lacking.append(None)
        return lacking


def _missing_runs(edits: Editops, true: str) -> Iterator[_MissingRun]:
    runs: list[_MissingRun] = []
    for edit in edits:
        if edit.tag != "delete":
            continue
        last = runs[-1] if runs else None
        if last and (last.stop, last.gap) == (edit.src_pos, edit.dest_pos):
            runs[-1] = _MissingRun(last.start, edit.src_pos + 1, last.gap)
        else:
            runs.append(_MissingRun(edit.src_pos, edit.src_pos + 1, edit.dest_pos))
    return (run.shifted(true) for run in runs)


def _has_space(text: str) -> bool:
    return any(map(str.isspace, text))


def _token_of_each_character(result: OcrResult) -> list[int]:
    return [index for index, token in enumerate(result.tokens) for _ in token.text]


def _with_first_bytes(result: OcrResult, is_wrong: Sequence[bool]) -> tuple[bool, ...]:
    """Marks in which tokens without text, the first bytes of a character, are as right as it is."""
    marks = list(is_wrong)
    for index in range(len(marks) - 2, -1, -1):
        if not result.tokens[index].text:
            marks[index] = marks[index + 1]
    return tuple(marks)
