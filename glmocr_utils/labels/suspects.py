"""Gold that may be wrong: labels in which the model finds something very improbable.

One wrong word hardly moves the mean of a whole page, so what counts is the most surprising stretch
of a label. Where the model itself reads badly, that says more about the model than about labels.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from glmocr_utils.records import Label, TokenProb

STRETCH_TOKENS = 8  # about two words; a misreading spreads over its neighbours
CONTEXT_TOKENS = 12


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label and its least probable stretch.

    Attributes:
        label: which.
        surprise: of the stretch, in nats: minus the sum of its tokens' log probabilities.
        mean_surprise: of all tokens, nats a token.
        stretch: the text of the stretch; before, after: the text around it.
        line_number: 1-based line in which the stretch begins.
    """

    label: Label
    surprise: float
    mean_surprise: float
    before: str
    stretch: str
    after: str
    line_number: int


def find_suspects(
    labels: Iterable[Label], score: Callable[[Label], Sequence[TokenProb]]
) -> list[Suspect]:
    """The labels, the most suspect first; empty ones, which have no token, are passed over.

    Args:
        score: the probability that the model gives each token of a label, as `ocr.score_text`.
    """
    scored = ((label, score(label)) for label in labels)
    suspects = [_suspect(label, tokens) for label, tokens in scored if tokens]
    return sorted(suspects, key=lambda suspect: -suspect.surprise)


def _suspect(label: Label, tokens: Sequence[TokenProb]) -> Suspect:
    surprises = -np.array([token.logprob for token in tokens])  # (num_tokens,)
    width = min(STRETCH_TOKENS, len(tokens))
    sums = np.convolve(surprises, np.ones(width), mode="valid")
    start = int(sums.argmax())
    texts = [token.text for token in tokens]
    before = "".join(texts[:start])
    return Suspect(
        label=label,
        surprise=float(sums[start]),
        mean_surprise=float(surprises.mean()),
        before="".join(texts[max(0, start - CONTEXT_TOKENS) : start]),
        stretch="".join(texts[start : start + width]),
        after="".join(texts[start + width : start + width + CONTEXT_TOKENS]),
        line_number=before.count("\n") + 1,
    )
