"""Pieces of words that have letters in common learn from each other.

Each piece has a row of its own in embedding and head, and most pieces are seen seldom, so a row
learns slowly by itself how its piece is spelled. But what a letter looks like, and where one looks
after it, is the same in all pieces. So each step also moves all rows together that have the same
letter in the same place, as if a row were the sum of its letters and of something of its own. The
saved rows are plain ones.
"""

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

FROM_START, FROM_END = 8, 4  # places that are counted: from the first byte, and from the last
PLACES = FROM_START + FROM_END
NUM_BYTES = 256
NOTHING = PLACES * NUM_BYTES


def letters_of(tokenizer: PreTrainedTokenizerBase, num_rows: int) -> torch.Tensor:
    """(num_rows, PLACES) which letter in which place each token has: place * 256 + byte.

    `NOTHING` stands where a token has no letter; special tokens have none.
    """
    numbers = {
        sign: number
        for number, sign in enumerate(sorted(set("".join(_pieces(tokenizer).values()))))
    }
    letters = torch.full((num_rows, PLACES), NOTHING)
    for token, piece in _pieces(tokenizer).items():
        spelled = [numbers[sign] for sign in piece]
        for place, number in enumerate(spelled[:FROM_START]):
            letters[token, place] = place * NUM_BYTES + number
        for place, number in enumerate(spelled[::-1][:FROM_END], start=FROM_START):
            letters[token, place] = place * NUM_BYTES + number
    return letters


def _pieces(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """Token id → its bytes, a sign for each, without the added tokens."""
    added = set(tokenizer.get_added_vocab())
    return {number: piece for piece, number in tokenizer.get_vocab().items() if piece not in added}


class SharedLetters:
    """What the letters of some rows learn, for an optimizer that knows only parameters.

    Attributes:
        moves: (NOTHING + 1, width) how far each letter moves; zero between two steps. The optimizer
            has it as a parameter.
    """

    def __init__(self, rows: nn.Parameter, letters: torch.Tensor) -> None:
        self._rows = rows
        self._letters = letters
        self.moves = nn.Parameter(rows.new_zeros(NOTHING + 1, rows.shape[1]))

    def collect(self) -> None:
        """Before a step: give each letter the gradients of its rows, summed."""
        if self._rows.grad is None:
            self.moves.grad = None
            return
        letters = self._letters.to(self._rows.device)
        gradient = torch.zeros_like(self.moves)
        gradient.index_add_(0, letters.flatten(), self._rows.grad.repeat_interleave(PLACES, 0))
        gradient[NOTHING] = 0
        self.moves.grad = gradient

    @torch.no_grad()
    def hand_on(self) -> None:
        """After a step: move each row by what its letters moved."""
        letters = self._letters.to(self._rows.device)
        self._rows += nn.functional.embedding(letters, self.moves).sum(1)
        self.moves.zero_()
