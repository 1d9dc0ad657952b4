"""Pictures, charts, emblems and seals, drawn as ink: mode L, 0 where the paper shows, 255 black.

Each takes a size in pixels and a generator: the same seed draws the same picture.
"""

import math
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from glmocr_utils.synth.page import load_font

Size = tuple[int, int]
BLOTCHES = 7  # a photograph is so many light and dark places across


def draw_picture(size: Size, rng: random.Random) -> Image.Image:
    """A photograph or a drawing of lines and shapes."""
    return rng.choice((_photograph, _photograph, _line_drawing, _diagram))(size, rng)


def _photograph(size: Size, rng: random.Random) -> Image.Image:
    noise = np.random.default_rng(rng.getrandbits(32))
    coarse = noise.integers(20, 256, (BLOTCHES, BLOTCHES), np.uint8)
    photo = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    grain = Image.fromarray(noise.integers(0, 60, (64, 64), np.uint8)).resize(size)
    photo = Image.blend(photo, grain, 0.25)
    draw = ImageDraw.Draw(photo)
    for _ in range(rng.randint(0, 4)):
        draw.ellipse(_box_in(size, rng), fill=rng.randint(40, 240))
    return photo.point(lambda value: max(value, 24))  # no paper inside


def _line_drawing(size: Size, rng: random.Random) -> Image.Image:
    image, draw = _framed(size, rng)
    for _ in range(rng.randint(4, 14)):
        box = _box_in(size, rng)
        line = rng.randint(1, 2)
        shape = rng.choice(("ellipse", "rectangle", "line", "polygon"))
        fill = rng.choice((None, None, rng.randint(30, 200)))
        if shape == "line":
            draw.line(box, fill=rng.randint(150, 255), width=line)
        elif shape == "polygon":
            corners = [(rng.randrange(size[0]), rng.randrange(size[1])) for _ in range(3)]
            draw.polygon(corners, outline=230, fill=fill)
        else:
            getattr(draw, shape)(box, outline=230, fill=fill, width=line)
    return image


def _diagram(size: Size, rng: random.Random) -> Image.Image:
    """Boxes in a grid with arrows between them."""
    image, draw = _framed(size, rng)
    width, height = size
    across, down = rng.randint(2, 4), rng.randint(1, 3)
    cell = (width / across, height / down)
    for row in range(down):
        for column in range(across):
            left, top = (column + 0.15) * cell[0], (row + 0.25) * cell[1]
            box = (left, top, left + 0.6 * cell[0], top + 0.5 * cell[1])
            draw.rectangle(box, outline=235, fill=rng.choice((0, 0, 60)))
            middle = top + 0.25 * cell[1]
            draw.line((left + 0.1 * cell[0], middle, left + 0.5 * cell[0], middle), fill=200)
            if column + 1 < across:
                draw.line((box[2], middle, left + cell[0], middle), fill=235)
    return image


def draw_chart(size: Size, rng: random.Random, font: Path) -> Image.Image:
    """A diagram of figures: bars, lines, points or a pie, with axes and labels."""
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    width, height = size
    letters = load_font(font, max(7, min(size) // 14))
    if rng.random() < 0.15:
        return _pie(image, draw, rng)
    em = letters.size
    left, bottom, top = 3 * em, height - 2 * em, em
    draw.line((left, top, left, bottom), fill=255)
    draw.line((left, bottom, width - 2, bottom), fill=255)
    for tick in range(5):
        y = bottom - tick * (bottom - top) / 4
        draw.text((left - 4, y), str(tick * 25), font=letters, fill=255, anchor="rm")
        if rng.random() < 0.5:
            draw.line((left, y, width - 2, y), fill=90)
    count = rng.randint(3, 9)
    step = (width - left - 6) / count
    bars = rng.random() < 0.5
    tone = rng.randint(90, 255)
    for _ in range(1 if bars else rng.randint(1, 3)):
        tops = [rng.uniform(top, bottom - 4) for _ in range(count)]
        if bars:
            for number, y in enumerate(tops):
                x = left + 4 + number * step
                draw.rectangle((x, y, x + 0.6 * step, bottom), fill=tone, outline=255)
        else:
            points = [(left + (n + 0.5) * step, y) for n, y in enumerate(tops)]
            draw.line(points, fill=rng.randint(140, 255), width=rng.randint(1, 3))
            for x, y in points:
                draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=255)
    for number in range(count):
        x = left + (number + 0.5) * step
        draw.text((x, bottom + 3), chr(65 + number), font=letters, fill=255, anchor="mt")
    return image


def _pie(image: Image.Image, draw: ImageDraw.ImageDraw, rng: random.Random) -> Image.Image:
    width, height = image.size
    radius = min(width, height) / 2 - 3
    box = (width / 2 - radius, height / 2 - radius, width / 2 + radius, height / 2 + radius)
    start = rng.uniform(0, 360)
    for _ in range(rng.randint(3, 6)):
        end = start + rng.uniform(30, 90)
        draw.pieslice(box, start, end, fill=rng.randint(30, 240), outline=255)
        start = end
    draw.ellipse(box, outline=255)
    return image


def draw_emblem(size: Size, rng: random.Random) -> Image.Image:
    """A small mark as it is printed in a letterhead."""
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    box = (0, 0, size[0] - 1, size[1] - 1)
    tone = rng.randint(150, 255)
    shape = rng.choice((draw.ellipse, draw.rectangle))
    shape(box, fill=tone)
    inner = [
        side * share for side, share in zip((*size, *size), (0.25, 0.3, 0.7, 0.75), strict=True)
    ]
    rng.choice((draw.ellipse, draw.rectangle))(inner, fill=0)
    return image


def draw_seal(size: Size, rng: random.Random, font: Path) -> Image.Image:
    """A round stamp with letters along its edge."""
    side = min(size)
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    tone = rng.randint(130, 255)
    line = max(1, side // 40)
    draw.ellipse((0, 0, side - 1, side - 1), outline=tone, width=line)
    inset = side * 0.24
    draw.ellipse((inset, inset, side - inset, side - inset), outline=tone, width=line)
    letters = load_font(font, max(6, side // 7))
    for number in range(16):
        angle = 2 * math.pi * number / 16
        where = (side / 2 * (1 + 0.75 * math.cos(angle)), side / 2 * (1 + 0.75 * math.sin(angle)))
        draw.text(where, rng.choice("AEGIKLNORSTUV"), font=letters, fill=tone, anchor="mm")
    draw.regular_polygon((side / 2, side / 2, side * 0.14), rng.randint(3, 6), fill=tone)
    return image


def _framed(size: Size, rng: random.Random) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", size)
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.7:
        draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline=220)
    return image, draw


def _box_in(size: Size, rng: random.Random) -> tuple[int, int, int, int]:
    xs = sorted(rng.sample(range(size[0]), 2))
    ys = sorted(rng.sample(range(size[1]), 2))
    return xs[0], ys[0], xs[1], ys[1]
