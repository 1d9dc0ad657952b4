"""Tables of where to look: the least sure tokens, the pages with most errors to expect."""

from collections.abc import Sequence

import pandas as pd

from glmocr_utils.confidence import (
    Calibration,
    MarkedPage,
    WordRisk,
    errors_caught,
    expected_errors,
    rank_pages,
    summarize,
    suspicions,
    unseen_errors,
    worst_tokens,
)
from glmocr_utils.display.escape import escape, on_one_line, visible, visible_choice
from glmocr_utils.display.page import LEAST_PROB_SHOWN, anchor, page_name
from glmocr_utils.records import OcrResult, storable_path

DISAGREEMENTS = {
    "other": "other characters",
    "sign": "another sign that looks alike",
    "left_out": "left out of the text",
    "made_up": "not seen by it",
    "order": "elsewhere on the page",
}


def worst_tokens_html(
    results: Sequence[OcrResult],
    worst_n: int = 50,
    context_tokens: int = 10,
    risk: WordRisk | None = None,
) -> str:
    """The tokens of lowest probability over all pages, each in its context, worst first.

    Args:
        risk: as in `worst_tokens`; it has a column of its own.
    """
    rows = []
    for rank, worst in enumerate(worst_tokens(results, worst_n, context_tokens, risk), start=1):
        words = [
            f"{visible_choice(choice.after)} ({choice.other.prob:.2f})"
            for choice in worst.choices
            if choice.other.prob >= LEAST_PROB_SHOWN
        ]
        token = escape(visible(worst.token.text)) or "·"
        context = (
            f"{escape(on_one_line(worst.before))}"
            f'<b class="worst"><u>{token}</u></b>'
            f"{escape(on_one_line(worst.after))}"
        )
        rows.append(
            (
                str(rank),
                *([] if risk is None else ["" if worst.risk is None else f"{worst.risk:.2f}"]),
                f"{worst.token.prob:.4f}",
                escape(page_name(worst.page)),
                str(worst.line_number),
                f"<code>{context}</code>",
                escape(", ".join(words)),
            )
        )
    heads = ("probability", "page", "line", "in its context", "alternatives")
    return html_table(("", *(() if risk is None else ("risk",)), *heads), rows)


def worst_tokens_table(
    results: Sequence[OcrResult],
    worst_n: int = 50,
    context_tokens: int = 10,
    risk: WordRisk | None = None,
) -> pd.DataFrame:
    """The same tokens for other programs.

    Columns: document, page and line (from 1), probability, risk (that the word is wrong; empty
    where it is not known), token, before and after (tokens around it), word (or words that it is
    in), and alternatives (these words with other tokens).
    """
    return pd.DataFrame(
        [
            {
                "document": storable_path(worst.page.document_path),
                "page": worst.page.page_number,
                "line": worst.line_number,
                "probability": worst.token.prob,
                "risk": worst.risk,
                "token": worst.token.text,
                "before": worst.before,
                "after": worst.after,
                "word": worst.word,
                "alternatives": ", ".join(
                    f"{choice.after or '(nothing)'} ({choice.other.prob:.2f})"
                    for choice in worst.choices
                ),
            }
            for worst in worst_tokens(results, worst_n, context_tokens, risk)
        ]
    )


def second_readings_html(results: Sequence[OcrResult], most: int = 50) -> str:
    """Where second readers disagree, by kind; at most so many rows, the pages in their order."""
    rows = [
        (
            escape(page_name(result.page)),
            escape(second.reader),
            DISAGREEMENTS[each.kind],
            escape(visible(result.text[each.start : each.stop])),
            escape(visible(each.text)),
        )
        for result in results
        for second in result.second_readings
        for each in second.disagreements
    ]
    head = ("page", "second reader", "what", "the text says", "it reads")
    more = f"<p>and {len(rows) - most} more</p>" if len(rows) > most else ""
    return html_table(head, rows[:most]) + more if rows else "<p>no disagreements</p>"


def ranking_html(
    results: Sequence[OcrResult],
    calibration: Calibration | None = None,
    risk: WordRisk | None = None,
) -> str:
    """Pages by errors to expect, most first; pages that were not read to their end lead.

    Args:
        risk: as in `rank_pages`; words that it expects to be wrong have a column of their own.
    """
    rows = []
    for result, errors in rank_pages(results, calibration, risk):
        words = risk.wrong_words(result) if risk and result.tokens else None
        summary = summarize(result.tokens)
        numbers = (
            (f"{summary.average:.3f}", f"{summary.minimum:.3f}") if summary.num_tokens else ("", "")
        )
        rows.append(
            (
                f'<a href="#{anchor(result.page)}">{escape(page_name(result.page))}</a>',
                "" if result.status == "ok" else f"<b>{result.status}</b>",
                str(summary.num_tokens),
                *numbers,
                f"{errors.mean:.1f} ± {errors.deviation:.1f}" if errors.is_known else "not known",
                *([] if risk is None else ["" if words is None else f"{words:.1f}"]),
            )
        )
    kind = "estimated errors" if calibration else "uncalibrated sum of doubt"
    heads = ("page", "status", "tokens", "average probability", "minimum", kind)
    return html_table((*heads, *(() if risk is None else ("wrong words to expect",))), rows)


def errors_found_table(
    pages: Sequence[MarkedPage], shares: Sequence[float] = (0.05, 0.10, 0.20)
) -> pd.DataFrame:
    """The share of all errors, 0 to 1, that the most suspicious tokens hold.

    Args:
        shares: how many of the tokens are looked at, 0 to 1; one column each.

    Returns:
        One row a score of `suspicions`; none if no token is wrong, or none is right.
    """
    wrong = [each for page in pages for each in page.is_wrong]
    if all(wrong) or not any(wrong):
        return pd.DataFrame(index=pd.Index([], name="needs references with errors"))
    found = {score: errors_caught(pages, score) for score in suspicions(pages[0].result)}
    return pd.DataFrame(
        {
            f"first {100 * share:g} %": {name: f.caught_at(share) for name, f in found.items()}
            for share in shares
        }
    )


def in_percent(shares: pd.DataFrame) -> pd.DataFrame:
    """A table of shares, 0 to 1, for people."""
    return shares.map("{:.0%}".format)


def expected_errors_table(pages: Sequence[MarkedPage]) -> pd.DataFrame:
    """Wrong tokens to expect on each page beside the true number; see `unseen_errors`.

    Columns: document, page (from 1), `stated` (sum of the model's own doubt), `expected` and
    `deviation`, `calibrated` (False where they are only the stated ones), `wrong`, and `left_out`,
    characters that no token stands for.
    """
    return pd.DataFrame(
        [
            {
                "document": storable_path(page.result.page.document_path),
                "page": page.result.page.page_number,
                "stated": round(expected_errors(page.result).mean, 1),
                "expected": round(estimate.mean, 1),
                "deviation": round(estimate.deviation, 1),
                "calibrated": estimate.is_calibrated,
                "wrong": page.num_wrong,
                "left_out": page.omissions,
            }
            for page, estimate in zip(pages, unseen_errors(pages), strict=True)
        ],
        columns="document page stated expected deviation calibrated wrong left_out".split(),
    )


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
