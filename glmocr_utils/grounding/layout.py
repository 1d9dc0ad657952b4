"""A page image, its tokens and what the decoder looked at → a box for each token and line."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

from glmocr_utils.grounding.ink import UNITS_A_CELL, find_ink, find_lean, line_step, straighten
from glmocr_utils.grounding.placing import em_sizes, place_lines, place_units
from glmocr_utils.grounding.units import Unit, lines_of, units_of
from glmocr_utils.records import Box, PageLayout, PageRef, TokenPlace, around

UNCLEAR = 0.5  # a place less certain than this is no place
NEIGHBOURS = 2  # on each side, that a token shares its certainty with
# from the middle of a line to its edges: an ascender and a descender reach so far, in ems
ABOVE, BELOW = 0.5, 0.45
SMALLEST_STEP = 1.15  # from line to line, in ems; print is hardly ever set closer


def lay_out(
    page: PageRef, image: Image.Image, token_texts: Sequence[str], attention: np.ndarray
) -> PageLayout:
    """Where the tokens and lines of a page stand.

    Args:
        image: the page, upright.
        token_texts: what each token adds to the text, as in `token_text.token_texts`.
        attention: (num_tokens, rows, columns), of `attention.attend`.
    """
    num_lines = "".join(token_texts).count("\n") + 1
    tokens: list[TokenPlace | None] = [None] * len(token_texts)
    boxes: list[Box | None] = [None] * num_lines
    lines = lines_of(units_of(token_texts))
    if lines:
        for line, places in zip(lines, _place(image, lines, attention), strict=True):
            for unit, place in zip(line, places, strict=True):
                if place.certainty >= UNCLEAR:
                    tokens[unit.start : unit.stop] = [place] * (unit.stop - unit.start)
            if np.mean([place.certainty for place in places]) >= UNCLEAR:
                shown = zip(line, places, strict=True)
                boxes[line[0].line_index] = around(p.box for unit, p in shown if unit.is_seen)
    return PageLayout(page, image.width, image.height, tuple(tokens), tuple(boxes))


def _place(
    image: Image.Image, lines: Sequence[Sequence[Unit]], attention: np.ndarray
) -> list[list[TokenPlace]]:
    """A place for each unit of each line."""
    _, rows, columns = attention.shape
    looks = np.stack(
        [attention[unit.start : unit.stop].sum(axis=0) for line in lines for unit in line]
    )
    looks /= looks.sum(axis=(1, 2), keepdims=True) + 1e-9
    ink = find_ink(image, rows, columns)
    lean = find_lean(ink)
    ink = straighten(ink, lean)
    ems = em_sizes(looks, lines)
    heights = np.minimum(ems, line_step(ink) / SMALLEST_STEP)
    middles = place_lines(looks, lines, ink, lean, heights)
    scale = np.array([image.width / ink.shape[1], image.height / ink.shape[0]] * 2)
    limits = np.array([image.width, image.height] * 2)
    placed = []
    number = 0
    for line, middle, em, height in zip(lines, middles, ems, heights, strict=True):
        own = looks[number : number + len(line)]
        number += len(line)
        x = place_units(own, line, ink, lean, middle, em, height)
        y = middle + lean * (x - ink.shape[1] / 2)
        left, right = _edges(line, x, em)
        edges = np.stack([left, y - ABOVE * height, right, y + BELOW * height], axis=1)
        certainty = _mean_of_neighbours(_looked_at(own, edges)).clip(0, 1)
        placed.append(
            [
                TokenPlace(Box(*map(float, box)), float(sure), unit.line_index)
                for unit, box, sure in zip(
                    line, (edges * scale).clip(0, limits), certainty, strict=True
                )
            ]
        )
    return placed


def _edges(line: Sequence[Unit], middles: np.ndarray, em: float) -> tuple[np.ndarray, np.ndarray]:
    """Left and right of each unit; neighbours that nearly touch share an edge."""
    half = np.array([max(unit.width, 0.2) for unit in line]) * em / 2
    left, right = middles - half, middles + half
    for before, after in pairwise(range(len(line))):
        if abs(left[after] - right[before]) < em / 2:
            left[after] = right[before] = (left[after] + right[before]) / 2
    return np.minimum(left, right), np.maximum(left, right)


def _looked_at(looks: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of each unit's attention that goes to its box and half a cell around it."""
    rows, columns = looks.shape[1:]
    left, top, right, bottom = edges.T[:, :, None] / UNITS_A_CELL
    x, y = np.arange(columns) + 0.5, np.arange(rows) + 0.5
    across = (x > left - 1) & (x < right + 1)
    down = (y > top - 1) & (y < bottom + 1)
    return np.einsum("urc,ur,uc->u", looks, down, across)


def _mean_of_neighbours(values: np.ndarray) -> np.ndarray:
    """Each value's mean with its neighbours', as far as there are any."""
    around = np.arange(len(values))[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    there = (around >= 0) & (around < len(values))
    return (values[around.clip(0, len(values) - 1)] * there).sum(axis=1) / there.sum(axis=1)
