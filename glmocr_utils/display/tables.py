"""Tables of where to look: the least sure tokens, the pages with most errors to expect."""

from collections.abc import Sequence

import pandas as pd

from glmocr_utils.confidence import (
    Calibration,
    alternative_words,
    rank_pages,
    summarize,
    worst_tokens,
)
from glmocr_utils.display.escape import escape, visible
from glmocr_utils.display.page import anchor, page_name
from glmocr_utils.records import OcrResult


def worst_tokens_html(
    results: Sequence[OcrResult], worst_n: int = 50, context_tokens: int = 10
) -> str:
    """The tokens of lowest probability over all pages, each in its context, worst first."""
    of_page = {result.page: result for result in results}
    rows = []
    for rank, worst in enumerate(worst_tokens(results, worst_n, context_tokens), start=1):
        words = [
            f"{visible(word)} ({other.prob:.2f})"
            for other, word in alternative_words(of_page[worst.page], worst.index)
            if other.token_id != worst.token.token_id
        ]
        token = escape(visible(worst.token.text)) or "·"
        context = (
            f"{escape(_on_one_line(worst.before))}"
            f'<b class="worst"><u>{token}</u></b>'
            f"{escape(_on_one_line(worst.after))}"
        )
        rows.append(
            (
                str(rank),
                f"{worst.token.prob:.4f}",
                escape(page_name(worst.page)),
                str(worst.line_number),
                f"<code>{context}</code>",
                escape(", ".join(words)),
            )
        )
    return _table(("", "probability", "page", "line", "in its context", "else"), rows)


def worst_tokens_table(
    results: Sequence[OcrResult], worst_n: int = 50, context_tokens: int = 10
) -> pd.DataFrame:
    """The same tokens for other programs: document, page and line from 1, probability, texts."""
    return pd.DataFrame(
        [
            {
                "document": worst.page.document_path,
                "page": worst.page.page_number,
                "line": worst.line_number,
                "probability": worst.token.prob,
                "token": worst.token.text,
                "before": worst.before,
                "after": worst.after,
            }
            for worst in worst_tokens(results, worst_n, context_tokens)
        ]
    )


def ranking_html(results: Sequence[OcrResult], calibration: Calibration | None = None) -> str:
    """Pages by errors to expect, most first; pages that did not end by themselves lead."""
    rows = []
    for result, errors in rank_pages(results, calibration):
        summary = summarize(result.tokens)
        numbers = (
            (f"{summary.average:.3f}", f"{summary.minimum:.3f}") if summary.num_tokens else ("", "")
        )
        rows.append(
            (
                f'<a href="#{anchor(result.page)}">{escape(page_name(result.page))}</a>',
                "" if result.finish_reason == "stop" else f"<b>{result.finish_reason}</b>",
                str(summary.num_tokens),
                *numbers,
                f"{errors.mean:.1f} ± {errors.deviation:.1f}",
            )
        )
    kind = "estimated errors" if calibration else "uncalibrated sum of doubt"
    heads = ("page", "ended by", "tokens", "average probability", "minimum", kind)
    return _table(heads, rows)


def _on_one_line(text: str) -> str:
    """On one line; spaces as they are, since a context is read and not decoded."""
    return text.replace("\n", "⏎").replace("\t", "⇥")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
