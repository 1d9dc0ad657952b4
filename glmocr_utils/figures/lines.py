"""Lines of text in axes whose units are characters across and lines down."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from glmocr_utils.figures.style import INK, MONOSPACE


@dataclass(frozen=True, slots=True)
class Look:
    """How a piece of text is drawn; bold is underlined as well."""

    fill: str | None = None
    ink: str = INK
    is_bold: bool = False


Piece = tuple[str, Look]
Line = list[Piece]


def draw_lines(ax: Axes, lines: Sequence[Sequence[Piece]], font_size: float) -> None:
    """Draw each piece where it is in its line, in a monospaced font.

    Args:
        font_size: in points.
    """
    for row, line in enumerate(lines):
        column = 0
        for text, look in line:
            width = max(len(text), 0.4)  # a token without text of its own still shows
            if look.fill:
                ax.add_patch(Rectangle((column, row + 0.08), width, 0.92, color=look.fill, lw=0))
            if look.is_bold:
                ax.plot([column, column + width], [row + 0.96] * 2, color=look.ink, lw=1.2)
            ax.text(
                column,
                row + 0.78,
                text.replace("$", r"\$"),  # OCR text isn't a formula
                family=MONOSPACE,
                fontsize=font_size,
                color=look.ink,
                weight="bold" if look.is_bold else "normal",
            )
            column += len(text)
