"""Page image → is there ink on it, and do its lines run the right way? Asked before the model is.

Both look at the page's contrast: how far each pixel is from the paper around it. The paper is what
remains of the page when everything small is taken away, so that uneven light isn't ink.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageChops
from scipy import ndimage

from glmocr_utils.records import Box

LONG_SIDE_PX = 1200  # larger pages are reduced to it: A4 at about 100 DPI
TILE_PX = 24  # the paper's level is measured in squares of this side
TILE_SAMPLES = 10  # by so many rows and columns of pixels in each

# Ink, where contrast is in grey levels (0 to 255)
MIN_CONTRASTS = (10.0, 8.0, 7.0)  # no fainter ink is seen; at full, half and quarter resolution
MIN_OVER_NOISE = 6.0  # standard deviations of the noise by which ink must differ from paper
MAX_NOISE = 16.0  # softened; no paper is that rough, so it is a picture
CALM_TILES = 20  # percentile: so many tiles of a page bear no ink
TAIL = 2.33  # standard deviations that 1 % of a normal distribution lies beyond
SPECK_PX = 6  # what is shorter is dust, at every resolution
HALO = 0.3  # of a mark's peak; what is fainter beside it is blur or JPEG's ringing
EDGE = 0.015  # of the long side: nothing counts that near to the page's edge
NARROW_EDGE = 0.005  # the same where every mark matters
SCANNER_EDGE = 0.04  # of the long side: nor so near, where it reaches the edge

# Words
STRONG_INK = 0.4  # of the darkest percent's contrast: what is fainter isn't a stroke of a letter
MIN_LETTER_PX = 3
ENOUGH_LETTERS = 100  # to take their size from
LETTER_CELLS = 5  # a letter's size once words are looked for, in cells of whole pixels
LETTER_GAPS = (0.15, 0.3, 0.4)  # of a letter's size: letters that near are one word
WORD_LENGTH = 3.0  # at least, in letter sizes
WORD_SHAPE = 2.5  # at least so many times as long as high
WORD_HEIGHTS = (0.5, 4.0)  # in letter sizes
MIN_WORDS = 8
MIN_SPREAD = 4.0  # word heights that the words' lines lie apart: three lines or more
MIN_MAJORITY = 4  # words on their side for each upright one
MIN_TEXTURE = 0.12  # ink along a word varies by that share of its mean; along a bar it does not
MAX_TEXTURE_WORDS = 100  # so many are measured for it

EIGHT_NEIGHBOURS = np.ones((3, 3), bool)


def is_blank(image: Image.Image) -> bool:
    """True if there is no ink on the page, so that the model need not be asked.

    It errs towards ink: a page that it calls blank has no mark of `SPECK_PX` or more that differs
    from the paper by six times the noise, lighter or darker, at any of three resolutions. Noise,
    uneven light, JPEG's blocks, dust and a scanner's thin dark edges are not ink.

    Args:
        image: RGB, of any size; pages over `LONG_SIDE_PX` are reduced first.
    """
    resolutions = [_contrast(image)]
    while len(resolutions) < len(MIN_CONTRASTS) and min(resolutions[-1].shape) >= 2 * TILE_PX:
        resolutions.append(_soften(_halve(resolutions[-1])))
    # the coarsest first: most pages show their ink there, and it costs least
    for level in reversed(range(len(resolutions))):
        contrast = resolutions[level]
        noise = _noise(contrast, TILE_PX >> level)
        if noise > MAX_NOISE:
            return False
        if _has_marks(contrast, max(MIN_OVER_NOISE * noise, MIN_CONTRASTS[level])):
            return False
    return True


def find_marks(image: Image.Image, but_in: Sequence[Box] = ()) -> np.ndarray:
    """Where the page's ink is: the marks for which `is_blank` would call it a page with ink.

    Args:
        image: RGB, of any size; pages over `LONG_SIDE_PX` are reduced first.
        but_in: boxes in pixels of `image` in which nothing is looked for and no paper is measured.
            The paper beside a photograph is brighter than it, and would be ink otherwise.

    Returns:
        (height, width) of the reduced page, int32: 0 for paper, and a number for each mark. Specks
        count, as a full stop is one; what lies on the page's very edge is paper.
    """
    contrast = _contrast(image, but_in)
    found = np.zeros(contrast.shape, np.int32)
    for level, least in enumerate(MIN_CONTRASTS):
        noise = _noise(contrast, TILE_PX >> level)
        labels = _marks(contrast, max(MIN_OVER_NOISE * noise, least))
        _add_marks(found, labels, 1 << level)
        if min(contrast.shape) < 2 * TILE_PX:
            break
        contrast = _soften(_halve(contrast))
    return found


def _add_marks(found: np.ndarray, labels: np.ndarray, factor: int) -> None:
    """Add to `found` the marks of a page reduced by `factor`, where it has none yet."""
    number = int(labels.max(initial=0))
    boxes = np.zeros((number + 1, 4), np.int32)
    for label, slices in enumerate(ndimage.find_objects(labels), start=1):
        if slices:
            rows, columns = slices
            boxes[label] = rows.start, rows.stop, columns.start, columns.stop
    is_mark = np.maximum(*_sizes(boxes)) >= (SPECK_PX if factor > 1 else 1)
    counts = np.bincount(
        _within(labels, NARROW_EDGE * max(labels.shape)).ravel(), minlength=number + 1
    )
    is_mark &= counts > 0
    is_mark[0] = False
    large = labels.repeat(factor, axis=0).repeat(factor, axis=1)
    part = found[: large.shape[0], : large.shape[1]]
    large = large[: part.shape[0], : part.shape[1]]
    is_mark[large[part > 0]] = False  # seen before, more exactly
    is_new = is_mark[large]
    part[is_new] = large[is_new] + found.max()


def runs_sideways(image: Image.Image) -> bool:
    """True if the lines of text run up or down the page: its content lies on its side.

    Letters of a word are closer together than lines. So ink is let grow until letters join,
    and the long shapes that come of it are counted by the way they lie, as run-length smoothing
    (Wong, Casey and Wahl, 1982) finds words. Few words, pictures and rules stay undecided: False.
    Text set in vertical columns, as in Japanese, looks like text on its side: True.

    Args:
        image: RGB, of any size; pages over `LONG_SIDE_PX` are reduced first.
    """
    contrast = _contrast(image)
    light, dark = np.percentile(contrast[::3, ::3], [1, 99])
    if -light > dark:  # light ink on dark paper
        contrast, dark = -contrast, -light
    noise = _noise(contrast, TILE_PX)
    ink = contrast > max(STRONG_INK * dark, MIN_OVER_NOISE * noise, MIN_CONTRASTS[0])
    letters = _letters(ink)
    if len(letters) < MIN_WORDS // 2:  # there may be a whole line of touching letters in each
        return False
    letter_px = float(np.median(letters))
    cell_px = max(1, int(letter_px / LETTER_CELLS))
    cells = _any_of(ink, cell_px)
    letter = letter_px / cell_px
    upright, sideways, found = 0, 0, False
    # cells have closed gaps of almost a cell already
    gaps = {max(0, int(share * letter - 1 + 1 / cell_px)) for share in LETTER_GAPS}
    for gap in sorted(gaps, reverse=True):
        words = _words(cells, gap, letter)
        lying = words[_sizes(words)[0] > _sizes(words)[1]]
        upright = max(upright, len(words) - len(lying))
        sideways = max(sideways, len(lying))
        if upright >= max(MIN_WORDS, sideways):
            return False
        found = found or (_are_lines(lying) and _have_letters(ink, lying * cell_px))
    return found and sideways >= MIN_MAJORITY * upright


def _contrast(image: Image.Image, but_in: Sequence[Box] = ()) -> np.ndarray:
    """How much darker each pixel is than its paper, (height, width), float32, in grey levels.

    Args:
        but_in: boxes of `image` whose contrast is 0.
    """
    page = _soften(_grey(image))
    ignored = np.zeros(page.shape, bool)
    across, down = page.shape[1] / image.width, page.shape[0] / image.height
    for x1, y1, x2, y2 in but_in:
        rows = slice(max(0, int(y1 * down)), int(np.ceil(y2 * down)))
        ignored[rows, max(0, int(x1 * across)) : int(np.ceil(x2 * across))] = True
    return np.where(ignored, np.float32(0), _paper(page, ignored) - page)


def _grey(image: Image.Image) -> np.ndarray:
    """The reduced page, (height, width), float32: grey, and darker where there is colour.

    Yellow on white, or orange on grey, is hardly there in grey alone; the darkest of the three
    channels shows it.
    """
    image = image.convert("RGB")
    if (factor := max(image.size) // LONG_SIDE_PX) > 1:
        image = image.reduce(factor)
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    grey = Image.blend(image.convert("L"), darkest, 0.5)
    if (share := LONG_SIDE_PX / max(grey.size)) < 1:
        size = (max(1, round(grey.width * share)), max(1, round(grey.height * share)))
        grey = grey.resize(size, Image.Resampling.BOX)
    return np.asarray(grey, np.float32)


def _paper(page: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """The level of the paper at each pixel: the median of tiles, and of 5 × 5 tiles.

    Args:
        ignored: (height, width), True where no paper is measured; it is as in the nearest tile.
    """
    height, width = page.shape
    down, across = max(1, round(height / TILE_PX)), max(1, round(width / TILE_PX))
    rows, columns = _spaced(height, down * TILE_SAMPLES), _spaced(width, across * TILE_SAMPLES)
    tiles = np.median(_in_tiles(page[np.ix_(rows, columns)]), axis=2)
    is_paper = _in_tiles(~ignored[np.ix_(rows, columns)]).mean(axis=2) == 1
    if is_paper.any() and not is_paper.all():
        nearest = ndimage.distance_transform_edt(
            ~is_paper, return_distances=False, return_indices=True
        )
        tiles = tiles[tuple(nearest)]
    tiles = _extended(_extended(tiles.astype(np.float32)).T).T
    smooth = np.ascontiguousarray(ndimage.median_filter(tiles, 5)[2:-2, 2:-2])
    box = (1, 1, across + 1, down + 1)  # one tile of what was extended stays on each side
    paper = Image.fromarray(smooth).resize((width, height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(paper)


def _in_tiles(samples: np.ndarray) -> np.ndarray:
    """(down, across, samples of the tile)."""
    down, across = (length // TILE_SAMPLES for length in samples.shape)
    cells = samples.reshape(down, TILE_SAMPLES, across, TILE_SAMPLES)
    return cells.swapaxes(1, 2).reshape(down, across, -1)


def _spaced(length: int, number: int) -> np.ndarray:
    """`number` indices, evenly over `length`."""
    return ((np.arange(number) + 0.5) * length / number).astype(int)


def _extended(tiles: np.ndarray) -> np.ndarray:
    """Three more rows above and below, in which a gradient of light continues.

    It is taken from the rows behind the outermost, which may be a scanner's black edge.
    """
    if len(tiles) < 4:
        return np.pad(tiles, ((3, 3), (0, 0)), "edge")
    steps = np.arange(2, 5, dtype=np.float32)[:, None]
    above = tiles[1] - steps[::-1] * (tiles[3] - tiles[1]) / 2
    below = tiles[-2] - steps * (tiles[-4] - tiles[-2]) / 2
    return np.concatenate([above, tiles, below])


def _soften(values: np.ndarray) -> np.ndarray:
    """A 3 × 3 binomial blur: it leaves half of a one-pixel stroke and a third of the noise."""
    padded = np.pad(values, 1, "edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 16


def _halve(values: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 pixels; an odd last row or column is left out."""
    height, width = (length // 2 * 2 for length in values.shape)
    rows = values[:height:2, :width] + values[1:height:2, :width]
    return (rows[:, ::2] + rows[:, 1::2]) / 4


def _noise(contrast: np.ndarray, tile_px: int) -> float:
    """The paper's noise, a standard deviation in grey levels, whatever is on the page.

    The smaller of two measures: that of the calm tiles, which a page full of print lacks, and that
    of the side on which the ink is not, for noise is as often lighter as it is darker.
    """
    height, width = (length // tile_px * tile_px for length in contrast.shape)
    if not height or not width:
        return 0.0
    shape = (height // tile_px, tile_px, width // tile_px, tile_px)
    power = np.square(contrast[:height, :width]).reshape(shape).mean(axis=(1, 3))
    low, middle, high = np.percentile(contrast[::3, ::3], [1, 50, 99])
    one_side = min(middle - low, high - middle) / TAIL
    return float(min(np.sqrt(np.percentile(power, CALM_TILES)), one_side))


def _has_marks(contrast: np.ndarray, threshold: float) -> bool:
    """Is anything over `threshold` longer than a speck and no scanner's edge?"""
    labels = _marks(contrast, threshold)
    heights, widths = _sizes(_boxes_of(_within(labels, EDGE * max(contrast.shape))))
    return bool((np.maximum(heights, widths) >= SPECK_PX).any())


def _marks(contrast: np.ndarray, threshold: float) -> np.ndarray:
    """What is over `threshold`, without halos and a scanner's edges: (height, width), 0 is paper.

    Each mark has a number of its own.
    """
    strength = np.abs(contrast)
    strong = strength > threshold
    labels, number = ndimage.label(strong, EIGHT_NEIGHBOURS)
    if not number:
        return labels
    peaks = np.zeros(number + 1, np.float32)
    np.maximum.at(peaks, labels[strong], strength[strong])
    labels, number = ndimage.label(strong & (strength > HALO * peaks[labels]), EIGHT_NEIGHBOURS)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    margin = SCANNER_EDGE * max(contrast.shape)
    inside = np.bincount(_within(labels, margin).ravel(), minlength=number + 1)
    is_edge = np.zeros(number + 1, bool)
    is_edge[rim] = inside[rim] == 0
    labels[is_edge[labels]] = 0
    return labels


def _within(values: np.ndarray, border_px: float) -> np.ndarray:
    """Without a border on all four sides, of 3 px at least; of a strip, its middle half stays."""
    height, width = values.shape
    top, left = (min(max(3, round(border_px)), side // 4) for side in values.shape)
    return values[top : height - top, left : width - left]


def _boxes(mask: np.ndarray) -> np.ndarray:
    """(num_shapes, 4): top, bottom, left, right of what hangs together; ends are exclusive."""
    return _boxes_of(ndimage.label(mask, EIGHT_NEIGHBOURS)[0])


def _boxes_of(labels: np.ndarray) -> np.ndarray:
    found = filter(None, ndimage.find_objects(labels)) if labels.size else ()
    boxes = [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in found]
    return np.array(boxes, np.int32).reshape(-1, 4)


def _sizes(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths."""
    return boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]


def _letters(ink: np.ndarray) -> np.ndarray:
    """The shorter sides, in pixels, of letters in the page's middle, or of all if they are few."""
    height, width = ink.shape
    letters = np.empty(0)
    for part in (ink[height // 4 : -height // 4, width // 4 : -width // 4], ink):
        letters = np.minimum(*_sizes(_boxes(part)))
        letters = letters[letters >= MIN_LETTER_PX]
        if len(letters) >= ENOUGH_LETTERS:
            break
    return letters


def _any_of(mask: np.ndarray, cell_px: int) -> np.ndarray:
    """Squares of `cell_px`: True where any of their pixels is."""
    height, width = (length // cell_px * cell_px for length in mask.shape)
    shape = (height // cell_px, cell_px, width // cell_px, cell_px)
    return np.asarray(mask[:height, :width].reshape(shape).any(axis=(1, 3)))


def _words(cells: np.ndarray, gap: int, letter: float) -> np.ndarray:
    """Boxes of what looks like a word, or a line, once gaps of up to `gap` cells are closed."""
    grown = cells.copy()
    for _ in range(gap):  # one cell down and to the right each time
        grown[1:] |= grown[:-1].copy()
        grown[:, 1:] |= grown[:, :-1].copy()
    boxes = _boxes(grown)
    boxes[:, [1, 3]] -= gap
    long, short = np.maximum(*_sizes(boxes)), np.minimum(*_sizes(boxes))
    lowest, highest = (share * letter for share in WORD_HEIGHTS)
    is_long = (long >= WORD_SHAPE * short) & (long >= WORD_LENGTH * letter)
    return boxes[is_long & (short >= lowest) & (short <= highest)]


def _are_lines(lying: np.ndarray) -> bool:
    """Are there words enough, and on lines enough? Their lines lie side by side, left to right."""
    if len(lying) < MIN_WORDS:
        return False
    first, last = np.percentile(lying[:, 2:].mean(axis=1), [5, 95])
    return bool(last - first >= MIN_SPREAD * np.median(_sizes(lying)[1]))


def _have_letters(ink: np.ndarray, lying: np.ndarray) -> bool:
    """Does the ink along these boxes (in pixels) vary as letters do? Rules and bars are even."""
    varied = []
    for top, bottom, left, right in lying[:: -(-len(lying) // MAX_TEXTURE_WORDS)]:
        end = (bottom - top) // 8  # what a shape's ends look like says nothing
        along = ink[top + end : bottom - end, left:right].sum(axis=1)
        varied.append(along.std() / max(along.mean(), 1e-6))
    return bool(np.median(varied) >= MIN_TEXTURE)
