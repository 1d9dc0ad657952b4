"""A formula → its ink and its LaTeX: letters, signs, fractions, roots, indices and powers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from glmocr_utils.synth.page import load_font

SIGNS = {"+": "+", "-": "−", "=": "=", r"\le": "≤", r"\cdot": "·", r"\sum": "∑", r"\int": "∫"}
SMALL = 0.65  # of the em, for indices and powers
LINE_EM = 2.4  # height of a formula


@dataclass(frozen=True, slots=True)
class Term:
    """A letter or a sign (a key of `SIGNS`), with an index and a power if they are not empty."""

    base: str
    index: str = ""
    power: str = ""

    @property
    def latex(self) -> str:
        index = f"_{{{self.index}}}" if self.index else ""
        power = f"^{{{self.power}}}" if self.power else ""
        return f"{self.base}{index}{power}"


@dataclass(frozen=True, slots=True)
class Fraction:
    """One row of terms over another."""

    above: tuple[Term, ...]
    below: tuple[Term, ...]

    @property
    def latex(self) -> str:
        return rf"\frac{{{formula_latex(self.above)}}}{{{formula_latex(self.below)}}}"


Formula = Sequence[Term | Fraction]


def formula_latex(formula: Formula) -> str:
    """LaTeX without dollar signs."""
    return " ".join(part.latex for part in formula)


def draw_formula(formula: Formula, font: Path, font_px: int) -> Image.Image:
    """Ink (mode L, 0 is paper) as wide as the formula."""
    pen = _Pen(font, font_px)
    width = sum(pen.width(part) for part in formula)
    image = Image.new("L", (round(width) + font_px, round(LINE_EM * font_px)))
    pen.draw = ImageDraw.Draw(image)
    x, baseline = font_px / 2, 1.5 * font_px
    for part in formula:
        pen.put(part, x, baseline)
        x += pen.width(part)
    return image


class _Pen:
    """Widths and strokes of the parts of one formula."""

    draw: ImageDraw.ImageDraw

    def __init__(self, font: Path, font_px: int) -> None:
        self.large = load_font(font, font_px)
        self.small = load_font(font, max(5, round(SMALL * font_px)))
        self.font_px = font_px

    def width(self, part: Term | Fraction) -> float:
        if isinstance(part, Fraction):
            return 0.5 * self.font_px + max(
                self._row_width(row) for row in (part.above, part.below)
            )
        return self._term_width(part, self.large)

    def put(self, part: Term | Fraction, x: float, baseline: float) -> None:
        if isinstance(part, Term):
            self._put_term(part, x, baseline, self.large)
            return
        width, line = self.width(part), baseline - 0.3 * self.font_px
        self.draw.line((x, line, x + width - 0.3 * self.font_px, line), fill=255)
        for row, row_baseline in (
            (part.above, line - 0.3 * self.font_px),
            (part.below, line + 0.75 * self.font_px),
        ):
            start = x + (width - 0.3 * self.font_px - self._row_width(row)) / 2
            for term in row:
                self._put_term(term, start, row_baseline, self.small)
                start += self._term_width(term, self.small)

    def _row_width(self, row: Sequence[Term]) -> float:
        return sum(self._term_width(term, self.small) for term in row)

    def _term_width(self, term: Term, font: ImageFont.FreeTypeFont) -> float:
        raised = max(self.small.getlength(text) for text in (term.index, term.power))
        room = 0.5 if term.base in SIGNS else 0.1
        return font.getlength(SIGNS.get(term.base, term.base)) + raised + room * font.size

    def _put_term(
        self, term: Term, x: float, baseline: float, font: ImageFont.FreeTypeFont
    ) -> None:
        sign = SIGNS.get(term.base, term.base)
        x += (0.25 if term.base in SIGNS else 0) * font.size
        self.draw.text((x, baseline), sign, font=font, fill=255, anchor="ls")
        x += font.getlength(sign)
        for text, rise in ((term.index, -0.25), (term.power, 0.45)):
            place = (x, baseline - rise * font.size)
            self.draw.text(place, text, font=self.small, fill=255, anchor="ls")
