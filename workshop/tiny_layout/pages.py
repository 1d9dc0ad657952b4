"""Pages with known regions, composed at random: a seed → a `Sheet`.

One to three columns, titles, headings, paragraphs, lists, tables, pictures, charts, captions,
formulas, running heads, footnotes, side notes. Text is that of `workshop.tiny_model.corpus`.
"""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glmocr_utils.synth import (
    Element,
    FontFamily,
    Look,
    PageStyle,
    Scan,
    Sheet,
    SheetContent,
    SheetStyle,
    draw_sheet,
    families_found,
    find_font,
    scan_sheet,
)
from glmocr_utils.synth.elements import Slot
from glmocr_utils.synth.sheet import Group
from workshop.tiny_layout.content import Author

# (width, height) in points, em in points, chance of each number of columns
A4 = ((595, 842), (8.5, 12.0), (40, 40, 20))
LETTER = ((612, 792), (8.5, 12.0), (40, 45, 15))
A5 = ((420, 595), (8.5, 11.0), (65, 35, 0))
A6 = ((298, 420), (9.0, 11.5), (90, 10, 0))
LYING = ((842, 595), (9.0, 12.0), (20, 50, 30))
SHEETS = (A4, A4, A4, LETTER, LETTER, A5, A5, A6, LYING)

MONO = ("Liberation Mono", "DejaVu Sans Mono")  # trained on, kept apart
FORMULA_FAMILIES = ("DejaVu Serif", "DejaVu Sans")  # have the signs of formulas
EMPTY = 0.01  # share of pages with nothing on them
SLOTS: tuple[Slot, ...] = ("left", "middle", "right")

Slots = tuple[tuple[Slot, Element], ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """Which pages to draw.

    Attributes:
        families: of fonts; mono: the family for algorithms.
        scale: pixels a point; None draws one that suits training.
        num_columns: None for any.
        scanned: share of pages that look scanned; max_strength: how bad at the worst, 0 to 1;
            strength: the same for all scans.
    """

    families: tuple[FontFamily, ...]
    mono: str = MONO[0]
    scale: float | None = None
    num_columns: int | None = None
    scanned: float = 0.0
    max_strength: float = 0.7
    strength: float | None = None


def trained_kind(**options: object) -> Kind:
    """Pages in the font families that are trained on."""
    families = tuple(f for f in families_found(trained=True) if "Mono" not in f.name)
    return Kind(families, MONO[0], **options)


def unseen_kind(**options: object) -> Kind:
    """Pages in font families that are never trained on."""
    return Kind(tuple(families_found(trained=False)), MONO[1], **options)


def draw_random_sheet(kind: Kind, seed: object) -> Sheet:
    """The page of that seed; the same seed draws the same page."""
    rng = random.Random(repr(seed))
    sheet = draw_sheet(*_compose(rng, kind))
    if rng.random() >= kind.scanned:
        return sheet
    generator = np.random.default_rng(rng.getrandbits(64))
    strength = rng.uniform(0, kind.max_strength) if kind.strength is None else kind.strength
    return scan_sheet(sheet, Scan.draw(generator, strength), generator)


def _compose(rng: random.Random, kind: Kind) -> tuple[SheetContent, SheetStyle]:
    """What one page prints and how it is set."""
    family = rng.choice(kind.families)
    style = _Styler(rng, kind, family).style()
    author = Author(rng, style, family)
    if author.chance(EMPTY):
        return SheetContent(()), style
    asides, notes = (), ()
    if style.aside_px:
        asides = tuple(author.note("aside_text") for _ in range(rng.randint(1, 3)))
    if author.chance(0.35):
        numbers = range(1, rng.choice((2, 2, 3, 4)))
        notes = tuple(
            Element("footnote", f"{number} {author.prose(1, 2)}", align="left")
            for number in numbers
        )
    columns = [-1, -1, *range(style.num_columns)] if style.num_columns > 1 else [-1]
    stamp = Element("aside_text", author.title(), align="left") if author.chance(0.05) else None
    content = SheetContent(
        columns=tuple(_flow(author)),
        head=_head(author),
        foot=_foot(author),
        top=tuple(_top(author)),
        bottom=(author.figure(_page_width(style)),) if author.chance(0.06) else (),
        footnotes=notes,
        footnote_column=rng.choice(columns),
        asides=asides,
        stamp=stamp,
    )
    return content, style


def _flow(author: Author) -> list[Group]:
    """What flows through the columns: sections, or a table of contents, or references."""
    rng, style = author.rng, author.style
    width = _column_width(style)
    special = rng.random()
    if special < 0.05:
        return author.contents(width)
    room = style.num_columns * style.page.height_px / style.line_px
    room *= rng.choice((0.5, 0.9, 1.1, 1.1))
    groups: list[Group] = []
    used = 0.0
    while used < room:
        group = _some_group(author, width)
        groups.append(group)
        used += _estimate(group, style, width)
    if special < 0.13:
        return groups[: len(groups) // 3] + author.references()
    if author.chance(0.06):
        groups.insert(rng.randint(len(groups) // 2, len(groups)), author.seal())
    return groups


def _some_group(author: Author, width: int) -> Group:
    draw = author.rng.random()
    if draw < 0.22:
        return (author.heading(),)
    if draw < 0.62:
        return (author.paragraph(),)
    if draw < 0.72:
        return (author.listing(),)
    if draw < 0.81:
        return author.table(width)
    if draw < 0.9:
        return author.figure(width)
    if draw < 0.96:
        return author.formula(width)
    return (author.algorithm(),) if draw < 0.98 else (author.paragraph(),)


def _estimate(group: Group, style: SheetStyle, width: int) -> float:
    """Lines that a group takes, roughly."""
    characters = width / (0.48 * style.page.font_px)
    lines = 0.6
    for element in group:
        if element.ink is not None:
            lines += element.ink.height / style.line_px
        elif element.rows is not None:
            lines += 1.5 * len(element.rows)
        else:
            lines += max(len(element.text) / characters, element.text.count("\n") + 1)
    return lines


def _top(author: Author) -> list[Group]:
    groups: list[Group] = []
    if author.chance(0.35):
        groups.append((Element("doc_title", author.title(9), align="left"),))
        if author.chance(0.5):
            names = f"{author.title(3)}, {author.title(3)}"
            groups.append((Element("text", names, align="left"),))
        if author.chance(0.5):
            head = Element("paragraph_title", author.heads.abstract, align="left")
            groups.append((head, Element("abstract", author.prose(3, 7), align="left")))
    if author.style.num_columns > 1 and author.chance(0.12):
        width = _page_width(author.style)
        groups.append(author.figure(width) if author.chance(0.5) else author.table(width))
    return groups


def _head(author: Author) -> Slots:
    choose = author.rng.choice
    slots: list[tuple[Slot, Element]] = []
    if author.chance(0.65):
        slots.append((choose(SLOTS), Element("header", author.title(6))))
    if author.chance(0.2):
        slots.append((choose(("left", "right")), author.page_number()))
    if author.chance(0.12):
        slots.append((choose(SLOTS), author.emblem("header_image")))
    return _one_a_slot(slots)


def _foot(author: Author) -> Slots:
    choose = author.rng.choice
    slots: list[tuple[Slot, Element]] = []
    if author.chance(0.55):
        slots.append((choose((*SLOTS, "middle")), author.page_number()))
    if author.chance(0.3):
        slots.append((choose(SLOTS), Element("footer", author.title(7))))
    if author.chance(0.08):
        slots.append((choose(SLOTS), author.emblem("footer_image")))
    return _one_a_slot(slots)


def _one_a_slot(slots: list[tuple[Slot, Element]]) -> Slots:
    return tuple({slot: (slot, element) for slot, element in slots}.values())


def _page_width(style: SheetStyle) -> int:
    return style.page.width_px - 2 * style.page.margin_px - style.aside_px


def _column_width(style: SheetStyle) -> int:
    gutters = (style.num_columns - 1) * style.gutter_px
    return (_page_width(style) - gutters) // style.num_columns


class _Styler:
    """How one page is set, drawn from one generator."""

    def __init__(self, rng: random.Random, kind: Kind, family: FontFamily) -> None:
        self.rng, self.kind, self.family = rng, kind, family

    def style(self) -> SheetStyle:
        rng = self.rng
        size, em, columns = rng.choice(SHEETS)
        num_columns = self.kind.num_columns or rng.choices((1, 2, 3), columns)[0]
        em_pt = rng.uniform(*em) - (1.0 if num_columns == 3 else 0)
        scale = self.kind.scale or self._training_scale(em_pt)
        page = self._page(size, em_pt, scale)
        side_notes = num_columns == 1 and size[0] > 400 and self._chance(0.15)
        in_steps = self._chance(0.04)  # paragraphs by their indents alone
        if in_steps:
            page = replace(page, indent_px=round(1.6 * page.font_px))
        return SheetStyle(
            page=page,
            looks=self._looks(),
            num_columns=num_columns,
            gutter_px=round(page.font_px * rng.uniform(1.4, 2.6)),
            column_rule=self._chance(0.15),
            aside_px=round(page.width_px * 0.17) if side_notes else 0,
            gap=0.0 if in_steps else rng.uniform(0.4, 1.0),
            title_gap=rng.uniform(0.3, 0.9),
        )

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _page(self, size_pt: tuple[int, int], em_pt: float, scale: float) -> PageStyle:
        rng = self.rng
        width, height = (round(side * scale) for side in size_pt)
        em = max(7, round(em_pt * scale))
        regular = find_font(self.family.name)
        return PageStyle(
            font=regular,
            bold_font=regular,
            font_px=em,
            line_spacing=rng.uniform(1.12, 1.5),
            width_px=width,
            height_px=height,
            margin_px=round(min(width, height) * rng.uniform(0.07, 0.13)),
            justify=self._chance(0.55),
            indent_px=round(1.6 * em) if self._chance(0.15) else 0,
            hyphenate=self._chance(0.5),
            ink=rng.randint(0, 90) if self._chance(0.3) else 0,
            paper=rng.randint(215, 255) if self._chance(0.3) else 255,
        )

    def _training_scale(self, em_pt: float) -> float:
        """Mostly a small page, which is drawn faster."""
        lowest = 8.5 / em_pt
        return self.rng.uniform(lowest, 1.6 * lowest) if self._chance(0.92) else 2.0

    def _looks(self) -> dict[str, Look]:
        rng = self.rng
        bold, italic = self._font("bold"), self._font("italic")
        mono = find_font(self.kind.mono)
        small = rng.uniform(0.78, 0.9)
        caption = rng.choice((None, None, italic, bold))
        heading = rng.choice((bold, bold, bold, italic))
        return {
            "doc_title": Look(
                rng.uniform(1.5, 2.3),
                rng.choice((bold, bold, None)),
                rng.choice(("centred", "paragraph")),
            ),
            "paragraph_title": Look(
                rng.uniform(1.0, 1.4) if heading == bold else 1.15,
                heading,
                rng.choice(("paragraph", "paragraph", "centred")),
            ),
            "abstract": Look(
                rng.uniform(0.88, 0.97), rng.choice((None, italic)), inset=rng.uniform(0.06, 0.12)
            ),
            "figure_title": Look(
                rng.uniform(0.82, 0.95), caption, rng.choice(("centred", "paragraph"))
            ),
            "vision_footnote": Look(small - 0.05),
            "footnote": Look(small),
            "header": Look(small, rng.choice((None, italic))),
            "footer": Look(small, rng.choice((None, italic))),
            "number": Look(rng.uniform(0.85, 1.0)),
            "aside_text": Look(small, rng.choice((None, italic))),
            "reference_content": Look(0.92, kind="item"),
            "algorithm": Look(0.86, mono),
            "table": Look(rng.uniform(0.8, 0.98)),
            "display_formula": Look(1.05, find_font(rng.choice(FORMULA_FAMILIES))),
        }

    def _font(self, style: str) -> Path:
        return find_font(self.family.name, style if style in self.family.files else "regular")
