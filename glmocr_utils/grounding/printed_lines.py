"""Which pieces of a text are on one printed line.

The model writes a paragraph as one line, or a row of a table, so line ends of the text say little.
Two things say more: along a printed line the positions go to the right, each about as far from the
last as the text between is wide, and where a line ends, they fall back to the left and go down.
The likeliest path of the pieces over the page (Viterbi, 1967) finds the ends. It is coarse, half an
image token each way; `placing` then finds the exact heights and positions.

All lengths are in units, 14 an image token.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from glmocr_utils.grounding.ink import UNITS_A_CELL
from glmocr_utils.grounding.placing import (
    EVEN_SO,
    INK_OF_CHARACTER,
    LINE_SHARE,
    best_so_far,
    cell_heights,
    shifted,
    touched,
)
from glmocr_utils.grounding.units import Gap, Piece

STEP = 7  # from position to position, both ways: half an image token
AT_ONCE = 128  # the chances of so many pieces are in memory together
# Costs are in nats.
END_OF_LINE = {
    Gap.NOTHING: 9.0,
    Gap.HYPHEN: 3.0,
    Gap.SPACE: 4.0,
    Gap.CELL: 1.0,
    Gap.LINE_END: 0.0,
}
SAME_LINE = {Gap.LINE_END: 3.0}  # where the text has a line end and the page has none
STIFFNESS = 3.0  # of an advance that is an em too short or too long, beyond the grid's step
WIDE_GAP = 5.0
FARTHEST_DOWN = 8.0  # of a line far below the one before it
UP = 12.0  # of one above it, as at the top of the next column
UP_IN_ROW = 4.0  # the same, of a table's next cell
LEAST_DOWN = 0.6  # ems from line to line


def split_lines(
    pieces: Sequence[Piece],
    looks: np.ndarray,
    ink: np.ndarray,
    skew: float,
    ems: np.ndarray,
    height: float,
) -> list[int]:
    """Where printed lines start: the numbers of their first pieces, in order.

    Args:
        looks: (num_pieces, rows, columns), each piece's sum to 1.
        ink: (rows * 14, columns * 14), deskewed.
        skew: of the page, before it was deskewed: units down per unit across.
        ems: (num_pieces,) how large each is set, across.
        height: of an em, down the page.
    """
    _, rows, columns = looks.shape
    num_down, num_across = rows * UNITS_A_CELL // STEP, columns * UNITS_A_CELL // STEP
    down = (np.arange(num_down) + 0.5) * STEP
    vertical = _vertical_costs(down, height, UP)
    in_row = _vertical_costs(down, height, UP_IN_ROW)
    is_first = np.zeros((len(pieces), num_down, num_across), bool)
    origins = np.zeros((len(pieces), num_down, num_across), np.int16)
    origins_of_first = np.zeros((len(pieces), num_down, 2), np.int16)
    best = np.empty((num_down, num_across))
    for number, chances in enumerate(_chances(pieces, looks, ink, skew, ems, height)):
        piece = pieces[number]
        if number == 0:
            best = chances
            is_first[number] = True
            continue
        before = pieces[number - 1]
        em = ems[number]
        advance = ((before.width + piece.width) / 2 + piece.space_width) * em
        along, origins[number] = _along(best, advance, em)
        along -= SAME_LINE.get(piece.gap, 0.0)
        of_rows = best.max(axis=1)
        through = of_rows[:, None] - (in_row if piece.gap is Gap.CELL else vertical)
        row = through.argmax(axis=0)
        origins_of_first[number, :, 0] = row
        origins_of_first[number, :, 1] = best.argmax(axis=1)[row]
        starts = (through.max(axis=0) - END_OF_LINE[piece.gap])[:, None]
        is_first[number] = starts > along
        best = np.maximum(along, starts) + chances
    return _starts(best, is_first, origins, origins_of_first)


def _starts(
    best: np.ndarray, is_first: np.ndarray, origins: np.ndarray, origins_of_first: np.ndarray
) -> list[int]:
    """Back along the likeliest path."""
    y, x = np.unravel_index(best.argmax(), best.shape)
    starts = []
    for number in range(len(is_first) - 1, -1, -1):
        if is_first[number, y, x]:
            starts.append(number)
            y, x = origins_of_first[number, y]
        else:
            x = origins[number, y, x]
    return starts[::-1]


def _along(best: np.ndarray, advance: float, em: float) -> tuple[np.ndarray, np.ndarray]:
    """The best way to each position from one on the same line: (chances, where from, across)."""
    width = best.shape[1]
    across = np.arange(width)
    nearest = max(int(0.4 * advance / STEP), 0 if advance < STEP else 1)
    farthest = int((advance + 1.5 * em) / STEP) + 1
    found = np.full_like(best, -np.inf)
    origins = np.zeros(best.shape, np.int16)
    if farthest < width:  # any gap: the best of all positions farther back
        gaps, gap_origins = best_so_far(best)
        found[:, farthest:] = gaps[:, : width - farthest] - WIDE_GAP
        origins[:, farthest:] = gap_origins[:, : width - farthest]
    farthest = min(farthest, width - 1)
    if farthest < nearest:
        return found, origins
    shifts = np.arange(farthest, nearest - 1, -1)
    off = np.maximum(np.abs(shifts * STEP - advance) - STEP / 2, 0)
    costs = np.minimum(WIDE_GAP, STIFFNESS / em * off).astype(best.dtype)
    through = shifted(best, nearest, farthest) - costs
    nearby = through.argmax(axis=-1)
    chances = np.take_along_axis(through, nearby[..., None], -1)[..., 0]
    is_better = chances > found
    origins = np.where(is_better, across - farthest + nearby, origins)
    return np.where(is_better, chances, found), origins


def _vertical_costs(down: np.ndarray, height: float, up: float) -> np.ndarray:
    """(num_down before, num_down) of the step from line to line."""
    ems = (down[None, :] - down[:, None]) / height
    costs = np.where(ems > 0, np.minimum(0.4 * np.maximum(ems - 1.5, 0), FARTHEST_DOWN), up)
    return np.where(np.abs(ems) < LEAST_DOWN, np.inf, costs)


def _chances(
    pieces: Sequence[Piece],
    looks: np.ndarray,
    ink: np.ndarray,
    skew: float,
    ems: np.ndarray,
    height: float,
) -> Iterator[np.ndarray]:
    """The log-likelihood of each position for each piece, (num_down, num_across)."""
    _, rows, columns = looks.shape
    down = (np.arange(rows * UNITS_A_CELL // STEP) + 0.5) * STEP
    across = (np.arange(columns * UNITS_A_CELL // STEP) + 0.5) * STEP
    middles = (np.arange(columns) + 0.5) * UNITS_A_CELL
    on_row = touched(
        down[:, None, None], cell_heights(rows, columns, skew)[None], LINE_SHARE * height
    ).transpose(2, 1, 0)  # (columns, rows, num_down)
    on_row = np.ascontiguousarray(on_row, np.float32)
    inked_until = inked_on_lines(ink, down, height)
    for start in range(0, len(pieces), AT_ONCE):
        own = looks[start : start + AT_ONCE].transpose(2, 0, 1)  # (columns, num, rows)
        by_row = np.matmul(own, on_row).transpose(1, 2, 0)  # (num, num_down, columns)
        for number, seen in enumerate(by_row, start):
            wide = max(pieces[number].width, 0.2) * ems[number]
            on_column = touched(middles[:, None], across[None, :], wide).astype(np.float32)
            share = inked_share(inked_until, across, wide)
            chances = np.log(EVEN_SO + np.minimum(seen @ on_column, 1))
            yield chances + INK_OF_CHARACTER * len(pieces[number].units) * np.log(0.1 + 0.9 * share)


def inked_on_lines(ink: np.ndarray, middles: np.ndarray, height: float) -> np.ndarray:
    """How many columns up to each position have ink on a line there, (num_middles, width + 1)."""
    top = np.rint(middles - 0.45 * height).astype(int).clip(0, len(ink))
    bottom = np.rint(middles + 0.35 * height).astype(int).clip(0, len(ink) - 1) + 1
    until = np.pad((ink > 0.3).cumsum(axis=0), ((1, 0), (0, 0)))
    inked = until[bottom] > until[np.minimum(top, bottom)]
    return np.pad(inked.cumsum(axis=1), ((0, 0), (1, 0))).astype(np.float32)


def inked_share(inked_until: np.ndarray, middles: np.ndarray, wide: float) -> np.ndarray:
    """The share of inked columns, `wide` around each position: (num_lines, num_middles), 0 to 1."""
    last = inked_until.shape[1] - 1
    left = np.rint(middles - wide / 2).astype(int).clip(0, last)
    right = np.rint(middles + wide / 2).astype(int).clip(0, last)
    return ((inked_until[:, right] - inked_until[:, left]) / wide).clip(0, 1)
