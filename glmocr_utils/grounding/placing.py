"""Turn decoder attention into line and character positions.

An image token is 28 pixels wide: about three characters, and more than the step from line to line
of small print. Knowledge of text gives the rest: the characters of a line follow each other,
each about as wide as its kind; lines follow each other and leave none out; and all are where there
is ink. `printed_lines` says which pieces of text are on one line. Here the heights of lines are
found first, then the characters of each, both as the likeliest path through all positions
(Viterbi, 1967).

All lengths are in units, 14 an image token: two of the model's pixels. Heights are those of the
deskewed page.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from glmocr_utils.grounding.ink import UNITS_A_CELL
from glmocr_utils.grounding.units import Gap, Piece, Unit

# Costs and likelihoods are in nats.
EVEN_SO = 0.03  # the chance to look elsewhere: no token alone moves its line or its neighbours
ENOUGH = 0.6  # a line or token is looked at in any cell that holds as much of it as this
JUMP = 30.0  # of a line that isn't under the one before it
JUMP_IN_TABLE = 8.0  # the same, where it starts a cell of a row
NEXT_IN_ROW = 3.0  # of one to the right of it, as in a table
LEFT_OUT = 20.0  # of a line of print that no text stands for
INK_OF_LINE = 20.0
INK_OF_CHARACTER = 0.7
STIFFNESS = 6.0  # of an advance that is an em too short or too long
GAP = 5.0  # of a gap within a line, as between the columns of a table
BACKWARDS = 50.0
ACROSS_STEP = 2  # positions across a page are so many units apart
USUAL_EM = 10.0  # where the size of the print is unknown: 20 pixels
LINE_SHARE = 0.8  # of an em: the height of a line's letters


def em_sizes(
    looks: np.ndarray, lines: Sequence[Sequence[Piece]], longest: float = np.inf
) -> np.ndarray:
    """How large each line is set across, from how fast the strongest cell moves along it.

    Args:
        looks: (num_pieces, rows, columns), each piece's sum to 1; those of all lines in order.
        longest: ems of text at most between the pieces that are compared: in a paragraph, those
            farther apart are seldom on one printed line.

    Returns:
        (num_lines,) ems; lines that don't show it get that of the page.
    """
    columns = looks.shape[-1]
    ems: list[float] = []
    ends_at: list[float] = []
    for line, own in zip(lines, _by_line(looks, lines), strict=True):
        strongest = own.reshape(len(line), -1).argmax(-1) % columns * UNITS_A_CELL
        ends = np.cumsum([piece.space_width + piece.width for piece in line])
        middles = ends - [piece.width / 2 for piece in line]
        apart = min((middles[-1] - middles[0]) / 2, longest)
        first = np.arange(len(line))
        second = np.searchsorted(middles, middles + max(apart, 0.1))
        first, second = first[second < len(line)], second[second < len(line)]
        slopes = (strongest[second] - strongest[first]) / (middles[second] - middles[first])
        slopes = slopes[(slopes > 3) & (slopes < 60)] if longest < np.inf else slopes
        ems.append(np.median(slopes) if ends[-1] > 4 and len(slopes) else np.nan)
        ends_at.append(ends[-1])
    found, lengths = np.array(ems), np.array(ends_at)
    told = (found > 3) & (found < 60)
    if not told.any():
        return np.full(len(lines), USUAL_EM)
    order = np.argsort(found[told])
    until_here = np.cumsum(lengths[told][order])
    of_page = found[told][order][np.searchsorted(until_here, until_here[-1] / 2)]
    alike = (found > 0.6 * of_page) & (found < 1.7 * of_page)
    return np.where(alike, found, of_page)


def place_lines(
    looks: np.ndarray,
    lines: Sequence[Sequence[Piece]],
    ink: np.ndarray,
    skew: float,
    ems: np.ndarray,
) -> np.ndarray:
    """The height of the middle of each line, (num_lines,).

    Args:
        looks: as in `em_sizes`.
        ink: (rows * 14, columns * 14), deskewed.
        skew: of the page, before it was deskewed.
        ems: of the lines, (num_lines,).
    """
    height = len(ink)
    em = float(np.median(ems))
    heights = cell_heights(looks.shape[1], looks.shape[2], skew).reshape(1, -1)
    y = np.arange(height)
    on_row = touched(y[:, None], heights, LINE_SHARE * em)  # (height, num_cells)
    ink_until = np.pad(ink.cumsum(axis=1), ((0, 0), (1, 0)))
    chances = np.empty((len(lines), height), np.float32)
    profiles, ends = [], []
    for index, (line, own) in enumerate(zip(lines, _by_line(looks, lines), strict=True)):
        own = own.reshape(len(own), -1)
        chances[index] = np.log(EVEN_SO + own @ on_row.T).sum(axis=0)
        left, right = _ends(line, own.argmax(-1) % looks.shape[-1], ems[index], ink.shape[1])
        profiles.append(ink_until[:, right] - ink_until[:, left])
        ends.append((left, right))
        chances[index] += INK_OF_LINE * _like_a_line(profiles[index], ems[index])
    down = y[None, :] - y[:, None]

    def costs(number: int) -> np.ndarray:
        until = np.pad(profiles[number].cumsum(), (1, 0))
        below = np.rint(y + em / 2).astype(int).clip(0, height)
        above = np.rint(y - em / 2).astype(int).clip(0, height)
        of_a_line = max(0.6 * em * _strongest(profiles[number]), 1e-6)
        left_out = (until[above][None, :] - until[below][:, None]).clip(0) / of_a_line
        jump = JUMP_IN_TABLE if lines[number][0].gap is Gap.CELL else JUMP
        cost = np.where(down >= 0.75 * em, np.minimum(jump, LEFT_OUT * left_out), jump)
        if ends[number][0] >= ends[number - 1][1]:
            cost = np.where(np.abs(down) < 0.4 * em, NEXT_IN_ROW, cost)
        return cost

    return _likeliest_path(chances, costs)


def place_units(
    looks: np.ndarray,
    line: Sequence[Piece],
    ink: np.ndarray,
    skew: float,
    middle: float,
    em: float,
    height: float,
) -> np.ndarray:
    """The middle of each character of one line and of the white space between, across the page.

    Args:
        looks: (num_tokens, rows, columns) of the page's tokens, each one's sum to 1.
        middle: the height of the line's middle.
        em: of the line, across; `height`: the same, down the page.

    Returns:
        (num_units,), in the order of `units_of_line`.
    """
    width = ink.shape[1]
    units = units_of_line(line)
    cells = cell_heights(looks.shape[1], looks.shape[2], skew)
    on_line = touched(middle, cells, LINE_SHARE * height) > 0
    columns = (np.arange(looks.shape[2]) + 0.5) * UNITS_A_CELL
    positions = np.arange(0, width, ACROSS_STEP, dtype=float)
    widths = np.array([max(unit.width, 0.2) for unit, _ in units]) * em
    top, bottom = (round(middle + share * height) for share in (-0.45, 0.35))
    inked = (ink[max(top, 0) : bottom + 1] > 0.3).any(axis=0)
    inked_until = np.pad(inked.cumsum().astype(float), (1, 0))
    edges = np.arange(width + 1)
    chances = np.empty((len(units), len(positions)), np.float32)
    for number, ((unit, of_piece), wide) in enumerate(zip(units, widths, strict=True)):
        share = np.interp(positions + wide / 2, edges, inked_until)
        share = ((share - np.interp(positions - wide / 2, edges, inked_until)) / wide).clip(0, 1)
        share = share if unit.is_seen else 1 - share
        chances[number] = INK_OF_CHARACTER * np.log(0.1 + 0.9 * share)
        if unit.share:
            middles = positions[:, None] - unit.offset * em
            on_column = touched(middles, columns[None, :], max(of_piece, 0.2) * em)
            seen = (looks[unit.token] * on_line).sum(axis=0)
            chances[number] += unit.share * np.log(EVEN_SO + on_column @ seen)
    expected = np.concatenate([[0.0], (widths[:-1] + widths[1:]) / 2])
    return positions[_likeliest_advances(chances, expected / ACROSS_STEP, em / ACROSS_STEP)]


def units_of_line(line: Sequence[Piece]) -> list[tuple[Unit, float]]:
    """The characters of a line and the white space between them, with the width of their piece."""
    units: list[tuple[Unit, float]] = []
    for piece in line:
        if units:
            units += [(space, space.width) for space in piece.space if space.width]
        units += [(unit, piece.width) for unit in piece.units]
    return units


def _ends(line: Sequence[Piece], columns: np.ndarray, em: float, width: int) -> tuple[int, int]:
    """About where a line starts and ends, from the columns at which its pieces are looked at."""
    middles = (columns + 0.5) * UNITS_A_CELL
    half = np.maximum(np.array([piece.width for piece in line]) * em, UNITS_A_CELL) / 2
    left = round(float(np.quantile(middles - half, 0.05)))
    right = round(float(np.quantile(middles + half, 0.95)))
    left = min(max(left, 0), width - 1)
    return left, min(max(right, left + 1), width)


def _by_line(looks: np.ndarray, lines: Sequence[Sequence[Piece]]) -> list[np.ndarray]:
    return np.split(looks, np.cumsum([len(line) for line in lines])[:-1])


def cell_heights(rows: int, columns: int, skew: float) -> np.ndarray:
    """The middle of each image token on the deskewed page, (rows, columns)."""
    y, x = np.mgrid[:rows, :columns] * float(UNITS_A_CELL) + UNITS_A_CELL / 2
    return y - skew * (x - columns * UNITS_A_CELL / 2)


def touched(middle: np.ndarray | float, cells: np.ndarray, length: float) -> np.ndarray:
    """How far what is `length` long around `middle` counts as standing in each cell, 0 to 1."""
    shared = (length + UNITS_A_CELL) / 2 - np.abs(middle - cells)
    return (shared / (ENOUGH * min(length, UNITS_A_CELL))).clip(0, 1)


def _strongest(profile: np.ndarray) -> float:
    return float(np.percentile(profile, 98))


def _like_a_line(profile: np.ndarray, em: float) -> np.ndarray:
    """How much each height looks like the middle of a line: ink there, and none above and below.

    Args:
        profile: (height,) ink of each row.
    """
    until = np.pad(profile.cumsum(), (1, 0))
    y = np.arange(len(profile))

    def mean(start: float, stop: float) -> np.ndarray:
        first = np.rint(y + start * em).astype(int).clip(0, len(profile))
        last = np.rint(y + stop * em).astype(int).clip(0, len(profile))
        return (until[last] - until[first]) / np.maximum(last - first, 1)

    around = mean(-0.85, -0.55) + mean(0.55, 0.85)
    return (mean(-0.3, 0.3) - 0.7 * around) / max(_strongest(profile), 1e-6)


def _likeliest_path(chances: np.ndarray, costs: Callable[[int], np.ndarray]) -> np.ndarray:
    """The position of each thing in a row of them, (num_things,) indices.

    Args:
        chances: (num_things, num_positions) log-likelihoods.
        costs: a thing's number → (num_positions before it, num_positions): of the step to it.
    """
    best = chances[0]
    origins = np.empty(chances.shape, np.int32)
    for number in range(1, len(chances)):
        through = best[:, None] - costs(number)
        origins[number] = through.argmax(axis=0)
        best = through.max(axis=0) + chances[number]
    path = [int(best.argmax())]
    for number in range(len(chances) - 1, 0, -1):
        path.append(int(origins[number][path[-1]]))
    return np.array(path[::-1])


def _likeliest_advances(chances: np.ndarray, expected: np.ndarray, em: float) -> np.ndarray:
    """The position of each character of a line, (num_units,) indices.

    Only advances near the expected one differ in cost, so only those are compared one by one.

    Args:
        chances: (num_units, num_positions) log-likelihoods.
        expected: (num_units,) advance from the character before, in positions.
        em: in positions.
    """
    num_units, width = chances.shape
    here = np.arange(width)
    best = chances[0].astype(float)
    origins = np.empty(chances.shape, np.int32)
    for number in range(1, num_units):
        nearest = int(np.ceil(0.3 * expected[number]))
        farthest = max(nearest, int(expected[number] + GAP / STIFFNESS * em) + 1)
        advances = np.arange(farthest, nearest - 1, -1)
        costs = np.minimum(GAP, STIFFNESS / em * np.abs(advances - expected[number]))
        through = shifted(best, nearest, farthest) - costs
        nearby = through.argmax(axis=1)
        found = through[here, nearby]
        origin = here - farthest + nearby
        if farthest + 1 < width:
            far, far_origin = best_so_far(best[: width - farthest - 1])
            is_far = far - GAP > found[farthest + 1 :]
            found[farthest + 1 :][is_far] = far[is_far] - GAP
            origin[farthest + 1 :][is_far] = far_origin[is_far]
        strongest = int(best.argmax())
        is_back = found < best[strongest] - BACKWARDS
        found[is_back], origin[is_back] = best[strongest] - BACKWARDS, strongest
        best, origins[number] = found + chances[number], origin
    path = [int(best.argmax())]
    for number in range(num_units - 1, 0, -1):
        path.append(int(origins[number][path[-1]]))
    return np.array(path[::-1])


def shifted(values: np.ndarray, nearest: int, farthest: int) -> np.ndarray:
    """For each of the last axis, the values `farthest` to `nearest` before it, on a new last axis.

    Those before the first are -inf.
    """
    padded = np.full((*values.shape[:-1], values.shape[-1] + farthest), -np.inf, values.dtype)
    padded[..., farthest:] = values
    shape = (*values.shape, farthest - nearest + 1)
    return as_strided(padded, shape, (*padded.strides, padded.strides[-1]), writeable=False)


def best_so_far(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest value up to each along the last axis, and its index."""
    best = np.maximum.accumulate(values, axis=-1)
    index = np.zeros(values.shape, np.int32)
    index[..., 1:] = np.where(
        values[..., 1:] > best[..., :-1], np.arange(1, values.shape[-1], dtype=np.int32), 0
    )
    return best, np.maximum.accumulate(index, axis=-1)
