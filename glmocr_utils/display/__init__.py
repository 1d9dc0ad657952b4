"""Pages as HTML: the image beside its text, doubtful tokens tinted; tables of where to look.

No script, nothing from elsewhere: it shows in JupyterLab, in VS Code, as a file in a browser, and
what matters (bold tokens, tables) is left where a code host strips the style.
"""

from glmocr_utils.display.certificate import pages_above_table, strata_table
from glmocr_utils.display.document import document_html, write_documents
from glmocr_utils.display.escape import escape, visible
from glmocr_utils.display.evaluation import (
    confusions_table,
    differences_html,
    documents_table,
    evaluation_html,
    evaluation_record,
    groups_html,
    page_errors_html,
    pages_table,
    pages_to_show,
    scores_table,
    worst_pages,
    write_evaluation,
)
from glmocr_utils.display.fragment import PALETTE, show
from glmocr_utils.display.labels import (
    changed_reading_html,
    disagreements_html,
    label_html,
    labelled_page_html,
    suspects_html,
    text_difference_html,
)
from glmocr_utils.display.page import page_html, page_name, text_html
from glmocr_utils.display.regions import regions_html
from glmocr_utils.display.tables import (
    errors_found_table,
    expected_errors_table,
    html_table,
    in_percent,
    ranking_html,
    second_readings_html,
    worst_tokens_html,
    worst_tokens_table,
)

__all__ = [
    "PALETTE",
    "changed_reading_html",
    "confusions_table",
    "differences_html",
    "disagreements_html",
    "document_html",
    "documents_table",
    "errors_found_table",
    "escape",
    "evaluation_html",
    "evaluation_record",
    "expected_errors_table",
    "groups_html",
    "html_table",
    "in_percent",
    "label_html",
    "labelled_page_html",
    "page_errors_html",
    "page_html",
    "page_name",
    "pages_above_table",
    "pages_table",
    "pages_to_show",
    "ranking_html",
    "regions_html",
    "scores_table",
    "second_readings_html",
    "show",
    "strata_table",
    "suspects_html",
    "text_difference_html",
    "text_html",
    "visible",
    "worst_pages",
    "worst_tokens_html",
    "worst_tokens_table",
    "write_documents",
    "write_evaluation",
]
