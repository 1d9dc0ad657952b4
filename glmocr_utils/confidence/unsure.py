"""Where the model was unsure: probability statistics and the worst tokens over many pages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from glmocr_utils.confidence.words import Choice, PageTokens
from glmocr_utils.records import OcrResult, PageRef, TokenProb

# Lower bounds of the steps in which probabilities are shown; below the last is the worst step.
STEP_BOUNDS = (0.99, 0.95, 0.80, 0.50)
WORST_STEP = len(STEP_BOUNDS)


@dataclass(frozen=True, slots=True)
class ProbabilitySummary:
    """Statistics of the chosen tokens' probabilities, 0 to 1; None where there is no token.

    The average is that of the probabilities, not of their logarithms.
    """

    num_tokens: int
    average: float | None
    minimum: float | None


@dataclass(frozen=True, slots=True)
class WorstToken:
    """A token of low probability in its surroundings.

    Attributes:
        page: the page it is on; line_number: printed line on that page, from 1.
        index: of the token on its page, from 0.
        token: the token itself.
        before, after: the text of the tokens around it.
        word: the word or words that it is in; empty where it is in none.
        choices: the page's possible texts there, with other tokens.
    """

    page: PageRef
    line_number: int
    index: int
    token: TokenProb
    before: str
    after: str
    word: str
    choices: tuple[Choice, ...]


def step_of(prob: float) -> int:
    """0 (0.99 and more) to 4 (less than 0.50)."""
    return sum(prob < bound for bound in STEP_BOUNDS)


def summarize(tokens: Iterable[TokenProb]) -> ProbabilitySummary:
    """Number, average and minimum of the tokens' probabilities."""
    probabilities = [token.prob for token in tokens]
    if not probabilities:
        return ProbabilitySummary(0, None, None)
    average = sum(probabilities) / len(probabilities)
    return ProbabilitySummary(len(probabilities), average, min(probabilities))


def worst_tokens(
    results: Sequence[OcrResult], worst_n: int = 50, context_tokens: int = 10
) -> list[WorstToken]:
    """The `worst_n` tokens of lowest probability over all pages, worst first.

    Args:
        context_tokens: number of tokens of context on each side, from the same page.
    """
    candidates = sorted(
        (token.logprob, number, index)
        for number, result in enumerate(results)
        for index, token in enumerate(result.tokens)
    )
    worst = candidates[:worst_n]
    pages = {number: PageTokens(results[number]) for number in {number for _, number, _ in worst}}
    return [_in_context(pages[number], index, context_tokens) for _, number, index in worst]


def _in_context(page: PageTokens, index: int, context_tokens: int) -> WorstToken:
    result, tokens = page.result, page.result.tokens
    words = page.words_at(*page.spans[index])
    until_here = "".join(token.text for token in tokens[:index])
    return WorstToken(
        page=result.page,
        line_number=until_here.count("\n") + 1,
        index=index,
        token=tokens[index],
        before="".join(token.text for token in tokens[max(0, index - context_tokens) : index]),
        after="".join(token.text for token in tokens[index + 1 : index + 1 + context_tokens]),
        word=page.text[words[0][0] : words[-1][1]] if words else "",
        choices=tuple(page.choices(index)),
    )


def lines_of_tokens(result: OcrResult) -> Iterator[list[TokenProb]]:
    """The page's tokens line by line; a token that holds a line end closes its line."""
    line: list[TokenProb] = []
    for token in result.tokens:
        line.append(token)
        if "\n" in token.text:
            yield line
            line = []
    if line:
        yield line
