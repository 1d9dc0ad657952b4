"""One page: its image beside its text, every token tinted by its probability."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from glmocr_utils.confidence import (
    WORST_STEP,
    Calibration,
    PageTokens,
    expected_errors,
    step_of,
    summarize,
)
from glmocr_utils.display.cells import cells_html
from glmocr_utils.display.escape import escape, visible, visible_choice
from glmocr_utils.markup import Cell, beside_cells, tables
from glmocr_utils.records import (
    Box,
    OcrResult,
    PageImage,
    PageLayout,
    PageRef,
    Region,
    around,
)
from glmocr_utils.records.region import TABLE_LABELS, role_of

MAX_WIDTH_PX = 1200
LEAST_PROB_SHOWN = 0.01  # of an alternative in a token's note
WHY_UNSUPPORTED = {
    "nowhere": "perhaps not on the page: the model looked nowhere in particular",
    "twice": "perhaps not on the page: other text is where the model looked",
}
MOST_NOTES = 600  # a page whose every token is doubtful stays small enough to open


def page_html(
    result: OcrResult,
    page: PageImage | None = None,
    calibration: Calibration | None = None,
    layout: PageLayout | None = None,
) -> str:
    """A page's heading, its image where there is one, and its text.

    Args:
        page: the image; it is shown at most 1,200 px wide, as a JPEG within the HTML.
        calibration: for the errors to expect; without one they are called uncalibrated.
        layout: where the tokens are on the image. Pointing at a token then lights up its box, and
            pointing at a box its token.
    """
    has_spots = page is not None and (layout is not None or has_unread_ink(result))
    summary = summarize(result.tokens)
    facts = [f"{summary.num_tokens} tokens"]
    if summary.num_tokens:
        facts += [
            f"average probability {summary.average:.3f}",
            f"minimum {summary.minimum:.3f}",
            str(expected_errors(result, calibration)),
        ]
    return "".join(
        [
            f'<section class="page" id="{anchor(result.page)}">',
            f"<h3>{escape(page_name(result.page))}</h3>",
            f"<p>{escape(' · '.join(facts))}</p>",
            f'<p class="warning"><b>{result.warning}</b></p>' if result.warning else "",
            '<div class="sides boxed">' if has_spots else '<div class="sides">',
            image_html(page) if page else "",
            "".join(_unread_spots(result, page)) if page else "",
            text_html(result, layout if page else None),
            "</div></section>",
        ]
    )


def text_html(result: OcrResult, layout: PageLayout | None = None) -> str:
    """The page's text, each token in one of five tints; the worst also bold, red and underlined.

    Pointing at a doubtful token, or moving to it by Tab, shows its probability, its alternatives of
    1 % and more, and the word or words that each of them would make. Line numbers are left to the
    style sheet, so that copied text has none. Regions have their kinds above them, and tables are
    tables: of the model's HTML nothing but rows, cells and their spans is taken over.

    Args:
        layout: positions of the tokens on an image beside the text. A spot on the image is a part
            of its token's element, so pointing at one highlights the other as well.
    """
    if result.regions:
        return _regions_html(result, layout)
    if not result.text:
        return "<p><i>no text</i></p>"
    tokens = PageTokens(result)
    spelled = list(_spelled(tokens))
    return f'<pre class="text">{"".join(_elements(tokens, spelled, _noted(spelled), layout))}</pre>'


def has_unread_ink(result: OcrResult) -> bool:
    """Whether something is to be outlined on the page's image."""
    return result.coverage is not None and bool(result.coverage.unread)


def _unread_spots(result: OcrResult, page: PageImage) -> Iterator[str]:
    """Outlines of ink that was not read, each with its size in characters."""
    for unread in result.coverage.unread if result.coverage else ():
        note = f"not read: about {unread.num_characters:.0f} characters"
        style = _shares(unread.box, page.width_px)
        yield f'<i class="unread" role="img" aria-label="{note}" style="{style}"></i>'


def page_name(page: PageRef) -> str:
    return f"{page.document_name}, page {page.page_number}"


def anchor(page: PageRef) -> str:
    """The id of the page's element, for links within a file."""
    return f"page-{page.document_key[:12]}-{page.page_number}"


def _regions_html(result: OcrResult, layout: PageLayout | None) -> str:
    tokens = PageTokens(result)
    spelled = list(_spelled(tokens))
    noted = _noted(spelled)
    parts = []
    for region in result.regions:
        own = [s for s in spelled if region.token_start <= s.index < region.token_stop]
        body = ""
        if own:
            table = _table_html(tokens, own, region, noted, layout)
            body = (
                table or f'<pre class="text">{"".join(_elements(tokens, own, noted, layout))}</pre>'
            )
        parts.append(f'<div class="region">{_kind_html(region)}{body}</div>')
    return f'<div class="regions">{"".join(parts)}</div>'


def _kind_html(region: Region) -> str:
    said = "" if region.status in (None, "ok", "picture") else f": {region.status}"
    return (
        f'<p class="kind {role_of(region)}"><b>{region.index + 1}</b> '
        f"{escape(region.label)}{escape(said)}</p>"
    )


def _table_html(
    tokens: PageTokens,
    own: Sequence["_Spelled"],
    region: Region,
    noted: set[int],
    layout: PageLayout | None,
) -> str | None:
    """The tokens of a region's only table in its cells; None where there is something else, so that
    no token is hidden."""
    start, stop = tokens.spans[own[0].index][0], tokens.spans[own[-1].index][1]
    written = tokens.text[start:stop]
    found = tables(written)
    if region.label not in TABLE_LABELS or len(found) != 1:
        return None
    [table] = found
    around_it = written[: table.start].strip() or written[table.stop :].strip()
    if not table.cells or around_it or beside_cells(written, table):
        return None

    def content(cell: Cell) -> str:
        inside = [
            clipped
            for each in own
            if (clipped := each.clipped(tokens, start + cell.start, start + cell.stop))
        ]
        return "".join(_elements(tokens, inside, noted, layout))

    return cells_html(table, content)


def _noted(spelled: Sequence["_Spelled"]) -> set[int]:
    """The tokens that have a note of their own: on a very doubtful page, the least sure ones."""
    doubtful = sorted((each for each in spelled if each.step), key=lambda each: each.prob)
    return {each.index for each in doubtful[:MOST_NOTES]}


def _elements(
    tokens: PageTokens,
    spelled: Sequence["_Spelled"],
    noted: set[int],
    layout: PageLayout | None,
) -> Iterator[str]:
    """Doubtful tokens one by one; neighbours of one tint together, by words where they have boxes.

    On a page of very many doubtful tokens only the least sure have a note of their own.
    """

    def own(s: _Spelled) -> object:
        return s.index if s.index in noted else layout and s.words

    def elements(spelled: Iterable[_Spelled]) -> Iterator[str]:
        for _, group in groupby(spelled, key=lambda s: (s.step, own(s))):
            together = list(group)
            is_noted = together[0].index in noted
            note = _note(tokens, together[0].least_sure) if is_noted else ""
            yield _element(together, layout, note)

    coverage = tokens.result.coverage
    runs = {
        index: run
        for run in (coverage.unsupported if coverage else ())
        for index in range(run.token_start, run.token_stop)
    }
    for run, group in groupby(spelled, key=lambda s: runs.get(s.index)):
        inner = "".join(elements(group))
        yield (
            inner
            if run is None
            else (f'<span class="unsupported" title="{WHY_UNSUPPORTED[run.why]}">{inner}</span>')
        )


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A token with text, and its words.

    Attributes:
        least_sure: of it and the tokens that spell a character with it; prob: of that one; step:
            of its probability.
    """

    index: int
    text: str
    words: tuple[tuple[int, int], ...]
    least_sure: int
    prob: float
    step: int

    def clipped(self, tokens: PageTokens, start: int, stop: int) -> "_Spelled | None":
        """Its part in characters `start` to `stop` of the page; None where it has none."""
        first, last = tokens.spans[self.index]
        text = tokens.text[max(first, start) : min(last, stop)]
        return replace(self, text=text) if text else None

    def box(self, layout: PageLayout) -> Box | None:
        """Where it is on the image; white space and markup are nowhere."""
        token = layout.tokens[self.index] if self.words else None
        return token.box if token else None


def _spelled(tokens: PageTokens) -> Iterator[_Spelled]:
    result = tokens.result
    least_sure: int | None = None
    for index, token in enumerate(result.tokens):
        if least_sure is None or token.logprob < result.tokens[least_sure].logprob:
            least_sure = index
        if token.text:
            prob = result.tokens[least_sure].prob
            words = tokens.words_at(*tokens.spans[index])
            yield _Spelled(index, token.text, words, least_sure, prob, step_of(prob))
            least_sure = None


def _element(together: Sequence[_Spelled], layout: PageLayout | None, note: str) -> str:
    """Tokens of one tint; plain text where there is nothing to say of them."""
    step = together[0].step
    text = "".join(spelled.text for spelled in together)
    inner = escape(text)
    box = around(box for spelled in together if (box := spelled.box(layout))) if layout else None
    spot = _spot(box, layout) if box and layout else ""
    if not step:
        return f"<span>{inner}{spot}</span>" if spot else inner
    if step == WORST_STEP:
        inner = f"<b><u>{inner}</u></b>"
    # a line end has no width: its sign takes the tint, and is drawn by the style sheet
    names = f'"p{step} end"' if text.endswith("\n") else f"p{step}"
    noted = f' tabindex=0 aria-label="{escape(note)}"' if note else ""
    return f"<span class={names}{noted}>{inner}{spot}</span>"


def _spot(box: Box, layout: PageLayout) -> str:
    """The box on the image; all in shares of its width, which the style sheet knows."""
    return f'<i style="{_shares(box, layout.width_px)}"></i>'


def _shares(box: Box, width_px: int) -> str:
    lengths = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    return ";".join(
        f"--{name}:{length / width_px:.4f}" for name, length in zip("xywh", lengths, strict=True)
    )


def _note(tokens: PageTokens, index: int) -> str:
    token = tokens.result.tokens[index]
    head = f"{visible(token.text) or 'part of a character'}  {token.prob:.4f}"
    words = {choice.other: choice.after for choice in tokens.choices(index)}
    others = [
        f"{other.prob:.2f}  {visible(other.text)}"
        + (f"  → {visible_choice(words[other])}" if other in words else "")
        for other in token.alternatives
        if other.token_id != token.token_id and other.prob >= LEAST_PROB_SHOWN
    ]
    return "\n".join([head, *others])


def image_html(page: PageImage) -> str:
    """The image as an element that holds it, at most `MAX_WIDTH_PX` wide."""
    data = base64.b64encode(page.jpeg(MAX_WIDTH_PX)).decode("ascii")
    name = escape(page_name(page.page))
    return f'<img alt="{name}" src="data:image/jpeg;base64,{data}">'
