"""A PDF's own text beside its page image: ink that the text layer has no characters for."""

import numpy as np
from PIL import Image

from glmocr_utils.coverage.text_on_page import text_on_page
from glmocr_utils.coverage.unread import find_unread
from glmocr_utils.records import Box, PageLayout, PageRef, TokenBox, UnreadInk
from glmocr_utils.text_layer.characters import PageText


def unread_by_layer(page: PageRef, image: Image.Image, layer: PageText) -> list[UnreadInk]:
    """Ink that looks like text and that the layer does not have, as where type became outlines.

    Its `token_stop` counts characters of the layer's lines.

    Args:
        image: the page as a viewer shows it.
        layer: its text, upright in the image.
    """
    left, top, right, bottom = layer.frame
    scale = np.array([image.width / (right - left), image.height / (bottom - top)] * 2)
    origin = np.array([left, top] * 2)
    limits = np.array(image.size * 2)
    tokens: list[TokenBox | None] = []
    texts: list[str] = []
    for number, line in enumerate(layer.lines):
        boxes = ((np.array(line.boxes).reshape(-1, 4) - origin) * scale).clip(0, limits)
        for character, (x1, y1, x2, y2) in zip(line.text, boxes.tolist(), strict=True):
            box = Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            tokens.append(TokenBox(box, 1.0, number))
            texts.append(character)
    lines = tuple(None for _ in layer.lines)
    layout = PageLayout(page, *image.size, tuple(tokens), lines)
    return list(find_unread(text_on_page(image, layout, texts), ()))
