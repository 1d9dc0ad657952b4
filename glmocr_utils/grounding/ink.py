"""The ink of a page image: where text can be, and how far its lines are skewed."""

import numpy as np
from PIL import Image

UNITS_A_CELL = 14  # resolution at which a page is looked at, per image token: half of the model's
MAX_SKEW = np.tan(np.deg2rad(4))
SKEW_STEPS = 33
SHORTEST_STEP = 5  # from line to line: 10 pixels
INKED = 0.3  # more is ink, less is paper
MIN_CONTRAST = 24  # grey levels; weaker marks are paper, noise or the other side's print


def find_ink(image: Image.Image, rows: int, columns: int) -> np.ndarray:
    """How dark each spot is against the paper around it.

    Args:
        rows, columns: of the page's image tokens.

    Returns:
        (rows * 14, columns * 14), float32, 0 (paper) to 1 (the page's darkest print).
    """
    size = (columns * UNITS_A_CELL, rows * UNITS_A_CELL)
    grey = np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), np.float32)
    cells = grey.reshape(rows, UNITS_A_CELL, columns, UNITS_A_CELL).transpose(0, 2, 1, 3)
    paper = np.percentile(cells.reshape(rows, columns, -1), 90, axis=-1).astype(np.float32)
    smooth = Image.fromarray(paper).resize(size, Image.Resampling.BILINEAR)
    darkness = (np.asarray(smooth) - grey).clip(0)
    print_ = max(float(np.percentile(darkness, 98)), MIN_CONTRAST)
    return ((darkness / print_ - 0.25) / 0.75).clip(0, 1)


def find_skew(ink: np.ndarray) -> float:
    """How far lines of text fall to the right: units down per unit across; 0 without any ink.

    The skew at which the rows of the page differ most from each other (projection profile: Postl,
    1986).
    """
    y, x = np.nonzero(ink > 0.3)
    if not len(y):
        return 0.0
    weights = ink[y, x]
    height, width = ink.shape

    def sharpness(skew: float) -> float:
        rows = np.rint(y - skew * (x - width / 2)).astype(int) + width
        profile = np.bincount(rows, weights, minlength=height + 2 * width)
        return float(np.square(np.diff(profile)).sum())

    coarse = np.linspace(-MAX_SKEW, MAX_SKEW, SKEW_STEPS)
    best = max(coarse, key=lambda skew: (sharpness(skew), -abs(skew)))
    step = coarse[1] - coarse[0]
    fine = np.linspace(best - step, best + step, 9)
    return float(max(fine, key=lambda skew: (sharpness(skew), -abs(skew - best))))


def deskew(ink: np.ndarray, skew: float) -> np.ndarray:
    """The ink with each column moved up or down, so that lines of text are level."""
    height, width = ink.shape
    x = np.arange(width)
    shift = np.rint(skew * (x - width / 2)).astype(int)
    y = np.arange(height)[:, None] + shift
    return np.where((y >= 0) & (y < height), ink[y.clip(0, height - 1), x], 0)


def line_step(ink: np.ndarray) -> float:
    """The distance of most lines from the next, in units; infinite where the page has no rhythm.

    Args:
        ink: deskewed.
    """
    profile = ink.sum(axis=1)
    longest = len(profile) // 3
    if longest <= SHORTEST_STEP or not profile.any():
        return np.inf
    profile = profile - profile.mean()
    spectrum = np.fft.rfft(profile, 2 * len(profile))
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)[:longest]
    middle = likeness[1:-1]
    is_peak = (middle > likeness[:-2]) & (middle >= likeness[2:]) & (middle > 0.25 * likeness[0])
    steps = np.nonzero(is_peak)[0] + 1
    steps = steps[steps >= SHORTEST_STEP]
    return float(steps[0]) if len(steps) else np.inf
