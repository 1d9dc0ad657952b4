"""A piece of HTML together with the style that it needs."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import HTML

PALETTE = Path(__file__).parent / "palette.css"  # shared with the widgets
STYLE = PALETTE.with_name("style.css")


@cache
def style() -> str:
    """The style sheets, as an element."""
    return f"<style>{PALETTE.read_text('utf-8')}{STYLE.read_text('utf-8')}</style>"


def show(*fragments: str) -> "HTML":
    """HTML made by this package, for the last line of a notebook cell.

    JupyterLab would set what stands between two dollar signs as a formula; here it stays as read.
    """
    from IPython.display import HTML  # commands write files, and need no notebook's packages

    return HTML(f'{style()}<div class="glmocr mathjax_ignore">{"".join(fragments)}</div>')
