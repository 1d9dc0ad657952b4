r"""GLM-OCR's markup (HTML, Markdown and LaTeX) → the printed characters.

A page prints `Total 12,50`, and the model writes `<tr><td>Total</td><td>12,50</td></tr>` or
`**Total** 12,50`. Comparing texts, placing tokens and showing words takes the printed characters,
and where in the written text each of them is.

    printed(r"<td>a &amp; b</td><td>$\alpha^2$</td>").text  # 'a & b\tα2'

This package knows nothing of tokens. What only looks like markup stays text: `a < b`, `5 * 3` and
`$5 and $10` print as they are written.
"""

from glmocr_utils.markup.printed import Printed, ink, printed
from glmocr_utils.markup.scripts import unspaced_script
from glmocr_utils.markup.tables import Cell, Table, beside_cells, tables
from glmocr_utils.markup.words import word_spans

__all__ = [
    "Cell",
    "Printed",
    "Table",
    "beside_cells",
    "ink",
    "printed",
    "tables",
    "unspaced_script",
    "word_spans",
]
