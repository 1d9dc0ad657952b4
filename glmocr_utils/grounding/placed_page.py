"""The pieces of a page's text → where each is on its image, and how certain that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from glmocr_utils.grounding.ink import UNITS_A_CELL, deskew, find_ink, find_skew, line_step
from glmocr_utils.grounding.placing import em_sizes, place_lines, place_units, units_of_line
from glmocr_utils.grounding.printed_lines import split_lines
from glmocr_utils.grounding.units import Gap, Piece, groups_of, pieces_of
from glmocr_utils.records import Box

NEIGHBOURS = 2  # on each side, that a piece shares its certainty with
# from the middle of a line to its edges: an ascender and a descender reach so far, in ems
ABOVE, BELOW = 0.5, 0.45
SMALLEST_STEP = 1.15  # from line to line, in ems; print is hardly ever set closer
SAME_HEIGHT = 0.4  # in ems: lines closer to each other than this are one
NEARBY = 6.0  # ems along a paragraph in which the printed line seldom changes


@dataclass(frozen=True, slots=True)
class PlacedPiece:
    """Where a piece is.

    Attributes:
        box: in pixels of the page image.
        certainty: of the box, 0 to 1, with the piece's neighbours taken into account.
        looked_at: the share of the piece's own attention that goes to its box and half an image
            token around it, 0 to 1.
        line_index: of its printed line, from 0.
    """

    piece: Piece
    box: Box
    certainty: float
    looked_at: float
    line_index: int


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPage:
    """A page's ink, and where the pieces of its text are.

    Attributes:
        width_px, height_px: of the page image.
        ink: (rows * 14, columns * 14) of `find_ink`, deskewed.
        skew: of the page: units down per unit across.
        line_step: from line to line, in units; infinite where the page has no rhythm.
        pieces: in the order of the text.
    """

    width_px: int
    height_px: int
    ink: np.ndarray
    skew: float
    line_step: float
    pieces: tuple[PlacedPiece, ...]

    @property
    def units_per_px(self) -> tuple[float, float]:
        """Across, down."""
        return self.ink.shape[1] / self.width_px, self.ink.shape[0] / self.height_px


def place_page(image: Image.Image, token_texts: Sequence[str], attention: np.ndarray) -> PlacedPage:
    """Find where the pieces of a page's text are; arguments as in `lay_out`."""
    _, rows, columns = attention.shape
    ink = find_ink(image, rows, columns)
    skew = find_skew(ink)
    ink = deskew(ink, skew)
    step = line_step(ink)
    pieces = pieces_of(token_texts)
    size = image.width, image.height
    placed: tuple[PlacedPiece, ...] = ()
    if pieces:
        looks = _looks(attention, groups_of(token_texts))
        placed = tuple(_place(size, pieces, looks, ink, skew, step))
    return PlacedPage(*size, ink, skew, step, placed)


def _looks(attention: np.ndarray, groups: Sequence[tuple[int, int]]) -> np.ndarray:
    """For each token the attention of all that spell its text; each one's sum to 1."""
    looks = np.stack([attention[start:stop].sum(axis=0) for start, stop in groups])
    return looks / (looks.sum(axis=(1, 2), keepdims=True) + 1e-9)


def _place(
    size: tuple[int, int],
    pieces: Sequence[Piece],
    looks: np.ndarray,
    ink: np.ndarray,
    skew: float,
    step: float,
) -> Iterator[PlacedPiece]:
    """Find a box for each piece, in order."""
    of_pieces = looks[[piece.token for piece in pieces]]
    lines = _printed_lines(pieces, of_pieces, ink, skew, step)
    ems = em_sizes(of_pieces, lines)
    heights = np.minimum(ems, step / SMALLEST_STEP)
    middles = place_lines(of_pieces, lines, ink, skew, heights)
    scale = np.array([size[0] / ink.shape[1], size[1] / ink.shape[0]] * 2)
    limits = np.array(size * 2)
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
        boxes = (edges * scale).clip(0, limits)
        for piece, box, sure, seen in zip(line, boxes, certainty, looked_at, strict=True):
            yield PlacedPiece(piece, Box(*map(float, box)), float(sure), float(seen), line_index)


def _printed_lines(
    pieces: Sequence[Piece], looks: np.ndarray, ink: np.ndarray, skew: float, step: float
) -> list[Sequence[Piece]]:
    """The pieces of each printed line, or of each of its parts."""
    starts = [n for n, piece in enumerate(pieces) if not n or piece.gap is Gap.LINE_END]
    lines = _cut(pieces, starts)
    of_lines = em_sizes(looks, lines, NEARBY)
    ems = np.repeat(of_lines, [len(line) for line in lines])
    height = min(float(np.median(ems)), step / SMALLEST_STEP)
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
