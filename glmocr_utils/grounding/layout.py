"""A page image, its tokens and what the decoder looked at → a box for each token and line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from glmocr_utils.grounding.ink import UNITS_A_CELL, deskew, find_ink, find_skew, line_step
from glmocr_utils.grounding.placing import em_sizes, place_lines, place_units, units_of_line
from glmocr_utils.grounding.printed_lines import split_lines
from glmocr_utils.grounding.units import Gap, Piece, groups_of, pieces_of
from glmocr_utils.records import Box, PageLayout, PageRef, TokenBox, around

UNCLEAR = 0.5  # a box less certain than this is left out
NEIGHBOURS = 2  # on each side, that a piece shares its certainty with
# from the middle of a line to its edges: an ascender and a descender reach so far, in ems
ABOVE, BELOW = 0.5, 0.45
SMALLEST_STEP = 1.15  # from line to line, in ems; print is hardly ever set closer
SAME_HEIGHT = 0.4  # in ems: lines closer to each other than this are one
NEARBY = 6.0  # ems along a paragraph in which the printed line seldom changes


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where a piece is; `line_index` is of its printed line, from 0."""

    piece: Piece
    box: Box
    certainty: float
    line_index: int


def lay_out(
    page: PageRef, image: Image.Image, token_texts: Sequence[str], attention: np.ndarray
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
    """
    groups = groups_of(token_texts)
    pieces = pieces_of(token_texts)
    placed = list(_place(image, pieces, _looks(attention, groups))) if pieces else []
    by_token: dict[int, list[_Placed]] = {}
    by_line: dict[int, list[_Placed]] = {}
    for each in placed:
        by_token.setdefault(each.piece.token, []).append(each)
        by_line.setdefault(each.line_index, []).append(each)
    with_ink = {token: _token_box(own) for token, own in by_token.items()}
    tokens: list[TokenBox | None] = [
        with_ink[stop - 1] if stop - 1 in with_ink else _between(with_ink, stop - 1, len(groups))
        for _, stop in groups
    ]
    return PageLayout(
        page,
        image.width,
        image.height,
        tuple(each if each and each.certainty >= UNCLEAR else None for each in tokens),
        tuple(_line_box(own) for own in by_line.values()),
    )


def _token_box(placed: Sequence[_Placed]) -> TokenBox:
    """Of a token's pieces, those on the printed line that has most of it."""
    widths: dict[int, float] = {}
    for each in placed:
        widths[each.line_index] = widths.get(each.line_index, 0.0) + each.piece.width
    line = max(widths, key=lambda index: widths[index])
    own = [each for each in placed if each.line_index == line]
    box = around(each.box for each in own) or own[0].box
    return TokenBox(box, min(each.certainty for each in own), line)


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


def _line_box(placed: Sequence[_Placed]) -> Box | None:
    if np.mean([each.certainty for each in placed]) < UNCLEAR:
        return None
    return around(each.box for each in placed)


def _looks(attention: np.ndarray, groups: Sequence[tuple[int, int]]) -> np.ndarray:
    """For each token the attention of all that spell its text; each one's sum to 1."""
    looks = np.stack([attention[start:stop].sum(axis=0) for start, stop in groups])
    return looks / (looks.sum(axis=(1, 2), keepdims=True) + 1e-9)


def _place(image: Image.Image, pieces: Sequence[Piece], looks: np.ndarray) -> Iterator[_Placed]:
    """Find a box for each piece, in order."""
    _, rows, columns = looks.shape
    ink = find_ink(image, rows, columns)
    skew = find_skew(ink)
    ink = deskew(ink, skew)
    of_pieces = looks[[piece.token for piece in pieces]]
    lines = _printed_lines(pieces, of_pieces, ink, skew)
    ems = em_sizes(of_pieces, lines)
    heights = np.minimum(ems, line_step(ink) / SMALLEST_STEP)
    middles = place_lines(of_pieces, lines, ink, skew, heights)
    scale = np.array([image.width / ink.shape[1], image.height / ink.shape[0]] * 2)
    limits = np.array([image.width, image.height] * 2)
    line_index, last = -1, (-np.inf, np.inf)  # height and right end of the line before
    for line, middle, em, height in zip(lines, middles, ems, heights, strict=True):
        x = place_units(looks, line, ink, skew, middle, em, height)
        left, right = _piece_edges(line, x, em)
        y = middle + skew * ((left + right) / 2 - ink.shape[1] / 2)
        edges = np.stack([left, y - ABOVE * height, right, y + BELOW * height], axis=1)
        own = looks[[piece.token for piece in line]]
        looked_at = _looked_at(own, edges)
        certainty = (_mean_of_neighbours(looked_at) + looked_at.mean()).clip(0, 2) / 2
        goes_on = abs(middle - last[0]) < SAME_HEIGHT * height and left[0] > last[1] - em / 2
        line_index += not goes_on
        last = middle, right[-1]
        for piece, box, sure in zip(line, (edges * scale).clip(0, limits), certainty, strict=True):
            yield _Placed(piece, Box(*map(float, box)), float(sure), line_index)


def _printed_lines(
    pieces: Sequence[Piece], looks: np.ndarray, ink: np.ndarray, skew: float
) -> list[Sequence[Piece]]:
    """The pieces of each printed line, or of each of its parts."""
    starts = [n for n, piece in enumerate(pieces) if not n or piece.gap is Gap.LINE_END]
    lines = _cut(pieces, starts)
    of_lines = em_sizes(looks, lines, NEARBY)
    ems = np.repeat(of_lines, [len(line) for line in lines])
    height = min(float(np.median(ems)), line_step(ink) / SMALLEST_STEP)
    return _cut(pieces, split_lines(pieces, looks, ink, skew, ems, height))


def _cut(pieces: Sequence[Piece], starts: Sequence[int]) -> list[Sequence[Piece]]:
    return [pieces[start:stop] for start, stop in pairwise([*starts, len(pieces)])]


def _piece_edges(
    line: Sequence[Piece], middles: np.ndarray, em: float
) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of each piece; neighbours that nearly touch share an edge."""
    units = units_of_line(line)
    half = np.array([max(unit.width, 0.2) for unit, _ in units]) * em / 2
    left, right = middles - half, middles + half
    for before, after in pairwise(range(len(units))):
        if abs(left[after] - right[before]) < em / 2:
            left[after] = right[before] = (left[after] + right[before]) / 2
    seen = [number for number, (unit, _) in enumerate(units) if unit.is_seen]
    sizes = np.cumsum([0] + [len(piece.units) for piece in line])
    first = [seen[start] for start in sizes[:-1]]
    last = [seen[stop - 1] for stop in sizes[1:]]
    return np.minimum(left[first], right[last]), np.maximum(left[first], right[last])


def _looked_at(looks: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of each piece's attention that goes to its box and half a cell around it."""
    rows, columns = looks.shape[1:]
    left, top, right, bottom = edges.T[:, :, None] / UNITS_A_CELL
    x, y = np.arange(columns) + 0.5, np.arange(rows) + 0.5
    across = (x > left - 1) & (x < right + 1)
    down = (y > top - 1) & (y < bottom + 1)
    return np.einsum("prc,pr,pc->p", looks, down, across)


def _mean_of_neighbours(values: np.ndarray) -> np.ndarray:
    """Each value's mean with its neighbours', as far as there are any."""
    around = np.arange(len(values))[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    there = (around >= 0) & (around < len(values))
    return (values[around.clip(0, len(values) - 1)] * there).sum(axis=1) / there.sum(axis=1)
