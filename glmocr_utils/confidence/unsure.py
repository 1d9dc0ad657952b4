"""Where the model was unsure: probability statistics and the worst tokens over many pages."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from glmocr_utils.confidence.risk import WordRisk
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

    def __str__(self) -> str:
        """`1,204 tokens: probability 0.973 on average, 0.0312 at the least`"""
        if self.average is None or self.minimum is None:
            return "no tokens, so no probabilities"
        return (
            f"{self.num_tokens:,} tokens: probability {self.average:.3f} on average, "
            f"{self.minimum:.3g} at the least"
        )


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
        risk: that its word is wrong, 0 to 1; None where that is not known.
    """

    page: PageRef
    line_number: int
    index: int
    token: TokenProb
    before: str
    after: str
    word: str
    choices: tuple[Choice, ...]
    risk: float | None = None


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
    results: Sequence[OcrResult],
    worst_n: int = 50,
    context_tokens: int = 10,
    risk: WordRisk | None = None,
) -> list[WorstToken]:
    """The `worst_n` tokens of lowest probability over all pages, worst first.

        for worst in worst_tokens(load_results("outputs/02_ocr_explore"), worst_n=10):
            print(worst.page.page_number, worst.word, f"{worst.token.prob:.2f}")

    Args:
        context_tokens: number of tokens of context on each side, from the same page.
        risk: where it knows the pages, words come by their risk, each with its least sure token.
    """
    worst = sorted(
        (each for n, result in enumerate(results) for each in _ranked(n, result, risk)),
    )[:worst_n]
    pages = {number: PageTokens(results[number]) for number in {each[2] for each in worst}}
    return [
        _in_context(
            pages[number], index, context_tokens, None if wrong is None else round(wrong, 6)
        )
        for _, _, number, index, wrong in worst
    ]


def _ranked(
    number: int, result: OcrResult, risk: WordRisk | None
) -> Iterator[tuple[float, float, int, int, float | None]]:
    """(to sort by, log probability, page, token, risk) of each token to list."""
    if risk is None or not risk.knows(result):
        for index, token in enumerate(result.tokens):
            yield token.prob - 1, token.logprob, number, index, None
        return
    tokens = PageTokens(result)
    for word, wrong in zip(tokens.words, risk(result).tolist(), strict=True):
        index = min(tokens.tokens_of(*word), key=lambda each: result.tokens[each].logprob)
        yield -wrong, result.tokens[index].logprob, number, index, wrong


def _in_context(
    page: PageTokens, index: int, context_tokens: int, risk: float | None
) -> WorstToken:
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
        risk=risk,
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
