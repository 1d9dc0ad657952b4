"""Training pages: a stage of the curriculum and a seed → page images with their text."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glmocr_utils.synth import (
    FontFamily,
    PageStyle,
    Scan,
    SynthPage,
    TextForm,
    degrade,
    draw_page,
    draw_table,
    families_found,
    find_font,
    skew_boxes,
)
from workshop.tiny_model.corpus import (
    capitalise,
    close,
    echo,
    leave_open,
    prose_blocks,
    random_blocks,
    slip_blocks,
    table_rows,
)

# A6, upright and lying: (width, height) in pixels at 2 pixels per point
SHEETS = ((595, 842), (842, 595))
LINES_ON_A_SHEET = 18
CELL_PX = 28  # the side of an image token
TABLE_ROWS, TABLE_COLUMNS = 8, 5  # at most
LINES_A_TABLE = 8


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the curriculum.

    Attributes:
        batches: how many batches it lasts.
        lines: printed lines in a batch, about; so a batch holds many snippets or few sheets.
        only_see: train the vision tower alone, to name the character at each position.
        vision_rests: leave vision tower and projector as they are.
        name_characters: ask for these also when the whole model is trained.
        misremembered: share of the characters written before that are wrong, at most.
        form: how the text of a page is written: as printed, or in paragraphs as GLM-OCR does.
        hyphenated: share of pages that divide words at line ends.
        max_lines: of a snippet, which is a few lines with a narrow margin.
        sheets: share of batches that are whole sheets of paper.
        tables: share of batches that are tables, written as HTML for `Table Recognition:`.
        random_text: share of pages with meaningless characters.
        slips: share of pages that are receipts and forms.
        closings: share of pages of prose that end with a few words, as if signed.
        capitals: share of titles and of beginnings of paragraphs that are in capitals alone.
        echoes: share of words that repeat one from a few words before.
        open_ends: share of blocks without a full stop.
        in_step: share of pages whose lines are about as far apart as image tokens. There a line
            may lie across two rows of them for a whole paragraph.
        degraded: share of pages that look scanned; max_strength: how bad at the worst, 0 to 1.
        blank: share of sheets with nothing on them.
        families: names of the font families; None for all that may be trained on.
        font_px: smallest and largest em.
    """

    batches: int
    lines: int
    only_see: bool = False
    vision_rests: bool = False
    name_characters: bool = True
    misremembered: float = 0.0
    form: TextForm = "printed"
    hyphenated: float = 0.0
    max_lines: int = 1
    sheets: float = 0.0
    tables: float = 0.0
    random_text: float = 0.14
    slips: float = 0.0
    closings: float = 0.0
    capitals: float = 0.0
    echoes: float = 0.0
    open_ends: float = 0.0
    in_step: float = 0.0
    degraded: float = 0.0
    max_strength: float = 0.0
    blank: float = 0.0
    families: tuple[str, ...] | None = None
    font_px: tuple[int, int] = (17, 26)


def draw_batch(stage: Stage, seed: tuple[int, ...]) -> list[SynthPage]:
    """The pages of one batch; the same seed draws the same pages.

    All pages of a batch are of a similar size, so that little of it is padding.
    """
    rng = random.Random(repr(seed))
    with_tables = is_of_tables(stage, seed)
    families = [
        family
        for family in families_found(trained=True)
        if stage.families is None or family.name in stage.families
    ]
    if with_tables:
        tables = max(1, stage.lines // LINES_A_TABLE)
        return [draw_any_table(rng, stage, rng.choice(families)) for _ in range(tables)]
    sheet = rng.choice(SHEETS) if rng.random() < stage.sheets else None
    lines = LINES_ON_A_SHEET if sheet else rng.randint(1, stage.max_lines)
    pages = max(1, round(stage.lines / lines))
    return [_page(rng, stage, rng.choice(families), lines, sheet) for _ in range(pages)]


def is_of_tables(stage: Stage, seed: tuple[int, ...]) -> bool:
    """Whether the batch of this seed is one of tables, which have a prompt of their own."""
    return stage.tables > 0 and random.Random(repr((seed, "tables"))).random() < stage.tables


def draw_any_table(rng: random.Random, stage: Stage, family: FontFamily) -> SynthPage:
    """A table of up to 8 x 5 cells, some of them over several rows or columns; ruled or not."""
    font = find_font(family.name, _font_style(rng, family))
    zoom = rng.choice((1, 2))
    style = PageStyle(
        font,
        font,
        font_px=zoom * rng.randint(*stage.font_px),
        line_spacing=rng.uniform(1.15, 1.6),
        margin_px=zoom * rng.randint(4, 40),
        ink=rng.randint(0, 90) if rng.random() < 0.3 else 0,
        paper=rng.randint(215, 255) if rng.random() < 0.3 else 255,
    )
    rows = table_rows(rng, TABLE_ROWS, TABLE_COLUMNS)
    page = _reduced(draw_table(rows, style, ruled=rng.random() < 0.6), zoom)
    if rng.random() < stage.degraded:
        return _scanned(rng, page, rng.uniform(0, stage.max_strength))
    return page


def _reduced(page: SynthPage, zoom: int) -> SynthPage:
    if zoom == 1:
        return page
    return SynthPage(page.image.reduce(zoom), page.text, page.boxes / zoom)


def _page(
    rng: random.Random,
    stage: Stage,
    family: FontFamily,
    lines: int,
    sheet: tuple[int, int] | None,
) -> SynthPage:
    if sheet and rng.random() < stage.blank:
        return draw_blank_page(rng, stage, family, sheet)
    font_px = rng.randint(*stage.font_px)
    line_spacing = rng.uniform(1.15, 1.6)
    if stage.in_step and rng.random() < stage.in_step:
        line_spacing = max(1.1, rng.uniform(CELL_PX - 1, CELL_PX + 1) / font_px)
    meaningless = rng.random() < stage.random_text
    if sheet:
        width, height = (side + rng.randint(-30, 10) for side in sheet)
        margin = rng.randint(24, 72)
        characters = int(width * height / (font_px**2 * line_spacing * 0.5) * rng.uniform(0.3, 1.3))
    else:
        margin = rng.randint(4, 24)
        width = _whole_cells(rng.randint(220, 560))
        height = _whole_cells(2 * margin + (lines + 0.7) * font_px * line_spacing)
        characters = int(lines * width / (0.4 * font_px)) + 10
    # half of the pages are set at twice the size and reduced: letters without hinting, as a PDF
    # renderer draws them
    zoom = rng.choice((1, 2))
    style = PageStyle(
        font=find_font(family.name, _font_style(rng, family)),
        bold_font=find_font(family.name, _available("bold", family)),
        font_px=zoom * font_px,
        line_spacing=line_spacing,
        width_px=zoom * width,
        height_px=zoom * height,
        margin_px=zoom * margin,
        justify=rng.random() < 0.4,
        hyphenate=rng.random() < stage.hyphenated if stage.hyphenated else False,
        indent_px=zoom * rng.choice((0, 0, 0, font_px)) if lines > 1 else 0,
        ink=rng.randint(0, 90) if rng.random() < 0.3 else 0,
        paper=rng.randint(215, 255) if rng.random() < 0.3 else 255,
    )
    slip = stage.slips > 0 and not meaningless and rng.random() < stage.slips
    if meaningless:
        blocks = random_blocks(rng, characters)
    elif slip:
        blocks = slip_blocks(rng, characters // 2)  # a row has much white in it
    else:
        blocks = prose_blocks(rng, characters)
        if stage.closings and rng.random() < stage.closings:
            blocks = close(rng, blocks)
    if stage.capitals:
        blocks = capitalise(rng, blocks, stage.capitals)
    if stage.echoes:
        blocks = echo(rng, blocks, stage.echoes)
    if stage.open_ends:
        blocks = leave_open(rng, blocks, stage.open_ends)
    page = _reduced(draw_page(blocks, style, stage.form), zoom)
    if rng.random() < stage.degraded:
        return _scanned(rng, page, rng.uniform(0, stage.max_strength))
    return page


def _whole_cells(length_px: float) -> int:
    """A whole number of image tokens: a small image would be squeezed or stretched to one."""
    return CELL_PX * -(-int(length_px) // CELL_PX)


def _font_style(rng: random.Random, family: FontFamily) -> str:
    if rng.random() >= 0.3:
        return "regular"
    style = rng.choices(("bold", "italic", "bold_italic"), (5, 4, 1))[0]
    return _available(style, family)


def _available(style: str, family: FontFamily) -> str:
    return style if style in family.files else "regular"


def _scanned(rng: random.Random, page: SynthPage, strength: float) -> SynthPage:
    generator = np.random.default_rng(rng.getrandbits(64))
    scan = Scan.draw(generator, strength)
    boxes = skew_boxes(page.boxes, page.image.size, scan.skew_degrees)
    return SynthPage(degrade(page.image, scan, generator), page.text, boxes)


def draw_blank_page(
    rng: random.Random, stage: Stage, family: FontFamily, sheet: tuple[int, int]
) -> SynthPage:
    """Paper without text: white, grey, scanned, or with the other side's print shining through."""
    width, height = sheet
    paper = Image.new("RGB", sheet, (rng.randint(205, 255),) * 3)
    if stage.max_strength and rng.random() < 0.5:
        font = find_font(family.name)
        style = PageStyle(font, font, rng.randint(16, 26), width_px=width, height_px=height)
        other_side = draw_page(prose_blocks(rng, rng.randint(40, 900)), style).image
        mirrored = other_side.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        paper = Image.blend(paper, mirrored, rng.uniform(0.03, 0.25))
    page = SynthPage(paper, "", np.empty((0, 4), np.float32))
    if rng.random() < 0.7:
        return _scanned(rng, page, rng.uniform(0, max(stage.max_strength, 0.1)))
    return page
