"""A page image, its tokens and the decoder's attention → a box for each token and line."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from glmocr_utils.grounding.placed_page import PlacedPage, PlacedPiece, place_page
from glmocr_utils.grounding.units import groups_of
from glmocr_utils.records import Box, PageLayout, PageRef, TokenBox, around

UNCLEAR = 0.5  # a box less certain than this is left out


def lay_out(
    page: PageRef,
    image: Image.Image,
    token_texts: Sequence[str],
    attention: np.ndarray,
    usual_share: float = 1.0,
) -> PageLayout:
    """Where the tokens and printed lines of a page are.

    A line end of the text is a hint that a printed line ends; it may end at any white space, too,
    and rarely within a word. A token's box is that of its characters with ink. Where those are on
    two printed lines, it is the box of the wider part, of the first if both are alike. A token
    without ink has the gap between its neighbours, which may have no width.

    Args:
        image: the page, upright.
        token_texts: what each token adds to the text, as in `token_text.token_texts`.
        attention: (num_tokens, rows, columns), of `attention.attend`.
        usual_share: of the model, as in `HeadChoice`; the unit of `TokenBox.looked_at`.
    """
    placed = place_page(image, token_texts, attention)
    return layout_of(page, placed, token_texts, usual_share)


def layout_of(
    page: PageRef, placed: PlacedPage, token_texts: Sequence[str], usual_share: float = 1.0
) -> PageLayout:
    """The same for a page whose pieces have been placed."""
    groups = groups_of(token_texts)
    by_token: dict[int, list[PlacedPiece]] = {}
    by_line: dict[int, list[PlacedPiece]] = {}
    for each in placed.pieces:
        by_token.setdefault(each.piece.token, []).append(each)
        by_line.setdefault(each.line_index, []).append(each)
    with_ink = {token: _token_box(own, usual_share) for token, own in by_token.items()}
    tokens: list[TokenBox | None] = [
        with_ink[stop - 1] if stop - 1 in with_ink else _between(with_ink, stop - 1, len(groups))
        for _, stop in groups
    ]
    return PageLayout(
        page,
        placed.width_px,
        placed.height_px,
        tuple(each if each and each.certainty >= UNCLEAR else None for each in tokens),
        tuple(_line_box(own) for own in by_line.values()),
        tuple(tokens),
    )


def _token_box(placed: Sequence[PlacedPiece], usual_share: float) -> TokenBox:
    """Of a token's pieces, those on the printed line that has most of it."""
    widths: dict[int, float] = {}
    for each in placed:
        widths[each.line_index] = widths.get(each.line_index, 0.0) + each.piece.width
    line = max(widths, key=lambda index: widths[index])
    own = [each for each in placed if each.line_index == line]
    box = around(each.box for each in own) or own[0].box
    certainty, looked_at = (
        min(getattr(each, name) for each in own) for name in ("certainty", "looked_at")
    )
    return TokenBox(box, certainty, line, min(looked_at, 1.0) / usual_share)


def _between(with_ink: dict[int, TokenBox], token: int, num_tokens: int) -> TokenBox | None:
    """Where a token without ink is: behind the one with ink before it, up to the one after."""
    before = next((with_ink[n] for n in range(token, -1, -1) if n in with_ink), None)
    after = next((with_ink[n] for n in range(token, num_tokens) if n in with_ink), None)
    near = before or after
    if near is None:
        return None
    box = near.box
    start = stop = box.right if near is before else box.left
    certainty = near.certainty
    if before and after and before.line_index == after.line_index:
        stop = max(start, after.box.left)
        certainty = min(certainty, after.certainty)
    return TokenBox(Box(start, box.top, stop, box.bottom), certainty, near.line_index)


def _line_box(placed: Sequence[PlacedPiece]) -> Box | None:
    if np.mean([each.certainty for each in placed]) < UNCLEAR:
        return None
    return around(each.box for each in placed)
