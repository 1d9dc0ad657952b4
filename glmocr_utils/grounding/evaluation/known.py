"""Pages whose characters have known boxes, and how well a layout meets them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from PIL import Image
from rapidfuzz.distance import Levenshtein

from glmocr_utils.records import PageLayout

CELL_PX = 28  # the side of an image token, on the image that the model is given
SHORTEST_MATCH = 4  # fewer characters in a row are alike by chance where a line was read wrongly
NEAR_PX = 60  # a line is one to be mistaken for where it has characters this near, across


@dataclass(frozen=True, slots=True, eq=False)
class KnownPage:
    """A page image and where its characters are.

    Attributes:
        name: for people.
        image: RGB, upright.
        text: printed lines as lines.
        boxes: (num_characters, 4): left, top, right, bottom in pixels for each character of `text`.
            That of a line end does not count.
    """

    name: str
    image: Image.Image
    text: str
    boxes: np.ndarray

    def __post_init__(self) -> None:
        if self.boxes.shape != (len(self.text), 4):
            raise ValueError(
                f"{self.name}: {len(self.text)} characters need as many boxes of four numbers, "
                f"got {self.boxes.shape}"
            )


@dataclass(frozen=True, slots=True)
class BoxScore:
    """How many tokens were placed well, of those that are seen and whose true box is known.

    Attributes:
        tokens: all of them.
        right_line: nearer to their own line than to any other.
        near: within one image token (28 px) of their true middle, across and down.
        unclear: reported as unclear; they count as neither.
    """

    tokens: int = 0
    right_line: int = 0
    near: int = 0
    unclear: int = 0

    def __add__(self, other: "BoxScore") -> "BoxScore":
        return BoxScore(
            *(getattr(self, field.name) + getattr(other, field.name) for field in fields(self))
        )


def reflowed(text: str) -> str:
    """Each paragraph on one line, as GLM-OCR writes it; blank lines stay."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


@dataclass(frozen=True, slots=True, eq=False)
class TrueBoxes:
    """The true boxes of tokens.

    Attributes:
        boxes: (num_tokens, 4) in pixels; NaN where nothing is known: of white space, of the first
            bytes of a character, and of what was read wrongly.
        lines: (num_tokens,) the line of the reference; -1 where nothing is known.
    """

    boxes: np.ndarray
    lines: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """The tokens whose box is known."""
        return np.nonzero(self.lines >= 0)[0]


def true_boxes(token_texts: Sequence[str], page: KnownPage) -> TrueBoxes:
    """Align the reading with the page's text, with the fewest edits, and look up its boxes.

    Characters of a page that was read in part wrongly count from four in a row that are right.
    """
    text = "".join(token_texts)
    match = np.full(len(text), -1)
    shortest = min(SHORTEST_MATCH, len(page.text))
    for block in Levenshtein.opcodes(text, page.text):
        if block.tag == "equal" and block.src_end - block.src_start >= shortest:
            own = np.arange(block.src_start, block.src_end)
            match[own] = own + block.dest_start - block.src_start
    line_of = _lines_of_characters(page.text)
    boxes = np.full((len(token_texts), 4), np.nan)
    lines = np.full(len(token_texts), -1)
    position = 0
    for number, token in enumerate(token_texts):
        own = np.arange(position, position + len(token))
        position += len(token)
        seen = match[[index for index in own if not text[index].isspace()]]
        if not len(seen) or (seen < 0).any():
            continue
        of_token = page.boxes[seen]
        boxes[number] = *of_token[:, :2].min(axis=0), *of_token[:, 2:].max(axis=0)
        lines[number] = line_of[seen[0]]
    return TrueBoxes(boxes, lines)


def score_layout(layout: PageLayout, truth: TrueBoxes, page: KnownPage) -> BoxScore:
    """How well a layout locates its tokens."""
    centres = [(np.nan, np.nan) if token is None else token.box.centre for token in layout.tokens]
    return score_centres(np.array(centres).reshape(-1, 2), truth, page)


def score_centres(centres: np.ndarray, truth: TrueBoxes, page: KnownPage) -> BoxScore:
    """The same for the middles of tokens, (num_tokens, 2): x, y in pixels; NaN where unclear."""
    known = truth.known
    is_clear = ~np.isnan(centres[known]).any(axis=1)
    judged = known[is_clear]
    found, true = centres[judged], truth.boxes[judged]
    off = np.abs(found - (true[:, :2] + true[:, 2:]) / 2)
    line_of = _lines_of_characters(page.text)
    is_seen = np.array([not character.isspace() for character in page.text], bool)
    characters = (page.boxes[is_seen, :2] + page.boxes[is_seen, 2:]) / 2
    line_of = line_of[is_seen]
    right = 0
    for point, own in zip(found, truth.lines[judged], strict=True):
        away = np.abs(characters - point)
        rivals = (away[:, 0] < NEAR_PX) | (line_of == own)
        # the nearest down the page, and of its characters the nearest across
        nearest = np.where(rivals, away[:, 1] + away[:, 0] * 1e-3, np.inf).argmin()
        right += line_of[nearest] == own
    near = int((off <= CELL_PX).all(axis=1).sum())
    return BoxScore(len(known), int(right), near, len(known) - len(judged))


def _lines_of_characters(text: str) -> np.ndarray:
    """The line of each character, (num_characters,); a line end belongs to the one it ends."""
    ends = np.array([character == "\n" for character in text], int)
    return ends.cumsum() - ends
