"""Pages with known regions, composed at random: a seed → a `Sheet`.

One to three columns, titles, headings, paragraphs, lists, tables, pictures, charts, captions,
formulas, running heads, footnotes, side notes. Text is that of `workshop.tiny_model.corpus`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glmocr_utils.synth import FontFamily, PageStyle, Scan, families_found, find_font
from glmocr_utils.synth.formula import SIGNS, Fraction, Term
from glmocr_utils.synth.picture import draw_chart, draw_emblem, draw_picture, draw_seal
from glmocr_utils.synth.sheet import (
    Element,
    Group,
    Look,
    Sheet,
    SheetContent,
    SheetStyle,
    Slot,
    draw_sheet,
    scan_sheet,
)
from glmocr_utils.synth.table import table_width
from workshop.tiny_model.corpus import Words, load_words, sentence, table_rows

# (width, height) in points, em in points, chance of each number of columns
A4 = ((595, 842), (8.5, 12.0), (40, 40, 20))
LETTER = ((612, 792), (8.5, 12.0), (40, 45, 15))
A5 = ((420, 595), (8.5, 11.0), (65, 35, 0))
A6 = ((298, 420), (9.0, 11.5), (90, 10, 0))
LYING = ((842, 595), (9.0, 12.0), (20, 50, 30))
SHEETS = (A4, A4, A4, LETTER, LETTER, A5, A5, A6, LYING)

MONO = ("Liberation Mono", "DejaVu Sans Mono")  # trained on, kept apart
HEADS = {
    "en": ("Abstract", "Contents", "References", "Table", "Fig.", "Source:", "Page"),
    "de": ("Zusammenfassung", "Inhalt", "Literatur", "Tabelle", "Abb.", "Quelle:", "Seite"),
}
BULLETS = ("•", "–", "-", "*")
FORMULA_FAMILIES = ("DejaVu Serif", "DejaVu Sans")  # have the signs of formulas


@dataclass(frozen=True, slots=True)
class Kind:
    """Which pages to draw.

    Attributes:
        families: of fonts; mono: the family for algorithms.
        scale: pixels a point; None draws one that suits training.
        num_columns: None for any.
        scanned: share of pages that look scanned; max_strength: how bad at the worst, 0 to 1;
            strength: the same for all scans.
        plain: share of pages without running heads, pictures and other furniture.
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
    sheet = _Composer(rng, kind).draw()
    if rng.random() >= kind.scanned:
        return sheet
    generator = np.random.default_rng(rng.getrandbits(64))
    strength = rng.uniform(0, kind.max_strength) if kind.strength is None else kind.strength
    return scan_sheet(sheet, Scan.draw(generator, strength), generator)


class _Composer:
    """What one page prints and how, drawn from one generator."""

    def __init__(self, rng: random.Random, kind: Kind) -> None:
        self.rng = rng
        self.kind = kind
        self.words: Words = load_words(rng.choice(("en", "de")))
        self.heads = HEADS[self.words.language]
        family = rng.choice(kind.families)
        self.family = family
        size, em, columns = rng.choice(SHEETS)
        self.num_columns = kind.num_columns or rng.choices((1, 2, 3), columns)[0]
        em_pt = rng.uniform(*em) - (1.0 if self.num_columns == 3 else 0)
        self.scale = kind.scale or self._training_scale(em_pt)
        self.style = self._style(size, em_pt)
        self.number = rng.randint(1, 8)

    def draw(self) -> Sheet:
        rng = self.rng
        if rng.random() < 0.01:
            return draw_sheet(SheetContent(()), self.style)
        asides = ()
        if self.style.aside_px:
            asides = tuple(self._note("aside_text") for _ in range(rng.randint(1, 3)))
        notes = ()
        if rng.random() < 0.35:
            notes = tuple(
                replace(self._note("footnote"), text=f"{n} {self._prose(1, 2)}")
                for n in range(1, rng.choice((2, 2, 3, 4)))
            )
        content = SheetContent(
            columns=tuple(self._flow()),
            head=self._head(),
            foot=self._foot(),
            top=tuple(self._top()),
            bottom=(self._figure(self._page_width),) if self._chance(0.06) else (),
            footnotes=notes,
            footnote_column=rng.choice((-1, -1, *range(self.num_columns)))
            if self.num_columns > 1
            else -1,
            asides=asides,
            stamp=Element("aside_text", self._title(), align="left")
            if self._chance(0.05)
            else None,
        )
        return draw_sheet(content, self.style)

    # how it is set

    def _training_scale(self, em_pt: float) -> float:
        """Mostly a small page, which is drawn faster."""
        lowest = 8.5 / em_pt
        return self.rng.uniform(lowest, 1.6 * lowest) if self._chance(0.92) else 2.0

    def _style(self, size_pt: tuple[int, int], em_pt: float) -> SheetStyle:
        rng, scale = self.rng, self.scale
        width, height = (round(side * scale) for side in size_pt)
        em = max(7, round(em_pt * scale))
        regular = find_font(self.family.name)
        in_steps = self._chance(0.04)  # paragraphs by their indents alone
        page = PageStyle(
            font=regular,
            bold_font=regular,
            font_px=em,
            line_spacing=rng.uniform(1.12, 1.5),
            width_px=width,
            height_px=height,
            margin_px=round(min(width, height) * rng.uniform(0.07, 0.13)),
            justify=self._chance(0.55),
            indent_px=round(1.6 * em) if in_steps or self._chance(0.15) else 0,
            hyphenate=self._chance(0.5),
            ink=rng.randint(0, 90) if self._chance(0.3) else 0,
            paper=rng.randint(215, 255) if self._chance(0.3) else 255,
        )
        side_notes = self.num_columns == 1 and width > 400 * scale and self._chance(0.15)
        return SheetStyle(
            page=page,
            looks=self._looks(),
            num_columns=self.num_columns,
            gutter_px=round(em * rng.uniform(1.4, 2.6)),
            column_rule=self._chance(0.15),
            aside_px=round(width * 0.17) if side_notes else 0,
            gap=0.0 if in_steps else rng.uniform(0.4, 1.0),
            title_gap=rng.uniform(0.3, 0.9),
        )

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

    def _font(self, style: str):
        return find_font(self.family.name, style if style in self.family.files else "regular")

    @property
    def _page_width(self) -> int:
        page = self.style.page
        return page.width_px - 2 * page.margin_px - self.style.aside_px

    @property
    def _column_width(self) -> int:
        gutters = (self.num_columns - 1) * self.style.gutter_px
        return (self._page_width - gutters) // self.num_columns

    # what it prints

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _prose(self, least: int, most: int) -> str:
        return " ".join(
            sentence(self.rng, self.words) for _ in range(self.rng.randint(least, most))
        )

    def _title(self, most: int = 6) -> str:
        title = " ".join(sentence(self.rng, self.words).split()[: self.rng.randint(2, most)])
        return title.rstrip(".,;:") or title

    def _note(self, label: str) -> Element:
        return Element(label, " ".join(self._prose(1, 1).split()[:12]), align="left")

    def _heading(self) -> Element:
        number = self.rng.choice(
            (
                "",
                f"{self.rng.randint(1, 9)} ",
                f"{self.rng.randint(1, 9)}.{self.rng.randint(1, 9)} ",
            )
        )
        text = number + self._title()
        return Element("paragraph_title", text.upper() if self._chance(0.1) else text, align="left")

    def _paragraph(self) -> Element:
        return Element(
            "text", self._prose(*self.rng.choice(((1, 2), (2, 4), (3, 6)))), align="left"
        )

    def _list(self) -> Element:
        numbered = self._chance(0.4)
        bullet = self.rng.choice(BULLETS)
        items = []
        for number in range(1, self.rng.randint(3, 7)):
            words = self._prose(1, 1).split()[: self.rng.randint(3, 18)]
            items.append(" ".join([f"{number}." if numbered else bullet, *words]))
        return Element("text", "\n".join(items), is_list=True, align="left")

    def _table(self, width: int) -> Group:
        rng = self.rng
        style = self.style.page
        style = replace(
            style, font_px=max(5, round(self.style.looks["table"].size * style.font_px))
        )
        columns = max(2, min(8, round(width / (7 * style.font_px))))
        while True:
            rows = table_rows(rng, 10, max(2, columns))
            if len(rows) > 1 and table_width(rows, style) <= width:
                break
            columns -= 1
            if columns < -6:
                return (self._paragraph(),)
        table = Element(
            "table",
            rows=rows,
            rules=rng.choice(("grid", "grid", "rows", "heads", "heads", "none")),
            align=rng.choice(("middle", "middle", "left")),
        )
        return self._captioned(table, self.heads[3], above=0.65)

    def _figure(self, width: int) -> Group:
        rng = self.rng
        label = "chart" if self._chance(0.4) else "image"
        wide = round(width * rng.choice((1.0, 1.0, rng.uniform(0.5, 0.95))))
        most = 0.4 * self.style.page.height_px
        size = (wide, max(24, round(min(wide * rng.uniform(0.4, 0.9), most))))
        font = find_font(self.family.name)
        ink = draw_chart(size, rng, font) if label == "chart" else draw_picture(size, rng)
        return self._captioned(Element(label, ink=ink), self.heads[4], above=0.1)

    def _captioned(self, element: Element, word: str, above: float) -> Group:
        if self._chance(0.1):
            return (element,)
        sign = self.rng.choice((".", ":", ""))
        text = f"{word} {self.rng.randint(1, 12)}{sign} {' '.join(self._prose(1, 2).split()[:20])}"
        caption = Element("figure_title", text, align="left")
        if self._chance(above):
            group = (caption, element)
        else:
            return (element, caption)
        if self._chance(0.35):
            note = f"{self.rng.choice((self.heads[5], '*', 'a'))} {self._title(9)}."
            return (*group, Element("vision_footnote", note, align="left"))
        return group

    def _formula(self, width: int) -> Group:
        parts = [self._term(), Term("=")]
        em = self.style.page.font_px
        for _ in range(min(self.rng.randint(2, 5), max(2, width // (5 * em)))):
            parts.append(
                Fraction((self._term(), Term("+"), self._term()), (self._term(),))
                if self._chance(0.35)
                else self._term()
            )
            parts.append(Term(self.rng.choice(tuple(SIGNS)[:5])))
        formula = Element("display_formula", formula=parts[:-1])
        if width > 18 * em and self._chance(0.5):
            number = Element("formula_number", f"({self.rng.randint(1, 40)})", align="right")
            return (formula, number)
        return (formula,)

    def _term(self) -> Term:
        letter = self.rng.choice("abcdefghkmnpqrstuvwxyz")
        index = self.rng.choice(("", "", "i", "k", "0", "n"))
        return Term(letter, index, self.rng.choice(("", "", "2", "n")) if not index else "")

    def _algorithm(self) -> Element:
        lines = []
        depth = 0
        for number in range(1, self.rng.randint(5, 12)):
            word = self.rng.choice(("for", "if", "return", "let", "while", "call"))
            body = " ".join(self._title(4).split()[:3])[:16]
            lines.append(f"{number:2} {'..' * depth}{word} {body}")
            depth = min(3, max(0, depth + self.rng.choice((-1, 0, 1))))
        return Element("algorithm", "\n".join(lines), align="left")

    def _flow(self) -> list[Group]:
        special = self.rng.random()
        if special < 0.05:
            return self._contents()
        room = self.num_columns * self.style.page.height_px / self.style.line_px
        room *= self.rng.choice((0.5, 0.9, 1.1, 1.1))
        groups: list[Group] = []
        used = 0.0
        while used < room:
            group = self._some_group()
            groups.append(group)
            used += self._estimate(group)
        if special < 0.13:
            return groups[: len(groups) // 3] + self._references()
        if self._chance(0.06):
            side = round(self.style.page.font_px * self.rng.uniform(5, 9))
            ink = draw_seal((side, side), self.rng, find_font(self.family.name))
            slot: Slot = self.rng.choice(("left", "middle", "right"))
            groups.insert(
                self.rng.randint(len(groups) // 2, len(groups)),
                (Element("seal", ink=ink, align=slot),),
            )
        return groups

    def _some_group(self) -> Group:
        draw, width = self.rng.random(), self._column_width
        if draw < 0.22:
            return (self._heading(),)
        if draw < 0.62:
            return (self._paragraph(),)
        if draw < 0.72:
            return (self._list(),)
        if draw < 0.81:
            return self._table(width)
        if draw < 0.9:
            return self._figure(width)
        if draw < 0.96:
            return self._formula(width)
        return (self._algorithm(),) if draw < 0.98 else (self._paragraph(),)

    def _estimate(self, group: Group) -> float:
        """Lines that a group takes, roughly."""
        characters = self._column_width / (0.48 * self.style.page.font_px)
        lines = 0.6
        for element in group:
            if element.ink is not None:
                lines += element.ink.height / self.style.line_px
            elif element.rows is not None:
                lines += 1.5 * len(element.rows)
            else:
                lines += max(len(element.text) / characters, element.text.count("\n") + 1)
        return lines

    def _contents(self) -> list[Group]:
        entries = [
            f"{n} {self._title(5)[:40]}\t{self.rng.randint(1, 300)}"
            for n in range(1, self.rng.randint(6, 24))
        ]
        width = self._column_width / (0.55 * self.style.page.font_px)
        entries = [
            line if len(line) < width else line[: int(width) - 8] + line[-4:] for line in entries
        ]
        entries = [line if "\t" in line else f"{line[:10]}\t7" for line in entries]
        title = Element("paragraph_title", self.heads[1], align="left")
        after = [(self._paragraph(),) for _ in range(self.rng.randint(0, 4))]
        return [(title,), (Element("content", "\n".join(entries), align="left"),), *after]

    def _references(self) -> list[Group]:
        title = Element("paragraph_title", self.heads[2], align="left")
        entries = [
            (Element("reference_content", f"[{n}] {self._prose(1, 2)}", align="left"),)
            for n in range(1, self.rng.randint(4, 16))
        ]
        return [(title,), *entries]

    def _top(self) -> list[Group]:
        groups: list[Group] = []
        if self._chance(0.35):
            groups.append((Element("doc_title", self._title(9), align="left"),))
            if self._chance(0.5):
                text = f"{self._title(3)}, {self._title(3)}"
                groups.append((Element("text", text, align="left"),))
            if self._chance(0.5):
                head = Element("paragraph_title", self.heads[0], align="left")
                abstract = Element("abstract", self._prose(3, 7), align="left")
                groups.append((head, abstract))
        if self.num_columns > 1 and self._chance(0.12):
            groups.append(
                self._figure(self._page_width)
                if self._chance(0.5)
                else self._table(self._page_width)
            )
        return groups

    def _head(self) -> tuple[tuple[Slot, Element], ...]:
        slots: list[tuple[Slot, Element]] = []
        if self._chance(0.65):
            slots.append(
                (self.rng.choice(("left", "middle", "right")), Element("header", self._title(6)))
            )
        if self._chance(0.2):
            slots.append((self.rng.choice(("left", "right")), self._page_number()))
        if self._chance(0.12):
            slots.append(
                (self.rng.choice(("left", "middle", "right")), self._emblem("header_image"))
            )
        return self._one_a_slot(slots)

    def _foot(self) -> tuple[tuple[Slot, Element], ...]:
        slots: list[tuple[Slot, Element]] = []
        if self._chance(0.55):
            slots.append(
                (self.rng.choice(("left", "middle", "middle", "right")), self._page_number())
            )
        if self._chance(0.3):
            slots.append(
                (self.rng.choice(("left", "middle", "right")), Element("footer", self._title(7)))
            )
        if self._chance(0.08):
            slots.append(
                (self.rng.choice(("left", "middle", "right")), self._emblem("footer_image"))
            )
        return self._one_a_slot(slots)

    def _one_a_slot(
        self, slots: Sequence[tuple[Slot, Element]]
    ) -> tuple[tuple[Slot, Element], ...]:
        return tuple({slot: (slot, element) for slot, element in slots}.values())

    def _page_number(self) -> Element:
        number = self.rng.randint(1, 400)
        forms = (f"{number}", f"{number}", f"– {number} –", f"{self.heads[6]} {number}")
        return Element("number", self.rng.choice(forms))

    def _emblem(self, label: str) -> Element:
        side = round(0.5 * self.style.page.margin_px)
        size = (round(side * self.rng.uniform(1, 2.5)), side)
        return Element(label, ink=draw_emblem(size, self.rng))
