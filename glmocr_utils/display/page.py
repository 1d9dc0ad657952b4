"""One page: its image beside its text, every token tinted by its probability."""

import base64
from collections.abc import Iterator

from glmocr_utils.confidence import (
    WORST_STEP,
    Calibration,
    alternative_words,
    expected_errors,
    step_of,
    summarize,
)
from glmocr_utils.display.escape import escape, visible
from glmocr_utils.records import (
    OcrResult,
    PageImage,
    PageLayout,
    PageRef,
    TokenPlace,
)

MAX_WIDTH_PX = 1200


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
        layout: where the tokens stand on the image. Pointing at a token then lights up its place,
            and pointing at a place its token.
    """
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
            '<div class="sides placed">' if page and layout else '<div class="sides">',
            image_html(page) if page else "",
            text_html(result, layout if page else None),
            "</div></section>",
        ]
    )


def text_html(result: OcrResult, layout: PageLayout | None = None) -> str:
    """The page's text, each token in one of five tints; the worst also bold, red and underlined.

    Pointing at a token, or moving to it by Tab, tells its probability, its alternatives and the
    word that each of them would make. Line numbers are left to the style sheet, so that copied
    text has none.

    Args:
        layout: where the tokens stand on an image beside the text. A spot on the image is a part of
            its token's element, so that whoever points at the one points at the other as well.
    """
    if not result.text:
        return "<p><i>no text</i></p>"
    return f'<pre class="text">{"".join(_tokens(result, layout))}</pre>'


def page_name(page: PageRef) -> str:
    return f"{page.document_name}, page {page.page_number}"


def anchor(page: PageRef) -> str:
    """The id of the page's element, for links within a file."""
    return f"page-{page.document_sha256[:12]}-{page.page_number}"


def _tokens(result: OcrResult, layout: PageLayout | None) -> Iterator[str]:
    least_sure: int | None = None  # of the tokens that spell one character together
    for index, token in enumerate(result.tokens):
        if least_sure is None or token.logprob < result.tokens[least_sure].logprob:
            least_sure = index
        if token.text:
            place = layout.tokens[index] if layout else None
            spot = _spot(place, layout) if place and token.text.strip() else ""
            yield _token(result, least_sure, token.text, spot)
            least_sure = None


def _token(result: OcrResult, index: int, text: str, spot: str) -> str:
    step = step_of(result.tokens[index].prob)
    note = escape(_note(result, index))
    if step == 0:
        return f'<span data-note="{note}">{escape(text)}{spot}</span>'
    # a line end has no width: its sign takes the tint, and is drawn by the style sheet
    inner = escape(text)
    if step == WORST_STEP:
        inner = f"<b><u>{inner}</u></b>"
    ending = " end" if text.endswith("\n") else ""
    return (
        f'<span class="p{step}{ending}" tabindex="0" data-note="{note}" aria-label="{note}">'
        f"{inner}{spot}</span>"
    )


def _spot(place: TokenPlace, layout: PageLayout) -> str:
    """The place on the image; all in shares of its width, which the style sheet knows."""
    box = place.box
    lengths = (box.left, box.top, box.right - box.left, box.bottom - box.top)
    shares = ";".join(
        f"--{name}:{length / layout.width_px:.4f}"
        for name, length in zip("xywh", lengths, strict=True)
    )
    return f'<i style="{shares}"></i>'


def _note(result: OcrResult, index: int) -> str:
    token = result.tokens[index]
    head = f"{visible(token.text) or 'part of a character'}  {token.prob:.4f}"
    others = [
        f"{other.prob:.4f}  {visible(other.text)}  → {visible(word)}"
        for other, word in alternative_words(result, index)
        if other.token_id != token.token_id
    ]
    return "\n".join([head, *others])


def image_html(page: PageImage) -> str:
    """The image as an element that holds it, at most `MAX_WIDTH_PX` wide."""
    data = base64.b64encode(page.jpeg(MAX_WIDTH_PX)).decode("ascii")
    name = escape(page_name(page.page))
    return f'<img alt="{name}" src="data:image/jpeg;base64,{data}">'
