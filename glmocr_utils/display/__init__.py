"""Pages as HTML: the image beside its text, doubtful tokens tinted; tables of where to look.

No script, nothing from elsewhere: it shows in JupyterLab, in VS Code, as a file in a browser, and
what matters (bold tokens, tables) is left where a code host strips the style.
"""

from glmocr_utils.display.document import document_html, write_documents
from glmocr_utils.display.escape import escape, visible
from glmocr_utils.display.fragment import show
from glmocr_utils.display.page import page_html, text_html
from glmocr_utils.display.tables import ranking_html, worst_tokens_html, worst_tokens_table

__all__ = [
    "document_html",
    "escape",
    "page_html",
    "ranking_html",
    "show",
    "text_html",
    "visible",
    "worst_tokens_html",
    "worst_tokens_table",
    "write_documents",
]
