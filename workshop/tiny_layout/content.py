"""What a page prints, at random: prose, lists, tables, figures, formulas, running heads."""

import random
from dataclasses import dataclass, replace

from glmocr_utils.synth import Element, FontFamily, SheetStyle, find_font
from glmocr_utils.synth.formula import SIGNS, Fraction, Term
from glmocr_utils.synth.picture import draw_chart, draw_emblem, draw_picture, draw_seal
from glmocr_utils.synth.sheet import Group
from glmocr_utils.synth.table import table_width
from workshop.tiny_model.corpus import load_words, sentence, table_rows

BULLETS = ("•", "–", "-", "*")
MOST_ROWS = 10  # of a table
SIGNS_BETWEEN = tuple(SIGNS)[:5]


@dataclass(frozen=True, slots=True)
class Heads:
    """Words that begin or head certain regions."""

    abstract: str
    contents: str
    references: str
    table: str
    figure: str
    source: str
    page: str


HEADS = {
    "en": Heads("Abstract", "Contents", "References", "Table", "Fig.", "Source:", "Page"),
    "de": Heads("Zusammenfassung", "Inhalt", "Literatur", "Tabelle", "Abb.", "Quelle:", "Seite"),
}


class Author:
    """Writes the elements of one page in one language, drawn from one generator."""

    def __init__(self, rng: random.Random, style: SheetStyle, family: FontFamily) -> None:
        self.rng, self.style, self.family = rng, style, family
        self.words = load_words(rng.choice(("en", "de")))
        self.heads = HEADS[self.words.language]

    def chance(self, share: float) -> bool:
        """True for that share of the calls."""
        return self.rng.random() < share

    def prose(self, least: int, most: int) -> str:
        """So many sentences."""
        return " ".join(
            sentence(self.rng, self.words) for _ in range(self.rng.randint(least, most))
        )

    def title(self, most: int = 6) -> str:
        """Two to `most` words, without a full stop."""
        title = " ".join(sentence(self.rng, self.words).split()[: self.rng.randint(2, most)])
        return title.rstrip(".,;:") or title

    def note(self, label: str) -> Element:
        """A few words."""
        return Element(label, " ".join(self.prose(1, 1).split()[:12]), align="left")

    def heading(self) -> Element:
        number = self.rng.choice(
            (
                "",
                f"{self.rng.randint(1, 9)} ",
                f"{self.rng.randint(1, 9)}.{self.rng.randint(1, 9)} ",
            )
        )
        text = number + self.title()
        return Element("paragraph_title", text.upper() if self.chance(0.1) else text, align="left")

    def paragraph(self) -> Element:
        return Element("text", self.prose(*self.rng.choice(((1, 2), (2, 4), (3, 6)))), align="left")

    def listing(self) -> Element:
        numbered = self.chance(0.4)
        bullet = self.rng.choice(BULLETS)
        items = []
        for number in range(1, self.rng.randint(3, 7)):
            words = self.prose(1, 1).split()[: self.rng.randint(3, 18)]
            items.append(" ".join((f"{number}." if numbered else bullet, *words)))
        return Element("text", "\n".join(items), is_list=True, align="left")

    def table(self, width: int) -> Group:
        """A table that fits into `width` pixels, mostly with a caption."""
        rng, page = self.rng, self.style.page
        font_px = max(5, round(self.style.look_of("table").size * page.font_px))
        style = replace(page, font_px=font_px)
        most_columns = max(2, min(8, round(width / (7 * font_px))))
        for columns in range(most_columns, -7, -1):
            rows = table_rows(rng, MOST_ROWS, max(2, columns))
            if len(rows) > 1 and table_width(rows, style) <= width:
                break
        else:
            return (self.paragraph(),)
        table = Element(
            "table",
            rows=rows,
            rules=rng.choice(("grid", "grid", "rows", "heads", "heads", "none")),
            align=rng.choice(("middle", "middle", "left")),
        )
        return self._captioned(table, self.heads.table, above=0.65)

    def figure(self, width: int) -> Group:
        """A picture or a chart, at most `width` pixels wide, mostly with a caption."""
        rng = self.rng
        label = "chart" if self.chance(0.4) else "image"
        wide = round(width * rng.choice((1.0, 1.0, rng.uniform(0.5, 0.95))))
        most = 0.4 * self.style.page.height_px
        size = (wide, max(24, round(min(wide * rng.uniform(0.4, 0.9), most))))
        font = find_font(self.family.name)
        ink = draw_chart(size, rng, font) if label == "chart" else draw_picture(size, rng)
        return self._captioned(Element(label, ink=ink), self.heads.figure, above=0.1)

    def _captioned(self, element: Element, word: str, above: float) -> Group:
        if self.chance(0.1):
            return (element,)
        sign = self.rng.choice((".", ":", ""))
        text = f"{word} {self.rng.randint(1, 12)}{sign} {' '.join(self.prose(1, 2).split()[:20])}"
        caption = Element("figure_title", text, align="left")
        if not self.chance(above):
            return (element, caption)
        if self.chance(0.35):
            note = f"{self.rng.choice((self.heads.source, '*', 'a'))} {self.title(9)}."
            return (caption, element, Element("vision_footnote", note, align="left"))
        return (caption, element)

    def formula(self, width: int) -> Group:
        """A display formula, on wide columns half of the times with its number."""
        parts = [self._term(), Term("=")]
        em = self.style.page.font_px
        for _ in range(min(self.rng.randint(2, 5), max(2, width // (5 * em)))):
            parts.append(
                Fraction((self._term(), Term("+"), self._term()), (self._term(),))
                if self.chance(0.35)
                else self._term()
            )
            parts.append(Term(self.rng.choice(SIGNS_BETWEEN)))
        formula = Element("display_formula", formula=parts[:-1])
        if width > 18 * em and self.chance(0.5):
            number = Element("formula_number", f"({self.rng.randint(1, 40)})", align="right")
            return (formula, number)
        return (formula,)

    def _term(self) -> Term:
        letter = self.rng.choice("abcdefghkmnpqrstuvwxyz")
        index = self.rng.choice(("", "", "i", "k", "0", "n"))
        return Term(letter, index, self.rng.choice(("", "", "2", "n")) if not index else "")

    def algorithm(self) -> Element:
        lines = []
        depth = 0
        for number in range(1, self.rng.randint(5, 12)):
            word = self.rng.choice(("for", "if", "return", "let", "while", "call"))
            body = " ".join(self.title(4).split()[:3])[:16]
            lines.append(f"{number:2} {'..' * depth}{word} {body}")
            depth = min(3, max(0, depth + self.rng.choice((-1, 0, 1))))
        return Element("algorithm", "\n".join(lines), align="left")

    def contents(self, width: int) -> list[Group]:
        """A table of contents, its entries short enough for one line each."""
        room = int(width / (0.55 * self.style.page.font_px)) - 6
        entries = [
            f"{n} {self.title(5)}"[:room] + f"\t{self.rng.randint(1, 300)}"
            for n in range(1, self.rng.randint(6, 24))
        ]
        title = Element("paragraph_title", self.heads.contents, align="left")
        after = [(self.paragraph(),) for _ in range(self.rng.randint(0, 4))]
        return [(title,), (Element("content", "\n".join(entries), align="left"),), *after]

    def references(self) -> list[Group]:
        title = Element("paragraph_title", self.heads.references, align="left")
        entries = [
            (Element("reference_content", f"[{n}] {self.prose(1, 2)}", align="left"),)
            for n in range(1, self.rng.randint(4, 16))
        ]
        return [(title,), *entries]

    def page_number(self) -> Element:
        number = self.rng.randint(1, 400)
        forms = (f"{number}", f"{number}", f"– {number} –", f"{self.heads.page} {number}")
        return Element("number", self.rng.choice(forms))

    def emblem(self, label: str) -> Element:
        side = round(0.5 * self.style.page.margin_px)
        size = (round(side * self.rng.uniform(1, 2.5)), side)
        return Element(label, ink=draw_emblem(size, self.rng))

    def seal(self) -> Group:
        side = round(self.style.page.font_px * self.rng.uniform(5, 9))
        ink = draw_seal((side, side), self.rng, find_font(self.family.name))
        return (Element("seal", ink=ink, align=self.rng.choice(("left", "middle", "right"))),)
