"""Results as lines for a terminal: text with line numbers, timing, tokens, worst probabilities."""

from collections.abc import Iterator, Sequence

from glmocr_utils.confidence import WorstToken, summarize, worst_tokens
from glmocr_utils.records import OcrResult, TokenProb

BOLD_RED = "\033[1;31m"
RESET = "\033[0m"


def numbered_text(result: OcrResult) -> Iterator[str]:
    """The page's text, line by line with numbers from 1, under a heading."""
    yield f"── {_name(result)} ──"
    if not result.text:
        yield "   (no text)"
    for number, line in enumerate(result.text.split("\n") if result.text else (), start=1):
        yield f"{number:4d} │ {printable(line)}"
    if result.warning:
        yield f"   ! {result.warning}"


def timing_lines(results: Sequence[OcrResult], batch_size: int) -> Iterator[str]:
    """Seconds per page, or per batch, and the totals. Loading the model is not in them."""
    for number, batch in enumerate(_batches(results, batch_size), start=1):
        seconds = sum(result.seconds for result in batch)
        if batch_size == 1:
            yield f"{_name(batch[0])}: {seconds:.2f} s"
        else:
            yield f"batch {number}, {len(batch)} pages: {seconds:.2f} s"
    total = sum(result.seconds for result in results)
    rate = len(results) / total if total else 0.0
    yield (
        f"{len(results)} pages in batches of {batch_size}: {total:.2f} s, "
        f"{total / max(1, len(results)):.2f} s/page, {rate:.2f} pages/s"
    )


def token_lines(results: Sequence[OcrResult], batch_size: int) -> Iterator[str]:
    """Generated tokens per page, or per batch; special tokens and padding do not count."""
    for number, batch in enumerate(_batches(results, batch_size), start=1):
        tokens = sum(len(result.tokens) for result in batch)
        name = _name(batch[0]) if batch_size == 1 else f"batch {number}"
        yield f"{name}: {tokens} tokens"
    total = sum(len(result.tokens) for result in results)
    yield f"total: {total} tokens, {total / max(1, len(results)):.1f} a page"


def probability_lines(
    results: Sequence[OcrResult],
    batch_size: int,
    worst_n: int = 50,
    context_tokens: int = 10,
    color: bool = True,
) -> Iterator[str]:
    """Probability statistics and the worst tokens, each in bold red within its context."""
    for number, batch in enumerate(_batches(results, batch_size), start=1):
        name = _name(batch[0]) if batch_size == 1 else f"batch {number}"
        yield f"{name}: {_statistics(token for result in batch for token in result.tokens)}"
    yield f"all pages: {_statistics(token for result in results for token in result.tokens)}"
    worst = worst_tokens(results, worst_n, context_tokens)
    yield f"the {len(worst)} tokens of lowest probability:"
    for rank, token in enumerate(worst, start=1):
        yield f"{rank:4d}  {_worst_line(token, color)}"


def printable(text: str) -> str:
    """`text` on one line: line ends and tabs as signs, control characters made harmless.

    OCR text may hold escape sequences that would move the cursor or change the terminal.
    """
    shown = text.replace("\n", "⏎").replace("\t", "⇥")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)


def _batches(results: Sequence[OcrResult], batch_size: int) -> list[Sequence[OcrResult]]:
    """The results that were read in one pass."""
    return [results[i : i + batch_size] for i in range(0, len(results), batch_size)]


def _worst_line(worst: WorstToken, color: bool) -> str:
    text = printable(worst.token.text) or "·"
    marked = f"{BOLD_RED}{text}{RESET}" if color else f"[{text}]"
    where = f"{worst.page.document_name} p{worst.page.page_number}:{worst.line_number}"
    context = f"{printable(worst.before)}{marked}{printable(worst.after)}"
    return f"{worst.token.prob:6.4f}  {where}  {context}"


def _statistics(tokens: Iterator[TokenProb]) -> str:
    summary = summarize(tokens)
    if not summary.num_tokens:
        return "no tokens"
    return (
        f"average probability {summary.average:.4f}, minimum {summary.minimum:.4f}, "
        f"{summary.num_tokens} tokens"
    )


def _name(result: OcrResult) -> str:
    return f"{printable(result.page.document_name)} page {result.page.page_number}"
