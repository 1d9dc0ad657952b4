"""A piece of HTML together with the style that it needs."""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import HTML

PALETTE = Path(__file__).parent / "palette.css"  # shared with the widgets
STYLE = PALETTE.with_name("style.css")

TINTED = re.compile(r'<span class=(?:p(?P<step>[1-4])\b|"p(?P<other>[1-4])[^"]*")')
INLINE = {"1": "#ff963226", "2": "#ff963247", "3": "#ff963266", "4": "#ff963285"}
MOST_INLINE = 3000  # of about 30 bytes each


@cache
def style() -> str:
    """The style sheets, as an element."""
    return f"<style>{PALETTE.read_text('utf-8')}{STYLE.read_text('utf-8')}</style>"


def show(*fragments: str) -> "HTML":
    """HTML made by this package, for the last line of a notebook cell.

    JupyterLab would set what is between two dollar signs as a formula; here it stays as read. The
    tints are on the tokens themselves, too: code hosts show notebooks without style sheets.
    """
    from IPython.display import HTML  # commands write files, and need no notebook's packages

    shown = with_inline_tints("".join(fragments))
    return HTML(f'{style()}<div class="glmocr mathjax_ignore">{shown}</div>')


def with_inline_tints(html: str) -> str:
    """Tinted tokens with their tint as an attribute, where these are not very many.

    Where there is a style sheet, its tints count: they know light from dark.
    """
    if len(TINTED.findall(html)) > MOST_INLINE:
        return html
    return TINTED.sub(
        lambda match: f'{match[0]} style="background:{INLINE[match["step"] or match["other"]]}"',
        html,
    )
